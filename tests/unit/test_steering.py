"""What a run may still afford: time spent by estimate or by the clock, and looks that lie within the budget or beyond it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from servermatrix.analysis.durations import seconds_per_step
from servermatrix.effort import preparation_s, steps_s
from servermatrix.model import (
    Cause,
    Cell,
    Failed,
    LoadStats,
    Look,
    Measured,
    Plan,
    PlannedCell,
    Run,
    Sample,
    Skipped,
    Usage,
    Window,
)
from servermatrix.steering import OUT_OF_TIME, OVERRUN, estimated_s, is_within_budget, steer, stored_s, total_s
from servermatrix.store import assemble
from tests.golden.report_examples import HEADER
from tests.room import make_cell

A, B = make_cell("a", duration_s=2), make_cell("b", duration_s=5)
OPEN = make_cell("a", duration_s=2, rate_percent=30)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LOOKS = (Look(round=6, alpha=0.05), Look(round=12, alpha=0.02))


def plan(*cells: Cell, rounds: int = 12, budget_s: int = 0, looks: tuple[Look, ...] = LOOKS) -> Plan:
    return Plan(cells=cells, excluded=(), apps=(), rounds=rounds, seed=1, looks=looks, budget_s=budget_s)


def broke(cell: Cell, number: int, at_s: float = 0.0) -> Failed:
    started_at = (NOON + timedelta(seconds=at_s)).isoformat()
    return Failed(cell_id=cell.id, round=number, started_at=started_at, cause=Cause.NOISE, reason="loud")


def measured(cell: Cell, number: int, rps: float) -> Measured:
    stats = LoadStats(requests=round(rps), duration_us=1_000_000, histogram=((900, round(rps)),))
    usage = Usage(
        wall_us=1_000_000,
        server_cpu_us=980_000,
        worker_cpu_us=(980_000,),
        generator_cpu_us=200_000,
        own_cpu_us=0,
        pss_bytes=1,
        foreign_cpu=0.0,
        steal=0.0,
    )
    windows = (Window(stats=stats, usage=usage),)
    return Measured(cell_id=cell.id, round=number, started_at=NOON.isoformat(), startup_s=0.1, windows=windows)


def run(of: Plan, *samples: Sample) -> Run:
    cells = tuple(PlannedCell(cell=cell, argv=("serve",), load_argv=()) for cell in of.cells)
    header = replace(HEADER, started_at=NOON.isoformat(), cells=cells, rounds=of.rounds, looks=of.looks, budget_s=of.budget_s)
    return assemble(header, samples)


def test_by_estimate_every_step_that_was_tried_takes_its_time_and_what_was_skipped_takes_none() -> None:
    of = plan(A, B)
    skip = Skipped(cell_id=B.id, round=2, started_at="", reason="not started again")
    spent_s = estimated_s(of, run(of, broke(A, 1), broke(B, 1), measured(A, 2, 9.0), skip))
    assert spent_s == pytest.approx(preparation_s(of) + 2 * seconds_per_step(A.load) + seconds_per_step(B.load))


def test_of_a_stored_run_the_time_from_start_to_start_counts() -> None:
    of = plan(A, B)
    samples = (broke(A, 1, 4.0), broke(B, 1, 9.5), broke(A, 2, 17.0))
    assert stored_s(of, run(of, *samples)) == pytest.approx(17.0 + seconds_per_step(A.load))
    assert stored_s(of, run(of, *reversed(samples))) == pytest.approx(17.0 + seconds_per_step(A.load))


@pytest.mark.parametrize("gap_s", [3_600.0, -3_600.0])
def test_of_a_stored_run_the_time_does_not_count_in_which_it_was_interrupted_or_the_clock_was_set(gap_s: float) -> None:
    of = plan(A)
    before, after = (broke(A, 1, 2.0), broke(A, 2, 5.0)), (broke(A, 3, 5.0 + gap_s), broke(A, 4, 8.0 + gap_s))
    spent_s = stored_s(of, run(of, *before, *after))
    assert spent_s == pytest.approx(8.0 + 2 * seconds_per_step(A.load), abs=6.0)


def test_a_run_of_which_nothing_is_stored_has_taken_no_time() -> None:
    assert stored_s(plan(A), run(plan(A))) == 0


@pytest.mark.parametrize("gap_s", [35.0, 119.0])
def test_of_a_stored_run_the_time_counts_that_a_step_took_on_a_loud_machine(gap_s: float) -> None:
    of = plan(A)
    assert gap_s > 10 * seconds_per_step(A.load)
    assert stored_s(of, run(of, broke(A, 1, 2.0), broke(A, 2, 2.0 + gap_s))) == pytest.approx(
        2 + gap_s + seconds_per_step(A.load)
    )


def test_rounds_were_planned_within_the_budget_or_beyond_it() -> None:
    of = plan(A, B)
    within = replace(of, budget_s=round(preparation_s(of) + steps_s(of.cells, 6)) + 1)
    assert is_within_budget(within, 6)
    assert not is_within_budget(within, 7)


def test_the_part_of_a_second_that_a_budget_is_stored_without_takes_no_look_away() -> None:
    of = plan(A, B)
    fits_s = preparation_s(of) + steps_s(of.cells, 6)
    assert fits_s % 1 > 0
    assert is_within_budget(replace(of, budget_s=int(fits_s)), 6)


def equal() -> list[Sample]:
    """Return six rounds of two cells that are told apart by nothing."""
    pairs = ((number, index) for number in range(1, 7) for index in (0, 1))
    return [measured((A, B)[index], number, 1000.0 + (7 * number + 3 * index) % 5) for number, index in pairs]


def decided(of: Plan, spent_s: float) -> str:
    """Say why a run of equal cells ends at its first look, empty when it goes on."""
    samples = equal()
    course = steer(of, lambda: run(of, *samples), lambda _: spent_s)
    return course.decide(LOOKS[0]).stopped


def test_a_run_goes_on_beyond_its_budget_only_where_all_rounds_to_the_next_look_fit() -> None:
    of = plan(A, B)
    estimate_s, more_s = preparation_s(of) + steps_s(of.cells, 6), steps_s(of.cells, 6)
    of = replace(of, budget_s=round(estimate_s + more_s) - 2)
    assert not is_within_budget(of, 12)
    assert decided(of, of.budget_s - more_s - 0.01) == ""
    assert "do not fit into the budget" in decided(of, of.budget_s - more_s + 0.01)


def test_a_run_goes_on_to_a_look_that_was_planned_within_its_budget_as_long_as_a_round_fits() -> None:
    of = plan(A, B)
    estimate_s, round_s = preparation_s(of) + steps_s(of.cells, 6), steps_s(of.cells, 1)
    of = replace(of, budget_s=round(estimate_s + 6 * round_s) + 1)
    slowest_s = OVERRUN * of.budget_s / (1 + round_s / estimate_s)
    assert slowest_s > 1.5 * estimate_s
    assert decided(of, slowest_s - 0.01) == ""
    assert "do not fit into the budget" in decided(of, slowest_s + 0.01)


def test_what_is_to_come_is_as_slow_as_what_was_and_never_faster_than_estimated() -> None:
    assert total_s(120, 100, 50) == pytest.approx(120 + 60)
    assert total_s(80, 100, 50) == pytest.approx(80 + 50)


def test_open_loops_that_come_last_are_kept_their_time_for_as_many_rounds() -> None:
    of = plan(A, B, OPEN)
    estimate_s, more_s = preparation_s(of) + steps_s((A, B), 6), steps_s((A, B), 1) + steps_s((OPEN,), 7)
    of = replace(of, budget_s=300)
    slowest_s = OVERRUN * 300 / (1 + more_s / estimate_s)
    assert slowest_s > estimate_s
    assert decided(of, slowest_s - 0.01) == ""
    assert "do not fit" in decided(of, slowest_s + 0.01)


def test_without_a_budget_no_time_is_ever_up() -> None:
    course = steer(plan(A, B, looks=()), lambda: run(plan(A, B)), lambda _: 1e9)
    assert course.out_of_time([A, B], [A, B]) == ""


def test_another_round_is_begun_as_long_as_it_ends_within_a_tenth_of_the_budget() -> None:
    of = replace(plan(A, B, looks=()), budget_s=100)
    estimate_s, round_s = preparation_s(of) + steps_s((A, B), 1), steps_s((A, B), 1)
    latest_s = OVERRUN * 100 / (1 + round_s / estimate_s)
    assert steer(of, lambda: run(of), lambda _: latest_s - 0.01).out_of_time([A, B], [A, B]) == ""
    assert steer(of, lambda: run(of), lambda _: latest_s + 0.01).out_of_time([A, B], [A, B]) == OUT_OF_TIME


def test_paces_are_those_of_what_is_stored() -> None:
    of = plan(A, OPEN, looks=())
    samples = [measured(A, number, 1000.0) for number in (1, 2, 3)]
    (pace,) = steer(of, lambda: run(of, *samples), lambda _: 0.0).paces()
    assert (pace.cell_id, pace.slowest) == (OPEN.id, A.id)
    assert pace.rate_per_s == pytest.approx(300.0)
    assert steer(of, lambda: run(of), lambda _: 0.0).paces() == ()
