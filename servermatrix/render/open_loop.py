"""What is said of a table whose requests were sent at a fixed rate."""

from __future__ import annotations

from servermatrix.model import Table

_SET = "set by the row of the same comparison that serves least in a closed loop"
_DUE = "latency counts from the time a request was due, whether or not it could be sent"


def load(table: Table) -> str:
    """Say who sent the requests, what set the rate, and from when latency counts."""
    return f"Load: open loop, sent by {table.generator} at a fixed rate, {_SET}; {_DUE}."
