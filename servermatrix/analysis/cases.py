"""A measured cell as its verdict and its remarks see it: the stored facts of all its windows, and how busy everything was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from servermatrix.analysis.stats import median
from servermatrix.model import Ceiling, Cell, Measured, Noise, Percentile, Usage, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cell with its starts in the order of the rounds, the requests per second of each, and how long answers took.

    Every twentieth answer took no longer than `p5_us`. `cores` are those of the host, `ceiling` is what the cell's generator can
    do there, None where that is not known.
    """

    cell: Cell
    starts: tuple[Measured, ...]
    rates: tuple[float, ...]
    p5_us: Percentile
    p50_us: Percentile
    cores: int
    ceiling: Ceiling | None = None

    @property
    def windows(self) -> list[Window]:
        """List the windows of all starts."""
        return [window for start in self.starts for window in start.windows]

    @property
    def usages(self) -> list[Usage]:
        """List what the machine did in the windows of all starts."""
        return [window.usage for window in self.windows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """How busy a machine was in the median window of a cell: shares from 0 on, of one core where nothing else is said.

    `server` is of what its workers could have, `server_cores` are those that it used, `generator` is of its threads, `busiest`
    what the worker with the most work used, None where that was not seen; `taken` are the cores that were in use or withheld;
    `steal` is of all CPU time.
    """

    server: float
    server_cores: float
    generator: float
    busiest: float | None
    foreign: float
    steal: float
    taken: float
    throttled_us: float
    server_us_per_request: float
    generator_us_per_request: float

    @property
    def us_per_request(self) -> float:
        """Return the CPU time that the server and the generator together used per request, in microseconds."""
        return self.server_us_per_request + self.generator_us_per_request


def busy(case: Case) -> Busy:
    """Return the medians over all windows of a case."""
    windows, usages = case.windows, case.usages
    busiest = [max(usage.worker_cpu_us) / usage.wall_us for usage in usages if usage.worker_cpu_us]
    return Busy(
        server=median([server_busy(usage, case.cell.workers, case.cores) for usage in usages]),
        server_cores=median([usage.server_cpu_us / usage.wall_us for usage in usages]),
        generator=median([generator_busy(usage, case.cell.load.threads) for usage in usages]),
        busiest=median(busiest) if busiest else None,
        foreign=median([usage.foreign_cpu for usage in usages]),
        steal=median([usage.steal for usage in usages]),
        taken=median([cores_taken(usage, case.cores) for usage in usages]),
        throttled_us=median([usage.throttled_us for usage in usages]),
        server_us_per_request=median([window.usage.server_cpu_us / window.stats.requests for window in windows]),
        generator_us_per_request=median([window.usage.generator_cpu_us / window.stats.requests for window in windows]),
    )


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


def cores_taken(usage: Usage, cores: int) -> float:
    """Return how many cores the server, the generator and others used, or the host withheld."""
    return (usage.server_cpu_us + usage.generator_cpu_us) / usage.wall_us + usage.foreign_cpu + usage.steal * cores


def is_noisy(usage: Usage, limits: Noise) -> bool:
    """Tell whether others used more of a core, or the host stole more, than `limits` allow."""
    return usage.foreign_cpu > limits.foreign_cpu or usage.steal > limits.steal


def ceiling_of(cell: Cell, ceilings: Sequence[Ceiling]) -> Ceiling | None:
    """Return what the generator of a cell can do in its protocol with its threads, None where that was not found out."""
    load = cell.load
    key = (load.generator, cell.protocol, load.threads)
    return next((each for each in ceilings if (each.generator, each.protocol, each.threads) == key), None)
