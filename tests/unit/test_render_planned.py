"""A plan as it is printed: the cells, what is measured twice, what a rate is, the looks, the one line about time and rounds."""

from __future__ import annotations

import json

import pytest

from servermatrix.duplicate import with_duplicate
from servermatrix.model import Cell, Excluded, Load, Look, Plan, PlannedCell
from servermatrix.outlook import outlook
from servermatrix.render import planned


def cell(server: str, rate: int = 0) -> Cell:
    load = Load(
        generator="builtin" if rate else "wrk",
        connections=8,
        threads=1,
        duration_s=1,
        warmup_s=0,
        windows=1,
        rate_percent=rate,
    )
    return Cell(server=server, options=(), label="", protocol="h1", workers=1, app="app", load=load)


def plan(*cells: Cell, rounds: int = 6, looks: tuple[Look, ...] = (), budget_s: int = 0) -> Plan:
    left_out = (Excluded(id="z/h1/w1/c8/app", reason="z cannot"),)
    made = Plan(cells=cells, excluded=left_out, apps=(), rounds=rounds, seed=1, looks=looks, budget_s=budget_s)
    return with_duplicate(made)


def text(made: Plan) -> list[str]:
    return planned.to_text(made, commands(made), outlook(made)).split("\n")


def commands(made: Plan) -> tuple[PlannedCell, ...]:
    return tuple(PlannedCell(cell=one, argv=("serve", one.server), load_argv=("load", "it now")) for one in made.cells)


def announced(made: Plan) -> str:
    return planned.announcement(outlook(made), made.rounds)


TWO = (cell("a"), cell("b"))
RATES = (cell("a", 30), cell("b", 30))
FEW = tuple(map(cell, "abcd"))


def test_a_plan_lists_every_cell_once_with_its_commands_and_says_in_one_line_which_is_measured_twice() -> None:
    made = plan(*TWO)
    (twice,) = (one.id.removesuffix("/again") for one in made.cells if one.duplicate)
    assert text(made) == [
        "a/h1/w1/c8/app",
        "    serve a",
        "    load 'it now'",
        "b/h1/w1/c8/app",
        "    serve b",
        "    load 'it now'",
        "excluded: z/h1/w1/c8/app: z cannot",
        "",
        f"measured twice, to see how far a cell differs from itself (the noise floor): {twice}",
        "2 cells x 6 rounds, one cell twice = 18 starts, about 39 s; enough rounds to rank: 2 cells in one table need 6",
        "seed 1",
        "",
    ]


def test_a_plan_with_rates_says_what_they_are_a_part_of() -> None:
    lines = text(plan(*TWO, *RATES))
    assert "at a fixed rate: r30 is sent 30% of what the slowest compared cell serves in a closed loop, measured before" in lines
    assert "a/h1/w1/c8r30/app" in lines
    assert not [line for line in text(plan(*TWO)) if line.startswith("at a fixed rate")]


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (plan(*TWO, rounds=5), "2 cells x 5 rounds = 10 starts, about 24 s; medians only: nothing can be ranked in fewer than 6"),
        (
            plan(*TWO, *RATES),
            "2 cells and 2 at a fixed rate x 6 rounds, one cell twice = 30 starts, about 1 min 2 s; enough rounds to rank",
        ),
        (plan(cell("a"), rounds=9), "1 cell x 9 rounds = 9 starts, about 21 s; one cell per table: nothing to compare"),
        (
            plan(*FEW),
            "4 cells x 6 rounds, one cell twice = 30 starts, about 1 min 4 s; cannot tell any two cells apart: 4 cells",
        ),
        (
            plan(*FEW, rounds=40, looks=(Look(round=10, alpha=0.01), Look(round=20, alpha=0.02), Look(round=40, alpha=0.02))),
            "4 cells x up to 40 rounds, one cell twice, about 6 min 27 s at most; looks after rounds 10, 20 and 40 may ",
        ),
        (
            plan(*FEW, rounds=9, looks=(Look(round=9, alpha=0.05),), budget_s=99),
            "4 cells x 9 rounds, one cell twice = 45 starts, about 1 min 32 s; enough rounds to rank",
        ),
    ],
)
def test_one_line_says_what_is_about_to_run_and_whether_it_can_rank(made: Plan, line: str) -> None:
    assert announced(made).startswith(line)


def test_a_budget_is_the_longest_that_is_announced() -> None:
    looks = (Look(round=10, alpha=0.01), Look(round=20, alpha=0.02), Look(round=40, alpha=0.02))
    assert ", about 3 min 20 s at most; " in announced(plan(*FEW, rounds=40, looks=looks, budget_s=200))


def test_comparisons_are_those_of_closed_loops_each_cell_counted_once() -> None:
    ahead = outlook(plan(*FEW, *(cell(server, rate) for server in "abcd" for rate in (30, 60)), rounds=8))
    assert (ahead.cells, ahead.open_cells, ahead.largest_table, ahead.rounds_needed) == (4, 8, 4, 8)
    assert ahead.steps == (4 + 1 + 8) * 8


def test_the_document_lists_every_cell_once_and_names_the_one_measured_twice_and_the_looks() -> None:
    made = plan(*TWO, looks=(Look(round=3, alpha=0.01), Look(round=6, alpha=0.04)))
    document = json.loads(planned.to_json(made, commands(made), outlook(made)))
    assert [one["id"] for one in document["cells"]] == [one.id for one in TWO]
    assert document["measured_twice"] in [one.id for one in TWO]
    assert document["looks"] == [3, 6]
    once = plan(*TWO, rounds=5)
    document = json.loads(planned.to_json(once, commands(once), outlook(once)))
    assert (document["measured_twice"], document["looks"]) == (None, [])
