"""What became of one cell from one run to another, and the sentence that says so; errors come before numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from servermatrix.analysis.contrast import Contrast, Sided
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.regress.lost import MOST_LOST
from servermatrix.analysis.regress.shifts import NAMES, beyond, both, excludes_one, figures, percent, said
from servermatrix.analysis.regress.stages import ALARM_ALPHA, FLAG_ALPHA, WIDEST
from servermatrix.analysis.regress.verdicts import THROUGHPUT_ONLY
from servermatrix.analysis.stats import MIN_ROUNDS
from servermatrix.model import Cause, Change, ComparedCell, Metric, Shift

BASE, HEAD = "BASE", "HEAD"
OFTEN = 2  # failures of HEAD alone: from there on it is no accident
NOT_REACHED = "not reached before the run ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A cell that both runs have, on either side."""

    id: str
    base: Sided
    head: Sided

    @property
    def sides(self) -> tuple[tuple[str, Sided], tuple[str, Sided]]:
        """Return both sides with their names."""
        return (BASE, self.base), (HEAD, self.head)

    @property
    def swapped(self) -> Meeting:
        """Return the same cell seen from the other run."""
        return Meeting(id=self.id, base=self.head, head=self.base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """How a metric of a cell differs, with both p after Holm's correction over all cells, metrics and directions."""

    contrast: Contrast
    worse: float
    better: float

    @property
    def shift(self) -> Shift:
        """Return what is shown of it."""
        return self.contrast.shift(min(self.worse, self.better))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for all cells: the margin as a share, how many hypotheses there were, and why no machine is to be believed."""

    margin: float
    hypotheses: int
    unfit: str = ""


def settled(cell: Meeting) -> ComparedCell | None:
    """Return what failures, or the lack of numbers, make of a cell; None where its numbers are to be compared."""
    base, head = cell.base, cell.head
    found = _by_errors(base, head)
    if found is None and not (base.measured and head.measured):
        found = Change.INCONCLUSIVE, _failed_once(head) if head.failures else _without_numbers(cell)
    if found is None:
        obstacle = _obstacle(cell)
        found = (Change.INCONCLUSIVE, obstacle) if obstacle else None
    return None if found is None else bare(cell, *found)


def counts(cell: Meeting) -> bool:
    """Tell whether the numbers of a cell are to be compared in either direction.

    The correction is over these, so that what a failure makes of one cell does not move the others when the runs are swapped.
    """
    return settled(cell) is None or settled(cell.swapped) is None


def bare(cell: Meeting, change: Change, sentence: str) -> ComparedCell:
    """Return a cell with nothing but a verdict."""
    return ComparedCell(id=cell.id, change=change, sentence=sentence, base=cell.base.row.summary, head=cell.head.row.summary)


def _by_errors(base: Sided, head: Sided) -> tuple[Change, str] | None:
    for name, side in ((BASE, base), (HEAD, head)):
        if Cause.ENVIRONMENT in side.causes:
            return Change.FAILED, f"could not be measured in {name}: {_reason(side)}"
    if base.failures and head.failures:
        return Change.FAILED, f"failed in both runs, {_times(base)} of {BASE} and {_times(head)} of {HEAD}: {_reason(head)}"
    if base.failures:
        return _failed_before(base, head)
    if len(head.failures) < OFTEN:
        return None
    if base.measured:
        return Change.REGRESSION, f"failed in {_times(head)} of {HEAD} and in none of {BASE}: {_reason(head)}"
    return Change.FAILED, f"failed in {_times(head)} of {HEAD}, and {BASE} gave no number to hold that against: {_reason(head)}"


def _failed_before(base: Sided, head: Sided) -> tuple[Change, str]:
    if head.measured and not base.measured:
        return Change.NEW, f"works in {HEAD} and failed in {_times(base)} of {BASE}: {_reason(base)}"
    return Change.FAILED, f"failed in {_times(base)} of {BASE}, and a cell with errors is never a baseline: {_reason(base)}"


def _times(side: Sided) -> str:
    return f"{len(side.failures)} of {counted(side.tried, 'start')}"


def _reason(side: Sided) -> str:
    return side.failures[0].reason


def _failed_once(head: Sided) -> str:
    return f"failed in {_times(head)} of {HEAD}, which may be an accident: {_reason(head)}"


def _without_numbers(cell: Meeting) -> str:
    return "; ".join(without_number(side, name) for name, side in cell.sides if not side.measured)


def without_number(side: Sided, name: str) -> str:
    """Say why a cell has no number in a run."""
    lost = f"{counted(side.lost, 'start')} lost to noise" if side.lost else ""
    return f"no number in {name}: {lost or side.row.summary.reason or NOT_REACHED}"


def _obstacle(cell: Meeting) -> str:
    """Say why the numbers of a cell prove nothing, whatever they are; empty when they may."""
    for name, side in cell.sides:
        if side.lost > MOST_LOST * side.tried:
            return f"{side.lost} of {counted(side.tried, 'start')} of {name} were lost to noise"
    rounds = [f"{counted(len(side.measured), 'round')} in {name}" for name, side in cell.sides]
    few = min(len(side.measured) for _, side in cell.sides) < MIN_ROUNDS
    return f"{' and '.join(rounds)}: comparing takes at least {MIN_ROUNDS} in each" if few else ""


def verdict(cell: Meeting, tested: Mapping[Metric, Tested], rules: Rules) -> ComparedCell:
    """Return what the numbers of a cell make of it."""
    shifts = tuple(tested[metric].shift if metric in tested else Shift(metric=metric, ratio=None) for metric in Metric)
    worse = tuple(metric for metric, one in tested.items() if one.worse <= ALARM_ALPHA)
    better = tuple(metric for metric, one in tested.items() if one.better <= ALARM_ALPHA)
    found = bare(cell, *_by_numbers(cell, tested, shifts, (worse, better), rules))
    return replace(found, shifts=shifts, worse=worse, better=better, beyond=beyond(shifts))


def _by_numbers(
    cell: Meeting,
    tested: Mapping[Metric, Tested],
    shifts: tuple[Shift, ...],
    shown: tuple[tuple[Metric, ...], tuple[Metric, ...]],
    rules: Rules,
) -> tuple[Change, str]:
    worse, better = shown
    failed = f"; it {_failed_once(cell.head)}" if cell.head.failures else ""
    if worse:
        return Change.REGRESSION, _changed(shifts, worse, better, rules) + failed
    if failed:
        return Change.INCONCLUSIVE, f"{_failed_once(cell.head)}; else {both(shifts)}"
    if better:
        return Change.IMPROVEMENT, _changed(shifts, worse, better, rules)
    return _not_shown(tested, shifts, rules)


def _changed(shifts: Sequence[Shift], worse: Sequence[Metric], better: Sequence[Metric], rules: Rules) -> str:
    """Say what was confirmed, worse before better, and what is known of the other metric."""
    if worse and better:
        return f"{_all(shifts, worse)}, which is worse, but {_all(shifts, better)}, which is better"
    rest = [shift for shift in shifts if shift.metric not in (*worse, *better)]
    confirmed = _all(shifts, (*worse, *better))
    if not rest:
        return confirmed
    (other,) = rest
    if other.metric is Metric.CPU and other.beyond is not None and other.beyond <= rules.margin:
        return f"{confirmed}, with {figures(other.ratio)} the CPU time per request: {THROUGHPUT_ONLY}"
    return f"{confirmed}; a change of {NAMES[other.metric]} was not confirmed: {figures(other.ratio)}"


def _all(shifts: Sequence[Shift], metrics: Sequence[Metric]) -> str:
    return " and ".join(said(shift) for shift in shifts if shift.metric in metrics)


def _not_shown(tested: Mapping[Metric, Tested], shifts: tuple[Shift, ...], rules: Rules) -> tuple[Change, str]:
    """Return what is left when no change was confirmed: none to speak of, or too little known."""
    likely = [one for one in tested.values() if min(one.contrast.worse, one.contrast.better) <= FLAG_ALPHA]
    suspect = [one.shift for one in likely if excludes_one(one.shift)]
    widest = beyond(shifts)
    if suspect:
        among = counted(rules.hypotheses, "test")
        sentence = f"{' and '.join(map(said, suspect))}, not confirmed to be beyond {percent(rules.margin)} among {among}"
        return Change.INCONCLUSIVE, sentence
    if widest is None:
        return Change.INCONCLUSIVE, f"one of the metrics cannot be compared: {both(shifts)}"
    if widest > max(WIDEST, rules.margin):
        return Change.INCONCLUSIVE, f"too noisy, a change of up to {percent(widest)} may be there: {both(shifts)}"
    if rules.unfit:
        return Change.INCONCLUSIVE, f"{rules.unfit}: {both(shifts)}"
    return Change.UNCHANGED, f"no change beyond {percent(widest)}: {both(shifts)}"
