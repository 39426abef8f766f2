from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from rich.cells import cell_len

from servermatrix.render.terminal import to_terminal
from tests.golden.protocol_examples import PROTOCOL_EXAMPLES
from tests.golden.report_examples import EXAMPLES, RANKED, TABLE, UVLOOP, WITH_FAILURES, summary

ALL = {**EXAMPLES, **PROTOCOL_EXAMPLES}
TITLE = "plaintext, HTTP/1.1, 1 worker, 64 connections"


def header_at(width: int, name: str) -> list[str]:
    lines = to_terminal(ALL[name], width=width, colour=False).splitlines()
    return next(line for line in lines[lines.index(TITLE) :] if line.lstrip().startswith("rank ")).split("  ")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [200, 100, 80, 60, 40])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    lines = to_terminal(ALL[name], width=width, colour=False).splitlines()
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("name", ALL)
def test_without_colour_there_is_no_escape_sequence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in to_terminal(ALL[name], width=100, colour=False)


@pytest.mark.parametrize("variable", ["NO_COLOR", "COLUMNS", "TTY_COMPATIBLE", "JUPYTER_COLUMNS"])
def test_the_environment_changes_nothing(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, coloured = (to_terminal(RANKED, width=100, colour=colour) for colour in (False, True))
    monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("TERM", "dumb")
    assert to_terminal(RANKED, width=100, colour=False) == plain
    assert to_terminal(RANKED, width=100, colour=True) == coloured
    assert "\x1b[1m" in coloured


def test_a_wide_terminal_shows_every_column() -> None:
    shown = " ".join(header_at(200, "with failures")).split()
    assert shown == ["rank", "group", "server", "requests/s", "ratio", "CPU", "us/request", "p50", "ms", "p99", "ms", "flags"]


def test_the_columns_least_needed_go_first_and_the_answer_stays() -> None:
    columns = [[column.strip() for column in header_at(width, "with failures") if column.strip()] for width in range(160, 46, -4)]
    assert all(set(narrower) <= set(wider) for wider, narrower in pairwise(columns))
    assert columns[-1] == ["rank", "server", "requests/s"]


def test_a_column_of_flags_that_are_all_none_goes_before_any_number() -> None:
    assert "flags" not in " ".join(header_at(125, "ranked"))
    assert "p99 ms" in " ".join(header_at(125, "ranked"))


def test_flags_stay_as_long_as_a_row_has_one() -> None:
    assert "flags" in " ".join(header_at(100, "with failures"))


def test_brackets_are_text_and_no_markup() -> None:
    odd = replace(UVLOOP, cell=replace(UVLOOP.cell, server="[bold red]", label=":smile:"))
    report = replace(RANKED, tables=(replace(TABLE, rows=(summary(odd, 5_000, None),)),))
    assert "[bold red][:smile:]" in to_terminal(report, width=200, colour=False)


def test_what_failed_is_told_after_the_tables() -> None:
    lines = to_terminal(WITH_FAILURES, width=200, colour=False).splitlines()
    assert lines.index("Not measured") > lines.index(TITLE)
    assert "Not measured" not in to_terminal(RANKED, width=200, colour=False)
