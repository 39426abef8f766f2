"""Settles what comes next while a run goes on: decisions at its looks, when its budget ends it, the rates of its open loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise

from servermatrix.analysis import open_loop, race, regress, sequence
from servermatrix.analysis.durations import seconds_per_step
from servermatrix.effort import preparation_s, steps_s
from servermatrix.measure.course import Course
from servermatrix.model import Cell, Decision, Look, Plan, Run, Skipped

# How far a run may exceed its budget to come to rounds that were planned to lie within it: estimates of time are not exact.
OVERRUN = 1.1
OUT_OF_TIME = "the time is up: with another round it would have taken over a tenth more than its budget"
# Who waited longer was interrupted: so many times what a step is estimated to take, and no less than so many seconds.
INTERRUPTED_FROM = 10
INTERRUPTED_FROM_S = 120.0


def steer(plan: Plan, so_far: Callable[[], Run], spent_s: Callable[[float], float]) -> Course:
    """Return how a plan is gone through: from the run `so_far`.

    `spent_s` are the seconds that were spent on it, of which it is told how many were estimated.
    """
    opened = [cell for cell in plan.cells if cell.load.rate_percent]

    def decide(look: Look) -> Decision:
        run = so_far()
        if plan.trial is not None:
            return regress.decide(run, look)
        if plan.race is not None:
            return race.decide(run, look)
        estimate_s = estimated_s(plan, run)

        def affordable(cells: Sequence[Cell], rounds: int) -> bool:
            # Up to a look that was planned to lie within the budget rounds are run as long as there is time.
            within = is_within_budget(plan, look.round + rounds)
            more = 1 if within else rounds
            more_s = steps_s(cells, more) + steps_s(opened, look.round + more)
            return total_s(spent_s(estimate_s), estimate_s, more_s) <= plan.budget_s * (OVERRUN if within else 1.0)

        return sequence.decide(run, look, affordable)

    def out_of_time(tried: Sequence[Cell], coming: Sequence[Cell]) -> str:
        if not plan.budget_s:
            return ""
        estimate_s = preparation_s(plan) + steps_s(tried, 1)
        fits = total_s(spent_s(estimate_s), estimate_s, steps_s(coming, 1)) <= plan.budget_s * OVERRUN
        return "" if fits else OUT_OF_TIME

    return Course(decide=decide, paces=lambda: open_loop.paces(so_far()), out_of_time=out_of_time)


def total_s(spent_s: float, estimate_s: float, more_s: float) -> float:
    """Return what a run takes with what is estimated to take `more_s`, in seconds: slower by as much as it was until now."""
    return spent_s + max(1.0, spent_s / estimate_s) * more_s


def is_within_budget(plan: Plan, number: int) -> bool:
    """Tell whether this round was planned to lie within the budget, with all cells."""
    # The budget is in whole seconds: what a part of one was planned for must not be called too long.
    return preparation_s(plan) + steps_s(plan.cells, number) <= plan.budget_s + 1


def estimated_s(plan: Plan, run: Run) -> float:
    """Return how long a run has taken by estimate, in seconds: for what takes no time, and the same whenever it is asked."""
    per_step = _estimates(plan)
    return preparation_s(plan) + sum(per_step[one.cell_id] for one in run.samples if not isinstance(one, Skipped))


def stored_s(plan: Plan, run: Run) -> float:
    """Return how long a stored run has taken, in seconds: from start to start, without the time in which it was interrupted."""
    if not run.samples:
        return 0.0
    per_step = _estimates(plan)
    samples = sorted(run.samples, key=lambda sample: sample.started_at)
    estimates_s = [preparation_s(plan), *(per_step[sample.cell_id] for sample in samples)]
    moments = [_moment(run.header.started_at), *(_moment(sample.started_at) for sample in samples)]
    spans_s = [after - before for before, after in pairwise(moments)]
    known = zip(spans_s, estimates_s, strict=False)
    return sum(span_s if 0 <= span_s < _longest_s(step_s) else step_s for span_s, step_s in known) + estimates_s[-1]


def _longest_s(step_s: float) -> float:
    return max(INTERRUPTED_FROM * step_s, INTERRUPTED_FROM_S)


def _estimates(plan: Plan) -> dict[str, float]:
    return {cell.id: seconds_per_step(cell.load) for cell in plan.cells}


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
