"""The cell that is measured twice: which, when, and when none is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from servermatrix.duplicate import measured_twice, with_duplicate
from servermatrix.model import App, Cell, Control, Load, Plan


def cell(server: str, rate: int = 0, generator: str = "wrk") -> Cell:
    load = Load(
        generator="builtin" if rate else generator,
        connections=8,
        threads=1,
        duration_s=1,
        warmup_s=0,
        windows=1,
        rate_percent=rate,
    )
    return Cell(server=server, options=(), label="", protocol="h1", workers=1, app="a", load=load)


def plan(*cells: Cell, rounds: int = 6, seed: int = 1) -> Plan:
    return Plan(cells=cells, excluded=(), apps=(), rounds=rounds, seed=seed)


A, B, C = cell("a"), cell("b"), cell("c")


def twice(made: Plan) -> list[str]:
    return [each.id for each in made.cells if each.duplicate]


def test_one_cell_is_there_twice_the_second_right_behind_the_first_under_a_name_of_its_own() -> None:
    made = with_duplicate(plan(A, B, C))
    (again,) = [each for each in made.cells if each.duplicate]
    place = made.cells.index(again)
    assert again == replace(made.cells[place - 1], duplicate=True)
    assert again.id == f"{made.cells[place - 1].id}/again"
    assert [each for each in made.cells if not each.duplicate] == [A, B, C]
    assert measured_twice(made) == made.cells[place - 1]


def test_the_seed_chooses_and_over_the_seeds_every_cell_is_chosen_as_often() -> None:
    chosen = [with_duplicate(plan(A, B, C, seed=seed)) for seed in range(300)]
    counts = Counter(str(found.server) for made in chosen if (found := measured_twice(made)))
    assert set(counts) == {"a", "b", "c"}
    assert min(counts.values()) > 70
    assert [made.cells for made in chosen] == [with_duplicate(plan(A, B, C, seed=seed)).cells for seed in range(300)]


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(plan(A, B, rounds=5), id="too few rounds to rank"),
        pytest.param(plan(A), id="one cell"),
        pytest.param(plan(A, cell("a", 30), cell("a", 60)), id="one cell of a closed loop"),
    ],
)
def test_nothing_is_measured_twice_where_nothing_is_ranked(made: Plan) -> None:
    assert with_duplicate(made) == made
    assert measured_twice(made) is None


def test_a_cell_at_a_fixed_rate_is_never_the_one() -> None:
    cells = [each for server in "ab" for each in (cell(server), cell(server, 30), cell(server, 60), cell(server, 90))]
    for seed in range(50):
        found = measured_twice(with_duplicate(plan(*cells, seed=seed)))
        assert found is not None
        assert found.load.rate_percent == 0


def test_a_cell_whose_generator_is_missing_is_never_the_one() -> None:
    other = cell("d", generator="h2load")
    chosen = {measured_twice(with_duplicate(plan(A, other, seed=seed), {"h2load"})) for seed in range(50)}
    assert chosen == {A}
    assert twice(with_duplicate(plan(A, B), {"wrk"})) == []


def found_in(*cells: Cell, apps: tuple[App, ...] = ()) -> set[Cell | None]:
    """Return the cells that any of fifty seeds chooses."""
    return {measured_twice(with_duplicate(replace(plan(*cells, seed=seed), apps=apps))) for seed in range(50)}


def test_the_one_is_of_the_largest_comparison() -> None:
    assert found_in(A, B, C, replace(A, app="b"), replace(B, app="b")) == {A, B, C}
    other = [cell(server, generator="h2load") for server in "ab"]
    assert found_in(*other, A, B, C) == {A, B, C}


def test_the_one_has_the_fewest_workers_that_anything_is_compared_with() -> None:
    several = [replace(each, workers=2) for each in (A, B, C)]
    assert found_in(*several, A, B) == {A, B}
    assert found_in(*several, A) == set(several)


def test_the_one_keeps_its_connections_where_others_do_not() -> None:
    closing = [replace(each, load=replace(each.load, requests_per_connection=1)) for each in (A, B, C)]
    assert found_in(*closing, A, B) == {A, B}


def test_the_one_is_of_an_app_that_waits_for_nothing_where_there_is_another() -> None:
    waits = App(name="w", target="w:app", folder=".", control=Control(holds="await", seconds=0.01))
    burns = App(name="a", target="a:app", folder=".", control=Control(burns=0.5, beyond="b"))
    waiting = [replace(each, app="w") for each in (A, B, C)]
    assert found_in(*waiting, A, B, apps=(waits, burns)) == {A, B}
    assert found_in(*waiting, A, apps=(waits, burns)) == set(waiting)
    assert found_in(*waiting, apps=(waits,)) == set(waiting)


def test_of_comparisons_that_are_as_good_as_each_other_any_has_the_one() -> None:
    other = [replace(each, app="b") for each in (A, B)]
    assert found_in(A, B, *other) == {A, B, *other}


def test_a_plan_never_has_two_duplicates_and_loses_its_own_with_the_rounds_that_needed_it() -> None:
    made = with_duplicate(plan(A, B, C))
    assert with_duplicate(made) == made
    assert with_duplicate(replace(made, rounds=5)) == plan(A, B, C, rounds=5)
