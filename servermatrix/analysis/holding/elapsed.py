"""Whether the trying at fixed rates was interrupted: from what is stored, for those who only read a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from servermatrix.analysis.durations import seconds_per_step
from servermatrix.analysis.holding.entrants import capacities, finalists, reserves
from servermatrix.analysis.holding.search import following
from servermatrix.model import Attempt, Run

PAUSE = 3.0  # times what a start should take: between two that lie further apart nothing went on


def unfinished(run: Run) -> bool:
    """Tell whether something was still to be tried at fixed rates, and there was time for it.

    The time is that between the starts as stored, and as estimated where there was a pause. The clock of the run had also counted
    what lies before the first and after the last, so that there must have been time for two more.
    """
    race = run.header.race
    if race is None or not race.generator or not race.holding_s:
        return False
    cells, further = finalists(run), reserves(run)
    each_s = max((seconds_per_step(cell.load) for cell in (*cells, *further)), default=0.0)
    started = sum(one.rate_per_s > 0 for one in run.attempts)
    spent_s = spent_s_of(run.attempts, each_s)
    margin_s = spent_s / started if started else 0.0
    return following(race, cells, capacities(run), run.attempts, spent_s + margin_s, each_s=each_s, reserves=further) is not None


def spent_s_of(attempts: Sequence[Attempt], each_s: float) -> float:
    """Return how long attempts took, in seconds; what started nothing took none."""
    made = sorted((one for one in attempts if one.rate_per_s), key=lambda one: one.number)
    gaps = [_between_s(one, other) for one, other in pairwise(made)]
    return sum(gap if each_s < gap <= PAUSE * each_s else each_s for gap in gaps) + each_s * bool(made)


def _between_s(one: Attempt, other: Attempt) -> float:
    try:
        first, second = (datetime.fromisoformat(each.sample.started_at) for each in (one, other))
        return (second - first).total_seconds()
    except (ValueError, TypeError):  # a stored text that is no time, or one without a zone beside one with it
        return 0.0
