"""Who takes part in a race, with the scores by round, and who is out of it for a reason that is no comparison."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb, log, nan
from typing import TYPE_CHECKING

from servermatrix.analysis.stats import median
from servermatrix.analysis.summarise import checked, cpu_us_of, rate_of
from servermatrix.model import CPU, LATENCY, MEMORY, THROUGHPUT, Cause, Cell, Failed, Limit, Measured, Race, Run, Sample, Skipped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROUNDS_OF_MEMORY = 2  # from which on memory may be over a limit: one start may be an exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrants:
    """The cells that compete in a race, references left out, and what is known of them up to some round.

    `scores` are logarithms by id and round, higher is better, of those that did not fail. `failed`, `over` (a limit) and
    `skipped` say by id, in a sentence, why a cell cannot be picked whatever its score.
    """

    cells: tuple[Cell, ...]
    scores: Mapping[str, Mapping[int, float]]
    failed: Mapping[str, str]
    over: Mapping[str, str]
    skipped: Mapping[str, str]

    @property
    def ids(self) -> tuple[str, ...]:
        """Return those that have a score, in the order of the plan."""
        return tuple(self.scores)

    @property
    def comparisons(self) -> int:
        """Count the comparisons that could cost the best cell its place, whichever it is.

        Each other cell could seem better than it. In its family, the same settings with other numbers of workers, any two numbers
        on one side of its own could seem to fall off towards it.
        """
        largest = max(map(len, self.families(None)), default=1)
        return max(1, len(self.cells) - 1 + comb(largest - 1, 2))

    def families(self, ids: Sequence[str] | None) -> list[list[tuple[int, int]]]:
        """Return by family (workers, place in `ids`), or in the plan, of cells that differ in workers alone."""
        known = {cell.id: cell for cell in self.cells}
        found: dict[Cell, list[tuple[int, int]]] = defaultdict(list)
        for place, cell in enumerate([known[each] for each in ids] if ids is not None else self.cells):
            found[replace(cell, workers=0)].append((cell.workers, place))
        return [sorted(family) for family in found.values()]

    def table(self) -> Array:
        """Return the scores as cells x rounds, NaN where a cell lacks a round."""
        import numpy as np  # noqa: PLC0415 - not in memory before the first look

        rounds = sorted({number for one in self.scores.values() for number in one})
        rows = [[one.get(number, nan) for number in rounds] for one in self.scores.values()]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(rounds))


def entrants(run: Run, until: int) -> Entrants:
    """Return who competes in a run, with what is known up to a round."""
    race = run.header.race or Race()
    cells = tuple(one.cell for one in run.header.cells if _competes(one.cell, race))
    samples: dict[str, list[Sample]] = {cell.id: [] for cell in cells}
    for sample in run.samples:
        if sample.cell_id in samples and sample.round <= until:
            samples[sample.cell_id].append(checked(sample))
    failed = {own: reason for own, these in samples.items() if (reason := _failure(these))}
    starts = {own: [one for one in these if isinstance(one, Measured)] for own, these in samples.items()}
    score = SCORES[race.prefer]
    scores = {own: {one.round: score(one) for one in these} for own, these in starts.items() if own not in failed}
    limit = race.limit(MEMORY)
    heavy = {own: _overweight(these, limit) for own, these in starts.items() if limit and own not in failed}
    return Entrants(
        cells=cells,
        scores={own: known for own, these in scores.items() if (known := _known(these))},
        failed=failed,
        over={own: reason for own, reason in heavy.items() if reason},
        skipped={own: reason for own, these in samples.items() if own not in failed and (reason := _not_tried(these))},
    )


def _competes(cell: Cell, race: Race) -> bool:
    return cell.id not in race.references and not cell.duplicate and not cell.load.rate_percent


def _failure(samples: Sequence[Sample]) -> str:
    """Say why a cell failed, empty for one that did not: a round that was lost to noise is no failure."""
    return next((one.reason for one in samples if isinstance(one, Failed) and one.cause is not Cause.NOISE), "")


def _not_tried(samples: Sequence[Sample]) -> str:
    """Say why a cell was never tried, empty where it was, or may still be."""
    reasons = [one.reason for one in samples if isinstance(one, Skipped)]
    return reasons[0] if reasons and len(reasons) == len(samples) else ""


def _known(scores: Mapping[int, float | None]) -> dict[int, float]:
    return {number: score for number, score in scores.items() if score is not None}


def _overweight(starts: Sequence[Measured], limit: Limit | None) -> str:
    """Say that a cell takes more memory than it may, empty where it does not or that is not known yet."""
    known = [pss for one in starts if (pss := pss_of(one)) is not None]
    if limit is None or len(known) < ROUNDS_OF_MEMORY or median(known) <= limit.bound:
        return ""
    return f"it takes {median(known) / 2**20:,.0f} MiB of memory, and the limit is {limit.text}"


def pss_of(start: Measured) -> float | None:
    """Return the most memory (PSS, bytes) that a start had at the end of a window, None where that is not known."""
    return max((one.usage.pss_bytes for one in start.windows if one.usage.pss_bytes is not None), default=None)


def _logarithm(value: float | None) -> float | None:
    """Return the logarithm, None where there is none: CPU time below the tick of the clock is 0."""
    return log(value) if value else None


def _less(value: float | None) -> float | None:
    found = _logarithm(value)
    return None if found is None else -found


SCORES: Mapping[str, Callable[[Measured], float | None]] = {
    THROUGHPUT: lambda start: _logarithm(rate_of(start)),
    LATENCY: lambda start: _logarithm(rate_of(start)),
    CPU: lambda start: _less(cpu_us_of(start)),
    MEMORY: lambda start: _less(pss_of(start)),
}
