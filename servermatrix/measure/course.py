"""The way through a plan: closed loops round by round with looks between them, then open loops at the rates found by then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from servermatrix.model import Attempt, Ceiling, Cell, Decision, Look, Pace, Plan, Proof, Run, Sample, Skipped, Step

NO_PACE = "there is no rate to send at: no cell that it may be compared with was measured in a closed loop"
AT_THE_END = 0.05  # what may be spent on false claims where all of it is left

Found = Ceiling | Proof | Sample | Decision | Pace | Attempt
# (step, rate in requests/s, why it cannot be taken: empty where it can) -> what to store.
Take = Callable[[Step, float, str], Iterator[Proof | Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is settled on the way, from what is stored by then: what to leave out at a look, and the rates of the open loops.

    `out_of_time` says why no other round is begun, empty when one is: from the cells that were started, once for each start, and
    in the same way those still to be started when it is. It must not depend on results.
    """

    decide: Callable[[Look], Decision]
    paces: Callable[[], tuple[Pace, ...]]
    out_of_time: Callable[[Sequence[Cell], Sequence[Cell]], str] = lambda _tried, _coming: ""


def walk(plan: Plan, stored: Run, before: Callable[[Step], None], course: Course, take: Take) -> Iterator[Found]:
    """Go through the plan: first the closed loops, round by round with the looks between, then the open loops."""
    walker = _Walker(plan=plan, stored=stored, before=before, course=course, take=take)
    yield from walker.closed()
    yield from walker.opened()


@dataclass(slots=True, kw_only=True)
class _Walker:
    """Goes through one plan; `tried` are the cells that were started, once for each start."""

    plan: Plan
    stored: Run
    before: Callable[[Step], None]
    course: Course
    take: Take
    tried: list[Cell] = field(default_factory=list)
    done: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        known = {cell.id: cell for cell in self.plan.cells}
        self.done = {(sample.cell_id, sample.round) for sample in self.stored.samples}
        self.tried = [known[one.cell_id] for one in self.stored.samples if not isinstance(one, Skipped) and one.cell_id in known]

    def closed(self) -> Iterator[Found]:
        decided = {decision.round: decision for decision in self.stored.decisions}
        part, left_out = _part(self.plan, opened=False), set[str]()
        begun = _begun(self.stored, part.cells)
        for number, steps in groupby(part.steps(), key=lambda step: step.round):
            for step in steps:
                if step.cell.id not in left_out:
                    yield from self._took(step)
            decision = decided.get(number)
            if decision is None and (decision := self._settled(number, left_out, begun)):
                yield decision
            if decision:
                left_out.update(dict(decision.dropped))
                if decision.stopped:
                    break

    def _settled(self, number: int, left_out: Collection[str], begun: Collection[int]) -> Decision | None:
        """Decide after a round, where there is a look or the time is up; what began a further round need not be asked again."""
        look = next((look for look in self.plan.looks if look.round >= number), None)
        if look and look.round == number:
            return self.course.decide(look)
        if number == self.plan.rounds or max(begun, default=0) > number:
            return None
        # Open loops get as many rounds as the closed ones that set their rates.
        going = [cell for cell in _part(self.plan, opened=False).cells if cell.id not in left_out]
        opened = _part(self.plan, opened=True).cells
        late = self.course.out_of_time(self.tried, [*going, *opened * (number + 1)])
        # Results have no part in when the time is up, so that what the coming look may spend may as well be spent here.
        return Decision(round=number, alpha=look.alpha if look else AT_THE_END, stopped=late) if late else None

    def opened(self) -> Iterator[Found]:
        part = _part(self.plan, opened=True)
        paces = {pace.cell_id: pace for pace in self.stored.paces}
        if any(cell.id not in paces for cell in part.cells):
            found = [pace for pace in self.course.paces() if pace.cell_id not in paces]
            yield from found
            paces |= {pace.cell_id: pace for pace in found}
        begun, late = {1, *_begun(self.stored, part.cells)}, ""
        for number, steps in groupby(part.steps(), key=lambda step: step.round):
            if not late and number not in begun:
                late = self.course.out_of_time(self.tried, part.cells)
            for step in steps:
                yield from self._took(step, paces, late)

    def _took(self, step: Step, paces: Mapping[str, Pace] | None = None, late: str = "") -> Iterator[Found]:
        if (step.cell.id, step.round) in self.done:
            return
        self.before(step)
        pace = (paces or {}).get(step.cell.id)
        rate_per_s = pace.rate_per_s if pace else 0.0
        for record in self.take(step, rate_per_s, late or without_pace(step.cell, rate_per_s)):
            if not isinstance(record, Proof | Skipped):
                self.tried.append(step.cell)
            yield record


def _begun(stored: Run, cells: Sequence[Cell]) -> frozenset[int]:
    """Return the rounds in which something was started of these cells."""
    ids = {cell.id for cell in cells}
    return frozenset(one.round for one in stored.samples if one.cell_id in ids and not isinstance(one, Skipped))


def _part(plan: Plan, *, opened: bool) -> Plan:
    """Return the plan with its cells of open loops alone, or without them."""
    return replace(plan, cells=tuple(cell for cell in plan.cells if (cell.load.rate_percent > 0) == opened))


def without_pace(cell: Cell, rate_per_s: float) -> str:
    """Say why a cell cannot be driven at this rate, empty when it can."""
    return NO_PACE if cell.load.rate_percent and not rate_per_s else ""
