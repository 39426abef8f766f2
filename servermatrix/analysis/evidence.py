"""Whether a change that a check found is there in a smaller check: what is looked for in a cell, and how that came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log
from sys import maxsize

from servermatrix.analysis.attribution import Outcome
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.regress.canaries import canary_of
from servermatrix.analysis.regress.duels import OFTEN, Duel, duels_of
from servermatrix.analysis.regress.judging import stages_of
from servermatrix.analysis.regress.shifts import NAMES, figures
from servermatrix.analysis.regress.stages import ALARM_ALPHA
from servermatrix.analysis.stats import ratio
from servermatrix.model import Cause, CellChange, Change, Estimate, Metric, Run, Shift

PROBE_ALPHA = 0.01  # of the interval that is held against half of the change
ALL_ROUNDS = range(1, maxsize)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is looked for in a pair: the ratio of a metric, candidate to baseline, or that a share (0-1) of the starts fails.

    `metric` is None where it is failures.
    """

    pair: str
    metric: Metric | None = None
    ratio: float = 1.0
    failing: float = 0.0


def sought(cell: CellChange) -> Sought | None:
    """Return what made a cell a regression, of two metrics the clearer one; None where it is none."""
    if cell.change is not Change.REGRESSION:
        return None
    worse = {size: shift for shift in cell.shifts if (size := _clearness(shift)) > 0}
    if worse:
        shift = worse[max(worse)]
        return Sought(pair=cell.pair, metric=shift.metric, ratio=shift.ratio.value if shift.ratio else 1.0)
    row = cell.candidate
    tried = row.rounds_ok + row.rounds_failed if row else 0
    return Sought(pair=cell.pair, failing=row.rounds_failed / tried) if row and tried and not cell.shifts else None


def _clearness(shift: Shift) -> float:
    """Return how many widths of its interval a confirmed change for the worse is away from none, 0 for any other."""
    found = shift.ratio
    if found is None or not found.low or found.high is None or shift.p is None or shift.p > ALARM_ALPHA:
        return 0.0
    return max(0.0, _worse(shift.metric) * log(found.value)) / max(log(found.high / found.low), 1e-9)


def _worse(metric: Metric) -> int:
    """Return the sign of the logarithm of a ratio that is worse."""
    return 1 if metric is Metric.CPU else -1


def outcome_of(wanted: Sought, run: Run) -> tuple[Outcome, str]:
    """Return whether what is sought is there in the run of a small check, and a sentence with the figures.

    It is there when the interval of the ratio, at 99 %, lies beyond half of what was found (on the scale of logarithms), and not
    there when it is short of that.
    """
    duels = duels_of(run)
    duel = next((one for one in duels.pairs if one.pair == wanted.pair), None)
    if duel is None:
        return Outcome.UNSURE, "it was not measured"
    if told := next(_alarms(run), None):
        return Outcome.UNSURE, told
    if failed := [one for one in (*duel.baseline.failures, *duel.candidate.failures) if one.cause is Cause.ENVIRONMENT]:
        return Outcome.UNSURE, f"it could not be measured here: {failed[0].reason}"
    if duel.baseline.failures:
        return Outcome.UNSURE, f"the baseline failed: {duel.baseline.failures[0].reason}"
    return _by_failures(wanted, duel) if wanted.metric is None else _by_ratio(wanted.metric, wanted.ratio, duel)


def _alarms(run: Run) -> Iterator[str]:
    canaries = (canary_of(one, stages_of(run)) for one in duels_of(run).canaries)
    return (one.sentence for one in canaries if one.alarmed)


def _by_failures(wanted: Sought, duel: Duel) -> tuple[Outcome, str]:
    """Decide on failures: so many starts without one are no accident where a set with the change fails as often as it did."""
    starts, failures = duel.candidate, len(duel.candidate.failures)
    said = f"failed in {failures} of {counted(starts.tried, 'start')}"
    if failures:
        return Outcome.WORSE if failures >= OFTEN else Outcome.UNSURE, f"{said}: {starts.failures[0].reason}"
    by_chance: float = (1 - wanted.failing) ** len(starts.measured)
    return Outcome.SAME if by_chance <= PROBE_ALPHA else Outcome.UNSURE, said


def _by_ratio(metric: Metric, sought_ratio: float, duel: Duel) -> tuple[Outcome, str]:
    if len(duel.candidate.failures) >= OFTEN:
        return Outcome.IMPOSSIBLE, f"does not work: {duel.candidate.failures[0].reason}"
    pairs = duel.paired(metric, ALL_ROUNDS)
    found = ratio([ours for ours, _ in pairs], [theirs for _, theirs in pairs], PROBE_ALPHA) if pairs else None
    half = exp(log(sought_ratio) / 2)
    said = f"{figures(found)} the {NAMES[metric]}, where half of the change is {half:.2f}x"
    return _against(found, half, worse=_worse(metric)), said


def _against(found: Estimate | None, half: float, *, worse: int) -> Outcome:
    if found is None or not found.low or found.high is None:
        return Outcome.UNSURE
    near, far = sorted(worse * log(end / half) for end in (found.low, found.high))
    if near > 0:
        return Outcome.WORSE
    return Outcome.SAME if far < 0 else Outcome.UNSURE
