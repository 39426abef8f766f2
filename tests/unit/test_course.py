"""The way through a plan: which steps come, when a look is taken, what a decision changes, and how a run goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import pytest

from servermatrix.measure.course import NO_PACE, Course, Found, walk
from servermatrix.model import Cause, Cell, Decision, Failed, Look, Pace, Plan, Proof, RunHeader, Sample, Skipped, Step
from servermatrix.store import assemble
from tests.golden.report_examples import HEADER
from tests.room import make_cell

A, B, C = (make_cell(name) for name in "abc")
AGAIN = replace(A, duplicate=True)
OPEN, OTHER = make_cell("a", rate_percent=30), make_cell("b", rate_percent=30)
EARLY, LATE = Look(round=2, alpha=0.01), Look(round=4, alpha=0.04)
LATE_NOW = "the time is up"
PACES = (Pace(cell_id=OPEN.id, rate_per_s=30.5, slowest=A.id), Pace(cell_id=OTHER.id, rate_per_s=60.5, slowest=A.id))


def plan(*cells: Cell, rounds: int = 4, looks: tuple[Look, ...] = (EARLY, LATE)) -> Plan:
    return Plan(cells=cells, excluded=(), apps=(), rounds=rounds, seed=1, looks=looks)


def header(of: Plan) -> RunHeader:
    return replace(HEADER, rounds=of.rounds, looks=of.looks, cells=())


@dataclass(kw_only=True)
class Drive:
    """Goes through a plan from what is stored, decides as it was told by round, and keeps what it was asked and when."""

    plan: Plan
    decisions: Mapping[int, Decision] = field(default_factory=dict)
    paces: tuple[Pace, ...] = PACES
    stored: list[Found] = field(default_factory=list)
    asked: list[tuple[object, int]] = field(default_factory=list)
    starts: int = 10_000
    times: list[tuple[list[str], list[str]]] = field(default_factory=list)
    begun: list[Step] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)

    def decide(self, look: Look) -> Decision:
        self.asked.append((look, len(self.stored)))
        return self.decisions.get(look.round, Decision(round=look.round, alpha=look.alpha))

    def find_paces(self) -> tuple[Pace, ...]:
        self.asked.append(("paces", len(self.stored)))
        return self.paces

    def out_of_time(self, tried: Sequence[Cell], coming: Sequence[Cell]) -> str:
        """Have time for so many `starts` in all."""
        self.times.append((sorted(cell.id for cell in tried), sorted(cell.id for cell in coming)))
        return "" if len(tried) + len(coming) <= self.starts else LATE_NOW

    def take(self, step: Step, rate_per_s: float, why_not: str) -> Iterator[Proof | Sample]:
        self.rates[step.cell.id] = rate_per_s
        if why_not:
            yield Skipped(cell_id=step.cell.id, round=step.round, started_at="", reason=why_not)
        else:
            yield Failed(cell_id=step.cell.id, round=step.round, started_at="", cause=Cause.NOISE, reason="loud")

    def go(self, stop_after: int | None = None) -> Drive:
        """Store what comes; with `stop_after`, be interrupted after so many records."""
        course = Course(decide=self.decide, paces=self.find_paces, out_of_time=self.out_of_time)
        run = assemble(header(self.plan), tuple(self.stored))
        for record in islice(walk(self.plan, run, self.begun.append, course, self.take), stop_after):
            self.stored.append(record)
        return self

    def samples(self) -> list[Sample]:
        return [record for record in self.stored if isinstance(record, Failed | Skipped)]


def rounds_of(cell: Cell, records: Sequence[Found]) -> list[int]:
    return [one.round for one in records if isinstance(one, Failed | Skipped) and one.cell_id == cell.id]


def dropping(number: int, *cells: Cell, stopped: str = "") -> dict[int, Decision]:
    dropped = tuple((cell.id, "shown to be slower than a") for cell in cells)
    return {number: Decision(round=number, alpha=0.01, dropped=dropped, stopped=stopped)}


def test_without_looks_every_step_is_taken_in_its_order_and_nothing_is_asked() -> None:
    drive = Drive(plan=plan(A, B, C, looks=())).go()
    assert [(one.cell_id, one.round) for one in drive.samples()] == [(step.cell.id, step.round) for step in drive.plan.steps()]
    assert (drive.asked, len(drive.stored), len(drive.begun)) == ([], 12, 12)


def test_a_look_is_taken_when_all_steps_of_its_round_are_stored_and_its_decision_before_the_next_step() -> None:
    drive = Drive(plan=plan(A, B, C)).go()
    assert drive.asked == [(EARLY, 6), (LATE, 13)]
    assert [index for index, record in enumerate(drive.stored) if isinstance(record, Decision)] == [6, 13]


def test_a_cell_that_is_left_out_is_not_started_any_more_and_the_others_are() -> None:
    drive = Drive(plan=plan(A, AGAIN, B, C), decisions=dropping(2, A, AGAIN)).go()
    assert [rounds_of(cell, drive.stored) for cell in (A, AGAIN, B, C)] == [[1, 2], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4]]
    assert {step.cell.id for step in drive.begun if step.round > 2} == {B.id, C.id}
    assert assemble(header(drive.plan), drive.stored).decisions[0].dropped[0][0] == A.id


def test_a_run_that_is_stopped_ends_at_once_but_for_its_open_loops() -> None:
    ended = Drive(plan=plan(A, B), decisions=dropping(2, stopped="all is told apart")).go()
    assert (rounds_of(A, ended.stored), rounds_of(B, ended.stored)) == ([1, 2], [1, 2])
    assert ended.asked == [(EARLY, 4)]
    opened = Drive(plan=plan(A, B, OPEN), decisions=dropping(2, stopped="all is told apart")).go()
    assert (rounds_of(A, opened.stored), rounds_of(OPEN, opened.stored)) == ([1, 2], [1, 2, 3, 4])


def test_paces_are_found_when_all_closed_loops_are_stored_and_come_before_the_first_open_one() -> None:
    drive = Drive(plan=plan(OPEN, A, OTHER, B, looks=())).go()
    assert drive.asked == [("paces", 8)]
    assert tuple(drive.stored[8:10]) == PACES
    assert [type(record) for record in drive.stored[10:]] == [Failed] * 8
    assert drive.rates == {A.id: 0.0, B.id: 0.0, OPEN.id: 30.5, OTHER.id: 60.5}


def test_an_open_loop_without_a_pace_is_skipped_and_the_others_are_driven() -> None:
    drive = Drive(plan=plan(A, OPEN, OTHER, rounds=1, looks=()), paces=PACES[:1]).go()
    assert [(one.cell_id, one.reason) for one in drive.samples() if isinstance(one, Skipped)] == [(OTHER.id, NO_PACE)]
    assert drive.rates[OPEN.id] == 30.5


RICH = plan(A, AGAIN, B, C, OPEN, OTHER, rounds=4)
DECIDED = {**dropping(2, B), **dropping(4, C)}
WHOLE = Drive(plan=RICH, decisions=DECIDED).go().stored


@pytest.mark.parametrize("stop_after", range(len(WHOLE) + 1))
def test_a_run_that_was_interrupted_anywhere_goes_on_to_the_same_records(stop_after: int) -> None:
    drive = Drive(plan=RICH, decisions=DECIDED).go(stop_after)
    begun_before = len(drive.begun)
    drive.asked.clear()
    assert drive.go().stored == WHOLE
    looks_stored = sum(isinstance(record, Decision) for record in WHOLE[:stop_after])
    paces_stored = sum(isinstance(record, Pace) for record in WHOLE[:stop_after])
    expected = [EARLY, LATE][looks_stored:] + (["paces"] if paces_stored < len(PACES) else [])
    assert [what for what, _ in drive.asked] == expected, "what is stored is not asked again"
    samples_before = sum(isinstance(record, Failed) for record in WHOLE[:stop_after])
    assert len(drive.begun) - begun_before == len(drive.samples()) - samples_before


def test_what_was_decided_before_an_interruption_holds_whatever_would_be_decided_now() -> None:
    stored: list[Found] = Drive(plan=RICH, decisions=DECIDED).go(9).stored
    assert isinstance(stored[-1], Decision)
    drive = Drive(plan=RICH, decisions=dropping(2, C, stopped="all is told apart"), stored=stored).go()
    assert (rounds_of(B, drive.stored), rounds_of(C, drive.stored)) == ([1, 2], [1, 2, 3, 4])


def test_a_pace_that_is_stored_holds_whatever_would_be_found_now() -> None:
    stored: list[Found] = Drive(plan=plan(A, OPEN, OTHER, rounds=1, looks=())).go(2).stored
    assert stored[-1] == PACES[0]
    other = tuple(replace(pace, rate_per_s=99.0) for pace in PACES)
    drive = Drive(plan=plan(A, OPEN, OTHER, rounds=1, looks=()), paces=other, stored=stored).go()
    assert (drive.rates[OPEN.id], drive.rates[OTHER.id]) == (30.5, 99.0)
    assert sum(isinstance(record, Pace) for record in drive.stored) == 2


def stopped(drive: Drive) -> list[tuple[int, float, str]]:
    return [(one.round, one.alpha, one.stopped) for one in drive.stored if isinstance(one, Decision) and one.stopped]


def test_without_looks_a_run_ends_before_the_round_that_it_has_no_time_for() -> None:
    drive = Drive(plan=plan(A, B, looks=()), starts=5).go()
    assert (rounds_of(A, drive.stored), rounds_of(B, drive.stored)) == ([1, 2], [1, 2])
    assert stopped(drive) == [(2, 0.05, LATE_NOW)]
    assert drive.times == [([A.id, B.id], [A.id, B.id]), ([A.id, A.id, B.id, B.id], [A.id, B.id])]


def test_the_first_round_is_run_however_late_it_is() -> None:
    drive = Drive(plan=plan(A, B, OPEN, looks=()), starts=0).go()
    assert [rounds_of(cell, drive.stored) for cell in (A, B)] == [[1], [1]]
    assert drive.rates[OPEN.id] == 30.5
    assert [type(one) for one in drive.stored if isinstance(one, Failed | Skipped) and one.cell_id == OPEN.id] == [
        Failed,
        Skipped,
        Skipped,
        Skipped,
    ]


def test_what_the_coming_look_may_spend_is_spent_where_the_time_is_up() -> None:
    before = Drive(plan=plan(A, B, looks=(EARLY, LATE)), starts=3).go()
    after = Drive(plan=plan(A, B, rounds=6, looks=(EARLY, replace(LATE, round=6))), starts=7).go()
    assert (stopped(before), before.asked) == ([(1, EARLY.alpha, LATE_NOW)], [])
    assert (stopped(after), after.asked) == ([(3, LATE.alpha, LATE_NOW)], [(EARLY, 4)])


def test_what_was_left_out_needs_no_time_and_open_loops_need_it_for_as_many_rounds() -> None:
    drive = Drive(plan=plan(A, B, OPEN, rounds=4), decisions=dropping(2, B)).go()
    assert [coming for _, coming in drive.times[:2]] == [[A.id, OPEN.id, OPEN.id, B.id], [A.id, *[OPEN.id] * 4]]
    assert drive.times[1][0] == [*[A.id] * 3, *[B.id] * 2]


def test_open_loops_for_which_no_time_is_left_are_skipped_with_the_reason() -> None:
    drive = Drive(plan=plan(A, OPEN, OTHER, looks=()), starts=9).go()
    assert stopped(drive) == [(3, 0.05, LATE_NOW)]
    skips = [(one.cell_id, one.round, one.reason) for one in drive.stored if isinstance(one, Skipped)]
    assert sorted(skips) == [(OPEN.id, 4, LATE_NOW), (OTHER.id, 4, LATE_NOW)]
    assert rounds_of(A, drive.stored) == [1, 2, 3]


LATE_PLAN = plan(A, B, OPEN, OTHER, looks=())
ENDED = Drive(plan=LATE_PLAN, starts=13).go().stored


@pytest.mark.parametrize("stop_after", range(len(ENDED) + 1))
def test_a_run_whose_time_was_up_goes_on_to_the_same_records_wherever_it_was_interrupted(stop_after: int) -> None:
    drive = Drive(plan=LATE_PLAN, starts=13).go(stop_after)
    assert drive.go().stored == ENDED
    assert stopped(drive) == [(2, 0.05, LATE_NOW)] or stopped(drive) == [(3, 0.05, LATE_NOW)]


def test_a_run_whose_time_was_up_stays_ended_however_much_time_there_is_later() -> None:
    drive = Drive(plan=LATE_PLAN, starts=13).go()
    before = list(drive.stored)
    drive.starts = 10_000
    assert drive.go().stored == before


def test_what_was_skipped_has_taken_no_time() -> None:
    drive = Drive(plan=plan(A, OPEN, OTHER, looks=()), paces=PACES[:1]).go()
    assert drive.times[-1][0] == sorted([*[A.id] * 4, *[OPEN.id] * 3])
    begun: list[Found] = [Skipped(cell_id=A.id, round=1, started_at="", reason="not started again")]
    assert Drive(plan=plan(A, B, looks=()), stored=begun).go().times[0][0] == [B.id]
