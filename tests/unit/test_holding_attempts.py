"""Attempts at fixed rates: how a cell is started for one, what is filed, and a race of the fake generator from end to end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from runners.loads.fake import LOAD as FAKE
from servermatrix.analysis.holding import held
from servermatrix.contracts import LoadGenerator
from servermatrix.measure import window
from servermatrix.measure.bench import Bench, Driver
from servermatrix.measure.holding import at_rates, attempts, simulate
from servermatrix.model import (
    Asked,
    Attempt,
    Cell,
    Failed,
    Limit,
    LoadStats,
    Measured,
    Noise,
    Plan,
    PlannedCell,
    Race,
    Request,
    Run,
    Step,
)
from tests.room import guarded, make_bench, make_cell, small_app, small_generator
from tests.unit.analyse_runs import cell, measured, rates, run, series, simulated
from tests.unit.analyse_runs import window as plain_window

P99 = Limit(metric="latency", bound=2_000.0, text="p99<2ms", percent=99.0)
RACE = Race(limits=(P99,), holding_s=10_000, generator="fake")
# Of 10,000 requests/s; in a queue with one server the 99th percentile is 2 ms where the median is 667 us: at 8,960 a second.
MODEL: Mapping[str, object] = {"noise": {"sd": 0.0}, "cells": {"*": {"rps": 10_000, "cpu_us": 90}, "b*": {"rps": 4_000}}}
A, B = cell("a"), cell("b")


def raced(*cells: Cell, race: Race = RACE, model: Mapping[str, object] = MODEL, rounds: int = 6) -> Run:
    found = simulated(cells, rounds, model)
    return replace(found, header=replace(found.header, race=race))


def plan_of(of: Run) -> Plan:
    cells = tuple(planned.cell for planned in of.header.cells)
    return Plan(cells=cells, excluded=(), apps=(), rounds=of.header.rounds, seed=1, noise=Noise(), race=of.header.race)


def after(of: Run, model: Mapping[str, object] = MODEL) -> Run:
    return replace(of, attempts=(*of.attempts, *simulate(FAKE, plan_of(of), of, model, lambda _: None)))


def test_a_simulated_search_finds_the_rate_at_which_the_queue_of_the_model_keeps_the_limit() -> None:
    one, other = sorted(held(after(raced(A, B))), key=lambda found: found.cell_id)
    assert one.low_per_s < 8_960 < one.high_per_s <= 1.101 * one.low_per_s
    assert other.low_per_s < 2_960 < other.high_per_s <= 1.101 * other.low_per_s
    assert one.latency_us is not None
    assert one.latency_us.value <= P99.bound


def test_a_resumed_search_makes_the_attempts_that_are_missing_and_no_other() -> None:
    whole = after(raced(A, B))
    for kept in (0, 1, 5, len(whole.attempts)):
        assert after(replace(whole, attempts=whole.attempts[:kept])).attempts == whole.attempts


def test_attempts_are_counted_and_filed_under_the_cell_that_was_raced() -> None:
    found = after(raced(A, B)).attempts
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    assert {one.sample.cell_id for one in found} == {A.id, B.id}
    assert len({(one.sample.cell_id, one.rate_per_s, one.sample.round) for one in found}) == len(found)


def test_simulated_starts_at_the_same_rate_differ_as_starts_do() -> None:
    noisy = {**MODEL, "noise": {"sd": 0.03}}
    found = after(raced(A, race=replace(RACE, rate_per_s=8_000.0), model=noisy), noisy).attempts
    windows = [one.sample.windows for one in found if isinstance(one.sample, Measured)]
    assert len(set(windows)) == len(found) == 3


def test_simulated_time_passes_as_it_is_estimated() -> None:
    assert A.load.duration_s + A.load.warmup_s == 2
    assert len(after(raced(A, B, race=replace(RACE, holding_s=15))).attempts) == 5


def test_without_a_generator_for_rates_nothing_is_tried() -> None:
    assert after(raced(A, race=replace(RACE, generator=""))).attempts == ()
    plain = run([A], series(A, rates(1000.0)), 10)
    assert list(simulate(FAKE, plan_of(plain), plain, MODEL, lambda _: None)) == []


def test_a_cell_is_driven_at_a_rate_as_it_was_raced_but_for_the_generator() -> None:
    opened = at_rates(A, "builtin")
    assert opened.start == A.start
    assert (opened.load.generator, opened.load.rate_percent) == ("builtin", 1)
    assert replace(opened.load, generator=A.load.generator, rate_percent=0) == A.load
    assert opened.id != A.id


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench with a small real server, and a generator that finds that everything was answered in 1 ms."""
    monkeypatch.setattr(window, "QUIET_LIMIT", 99.0)

    def open_loop(**other: object) -> LoadGenerator:
        made = small_generator(parse=lambda shot, _: answered(shot.rate_per_s))
        return replace(made, open_loop=True, **other)  # type: ignore[arg-type]

    with guarded() as guard:
        yield replace(make_bench(tmp_path, guard), drivers={"rated": Driver(plugin=open_loop())})


def answered(rate_per_s: float) -> LoadStats:
    due = round(rate_per_s)
    return LoadStats(requests=due, duration_us=1_000_000, histogram=((1_000, due),), due=due)


SMALL = make_cell()


def small_run(of: Cell = SMALL) -> Run:
    starts = [measured(of, number, plain_window(100.0)) for number in range(1, 4)]
    found = run([of], starts, 3)
    planned = (PlannedCell(cell=of, argv=("serve",), load_argv=()),)
    return replace(found, header=replace(found.header, cells=planned, race=replace(RACE, generator="rated", rate_per_s=40.0)))


def made_on(bench: Bench, of: Run, told: list[Step] | None = None) -> list[Attempt]:
    return list(attempts(bench, plan_of(of), of, (told if told is not None else []).append))


def test_a_real_attempt_starts_the_server_and_drives_it_at_the_rate(bench: Bench) -> None:
    told: list[Step] = []
    found = made_on(bench, small_run(), told)
    assert [(one.rate_per_s, one.sample.round, one.sample.cell_id) for one in found] == [
        (40.0, number, SMALL.id) for number in (1, 2, 3)
    ]
    assert all(isinstance(one.sample, Measured) and one.sample.windows[0].stats.due == 40 for one in found)
    assert told == [Step(cell=SMALL, round=number) for number in (1, 2, 3)]


def test_the_time_that_stored_attempts_took_is_spent_already(bench: Bench) -> None:
    asked = small_run()
    first = Attempt(number=1, rate_per_s=40.0, sample=replace(measured(SMALL, 1, plain_window()), windows=(plain_window(),)))
    race = replace(RACE, generator="rated", rate_per_s=40.0, holding_s=3)  # a start of a second takes 1.9 s
    stored = replace(asked, attempts=(first,), header=replace(asked.header, race=race))
    assert list(attempts(bench, plan_of(stored), stored, lambda _: None, clock=lambda: 0.0)) == []


def test_the_time_for_real_attempts_is_the_clock_s(bench: Bench) -> None:
    asked = small_run()
    times = iter([0.0, 0.0, 6_000.0])
    found = list(attempts(bench, plan_of(asked), asked, lambda _: None, clock=lambda: next(times)))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocols": ("h2",)}, "rated sends at a fixed rate in h2 only"),
        ({"missing": "rated is not here"}, "rated is not here"),
        ({"mix": 2}, "rated cannot send a mix of requests"),
        ({"reuse": 1}, "rated keeps its connections at a fixed rate"),
    ],
)
def test_what_the_generator_cannot_drive_is_told_once_and_nothing_is_started(
    bench: Bench, change: Mapping[str, object], said: str
) -> None:
    driver = bench.drivers["rated"]
    plugin = replace(driver.plugin, protocols=change.get("protocols", ("h1",)))  # type: ignore[arg-type]
    mix = (Asked(request=Request()), Asked(request=Request(path="/b"))) if "mix" in change else ()
    changed = replace(
        bench,
        drivers={"rated": replace(driver, plugin=plugin, missing=str(change.get("missing", "")))},
        apps={"plain": replace(small_app(), mix=mix)},
        servers={},
    )
    asked = small_run(make_cell(requests_per_connection=1) if "reuse" in change else SMALL)
    (only,) = made_on(changed, asked)
    assert only.rate_per_s == 0.0
    assert isinstance(only.sample, Failed)
    assert said in only.sample.reason
    assert said in held(replace(asked, attempts=(only,)))[0].sentence
    assert made_on(changed, replace(asked, attempts=(only,))) == []
