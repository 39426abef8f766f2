"""When a race is looked at, and what each look may spend on false claims."""

from __future__ import annotations

from servermatrix.analysis.stats import ALPHA
from servermatrix.model import Look, Run

ROUNDS = 24  # the most rounds of a race: what it has not told apart by then is close enough to be called tied
LOOKS = (
    3,
    5,
    8,
    12,
    17,
    24,
    34,
    48,
)  # each with about 1.4 times the rounds: a difference as clear as before may be so much smaller
ENOUGH = 12  # rounds that those in front have at least, for their figures to be worth something


def looks(rounds: int, cells: int) -> tuple[Look, ...]:
    """Return the looks of a race of so many rounds, the last at its end; none where there is nothing to compare.

    Nothing is left out before the third round. They share the 5 % that may be spent on leaving out the best.
    """
    if cells <= 1 or rounds < 1:
        return ()
    taken = (*(number for number in LOOKS if number < rounds), rounds)
    return tuple(Look(round=number, alpha=ALPHA / len(taken)) for number in taken)


def last_look(run: Run) -> Look:
    """Return the look at all that there is of a race: the last one taken, or the coming one if there are rounds since."""
    reached = max((sample.round for sample in run.samples), default=0)
    taken = max(run.decisions, key=lambda one: one.round, default=None)
    if taken is not None and taken.round >= reached:
        return Look(round=taken.round, alpha=taken.alpha)
    coming = next((look.alpha for look in run.header.looks if look.round >= reached), ALPHA / max(1, len(run.header.looks)))
    return Look(round=reached, alpha=coming)
