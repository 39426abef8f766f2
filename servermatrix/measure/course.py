"""The way through a plan: closed loops round by round with looks between them, then open loops at the rates found by then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from servermatrix.model import Ceiling, Cell, Decision, Look, Pace, Plan, Proof, Run, Sample, Step

NO_PACE = "there is no rate to send at: no cell that it may be compared with was measured in a closed loop"

Found = Ceiling | Proof | Sample | Decision | Pace
Take = Callable[[Step, float], Iterator[Proof | Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is settled on the way, from what is stored by then: what to leave out at a look, and the rates of the open loops."""

    decide: Callable[[Look], Decision]
    paces: Callable[[], tuple[Pace, ...]]


def walk(plan: Plan, stored: Run, before: Callable[[Step], None], course: Course, take: Take) -> Iterator[Found]:
    """Go through the plan: first the closed loops, round by round with the looks between, then the open loops."""
    done = {(sample.cell_id, sample.round) for sample in stored.samples}
    decided = {decision.round: decision for decision in stored.decisions}
    looks = {look.round: look for look in plan.looks}
    left_out: set[str] = set()

    def took(step: Step, rate_per_s: float) -> Iterator[Found]:
        if step.cell.id not in left_out and (step.cell.id, step.round) not in done:
            before(step)
            yield from take(step, rate_per_s)

    for number, steps in groupby(_part(plan, opened=False).steps(), key=lambda step: step.round):
        for step in steps:
            yield from took(step, 0.0)
        if number in looks:
            decision = decided.get(number)
            if decision is None:
                decision = course.decide(looks[number])
                yield decision
            left_out.update(dict(decision.dropped))
            if decision.stopped:
                break
    opened = _part(plan, opened=True)
    paces = {pace.cell_id: pace for pace in stored.paces}
    if any(cell.id not in paces for cell in opened.cells):
        found = [pace for pace in course.paces() if pace.cell_id not in paces]
        yield from found
        paces |= {pace.cell_id: pace for pace in found}
    for step in opened.steps():
        pace = paces.get(step.cell.id)
        yield from took(step, pace.rate_per_s if pace else 0.0)


def _part(plan: Plan, *, opened: bool) -> Plan:
    """Return the plan with its cells of open loops alone, or without them."""
    return replace(plan, cells=tuple(cell for cell in plan.cells if (cell.load.rate_percent > 0) == opened))


def without_pace(cell: Cell, rate_per_s: float) -> str:
    """Say why a cell cannot be driven at this rate, empty when it can."""
    return NO_PACE if cell.load.rate_percent and not rate_per_s else ""
