"""Runs on machines that are slower than was estimated: they keep to their budget, use it, and report on what they have."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from servermatrix.analysis.analyse import analyse
from servermatrix.config.applications import builtin_app
from servermatrix.duplicate import with_duplicate
from servermatrix.effort import fit_budget, preparation_s, steps_expected, steps_s
from servermatrix.experiment import rehearse
from servermatrix.measure.run import simulate
from servermatrix.model import Cell, Decision, Plan, PlannedCell, Report, Run, RunHeader, Skipped
from servermatrix.plugins import load_generators
from servermatrix.render.markdown import to_markdown
from servermatrix.render.terminal import to_terminal
from servermatrix.steering import OUT_OF_TIME, OVERRUN, estimated_s, steer
from servermatrix.store import assemble
from tests.golden.report_examples import HEADER
from tests.room import make_cell

EQUAL: dict[str, object] = {"noise": {"sd": 0.02}, "cells": {"*": {"rps": 9000, "cpu_us": 99}}}
CLEAR: dict[str, object] = {
    "noise": {"sd": 0.01},
    "cells": {"*": {"rps": 9000, "cpu_us": 99}, "a*": {"rps": 30000, "cpu_us": 30}},
}
NAMES = "abc"


def cells(*rates: int, names: str = NAMES) -> tuple[Cell, ...]:
    found = (make_cell(name, rate_percent=rate) for rate in (0, *rates) for name in names)
    return tuple(replace(cell, app="plaintext", load=replace(cell.load, generator="fake")) for cell in found)


def budgeted(rounds: int, *rates: int, names: str = NAMES) -> Plan:
    """Plan a budget in which so many rounds fit, or one more."""
    plan = Plan(cells=cells(*rates, names=names), excluded=(), apps=(builtin_app("plaintext"),), rounds=rounds, seed=1)
    whole = with_duplicate(plan)
    return fit_budget(plan, preparation_s(whole) + steps_s(whole.cells, rounds) + 1)


def header(of: Plan) -> RunHeader:
    planned = tuple(PlannedCell(cell=cell, argv=("serve",), load_argv=()) for cell in of.cells)
    return replace(
        HEADER, cells=planned, apps=of.apps, rounds=of.rounds, seed=of.seed, looks=of.looks, budget_s=of.budget_s, excluded=()
    )


def run(of: Plan, slower: float, model: dict[str, object] = EQUAL) -> Run:
    return rehearse(header(of), of, load_generators()["fake"], model, slower=slower)


def report(of: Plan, slower: float, model: dict[str, object] = CLEAR) -> Report:
    return analyse(run(of, slower, model))


def rounds_of(found: Run) -> int:
    return max(one.round for one in found.samples if not isinstance(one, Skipped))


@pytest.mark.parametrize("slower", [1.0, 1.05, 1.2, 1.7, 3.0])
@pytest.mark.parametrize("rates", [(), (30, 60)])
@pytest.mark.parametrize("rounds", [4, 7, 16])
def test_however_slow_a_machine_is_a_run_keeps_to_its_budget_and_uses_it(
    rounds: int, rates: tuple[int, ...], slower: float
) -> None:
    of = budgeted(rounds, *rates)
    found = run(of, slower)
    taken_s, shortest_s = slower * estimated_s(of, found), slower * (preparation_s(of) + steps_s(of.cells, 1))
    assert taken_s <= max(OVERRUN * of.budget_s, shortest_s), "the first round is run, whatever it takes"
    assert taken_s + slower * steps_s(of.cells, 1) > 0.95 * of.budget_s
    assert found.complete


@pytest.mark.parametrize("rounds", [4, 7])
def test_without_looks_between_a_run_whose_time_is_up_says_so_and_reports_on_the_rounds_that_it_has(rounds: int) -> None:
    of = budgeted(rounds)
    found = run(of, 1.4)
    assert found.decisions == (Decision(round=rounds_of(found), alpha=0.05, stopped=OUT_OF_TIME),)
    assert len(of.looks) == (rounds == 7)
    for text in (to_markdown(analyse(found)), to_terminal(analyse(found), width=250, colour=False)):
        assert OUT_OF_TIME in text
        assert "INCOMPLETE" not in text
        assert "no other time" not in text
        assert "when all is measured" not in text


def test_one_look_is_taken_where_the_time_is_up_and_tells_apart_what_it_can() -> None:
    of = budgeted(9)
    (look,) = of.looks
    found = report(of, 1.2)
    (decision,) = found.decisions
    assert 7 <= decision.round < look.round
    assert "a serves plaintext" in found.answer
    said = f"after round {look.round}, or when the time is up, as it was after round {decision.round} (5 %)."
    assert said in to_markdown(found)


def test_between_looks_the_coming_one_is_taken_where_the_time_is_up() -> None:
    of = budgeted(20)
    found = run(of, 1.4)
    first, late = found.decisions
    assert (first.round, first.stopped) == (of.looks[0].round, "")
    assert of.looks[0].round < late.round < of.looks[1].round
    assert (late.alpha, late.stopped) == (of.looks[1].alpha, OUT_OF_TIME)
    assert sum(one.alpha for one in found.decisions) <= 0.05
    assert f"or when the time is up before the next, as it was after round {late.round} (4 %); in brackets" in to_markdown(
        analyse(found)
    )


def test_a_run_that_is_gone_on_with_after_its_time_was_up_stays_as_it_is() -> None:
    of = budgeted(9)
    found = run(of, 1.4)
    before = analyse(found)
    course = steer(of, lambda: found, lambda _: 0.0)
    assert list(simulate(load_generators()["fake"], of, found, EQUAL, lambda _: None, course=course)) == []
    assert before.complete


def test_open_loops_have_as_many_rounds_as_the_closed_ones_that_there_was_time_for() -> None:
    found = run(budgeted(8, 30, 60), 1.6)
    rounds = {
        cell.id: max(one.round for one in found.samples if one.cell_id == cell.id and not isinstance(one, Skipped))
        for cell in cells(0, 30, 60)
    }
    assert 3 <= min(rounds.values()) < 8
    assert max(rounds.values()) - min(rounds.values()) <= 1
    assert {one.reason for one in found.samples if isinstance(one, Skipped)} == {OUT_OF_TIME}


def test_steps_are_counted_to_the_end_of_the_budget_until_the_run_went_beyond_it() -> None:
    of = budgeted(20, names="abcdefgh")
    first, second, third = of.looks
    empty = assemble(header(of), ())
    assert (second.round, third.round) == (20, 40)
    assert steps_expected(empty) == len(of.cells) * 20
    early = Decision(round=first.round, alpha=0.01, dropped=((of.cells[1].id, "slower"),))
    assert steps_expected(assemble(header(of), (early,))) == (len(of.cells) - 1) * 20 + first.round
    beyond = (early, Decision(round=second.round, alpha=0.02))
    assert steps_expected(assemble(header(of), beyond)) == (len(of.cells) - 1) * 40 + first.round
    assert steps_expected(assemble(header(budgeted(9)), ())) == len(budgeted(9).cells) * 9


def test_numpy_starts_no_thread_beside_a_run() -> None:
    """Servers are forked off a process without threads."""
    code = (
        "import threading, psutil\nfrom servermatrix.experiment import one_thread\none_thread()\n"
        "from servermatrix.analysis.pairs import pair_differences, signed_ranks\n"
        "signed_ranks(pair_differences([[1.0] * 9, [2.0] * 9]))\nprint(psutil.Process().num_threads())"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "1\n"
