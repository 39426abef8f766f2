"""What the picked cell can carry: from cores, memory and measured CPU time, with the arithmetic in the sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from servermatrix.analysis.field import cell_of
from servermatrix.analysis.phrases import counted, joined
from servermatrix.analysis.picks.scaling import fitted, predicted
from servermatrix.analysis.picks.words import interval, mebibytes
from servermatrix.analysis.stats import median
from servermatrix.analysis.summarise import Row
from servermatrix.model import Capacity, Cell, Estimate, Race, Scaling

LARGEST_MISS = 0.05  # of a measured rate: a fit that misses by more is said to
NO_LAW = 0.10  # of a measured rate: a fit that misses by more says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What memory does over workers, in bytes: so much without any, so much more for each; `counts` were measured."""

    rest: float
    each: float
    counts: tuple[int, ...]

    def fit(self, bound: float) -> int:
        """Return how many workers fit below a bound, in bytes; 0 when none does, or when workers take nothing."""
        return max(0, int((bound - self.rest) // self.each)) if self.each > 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What so many workers serve, and by how many rounds beside the count that was measured most."""

    rate_per_s: float
    rounds: int


def capacity_of(picked: Row, rows: Sequence[Row], race: Race, cores: int) -> Capacity:
    """Return what a cell can carry; `rows` are all cells of the race, `cores` those that the server may use."""
    family = family_of(picked, rows)
    per_core, growth = per_core_of(picked), growth_of(family)
    limit = race.limit("memory")
    fit = growth.fit(limit.bound) if limit and growth and growth.each > 0 else None
    workers = cell_of(picked).workers
    connections = race.pool * workers if race.pool else None
    points = points_of(family)
    curve = fitted(cell_of(picked).setting, {count: point.rate_per_s for count, point in points.items()})
    sentences = (
        *_of_cores(picked, per_core, cores),
        *_of_memory(growth, fit, limit.text if limit else ""),
        *([_of_pools(race.pool, workers)] if connections else []),
        *([_of_scaling(curve, points)] if curve else []),
    )
    return Capacity(
        per_core_per_s=per_core,
        worker_bytes=round(growth.each) if growth and growth.each > 0 else None,
        workers_fit=fit,
        connections=connections,
        scaling=curve if curve and _miss(curve, points) <= NO_LAW else None,
        sentences=sentences,
    )


def family_of(picked: Row, rows: Sequence[Row]) -> Mapping[int, Row]:
    """Return by worker count the measured cells that differ from this one in nothing else."""
    own = _but_for_workers(cell_of(picked))
    return {cell_of(row).workers: row for row in rows if row.rps and _but_for_workers(cell_of(row)) == own}


def _but_for_workers(cell: Cell) -> tuple[object, ...]:
    return cell.setting, cell.protocol, cell.load, cell.app, cell.interface


def per_core_of(row: Row) -> Estimate | None:
    """Return the requests per second for which a second of CPU time is enough, None where it is not known."""
    cost = row.summary.cpu_us_per_request
    if cost is None or cost.value <= 0:
        return None
    low, high = (None if not each else 1e6 / each for each in (cost.high, cost.low))
    return Estimate(value=1e6 / cost.value, low=low, high=high, n=cost.n)


def growth_of(family: Mapping[int, Row]) -> Growth | None:
    """Return how memory grows with workers: the median slope between worker counts; of one count alone, its share per worker.

    Source: Theil (1950), A rank-invariant method of linear and polynomial regression analysis.
    """
    known = {workers: size for workers, row in sorted(family.items()) if (size := row.summary.pss_bytes) is not None}
    if not known:
        return None
    slopes = [(known[more] - known[fewer]) / (more - fewer) for fewer, more in combinations(known, 2)]
    each = median(slopes) if slopes else next(size / workers for workers, size in known.items())
    return Growth(rest=median([size - each * workers for workers, size in known.items()]), each=each, counts=tuple(known))


def points_of(family: Mapping[int, Row]) -> Mapping[int, Point]:
    """Return the requests per second by worker count: those of the count with the most rounds, and its ratios to the others.

    Each ratio is the median over the rounds that the two have in common, for the weather must be the same and some counts were
    left out early. A count without a common round has no point.
    """
    if not family:
        return {}
    base = max(family.values(), key=lambda row: (len(row.rps), -cell_of(row).workers)).rps
    level, found = median([*base.values()]), dict[int, Point]()
    for workers, row in sorted(family.items()):
        if rounds := sorted(base.keys() & row.rps.keys()):
            ratio = median([row.rps[number] / base[number] for number in rounds])
            found[workers] = Point(rate_per_s=level * ratio, rounds=len(rounds))
    return found


def _of_cores(picked: Row, per_core: Estimate | None, cores: int) -> Iterator[str]:
    cost = picked.summary.cpu_us_per_request
    if cost is None or per_core is None:
        return
    bare = Estimate(value=cost.value, low=None, high=None, n=cost.n)
    lead = (
        f"A request takes {interval(bare)} us of CPU time, so a core carries 1,000,000 / {interval(bare)} = {interval(per_core)}"
    )
    if cores == 1 or cores < cell_of(picked).workers:  # what so many workers did says nothing of fewer cores
        yield f"{lead} requests/s, if a request costs no more there and nothing else uses it."
        return
    yield (
        f"{lead} requests/s, and {counted(cores, 'core')} at most {interval(_times(per_core, cores))}, if a request costs no "
        f"more there and nothing else uses them."
    )


def _times(value: Estimate, factor: int) -> Estimate:
    low, high = (None if each is None else each * factor for each in (value.low, value.high))
    return Estimate(value=value.value * factor, low=low, high=high, n=value.n)


def _of_memory(growth: Growth | None, fit: int | None, text: str) -> Iterator[str]:
    if growth is None or growth.each <= 0:
        return
    if len(growth.counts) == 1:
        workers = growth.counts[0]
        yield (
            f"Memory was measured with {counted(workers, 'worker')} alone: {mebibytes(growth.each)} for each, of which what "
            f"workers share is a part."
        )
    else:
        numbers = joined([f"{count}" for count in growth.counts])
        each = mebibytes(growth.each)
        by = (
            f"is {mebibytes(growth.rest)} and {each} for every worker"
            if growth.rest > 0
            else f"grows by {each} with every worker"
        )
        yield f"Memory {by} (measured with {numbers} workers)."
    if fit is not None:
        beyond = f", if it goes on like this beyond the {max(growth.counts)} measured" if fit > max(growth.counts) else ""
        yield f"{text} has room for {counted(fit, 'worker')} under this load{beyond}."


def _of_pools(pool: int, workers: int) -> str:
    return (
        f"Every worker has a pool of its own: {pool} x {counted(workers, 'worker')} = "
        f"{counted(pool * workers, 'database connection')} that the database must allow."
    )


def _miss(scaling: Scaling, points: Mapping[int, Point]) -> float:
    """Return by which share of a measured rate a fit is off at most."""
    return max(abs(predicted(scaling, count) / point.rate_per_s - 1) for count, point in points.items())


def _rests_on(points: Mapping[int, Point]) -> str:
    rounds = sorted({point.rounds for point in points.values()})
    many = counted(rounds[0], "round") if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]} rounds"
    return f"{joined([f'{count}' for count in points])} workers, by {many}"


def _of_scaling(scaling: Scaling, points: Mapping[int, Point]) -> str:
    workers, miss = max(points), _miss(scaling, points)
    if miss > NO_LAW:
        return (
            f"The scalability law does not describe throughput over workers here: fitted to {_rests_on(points)}, it misses what "
            f"was measured by up to {miss:.0%}, so no peak can be told."
        )
    peak = (
        f"the most is reached with {counted(scaling.peak, 'worker')}, {predicted(scaling, scaling.peak):,.0f} requests/s"
        if scaling.peak is not None
        else f"up to {scaling.farthest} workers, as far as it may be read, more workers do more"
    )
    off = f"; it misses what was measured by up to {miss:.0%}, so take it as rough" if miss > LARGEST_MISS else ""
    return (
        f"Throughput over workers, fitted to {_rests_on(points)} (1 worker {scaling.rate_per_s:,.0f} requests/s, "
        f"contention {scaling.contention:.3f}, coherency {scaling.coherency:.4f}): {peak}, of {workers} measured at most{off}."
    )
