"""The canary: a baseline against itself, and what is left of a finding where the two cannot be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from servermatrix.analysis.regress.duels import Duel
from servermatrix.analysis.regress.finding import Finding
from servermatrix.analysis.regress.shifts import beyond, both, percent, shifts_of
from servermatrix.analysis.regress.stages import ALARM_ALPHA, Stages
from servermatrix.analysis.stats import signed_rank
from servermatrix.model import Canary, Change, Metric, Shift

CHANGED = frozenset({Change.REGRESSION, Change.IMPROVEMENT})
NONE = Canary(pair="", shifts=(), fit=False, sentence="no cell was measured twice, so that nothing says how much of it is noise")
UNHEARD = "(no canary says how noisy this night was)"


def canary_of(duel: Duel, stages: Stages) -> Canary:
    """Return what the baseline of a cell differed by from itself in all rounds, and whether that is fit."""
    shifts = shifts_of(duel, stages.every, 2 if duel.differences(Metric.RPS, stages.fresh) else 1, {})
    widest = beyond(shifts)
    if _told_apart(duel, shifts, stages):
        sentence = f"the baseline of this cell was told apart from itself: {both(shifts)}"
        return Canary(pair=duel.pair, shifts=shifts, fit=False, sentence=sentence, alarmed=True)
    if duel.baseline.failures or duel.candidate.failures:
        reason = (*duel.baseline.failures, *duel.candidate.failures)[0].reason
        return Canary(pair=duel.pair, shifts=shifts, fit=False, sentence=f"the baseline of this cell failed: {reason}")
    if widest is None:
        sentence = f"the baseline of this cell has too few rounds beside itself: {both(shifts)}"
        return Canary(pair=duel.pair, shifts=shifts, fit=False, sentence=sentence)
    words = "differs from itself by no more than" if widest <= stages.widest else "may differ from itself by up to"
    sentence = f"the baseline of this cell {words} {percent(widest)}: {both(shifts)}"
    return Canary(pair=duel.pair, shifts=shifts, fit=widest <= stages.widest, sentence=sentence)


def _told_apart(duel: Duel, shifts: Sequence[Shift], stages: Stages) -> bool:
    return any(_outside(shift, stages) and _p(duel, shift.metric, stages) <= ALARM_ALPHA for shift in shifts)


def _outside(shift: Shift, stages: Stages) -> bool:
    return shift.ratio is not None and max(shift.ratio.value, 1 / shift.ratio.value) > 1 + stages.margin


def _p(duel: Duel, metric: Metric, stages: Stages) -> float:
    return signed_rank(duel.differences(metric, stages.every))[0]


def tempered(finding: Finding, canary: Canary) -> Finding:
    """Return what is left of a finding beside this canary: nothing is unchanged, and nothing changed, that may be noise.

    What rests on failures stands.
    """
    if finding.numbers and finding.change in CHANGED and beyond(canary.shifts) is None and not canary.alarmed:
        return replace(finding, sentence=f"{finding.sentence} {UNHEARD}")
    doubted = finding.change is Change.UNCHANGED or (canary.alarmed and finding.numbers and finding.change in CHANGED)
    if canary.fit or not doubted:
        return finding
    where = f" ({canary.pair})" if canary.pair else ""
    sentence = f"{finding.sentence}; the canary{where} does not let that count: {canary.sentence}"
    return replace(finding, change=Change.INCONCLUSIVE, sentence=sentence)
