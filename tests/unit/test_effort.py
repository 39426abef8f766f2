"""How long a plan takes, and what a budget of time buys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.analysis.durations import seconds_per_step
from servermatrix.analysis.sequence import plan_looks
from servermatrix.analysis.stats import rounds_needed
from servermatrix.duplicate import measured_twice, with_duplicate
from servermatrix.effort import estimate_s, fit_budget, largest_table, preparation_s, steps_s
from servermatrix.errors import Exit, UsageProblem
from servermatrix.model import Cell, Load, Plan

STEP_S = 1 + 2 * 2 + 0.9


def cell(server: str, rate: int = 0, *, generator: str = "wrk", app: str = "plaintext", protocol: str = "h1") -> Cell:
    load = Load(
        generator="builtin" if rate else generator,
        connections=8,
        threads=1,
        duration_s=2,
        warmup_s=1,
        windows=2,
        rate_percent=rate,
    )
    return Cell(server=server, options=(), label="", protocol=protocol, workers=1, app=app, load=load)


def plan(*cells: Cell, rounds: int = 3) -> Plan:
    return with_duplicate(Plan(cells=cells, excluded=(), apps=(), rounds=rounds, seed=1))


TWO = (cell("a"), cell("b"))
SIX = tuple(map(cell, "abcdef"))
EIGHT = (*SIX, cell("g"), cell("h"))
BEFORE_S = 2 + 3  # two proofs, one generator


def test_a_step_takes_its_load_and_what_goes_on_around_it() -> None:
    assert seconds_per_step(TWO[0].load) == pytest.approx(STEP_S)
    assert steps_s(TWO, 5) == pytest.approx(10 * STEP_S)


def test_an_estimate_counts_proofs_calibrations_and_all_steps_of_closed_and_open_loops() -> None:
    assert estimate_s(plan(*TWO)) == pytest.approx(BEFORE_S + 3 * 2 * STEP_S)
    assert estimate_s(plan(*TWO, cell("a", 30), cell("b", 30))) == pytest.approx(BEFORE_S + 3 * 4 * STEP_S)


def test_a_setting_is_proven_once_whatever_its_loads_and_apps_and_a_duplicate_needs_no_proof_of_its_own() -> None:
    assert preparation_s(plan(*TWO, *(cell(server, app="json") for server in "ab"))) == BEFORE_S
    assert preparation_s(plan(*TWO, rounds=6)) == BEFORE_S


def test_a_generator_is_calibrated_once_per_protocol_and_not_for_an_open_loop() -> None:
    assert preparation_s(plan(cell("a"), cell("b", generator="h2load"))) == 2 + 2 * 3
    assert preparation_s(plan(cell("a"), cell("a", protocol="h1s"))) == 2 + 2 * 3
    assert preparation_s(plan(cell("a"), cell("a", 30))) == 1 + 3


def test_a_duplicate_takes_as_long_as_any_cell() -> None:
    assert estimate_s(plan(*TWO, rounds=6)) == pytest.approx(BEFORE_S + 6 * 3 * STEP_S)


def test_the_largest_table_counts_neither_the_duplicate_nor_open_loops() -> None:
    rates = [cell(server, rate) for server in "ab" for rate in (30, 60, 90)]
    made = plan(*TWO, *rates, cell("a", app="json"), rounds=6)
    assert measured_twice(made) is not None
    assert largest_table(made) == 2
    assert largest_table(plan(*rates)) == 0


def test_a_budget_is_filled_with_rounds_of_all_cells_and_of_the_one_that_is_measured_twice() -> None:
    fitted = fit_budget(plan(*TWO), BEFORE_S + 20 * 3 * STEP_S + 17)
    assert 20 in {look.round for look in fitted.looks}
    assert [each for each in fitted.cells if not each.duplicate] == list(TWO)
    assert measured_twice(fitted) in TWO
    assert fitted.budget_s == int(BEFORE_S + 20 * 3 * STEP_S + 17)


def test_with_a_budget_there_are_several_looks_that_share_five_percent_and_the_rounds_go_on_to_the_last() -> None:
    fitted = fit_budget(plan(*EIGHT), 8 + 3 + 40 * 9 * STEP_S + 1)
    assert len(fitted.looks) == 3
    assert sum(look.alpha for look in fitted.looks) == pytest.approx(0.05)
    assert fitted.rounds == fitted.looks[-1].round == 80
    for look in fitted.looks:
        assert look.round >= rounds_needed(28, look.alpha)


def test_a_look_that_no_run_could_reach_is_not_planned_and_leaves_what_it_would_spend_to_the_one_before() -> None:
    # Two rows and the one that is measured twice have as many rounds again only where three times as many freed the time.
    fitted = fit_budget(plan(*EIGHT[:7]), 7 + 3 + 40 * 8 * STEP_S + 1)
    assert [(look.round, look.alpha) for look in fitted.looks] == [(20, 0.01), (40, 0.04)]
    assert fitted.rounds == 40
    assert len(fit_budget(plan(*EIGHT[:7], cell("a", app="json")), 8 + 3 + 40 * 9 * STEP_S + 1).looks) == 3


def test_the_looks_are_those_for_the_pairs_of_the_largest_table() -> None:
    rounds = next(number for number in range(6, 60) if plan_looks(number, 28) != plan_looks(number, 15))
    fitted = fit_budget(plan(*EIGHT, cell("a", app="json")), 8 + 3 + rounds * 10 * STEP_S + 1)
    assert fitted.looks == plan_looks(rounds, 28)


def test_a_plan_with_a_budget_is_never_said_to_take_longer() -> None:
    budget_s = 8 + 3 + 40 * 9 * STEP_S + 1
    fitted = fit_budget(plan(*EIGHT), budget_s)
    assert estimate_s(replace(fitted, budget_s=0)) > budget_s
    assert estimate_s(fitted) == int(budget_s)


def test_a_budget_that_is_too_short_for_two_looks_has_one_at_the_end() -> None:
    fitted = fit_budget(plan(*SIX), 6 + 3 + 10 * 7 * STEP_S + 1)
    assert [(look.round, look.alpha) for look in fitted.looks] == [(10, 0.05)]
    assert fitted.rounds == 10


def test_open_loops_are_not_run_for_more_rounds_than_fit_with_all_cells() -> None:
    rates = [cell(each.server, 50) for each in SIX]
    fitted = fit_budget(plan(*SIX, *rates), 6 + 3 + 40 * 13 * STEP_S + 1)
    assert fitted.rounds == fitted.looks[-1].round == 40
    assert len(fitted.looks) == 2
    assert sum(look.alpha for look in fitted.looks) == pytest.approx(0.05)


def test_nothing_is_looked_at_where_nothing_is_compared() -> None:
    fitted = fit_budget(plan(cell("a"), cell("a", 30)), 1 + 3 + 30 * 2 * STEP_S + 1)
    assert (fitted.looks, fitted.rounds) == ((), 30)
    assert fit_budget(plan(cell("a"), cell("a", app="json")), 1 + 3 + 30 * 3 * STEP_S + 1).looks == ()


def test_a_budget_for_fewer_rounds_than_can_rank_measures_nothing_twice() -> None:
    fitted = fit_budget(plan(*TWO, rounds=11), BEFORE_S + 4 * 2 * STEP_S + 1)
    assert (fitted.rounds, fitted.cells) == (4, TWO)


def test_a_budget_in_which_only_the_duplicate_has_no_room_stops_before_the_round_that_needs_it() -> None:
    fitted = fit_budget(plan(*TWO), BEFORE_S + 6 * 2 * STEP_S + 1)
    assert (fitted.rounds, fitted.cells) == (5, TWO)
    alone = fit_budget(plan(cell("a")), 1 + 3 + 6 * STEP_S + 1)
    assert (alone.rounds, alone.cells) == (6, (cell("a"),))


def test_a_budget_adds_the_duplicate_that_the_rounds_of_the_matrix_did_not_need() -> None:
    assert measured_twice(plan(*TWO, rounds=1)) is None
    other = cell("c", generator="h2load")
    fitted = fit_budget(plan(cell("a"), other, rounds=1), 2 + 6 + 20 * 3 * STEP_S + 1, missing={"wrk"})
    assert measured_twice(fitted) == other


@pytest.mark.parametrize("budget_s", [1, 4, 10])
def test_a_budget_for_less_than_a_round_is_refused_with_what_a_round_takes(budget_s: float) -> None:
    with pytest.raises(UsageProblem, match=f"{budget_s} s are too short: one round of 2 cells takes 17 s") as caught:
        fit_budget(plan(*TWO, rounds=11), budget_s)
    assert caught.value.exit_code == Exit.USAGE
    assert "-k" in caught.value.tip
