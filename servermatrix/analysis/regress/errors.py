"""What failures make of a pair: errors come before numbers, and one alone, on either side, may be an accident."""

from __future__ import annotations

from servermatrix.analysis.phrases import counted
from servermatrix.analysis.regress.duels import OFTEN, Duel, Starts
from servermatrix.analysis.regress.finding import Finding
from servermatrix.analysis.regress.lost import whose
from servermatrix.analysis.regress.shifts import both, shifts_of
from servermatrix.analysis.regress.stages import Stages
from servermatrix.model import Cause, Change

NOT_REACHED = "not reached before the run ended"
NO_BASELINE = "and a cell with errors is never a baseline"


def settled(duel: Duel, stages: Stages) -> Finding | None:
    """Return what failures, or the lack of any number, make of a pair whatever is measured of it later; None where they do not.

    A single failure of either side settles nothing: fresh rounds show whether it comes again.
    """
    base, new = duel.baseline, duel.candidate
    if Cause.ENVIRONMENT in base.causes | new.causes:
        side, starts = ("baseline", base) if Cause.ENVIRONMENT in base.causes else ("candidate", new)
        return _failed(Change.FAILED, f"the {side} could not be measured here: {_reason(starts)}")
    if base.failures:
        return _of_a_failing_baseline(duel, stages)
    if new.failures:
        return _of_a_failing_candidate(base, new, stages)
    return None if base.measured and new.measured else _without_numbers(duel)


def by_errors(duel: Duel, stages: Stages) -> Finding | None:
    """Return what is left to say of a pair without its numbers; None where these are to be looked at."""
    found = settled(duel, stages)
    return found if found or (duel.baseline.measured and duel.candidate.measured) else _without_numbers(duel)


def _of_a_failing_baseline(duel: Duel, stages: Stages) -> Finding | None:
    base, new = duel.baseline, duel.candidate
    if len(base.failures) < OFTEN and not new.hopeless:
        return None
    if not base.measured and new.measured and not new.failures:
        return _failed(Change.NEW, f"works on the candidate and failed in {_times(base)} of the baseline: {_reason(base)}")
    return _failed(Change.FAILED, failing_baseline(duel) + _figures(duel, stages))


def _of_a_failing_candidate(base: Starts, new: Starts, stages: Stages) -> Finding | None:
    """Return a regression where it failed for good in the first stage, or in both, in the second as often as is no accident."""
    early = new.until(stages.first)
    again = len(new.failures) - len(early.failures)
    if early.hopeless or (early.failures and (again >= OFTEN or new.given_up)):
        said = f"failed in {_times(new)} of the candidate"
        if base.measured:
            return _failed(Change.REGRESSION, f"{said} and in none of the baseline: {_reason(new)}")
        return _failed(Change.FAILED, f"{said}, and the baseline gave no number to hold that against: {_reason(new)}")
    return None


def _failed(change: Change, sentence: str) -> Finding:
    return Finding(change=change, sentence=sentence, numbers=False)


def _figures(duel: Duel, stages: Stages) -> str:
    known = duel.baseline.measured and duel.candidate.measured
    return f"; else {both(shifts_of(duel, stages.every, 1, {}))}" if known else ""


def failing_baseline(duel: Duel) -> str:
    """Say of a baseline that failed, beside the candidate or alone, why nothing is held against it."""
    base, new = duel.baseline, duel.candidate
    if new.failures:
        return f"failed on both sides, {_times(base)} of the baseline and {_times(new)} of the candidate: {_reason(new)}"
    return f"failed in {_times(base)} of the baseline, {NO_BASELINE}: {_reason(base)}"


def failing_candidate(duel: Duel, stages: Stages) -> str:
    """Say of a candidate that failed why that is not enough to call it a regression."""
    new = duel.candidate
    early = len(new.until(stages.first).failures)
    why = "which may be an accident" if len(new.failures) == 1 else "of which the second stage had too few to be sure"
    return f"failed in {_times(new)} of the candidate, {why if early else 'none of them in the first stage'}: {_reason(new)}"


def _without_numbers(duel: Duel) -> Finding:
    """Say why a pair has no numbers, though failures do not explain it."""
    sides = (("baseline", duel.baseline), ("candidate", duel.candidate))
    empty = {name: side for name, side in sides if not side.measured}
    where = "neither side" if len(empty) > 1 else f"the {next(iter(empty))} never"
    reasons = dict.fromkeys(map(_why_empty, empty.values()))
    failed = "".join(f"; the {name} failed in {_times(side)}: {_reason(side)}" for name, side in sides if side.failures)
    sentence = f"{where} gave a number: {' and '.join(reasons)}{whose(duel)}{failed}"
    return _failed(Change.INCONCLUSIVE, sentence)


def _why_empty(side: Starts) -> str:
    if side.lost:
        return f"{counted(len(side.lost), 'start')} lost to noise"
    return side.skipped or ("it failed" if side.failures else NOT_REACHED)


def _times(side: Starts) -> str:
    return f"{len(side.failures)} of {counted(side.tried, 'start')}"


def _reason(side: Starts) -> str:
    return side.failures[0].reason
