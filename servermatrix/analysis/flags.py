"""What a reader must be warned of: windows of one cell to flags; it ranks nothing and must not look at other cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from servermatrix.analysis.stats import MIN_ROUNDS, median
from servermatrix.model import Cell, Flag, Noise, Usage

GENERATOR_FULL = 0.85  # share of the generator's threads from which on it, not the server, may be the limit
SERVER_FULL = 0.90  # at 64 connections a saturated single-process server shows 0.9 to 1.0
NOISY_WINDOWS = 1 / 3
PLATEAU_US = (38_000, 46_000)  # delayed acknowledgements answer after 40 ms
PLATEAU_BUSY = 0.5
UNBALANCED_EXCESS = 0.20  # of all work, above the even share of one worker


def generator_busy(usage: Usage, threads: int) -> float:
    """Return the share (0-1) of its threads that the generator used."""
    return usage.generator_cpu_us / (usage.wall_us * threads)


def server_busy(usage: Usage, workers: int, cores: int) -> float:
    """Return the share (0 and up) of the CPU time its workers could have that the server used.

    They cannot have what the generator used on shared cores. Which process the host stole from is not told, and a busy one is
    hit most: all of it is taken as stolen from the server, so that a low share is never the host's doing.
    """
    reachable = min(workers, cores - usage.generator_cpu_us / usage.wall_us)
    available = usage.wall_us * (reachable - usage.steal * cores)
    return usage.server_cpu_us / available if available > 0 else 1.0


def is_noisy(usage: Usage, limits: Noise) -> bool:
    """Tell whether others used more of a core, or the host stole more, than `limits` allow."""
    return usage.foreign_cpu > limits.foreign_cpu or usage.steal > limits.steal


def cell_flags(
    cell: Cell, usages: Sequence[Usage], *, cores: int, rounds: int, p50_us: float, share: float | None
) -> tuple[Flag, ...]:
    """Return the flags of a measured cell from the usage of all its windows (medians), in the order of the enum.

    `share` is the part of the work that the busiest worker did, None when it was not seen. NOISY goes by the standard
    limits, whatever the run allowed.
    """
    generator = median([generator_busy(usage, cell.load.threads) for usage in usages])
    server = median([server_busy(usage, cell.workers, cores) for usage in usages])
    return (
        *_bottlenecks(cell, generator, server, cores),
        *([Flag.NOISY] if sum(is_noisy(usage, Noise()) for usage in usages) > len(usages) * NOISY_WINDOWS else []),
        *([Flag.PLATEAU_40_MS] if PLATEAU_US[0] <= p50_us <= PLATEAU_US[1] and server < PLATEAU_BUSY else []),
        *([Flag.UNBALANCED] if _unbalanced(cell.workers, share) else []),
        *([Flag.FEW_ROUNDS] if rounds < MIN_ROUNDS else []),
    )


def _bottlenecks(cell: Cell, generator: float, server: float, cores: int) -> Iterator[Flag]:
    if generator > GENERATOR_FULL:
        yield Flag.CLIENT_BOUND
    if server < SERVER_FULL and generator < GENERATOR_FULL:
        yield Flag.UNDER_DRIVEN
    if cell.workers + cell.load.threads > cores:
        yield Flag.OVERSUBSCRIBED


def _unbalanced(workers: int, share: float | None) -> bool:
    return workers > 1 and share is not None and share > 1 / workers + UNBALANCED_EXCESS
