"""Compared runs in words: the line for machines, the warnings, and that what was forced says so on every line."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from servermatrix.analysis.compare_runs import compare_runs
from servermatrix.model import Cause, Change, Comparison, Look
from servermatrix.render.compared import TWO_TIMES, first_line, warnings
from servermatrix.render.compared_document import to_json
from servermatrix.render.compared_markdown import to_markdown
from servermatrix.render.compared_terminal import to_terminal
from tests.golden.compared_examples import COMPARED, EVERYTHING, FORCED, SLOWER_NIGHT
from tests.golden.markdown_reader import tables
from tests.unit.analyse_runs import failed
from tests.unit.compared_runs import A, B, named, of_samples, starts, steady

LINE = re.compile(
    r"compare: \d+ regressed, \d+ improved, \d+ unchanged, \d+ inconclusive, \d+ failed(, \d+ new)?(, \d+ gone)?"
    r" \(smallest detectable change (\d+\.\d %|unknown)\)(, by force)?"
)


def alike() -> Comparison:
    return compare_runs(steady("base"), steady("head"), 0.03)


@pytest.mark.parametrize("name", COMPARED)
def test_the_first_line_is_for_machines_in_every_form(name: str) -> None:
    found = COMPARED[name]
    assert LINE.fullmatch(first_line(found))
    assert to_terminal(found, width=20, colour=True).splitlines()[0] == first_line(found)
    assert to_markdown(found).splitlines()[0] == first_line(found)
    assert json.loads(to_json(found))["line"] == first_line(found)


def test_the_first_line_counts_every_verdict() -> None:
    assert first_line(EVERYTHING).startswith(
        "compare: 3 regressed, 1 improved, 1 unchanged, 1 inconclusive, 0 failed, 1 new, 1 gone (smallest detectable change "
    )
    assert "new" not in first_line(alike())
    assert first_line(replace(alike(), detectable=None)).endswith("(smallest detectable change unknown)")


@pytest.mark.parametrize("name", COMPARED)
def test_every_form_says_that_two_times_are_two_machines(name: str) -> None:
    found = COMPARED[name]
    for text in (to_terminal(found, width=200, colour=False), to_markdown(found).replace("\\", "")):
        assert " ".join(text.split()).count(TWO_TIMES) == 1
    assert TWO_TIMES in json.loads(to_json(found))["warnings"]


def test_what_was_forced_says_so_on_every_line_of_every_table() -> None:
    of_cells = [table for table in tables(to_markdown(FORCED)) if table[0][0] == "verdict"]
    assert sum(len(table) - 1 for table in of_cells) == len(FORCED.cells)
    for header, *rows in of_cells:
        place = header.index("not alike")
        assert {row[place] for row in rows} == {"cpu, memory MiB"}
    terminal = to_terminal(FORCED, width=200, colour=False)
    for cell in FORCED.cells:
        lines = [line for line in terminal.splitlines() if cell.id in line]
        assert lines
        assert all("memory MiB" in line for line in lines)
    assert first_line(FORCED).endswith(", by force")
    assert warnings(FORCED)[0].startswith("COMPARED BY FORCE: the runs were not measured alike (cpu and memory MiB)")
    assert all(cell["unlike"] == ["cpu", "memory MiB"] for cell in json.loads(to_json(FORCED))["cells"])


def test_without_force_nothing_is_labelled() -> None:
    assert "force" not in to_markdown(EVERYTHING) + to_terminal(EVERYTHING, width=200, colour=False)
    assert "not alike" not in to_markdown(EVERYTHING)


def test_what_is_not_alike_stays_on_a_narrow_terminal() -> None:
    assert "memory MiB" in to_terminal(FORCED, width=60, colour=False)


def test_a_run_that_was_cut_off_is_labelled_with_the_command_that_goes_on() -> None:
    base = of_samples("base", [A, B], [*starts(A, 1), *starts(B, 1, rounds=7)])
    found = compare_runs(base, of_samples("head", [A, B], [*starts(A, 2), *starts(B, 2)]), 0.03)
    (warning,) = [one for one in warnings(found) if "INCOMPLETE" in one]
    assert warning == "BASE is INCOMPLETE: 19 of 24 steps; go on with: python3 run_matrix.py run --resume base"


def test_a_simulation_and_an_unfit_machine_are_warned_of() -> None:
    broken = [*starts(A, 2)[1:], failed(A, 1, Cause.ENVIRONMENT, "port 80 is taken")]
    found = compare_runs(of_samples("base", [A], starts(A, 1)), of_samples("head", [A], broken), 0.03)
    assert "In HEAD the machine was not fit for a start: port 80 is taken" in warnings(found)
    assert "SIMULATED by the fake generator: no server was started" in warnings(found)


def test_too_few_rounds_to_confirm_anything_are_told_with_how_many_it_takes() -> None:
    (warning,) = [one for one in warnings(SLOWER_NIGHT) if "could be confirmed" in one]
    assert warning.endswith(
        "12 tests need 7 rounds of each run, and there are 6; make both again with --rounds 7, or with fewer cells."
    )
    assert not [one for one in warnings(alike()) if "could be confirmed" in one]


def test_a_night_on_which_all_cells_are_slower_is_told() -> None:
    (warning,) = [one for one in warnings(SLOWER_NIGHT) if "median cell" in one]
    assert warning.startswith("The median cell has changed, requests/s -10.")
    assert not [one for one in warnings(EVERYTHING) if "median cell" in one]


def test_what_differs_between_the_runs_is_listed() -> None:
    assert ["uvicorn", "0.52.0", "0.54.0"] in [row for table in tables(to_markdown(EVERYTHING)) for row in table]
    assert "uvicorn: 0.52.0 -> 0.54.0" in to_terminal(EVERYTHING, width=120, colour=False)
    assert ["cpu (should be alike)", "a cpu", "another cpu"] in [row for table in tables(to_markdown(FORCED)) for row in table]


def test_looks_and_open_loops_are_explained_where_there_are_any() -> None:
    assert "every p is 2 times what it would be otherwise" in to_markdown(EVERYTHING)
    assert "Left out: 1 cell of an open loop" in to_markdown(EVERYTHING)
    assert "Left out: 1 cell of an open loop" in to_terminal(EVERYTHING, width=120, colour=False)
    assert "every p is" not in to_markdown(alike())
    assert "Left out" not in to_markdown(alike())
    looked = named(steady("head"), "head", looks=[Look(round=6, alpha=0.01), Look(round=12, alpha=0.04)])
    assert "every p is 2 times" in to_markdown(compare_runs(steady("base"), looked, 0.03))


def test_no_cell_of_a_table_is_blank_and_no_escape_sequence_is_left() -> None:
    for found in COMPARED.values():
        assert all(value for table in tables(to_markdown(found)) for row in table for value in row)
        assert "\x1b" not in to_terminal(found, width=120, colour=False)
        assert "\x1b" in to_terminal(found, width=120, colour=True)


def test_a_document_has_null_for_what_is_not_known() -> None:
    cells = {cell["id"]: cell for cell in json.loads(to_json(EVERYTHING))["cells"]}
    by_change = {cell["change"]: cell for cell in cells.values()}
    assert by_change[Change.GONE.value]["head"] is None
    assert by_change[Change.NEW.value]["base"] is None
    assert by_change[Change.NEW.value]["rps"] is None
    assert json.loads(to_json(replace(EVERYTHING, detectable=None)))["detectable"] is None
