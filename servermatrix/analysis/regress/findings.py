"""What became of all pairs of a night together, whose alarms are corrected for one another; it knows no run."""

from __future__ import annotations

from collections.abc import Sequence

from servermatrix.analysis.regress.duels import Duel
from servermatrix.analysis.regress.errors import settled
from servermatrix.analysis.regress.finding import Finding
from servermatrix.analysis.regress.flags import flagged
from servermatrix.analysis.regress.stages import Claim, Stages, adjusted
from servermatrix.analysis.regress.verdicts import finding_of


def findings_of(duels: Sequence[Duel], stages: Stages) -> list[Finding]:
    """Return what became of each pair, with Holm's correction over all that the first stage flagged of any."""
    ps = adjusted(duels, [claims_of(duel, stages) for duel in duels], stages)
    return [finding_of(duel, stages, own) for duel, own in zip(duels, ps, strict=True)]


def claims_of(duel: Duel, stages: Stages) -> tuple[Claim, ...]:
    """Return what the first stage flags of the numbers of a pair; nothing where failures of that stage have settled it.

    A failure in the second stage leaves them as they are: what is corrected for must not depend on what was measured later.
    """
    return () if settled(duel.until(stages.first), stages) else flagged(duel, stages)


def goes_on(duel: Duel, stages: Stages) -> bool:
    """Tell whether a pair goes to the second stage: flagged for its numbers, or for a failure that settles nothing."""
    early = duel.until(stages.first)
    failed = bool(early.baseline.failures or early.candidate.failures)
    return settled(early, stages) is None and (failed or bool(flagged(early, stages)))
