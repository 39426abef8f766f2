"""How long a start of a server takes by estimate: what plans, budgets and searches reckon with."""

from __future__ import annotations

from servermatrix.model import Load

OVERHEAD_S = 0.9  # what goes on around the load of a start


def seconds_per_step(load: Load) -> float:
    """Return how long a start of a server takes, in seconds: its load and what goes on around it."""
    return load.warmup_s + load.windows * load.duration_s + OVERHEAD_S
