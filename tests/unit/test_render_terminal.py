from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from rich.cells import cell_len

from servermatrix.render.terminal import to_terminal
from tests.golden.claims_examples import CLAIMS_EXAMPLES, LONG, LONG_NAMES, OPEN_LOOP
from tests.golden.protocol_examples import PROTOCOL_EXAMPLES
from tests.golden.remark_examples import REMARK_EXAMPLES
from tests.golden.report_examples import EXAMPLES, RANKED, TABLE, UVLOOP, WITH_FAILURES, summary

ALL = {**EXAMPLES, **PROTOCOL_EXAMPLES, **CLAIMS_EXAMPLES, **REMARK_EXAMPLES}
TITLE = "plaintext, HTTP/1.1, 1 worker, 64 connections"


def header_at(width: int, name: str) -> list[str]:
    lines = to_terminal(ALL[name], width=width, colour=False).splitlines()
    return split(next(line for line in lines[lines.index(TITLE) :] if line.lstrip().startswith("rank ")))


def split(header: str) -> list[str]:
    return [column.strip() for column in header.split("  ") if column.strip()]


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
    numbers = ["requests/s", "ratio", "CPU us", "p50 ms", "p99 ms"]
    assert header_at(200, "with failures") == ["rank", "group", "server", *numbers, "limited by", "flags"]


def test_the_columns_least_needed_go_first_and_the_answer_stays() -> None:
    columns = [header_at(width, "with failures") for width in range(170, 46, -4)]
    assert all(set(narrower) <= set(wider) for wider, narrower in pairwise(columns))
    assert columns[-1] == ["rank", "server", "requests/s"]
    order = list(dict.fromkeys(name for wide, narrow in pairwise(columns) for name in wide if name not in narrow))
    assert order == ["group", "p50 ms", "limited by", "p99 ms", "CPU us", "ratio", "flags"]


def test_a_column_of_flags_that_are_all_none_goes_before_any_number() -> None:
    assert "flags" not in header_at(120, "ranked")
    assert {"group", "p99 ms"} <= set(header_at(120, "ranked"))


def test_flags_stay_as_long_as_a_row_has_one() -> None:
    assert "flags" in header_at(100, "with failures")
    assert "p99 ms" not in header_at(100, "with failures")


def test_brackets_are_text_and_no_markup() -> None:
    odd = replace(UVLOOP, cell=replace(UVLOOP.cell, server="[bold red]", label=":smile:"))
    report = replace(RANKED, tables=(replace(TABLE, rows=(summary(odd, 5_000, None),)),))
    assert "[bold red][:smile:]" in to_terminal(report, width=200, colour=False)


def test_what_failed_is_told_after_the_tables() -> None:
    lines = to_terminal(WITH_FAILURES, width=200, colour=False).splitlines()
    assert lines.index("Not measured") > lines.index(TITLE)
    assert "Not measured" not in to_terminal(RANKED, width=200, colour=False)


def test_what_limited_rows_is_shown_where_it_was_not_always_the_server() -> None:
    assert "limited by" not in header_at(200, "ranked")
    assert "limited by" in header_at(200, "unexplained")


def test_the_busiest_worker_is_shown_where_there_are_several() -> None:
    four_workers = to_terminal(ALL["four workers"], width=200, colour=False)
    assert split(next(line for line in four_workers.splitlines() if line.lstrip().startswith("rank")))[-2] == "busiest worker"
    assert "busiest worker" not in header_at(200, "ranked")


def test_of_several_flags_the_gravest_is_named_and_the_others_are_counted() -> None:
    lines = to_terminal(WITH_FAILURES, width=200, colour=False).splitlines()
    assert next(line for line in lines if line.lstrip().startswith("n/a ")).endswith("  generator-bound +1")
    assert to_terminal(ALL["sixty rows"], width=120, colour=False).count("  generator-bound +1\n") == 60


def test_many_rows_with_one_flag_make_a_few_lines() -> None:
    text = to_terminal(ALL["sixty rows"], width=120, colour=False)
    assert text.count("    and 57 more rows, which report.md lists\n") == 2
    assert len(text.splitlines()) < 60 + 20


def test_a_long_name_is_broken_between_its_parts_and_leaves_room_for_numbers() -> None:
    lines = to_terminal(LONG_NAMES, width=120, colour=False).splitlines()
    first = next(number for number, line in enumerate(lines) if line.lstrip().startswith("n/a "))
    name = "".join(line[6:60].strip().partition("  ")[0] for line in lines[first : first + 2])
    assert name == LONG.cell.setting
    assert lines[first].split()[2:5] == ["9,000", "[8,730,", "9,270]"]


def test_an_open_loop_has_its_own_columns_and_the_least_needed_go_first() -> None:
    def header(width: int) -> list[str]:
        lines = to_terminal(OPEN_LOOP, width=width, colour=False).splitlines()
        return split(next(line for line in lines if "rate kept" in line and "server" in line))

    assert header(120) == ["server", "rate kept", "p50 ms", "p99 ms", "p99.9 ms", "CPU us", "flags"]
    assert header(60) == ["server", "rate kept", "p99 ms"]
