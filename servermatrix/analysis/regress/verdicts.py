"""What became of one pair, and the sentence that says so with its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from servermatrix.analysis.regress.duels import Duel
from servermatrix.analysis.regress.errors import by_errors, failing_baseline, failing_candidate
from servermatrix.analysis.regress.finding import Finding
from servermatrix.analysis.regress.lost import MOST_LOST, whose
from servermatrix.analysis.regress.shifts import NAMES, beyond, both, figures, moved, percent, said, shifts_of
from servermatrix.analysis.regress.stages import ALARM_ALPHA, Claim, Stages
from servermatrix.model import Change, Metric, Shift

THROUGHPUT_ONLY = "throughput only: look at the environment (loop, network, locks) rather than at the code's CPU"

Shifts = tuple[Shift, ...]


def finding_of(duel: Duel, stages: Stages, ps: Mapping[Claim, float]) -> Finding:
    """Return what became of a pair, of which the first stage flagged what has a p here; see stages.adjusted."""
    if (failed := by_errors(duel, stages)) is not None:
        return failed
    fresh = bool(duel.differences(Metric.RPS, stages.fresh))
    # No claim rests on a pair that went on for a failure alone: all of its rounds say more than the fresh ones.
    rounds = stages.every if not ps else stages.fresh if fresh else stages.early
    shifts = shifts_of(duel, rounds, 2 if fresh else 1, ps)
    found = _by_numbers(duel, stages, ps, shifts)
    return replace(found, shifts=shifts, beyond=beyond([one for one in shifts if one.metric in duel.telling]))


def _by_numbers(duel: Duel, stages: Stages, ps: Mapping[Claim, float], shifts: Shifts) -> Finding:
    if obstacle := _obstacle(duel):
        return _inconclusive(f"{obstacle} {both(shifts)}")
    shown = [claim for claim, p in ps.items() if p <= ALARM_ALPHA]
    failed = failing_candidate(duel, stages) if duel.candidate.failures else ""
    if any(claim.worse for claim in shown):
        also = f"; it {failed}" if failed else ""
        return Finding(change=Change.REGRESSION, sentence=_changed(shown, shifts, stages) + also)
    if failed:
        return _inconclusive(f"{failed}; else {both(shifts)}")
    if shown:
        return Finding(change=Change.IMPROVEMENT, sentence=_changed(shown, shifts, stages))
    return _not_shown(duel, ps, shifts, stages)


def _obstacle(duel: Duel) -> str:
    """Say why the numbers of a pair prove nothing, whatever they are; empty where they may."""
    if not duel.complete:
        return "the run ended before all of its rounds did:"
    if duel.lost_share > MOST_LOST:
        return f"{percent(duel.lost_share)} of its rounds were lost to noise{whose(duel)}:"
    return f"{failing_baseline(duel)}; else" if duel.baseline.failures else ""


def _not_shown(duel: Duel, ps: Mapping[Claim, float], shifts: Shifts, stages: Stages) -> Finding:
    """Return what is left when no change was confirmed: none to speak of, or too little known."""
    if ps and all(one.stage == 1 for one in shifts):
        return _inconclusive(f"flagged in the first stage, and the second gave no numbers: {both(shifts)}")
    unclear = [one for one in shifts if ps and moved(one, stages.margin)]
    if unclear:
        words = " and ".join(said(one) for one in unclear)
        return _inconclusive(f"{words}, which the second stage did not confirm to be beyond {percent(stages.margin)}")
    widest = beyond([one for one in shifts if one.metric in duel.telling])
    first, what = (f"{duel.limited}: ", f" in {NAMES[Metric.CPU]}") if duel.limited else ("", "")
    if widest is None:
        return _inconclusive(f"{first}too few rounds for an interval: {both(shifts)}")
    if widest > stages.widest:
        return _inconclusive(f"{first}too noisy, a change of up to {percent(widest)}{what} may be there: {both(shifts)}")
    return Finding(change=Change.UNCHANGED, sentence=f"{first}no change beyond {percent(widest)}{what}: {both(shifts)}")


def _inconclusive(sentence: str) -> Finding:
    return Finding(change=Change.INCONCLUSIVE, sentence=sentence)


def _changed(shown: Sequence[Claim], shifts: Shifts, stages: Stages) -> str:
    """Say what was confirmed, worse before better, and what is known of the other metric."""
    by_metric = {shift.metric: shift for shift in shifts}
    worse, better = ([by_metric[claim.metric] for claim in shown if claim.worse is way] for way in (True, False))
    if worse and better:
        return f"{_all(worse)}, which is worse, but {_all(better)}, which is better"
    (first, *more), other = shown, [one for one in shifts if one.metric not in {claim.metric for claim in shown}]
    if more or not other:
        return _all([by_metric[claim.metric] for claim in (first, *more)])
    (rest,) = other
    if first.metric is Metric.RPS and rest.beyond is not None and rest.beyond <= stages.margin:
        return f"{_all(worse or better)}, with {figures(rest.ratio)} the CPU time per request: {THROUGHPUT_ONLY}"
    return f"{_all(worse or better)}; a change of {NAMES[rest.metric]} was not confirmed: {figures(rest.ratio)}"


def _all(shifts: Sequence[Shift]) -> str:
    return " and ".join(said(shift) for shift in shifts)
