"""The two stages of a check as numbers: what the first one flags, and what the second one, on fresh rounds, confirms.

Why a night makes a false alarm with a probability of at most ALARM_ALPHA, however many cells it has: condition on the rounds of
the first stage. They settle which hypotheses go to the second stage, whose p are exact (Wilcoxon 1945) and from rounds that had
no part in the choice. Holm's procedure (1979) then rejects any true one with a probability of at most ALARM_ALPHA, whatever was
chosen, and so it is without the condition. Nothing of this depends on FLAG_ALPHA, which only weighs time against power,
nor on failures in the second stage: they take no hypothesis out of the family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import expm1, log1p
from sys import maxsize

from servermatrix.analysis.onesided import half_width, p_above
from servermatrix.analysis.regress.duels import Duel
from servermatrix.analysis.stats import holm
from servermatrix.model import Metric

FLAG_ALPHA = 0.10  # of the first stage, one-sided, without correction: what passes it is only looked at again
ALARM_ALPHA = 0.01  # of the second stage, for all of a night together
FIRST_ROUNDS, CONFIRM_ROUNDS = 10, 16
WIDEST = 0.10  # a change that may be larger than this is not "no change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Which rounds belong to which stage of a run, the last one of the first included, and the margin, as a share.

    `confirm` are the rounds of the second stage.
    """

    first: int
    margin: float
    confirm: int = CONFIRM_ROUNDS

    @property
    def early(self) -> range:
        """Return the rounds of the first stage."""
        return range(1, self.first + 1)

    @property
    def fresh(self) -> range:
        """Return the rounds of the second stage, none of which had a part in what was flagged."""
        return range(self.first + 1, maxsize)

    @property
    def every(self) -> range:
        """Return the rounds of both stages."""
        return range(1, maxsize)

    @property
    def widest(self) -> float:
        """Return the largest change, as a share, that "no change" may leave room for: a margin beyond it is meant."""
        return max(WIDEST, self.margin)

    @property
    def margin_log(self) -> float:
        """Return the margin on the scale of logarithms, where it is as wide one way as the other."""
        return log1p(self.margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That a metric of a cell is worse, or better, by more than the margin."""

    metric: Metric
    worse: bool

    @property
    def sign(self) -> int:
        """Return which way ln candidate - ln baseline is if this is so: fewer requests are worse, and so is more CPU time."""
        return 1 if self.worse == (self.metric is Metric.CPU) else -1


CLAIMS = tuple(Claim(metric=metric, worse=worse) for metric in Metric for worse in (True, False))


def p_of(differences: Sequence[float], claim: Claim, margin_log: float) -> float:
    """Return the exact one-sided p of the opposite of a claim, from ln candidate - ln baseline by round."""
    sign = claim.sign
    return p_above([sign * one for one in differences], margin_log)


def adjusted(duels: Sequence[Duel], claims: Sequence[Sequence[Claim]], stages: Stages) -> list[Mapping[Claim, float]]:
    """Return for each pair the p of its flagged claims from fresh rounds, after Holm's correction over all pairs together."""
    tested = [(place, claim) for place, own in enumerate(claims) for claim in own]
    logs = [duels[place].differences(claim.metric, stages.fresh) for place, claim in tested]
    ps = holm([p_of(one, claim, stages.margin_log) for one, (_, claim) in zip(logs, tested, strict=True)])
    found: list[dict[Claim, float]] = [{} for _ in duels]
    for (place, claim), p in zip(tested, ps, strict=True):
        found[place][claim] = p
    return list(found)


def detectable(duel: Duel, stages: Stages) -> float | None:
    """Return the change, as a share, of which an alarm comes about every second time where it is all that was flagged.

    That is the margin and half the width of the interval of that stage which asks for more, in the steadier of the metrics that
    are not limited by something else; None where there are too few rounds.
    """
    widths = [_half_width(duel, metric, stages) for metric in duel.telling]
    known = [width for width in widths if width is not None]
    return expm1(stages.margin_log + min(known)) if known else None


def _half_width(duel: Duel, metric: Metric, stages: Stages) -> float | None:
    """Return the wider of the half widths of both stages; that of the second is from its own rounds where all are there."""
    early, fresh = duel.differences(metric, stages.early), duel.differences(metric, stages.fresh)
    known = fresh if len(fresh) >= max(1, stages.confirm) else early
    first, second = half_width(early, FLAG_ALPHA), half_width(known, ALARM_ALPHA, stages.confirm)
    return None if first is None or second is None else max(first, second)
