"""Controls: what is predicted, what passes, and what is said when nothing was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from servermatrix.analysis.controls import checks, predicted_per_s
from servermatrix.analysis.stats import ratio
from servermatrix.analysis.summarise import Row
from servermatrix.model import App, Cell, Check, Control, Estimate, Load, Passed, PlannedCell, Summary

LOAD = Load(generator="wrk", connections=64, threads=1, duration_s=2, warmup_s=1, windows=1)
AWAITING = Control(holds="await", seconds=0.1)
THREADED = Control(holds="threads", seconds=0.05, threads=40)
BLOCKING = Control(holds="worker", seconds=0.02)
BURNING = Control(burns=0.2, beyond="plaintext")
ROUNDS = 10
STEADY = (1.00, 1.02, 0.98, 1.01, 0.99, 1.03, 0.97, 1.015, 0.985, 1.005)


def app(name: str, control: Control | None = None) -> App:
    return App(name=name, target=f"{name}:app", folder=".", control=control)


def cell(server: str, name: str, workers: int = 1, load: Load = LOAD) -> Cell:
    return Cell(server=server, options=(), label="", protocol="h1", workers=workers, app=name, load=load)


def row(of: Cell, rps: float | None, cpu_us: float = 30.0, rounds: int = ROUNDS) -> Row:
    planned = PlannedCell(cell=of, argv=(), load_argv=())
    summary = Summary(
        planned=planned,
        name=of.setting,
        status="skipped" if rps is None else "measured",
        reason="",
        rounds_ok=0 if rps is None else rounds,
        rounds_failed=0,
        rps=None if rps is None else Estimate(value=rps, low=rps * 0.99, high=rps * 1.01, n=rounds),
        cpu_us_per_request=None if rps is None else Estimate(value=cpu_us, low=None, high=None, n=rounds),
    )
    by_round = {} if rps is None else {number: rps * STEADY[number - 1] for number in range(1, rounds + 1)}
    return Row(summary=summary, rps=by_round, cpu_us={number: cpu_us * STEADY[-number] for number in by_round})


def only(found: Sequence[Check]) -> Check:
    (one,) = found
    return one


@pytest.mark.parametrize(
    ("control", "workers", "connections", "expected"),
    [
        (AWAITING, 1, 64, 640),
        (AWAITING, 2, 64, 640),
        (THREADED, 1, 64, 800),
        (THREADED, 2, 64, 1280),
        (THREADED, 2, 256, 1600),
        (THREADED, 1, 8, 160),
        (BLOCKING, 1, 64, 50),
        (BLOCKING, 2, 64, 100),
        (BLOCKING, 2, 1, 50),
    ],
)
def test_what_is_held_says_how_much_can_be_served(control: Control, workers: int, connections: int, expected: float) -> None:
    of = cell("a", "x", workers, replace(LOAD, connections=connections))
    assert predicted_per_s(control, of) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rps", "passed"), [(640, Passed.YES), (580, Passed.YES), (700, Passed.YES), (570, Passed.NO), (710, Passed.NO)]
)
def test_a_row_passes_within_a_tenth_of_what_is_predicted(rps: float, passed: Passed) -> None:
    check = only(checks([app("waiting", AWAITING)], [row(cell("a", "waiting"), rps)]))
    assert (check.passed, check.expected, check.unit) == (passed, 640, "requests/s")
    assert check.found is not None
    assert check.found.value == rps
    assert check.rule == "64 connections, and each answer awaits 100 ms: requests/s within 10% of what that allows"


@pytest.mark.parametrize(("rps", "passed"), [(640, Passed.YES), (540, Passed.YES), (480, Passed.NO), (710, Passed.NO)])
def test_a_server_that_computes_much_for_answers_that_end_together_may_be_as_much_later(rps: float, passed: Passed) -> None:
    check = only(checks([app("waiting", AWAITING)], [row(cell("a", "waiting"), rps, cpu_us=300)]))
    assert check.passed is passed
    assert check.rule.endswith("of what that allows, or less by the 19 ms that the server computes for all of them")


def test_a_server_that_computes_much_need_not_tie() -> None:
    rows = [row(cell("a", "waiting"), 640), row(cell("b", "waiting"), 640), row(cell("c", "waiting"), 550, cpu_us=300)]
    tie = checks([app("waiting", AWAITING)], rows)[-1]
    assert (tie.subject, tie.passed) == ("2 servers under waiting", Passed.YES)


def test_what_was_not_measured_neither_passes_nor_fails() -> None:
    rows = [row(cell("a", "waiting"), None), row(cell("b", "waiting"), None), row(cell("a", "burn"), None)]
    found = checks([app("waiting", AWAITING), app("burn", BURNING)], rows)
    assert [check.passed for check in found] == [Passed.UNKNOWN] * 4
    assert [check.found for check in found] == [None] * 4


@pytest.mark.parametrize(("slowest", "passed"), [(640, Passed.YES), (585, Passed.YES), (570, Passed.NO)])
def test_a_winner_among_servers_that_only_wait_is_a_failed_control(slowest: float, passed: Passed) -> None:
    rows = [row(cell("a", "waiting"), 640), row(cell("b", "waiting"), slowest), row(cell("c", "waiting"), 620)]
    tie = checks([app("waiting", AWAITING)], rows)[-1]
    assert (tie.subject, tie.passed, tie.expected) == ("3 servers under waiting", passed, 1.0)
    assert tie.found is not None
    assert tie.found.value == pytest.approx(640 / min(slowest, 620))


def test_the_interval_of_a_tie_holds_whichever_servers_came_out_first_and_last() -> None:
    rows = [row(cell("a", "waiting"), 640), row(cell("b", "waiting"), 630), row(cell("c", "waiting"), 620)]
    rows[2] = replace(rows[2], rps={number: 620 * factor for number, factor in enumerate(reversed(STEADY), 1)})
    assert checks([app("waiting", AWAITING)], rows)[-1].found == ratio([*rows[0].rps.values()], [*rows[2].rps.values()], 0.05 / 3)


def test_servers_under_other_loads_need_not_tie() -> None:
    few = replace(LOAD, connections=8)
    rows = [row(cell("a", "waiting"), 640), row(cell("a", "waiting", load=few), 80)]
    assert [check.passed for check in checks([app("waiting", AWAITING)], rows)] == [Passed.YES, Passed.YES]


@pytest.mark.parametrize(
    ("cpu_us", "passed"),
    [(36, Passed.YES), (33.5, Passed.YES), (30, Passed.NO), (31.5, Passed.NO), (50, Passed.NO)],
)
def test_burnt_cpu_must_be_found_again_beside_the_same_server(cpu_us: float, passed: Passed) -> None:
    rows = [
        row(cell("b", "plaintext"), 5_000, cpu_us=200),
        row(cell("a", "plaintext"), 20_000),
        row(cell("a", "burn"), 17_000, cpu_us=cpu_us),
    ]
    check = only(checks([app("plaintext"), app("burn", BURNING)], rows))
    assert (check.subject, check.passed, check.expected) == ("a, burn", passed, 1.2)
    assert check.found is not None
    assert check.found.value == pytest.approx(cpu_us / 30, rel=0.02)


def test_burnt_cpu_is_not_found_where_noise_could_be_as_large() -> None:
    noisy = {number: 36.0 * (2.0 if number % 2 else 0.5) for number in range(1, ROUNDS + 1)}
    burning = replace(row(cell("a", "burn"), 17_000), cpu_us=noisy)
    check = only(checks([app("burn", BURNING)], [row(cell("a", "plaintext"), 20_000), burning]))
    assert check.found is not None
    assert check.found.low is not None
    assert check.found.low < 1
    assert 1.1 < check.found.value < 1.3
    assert check.passed is Passed.NO


def test_burnt_cpu_is_not_found_in_too_few_rounds() -> None:
    rows = [row(cell("a", "plaintext"), 20_000, rounds=3), row(cell("a", "burn"), 17_000, cpu_us=36, rounds=3)]
    assert only(checks([app("burn", BURNING)], rows)).passed is Passed.UNKNOWN


def test_burnt_cpu_beside_nothing_is_unknown() -> None:
    assert only(checks([app("burn", BURNING)], [row(cell("a", "burn"), 17_000)])).passed is Passed.UNKNOWN


def test_apps_without_a_control_a_simulation_and_an_open_loop_are_not_checked() -> None:
    assert checks([app("plaintext")], [row(cell("a", "plaintext"), 20_000)]) == ()
    simulated, paced = replace(LOAD, generator="fake"), replace(LOAD, rate_percent=30)
    rows = [row(cell("a", "waiting", load=load), 1) for load in (simulated, paced)]
    assert checks([app("waiting", AWAITING)], rows) == ()
