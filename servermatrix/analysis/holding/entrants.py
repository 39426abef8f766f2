"""Which cells of a race are tried at fixed rates, and what they serve in a closed loop."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from servermatrix.analysis import race
from servermatrix.analysis.stats import median
from servermatrix.analysis.summarise import checked, cpu_us_of, rate_of
from servermatrix.model import Cell, Measured, Run


def capacities(run: Run) -> dict[str, float]:
    """Return the requests per second of each cell in a closed loop: the median of the starts that worked."""
    return {cell_id: median([rate_of(start) for start in found]) for cell_id, found in _starts(run).items()}


def finalists(run: Run) -> tuple[Cell, ...]:
    """Return the cells to be tried at fixed rates, in the order in which they have their turns; none without a race."""
    if run.header.race is None:
        return ()
    found, starts, cells = race.outcome(run), _starts(run), _cells(run)
    tied = [cell_id for cell_id in dict.fromkeys((found.best, *found.tied)) if cell_id]
    ranked = _ranked(found, (*tied, *found.beaten, *found.open), starts)
    costs = {cell_id: _cost(cells[cell_id], starts[cell_id]) for cell_id in ranked}
    level = sorted((cell_id for cell_id in tied if cell_id in costs), key=costs.__getitem__)
    spare = [cell_id for cell_id in ranked if cell_id in found.open]
    chosen = entrants([cells[own] for own in ranked], [cells[own] for own in level], run.header.race.finalists)
    return tuple(dict.fromkeys([*chosen, *(cells[own] for own in spare)]))[: run.header.race.finalists]


def reserves(run: Run) -> tuple[Cell, ...]:
    """Return the cells to be tried when no finalist keeps the limits: beaten in the race, but they work; best first."""
    sought = run.header.race
    if sought is None or not (sought.latency_limits or sought.rate_per_s):
        return ()
    found, cells, first = race.outcome(run), _cells(run), {cell.id for cell in finalists(run)}
    ranked = _ranked(found, found.beaten, _starts(run))
    return tuple(cells[own] for own in ranked if own not in first)[: sought.finalists]


def _cells(run: Run) -> dict[str, Cell]:
    return {planned.cell.id: planned.cell for planned in run.header.cells}


def _ranked(found: race.Outcome, ids: Iterable[str], starts: Collection[str]) -> list[str]:
    """Return those of the ids that have a score and a start that worked, best first."""
    scores = {cell_id: score.value for cell_id in ids if (score := found.score(cell_id)) and cell_id in starts}
    return sorted(scores, key=lambda cell_id: (-scores[cell_id], cell_id))


def entrants(ranked: Sequence[Cell], level: Sequence[Cell], most: int) -> tuple[Cell, ...]:
    """Choose at most so many cells from those `ranked`, best first, and those `level` with the best, cheapest first.

    These are the cheapest, the best, and then others of both kinds. The best of each other server may take half of the places,
    since what is slower in a closed loop may do as well at a rate.
    """
    first = dict.fromkeys([*level[:1], *(cell for cell in ranked[:1] if cell in level)])
    guests = list(_best_of_others(ranked, {cell.server for cell in first}))[: most // 2]
    return tuple(dict.fromkeys([*first, *guests, *level]))[:most]


def _best_of_others(ranked: Sequence[Cell], servers: Collection[str]) -> Iterator[Cell]:
    seen = set(servers)
    for cell in ranked:
        if cell.server not in seen:
            seen.add(cell.server)
            yield cell


def _cost(cell: Cell, starts: Sequence[Measured]) -> tuple[float, ...]:
    memory = [window.usage.pss_bytes for start in starts for window in start.windows if window.usage.pss_bytes is not None]
    return cell.workers, median(memory) if memory else 0.0, median([cpu_us_of(start) for start in starts])


def _starts(run: Run) -> dict[str, list[Measured]]:
    """Return the starts in a closed loop that worked, by cell."""
    found: dict[str, list[Measured]] = {}
    for sample in map(checked, run.samples):
        if isinstance(sample, Measured):
            found.setdefault(sample.cell_id, []).append(sample)
    return found
