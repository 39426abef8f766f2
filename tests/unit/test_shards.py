"""How a plan is parted for several machines, and how stored runs are known as its shards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servermatrix import shards
from servermatrix.analysis.durations import seconds_per_step
from servermatrix.duplicate import with_duplicate
from servermatrix.errors import UsageProblem
from servermatrix.model import BASELINE, CANDIDATE, App, Cell, Host, Load, Noise, Plan, RunHeader, Side, Trial
from servermatrix.outlook import outlook
from servermatrix.render import planned_shards
from servermatrix.shards import Shard, digest, lacking, part, parts, read, setting, shard_of
from servermatrix.sides import double

LOAD = Load(generator="wrk", connections=64, threads=1, duration_s=2, warmup_s=1, windows=1)
ANY = Trial(baseline=Side(name=BASELINE), candidate=Side(name=CANDIDATE))


def cell(name: str, duration_s: int = 2, rate: int = 0) -> Cell:
    load = replace(LOAD, duration_s=duration_s, rate_percent=rate)
    return Cell(server=name, options=(), label="", protocol="h1", workers=1, app="plaintext", load=load)


def plan(cells: Sequence[Cell], seed: int = 1) -> Plan:
    app = App(name="plaintext", target="apps.plaintext:app", folder=".")
    other = App(name="unused", target="apps.unused:app", folder=".")
    return Plan(cells=tuple(cells), excluded=(), apps=(app, other), rounds=10, seed=seed)


def header(name: str, shard: str = "") -> RunHeader:
    host = Host(system="Linux", cpu="c", cores=2, memory_bytes=1, python="3.11")
    return RunHeader(
        id=name,
        started_at="2026-11-22T15:30:00+00:00",
        argv=("check",),
        seed=1,
        rounds=26,
        noise=Noise(),
        generators=(),
        host=host,
        versions=(),
        git="",
        cells=(),
        excluded=(),
        settings=(("port", "0"), *([("shard", shard)] if shard else [])),
    )


plans = st.lists(st.integers(1, 30), min_size=1, max_size=40).map(
    lambda lengths: plan([cell(f"s{number}", length) for number, length in enumerate(lengths)])
)


@given(plans, st.integers(1, 45), st.randoms(use_true_random=False))
def test_every_cell_is_in_one_shard_whatever_the_order_and_the_seed(made: Plan, count: int, random: Random) -> None:
    found = parts(made, count)
    assert sorted(cell.id for _, each in found for cell in each.cells) == sorted(cell.id for cell in made.cells)
    assert len(found) == min(count, len(made.cells))
    assert all(each.cells for _, each in found)
    other = replace(made, cells=tuple(random.sample(made.cells, len(made.cells))), seed=99)
    for shard, each in found:
        again = part(other, shard.index, shard.count)
        assert {cell.id for cell in again.cells} == {cell.id for cell in each.cells}


@given(plans, st.integers(1, 10))
def test_shards_take_about_the_same_time(made: Plan, count: int) -> None:
    times = [sum(seconds_per_step(cell.load) for cell in each.cells) for _, each in parts(made, count)]
    longest = max(seconds_per_step(cell.load) for cell in made.cells)
    assert max(times) - min(times) <= longest + 1e-9


def test_cells_keep_the_order_of_the_plan_and_the_apps_are_those_that_are_used() -> None:
    found = part(plan([cell(name) for name in "dbca"]), 1, 2)
    assert [one.server for one in found.cells] == ["b", "a"][: len(found.cells)] or [one.server for one in found.cells] == [
        "c",
        "a",
    ]
    assert [app.name for app in found.apps] == ["plaintext"]


def test_what_was_to_be_measured_twice_is_in_no_shard_and_changes_none() -> None:
    once = plan([cell(name) for name in "abcd"])
    twice = with_duplicate(once)
    assert len(twice.cells) == 5
    assert part(twice, 1, 2) == part(once, 1, 2)


def test_both_sides_of_a_cell_are_in_one_shard() -> None:
    for _, each in parts(plan([cell(name) for name in "abcde"]), 3):
        doubled = double(each, ANY)
        sides = {one.pair: {two.side for two in doubled.cells if two.pair == one.pair} for one in doubled.cells}
        assert set(map(frozenset, sides.values())) == {frozenset({BASELINE, CANDIDATE})}
        assert sum(one.duplicate for one in doubled.cells) == 1


def test_a_cell_at_a_fixed_rate_goes_where_its_capacity_is_measured() -> None:
    made = plan([cell(name) for name in "abc"] + [cell(name, rate=30) for name in "abc"])
    for _, each in parts(made, 3):
        assert len({one.server for one in each.cells}) == 1
        assert len(each.cells) == 2


def test_a_shard_without_a_cell_is_refused_with_how_many_there_can_be() -> None:
    made = plan([cell("a"), cell("b"), cell("b", rate=30)])
    with pytest.raises(UsageProblem, match="shard 3/3 would be empty: there are 2 cells") as failure:
        part(made, 3, 3)
    assert failure.value.tip == "make it 2 shards at most"


@pytest.mark.parametrize(("text", "shard"), [("1/1", (1, 1)), ("3/12", (3, 12)), ("2-of-3", (2, 3)), (" 256/256", (256, 256))])
def test_a_shard_is_read_from_both_its_forms(text: str, shard: tuple[int, int]) -> None:
    assert read(text) == Shard(index=shard[0], count=shard[1])


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "1/257", "a/b", "1/2/3", "-1/3", "1.0/3", "\u0661/3", "1 /3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not of the form I/N|there is no shard"):
        read(text)


@pytest.mark.parametrize(("stored", "shard"), [("2/3 of 1a2b3c4d", "2/3"), ("2/3", "2/3"), ("", None), ("x of y", None)])
def test_a_stored_run_says_which_shard_it_is(stored: str, shard: str | None) -> None:
    found = shard_of(header("r", stored))
    assert (str(found) if found else None) == shard


def test_shards_that_are_not_there_are_named() -> None:
    there = [header("a", "1/4 of 1a2b3c4d"), header("b", "3/4 of 1a2b3c4d")]
    assert list(map(str, lacking(there))) == ["2/4", "4/4"]
    assert lacking([header("a")]) == ()
    assert lacking([header("a", "1/1 of 1a2b3c4d")]) == ()


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (("1/2 of aa", "1/2 of aa"), "shard 1/2 is there twice: run0, run1"),
        (("1/2 of aa", "2/3 of aa"), "run0 is shard 1/2, run1 is shard 2/3"),
        (("1/2 of aa", ""), "run0 is shard 1/2, run1 is a whole run"),
        (("", ""), "run0, run1 are whole runs"),
        (("1/2 of aa", "2/2 of bb"), "different lists of cells: run0 of aa, run1 of bb"),
        (("1/2 of aa", "2/2"), "run1 of an unknown one"),
    ],
)
def test_runs_that_are_not_the_shards_of_one_check_are_told_apart(stored: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        lacking([header(f"run{number}", text) for number, text in enumerate(stored)])


def test_the_digits_stand_for_the_cells_in_any_order_and_for_what_parts_them() -> None:
    cells = [cell(name) for name in "abc"]
    assert digest(cells) == digest(cells[::-1]) == digest([*cells, replace(cells[0], duplicate=True)])
    assert len({digest(cells), digest(cells[:2]), digest([*cells, cell("d")]), digest([cell("a", 3), *cells[1:]])}) == 4
    assert setting(plan(cells), Shard(index=2, count=3)) == ("shard", f"2/3 of {digest(cells)}")


def test_the_matrix_is_one_line_with_names_that_an_artifact_may_have() -> None:
    found = [
        (shard, [one.id for one in each.cells], outlook(double(each, ANY)))
        for shard, each in parts(plan([cell(name) for name in "abc"]), 2)
    ]
    text = planned_shards.to_matrix(found)
    assert "\n" not in text
    assert json.loads(text) == {
        "include": [
            {"shard": "1/2", "name": "1-of-2", "cells": 2, "minutes": 4},
            {"shard": "2/2", "name": "2-of-2", "cells": 1, "minutes": 3},
        ]
    }
    lines = planned_shards.to_text(found).splitlines()
    assert lines[0].startswith("shard 1/2: 2 cells on both sides, about ")
    assert lines[1] == "    a/h1/w1/c64/plaintext"


def test_github_takes_no_more_jobs_than_there_may_be_shards() -> None:
    assert shards.MOST_SHARDS == 256
