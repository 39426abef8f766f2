"""What the first stage sends to the second, from its own rounds alone."""

from __future__ import annotations

from collections.abc import Iterator

from servermatrix.analysis.regress.duels import Duel
from servermatrix.analysis.regress.shifts import moved, shifts_of
from servermatrix.analysis.regress.stages import CLAIMS, FLAG_ALPHA, Claim, Stages, p_of
from servermatrix.model import Metric


def flagged(duel: Duel, stages: Stages) -> tuple[Claim, ...]:
    """Return what is to be tried again: what is likely to be beyond the margin, and what has changed and may be.

    The second kind is there so that no cell is called unchanged whose own interval shows a change.
    """
    logs = {metric: duel.differences(metric, stages.early) for metric in Metric}
    likely = {claim for claim in CLAIMS if p_of(logs[claim.metric], claim, stages.margin_log) <= FLAG_ALPHA}
    changed = set(_changed(duel, stages))
    return tuple(claim for claim in CLAIMS if claim in likely | changed)


def _changed(duel: Duel, stages: Stages) -> Iterator[Claim]:
    """Yield for each metric whose interval of 95 % excludes 1, and reaches beyond the margin, the claim that way."""
    for shift in shifts_of(duel, stages.early, 1, {}):
        if shift.ratio is not None and moved(shift, stages.margin):
            more = shift.ratio.value > 1
            yield Claim(metric=shift.metric, worse=more is (shift.metric is Metric.CPU))
