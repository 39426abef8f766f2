"""Settles what comes next while a run goes on: decisions at its looks within its budget, and the rates of its open loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise

from servermatrix.analysis import open_loop, sequence
from servermatrix.effort import preparation_s, seconds_per_step, steps_s
from servermatrix.measure.course import Course
from servermatrix.model import Cell, Decision, Look, Plan, Run, Skipped

# How far a run may exceed its budget to reach a look that was planned to lie within it: estimates of time are not exact.
OVERRUN = 1.1
INTERRUPTED_FROM = 10  # times what a step is estimated to take: who waited longer was interrupted


def steer(plan: Plan, so_far: Callable[[], Run], spent_s: Callable[[Run], float]) -> Course:
    """Return how a plan is gone through: from the run `so_far`, on which so many seconds were spent."""
    opened = [cell for cell in plan.cells if cell.load.rate_percent]

    def decide(look: Look) -> Decision:
        run = so_far()
        left_s = -spent_s(run) - steps_s(opened, plan.rounds)

        def affordable(cells: Sequence[Cell], rounds: int) -> bool:
            return steps_s(cells, rounds) <= left_s + budget_to(plan, look.round + rounds)

        return sequence.decide(run, look, affordable)

    return Course(decide=decide, paces=lambda: open_loop.paces(so_far()))


def budget_to(plan: Plan, number: int) -> float:
    """Return the seconds that a run may take to come to this round: a little more than its budget where that was the plan."""
    # The budget is in whole seconds: what a part of one was planned for must not be called too long.
    planned = preparation_s(plan) + steps_s(plan.cells, number) <= plan.budget_s + 1
    return plan.budget_s * (OVERRUN if planned else 1.0)


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
    limits_s = [preparation_s(plan), *(per_step[sample.cell_id] for sample in samples)]
    moments = [_moment(run.header.started_at), *(_moment(sample.started_at) for sample in samples)]
    spans_s = [after - before for before, after in pairwise(moments)]
    known = zip(spans_s, limits_s, strict=False)
    return sum(span_s if 0 <= span_s < INTERRUPTED_FROM * limit_s else limit_s for span_s, limit_s in known) + limits_s[-1]


def _estimates(plan: Plan) -> dict[str, float]:
    return {cell.id: seconds_per_step(cell.load) for cell in plan.cells}


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
