from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from servermatrix.model import Estimate
from servermatrix.render import table
from servermatrix.render.table import Column, Grid, to_markdown_table
from tests.golden.markdown_reader import tables

TEXT = st.text() | st.text(alphabet="\\|`*_<>[]()~&;:!#abc\n\r\t\x00\x1b\x85\u2028 ")
ALONE = Estimate(value=21_034.4, low=None, high=None, n=3)
WITH_INTERVAL = Estimate(value=21_034.4, low=20_110, high=21_900, n=11)


def grid_of(*values: str) -> Grid:
    return Grid(columns=(Column(header="what"), Column(header="value", right=True)), rows=tuple((value, "1") for value in values))


def rendered_cells(lines: list[str]) -> list[str]:
    """Read a table as a markdown program shows it, without what it would have made into links, code or emphasis."""
    tokens = MarkdownIt("commonmark").enable("table").parse("\n".join(lines))
    shown = []
    for token in tokens:
        if token.type == "inline":
            assert {child.type for child in token.children or ()} <= {"text", "text_special"}
            shown.append("".join(child.content for child in token.children or ()))
    return shown


def test_a_table_is_padded_and_its_numbers_stand_to_the_right() -> None:
    grid = Grid(columns=(Column(header="server"), Column(header="n", right=True)), rows=(("uvicorn", "9"), ("x", "1,234")))
    assert to_markdown_table(grid) == [
        "| server  |     n |",
        "| ------- | ----: |",
        "| uvicorn |     9 |",
        "| x       | 1,234 |",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert to_markdown_table(Grid(columns=(Column(header="a"),), rows=())) == ["| a   |", "| --- |"]


def test_a_row_of_the_wrong_width_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        to_markdown_table(Grid(columns=(Column(header="a"),), rows=(("1", "2"),)))


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_any_text_in_a_cell_parses_back(values: list[str]) -> None:
    (found,) = tables("\n".join(to_markdown_table(grid_of(*values))))
    assert found == [["what", "value"], *([table.plain(value), "1"] for value in values)]


@given(TEXT)
def test_any_text_in_a_cell_is_shown_as_it_is_by_a_markdown_program(value: str) -> None:
    assert rendered_cells(to_markdown_table(grid_of(value))) == ["what", "value", table.plain(value), "1"]


@given(TEXT)
def test_plain_text_is_one_printable_line_and_never_blank(value: str) -> None:
    line = table.plain(value)
    assert line
    assert line.isprintable()
    assert line == line.strip()
    assert table.plain(line) == line


def test_an_escape_sequence_of_a_log_cannot_reach_a_terminal() -> None:
    assert table.plain("\x1b[31mred\x1b[0m\r\nnext") == "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}[0m next"


@pytest.mark.parametrize("name", ["uvicorn[http=httptools,loop=uvloop]/h1/w1/c64/plaintext", "blocking_threads", "40 %"])
def test_names_stay_readable_in_raw_markdown(name: str) -> None:
    assert table.escaped(name) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("a\\", r"a\\"),
        ("__init__", r"\_\_init\_\_"),
        ("<b>", r"\<b>"),
        ("&amp;", r"\&amp;"),
        ("", "n/a"),
        ("[a]: b", r"\[a]: b"),
        ("x[a]: b", "x[a]: b"),
    ],
)
def test_what_markdown_would_take_for_more_than_text_is_escaped(text: str, shown: str) -> None:
    assert table.escaped(text) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (table.estimate(WITH_INTERVAL), "21,034 [20,110, 21,900]"),
        (table.estimate(ALONE), "21,034"),
        (table.estimate(None), "n/a"),
        (table.rate(ALONE), "21,034"),
        (table.rate(Estimate(value=95.25, low=90, high=101, n=6)), "95.2 [90.0, 101.0]"),
        (table.rate(None), "n/a"),
        (table.ratio(Estimate(value=2.1, low=1.95, high=2.24, n=6)), "2.10x [1.95, 2.24]"),
        (table.ratio(Estimate(value=1, low=None, high=None, n=1)), "1.00x"),
        (table.ratio(None), "n/a"),
        (table.change(Estimate(value=1.381, low=1.312, high=1.459, n=6)), "+38 % [31, 46]"),
        (table.change(Estimate(value=0.88, low=0.85, high=0.91, n=6)), "-12 % [-15, -9]"),
        (table.change(Estimate(value=1.024, low=0.991, high=1.07, n=6)), "+2.4 % [-0.9, 7.0]"),
        (table.change(Estimate(value=0.976, low=None, high=None, n=1)), "-2.4 %"),
        (table.change(Estimate(value=1, low=0.99, high=1.01, n=6)), "+0.0 % [-1.0, 1.0]"),
        (table.change(Estimate(value=2.99, low=2.9, high=3.1, n=6)), "+199 % [190, 210]"),
        (table.change(Estimate(value=4.6, low=4.4, high=4.81, n=6)), "4.60x [4.40, 4.81]"),
        (table.figure(640), "640"),
        (table.figure(64.25), "64.2"),
        (table.figure(1.2), "1.20"),
        (table.figures(Estimate(value=1.187, low=1.16, high=1.2, n=6)), "1.19 [1.16, 1.20]"),
        (table.figures(Estimate(value=633.4, low=99.6, high=1_640, n=6)), "633 [100, 1,640]"),
        (table.figures(None), "n/a"),
        (table.milliseconds(812), "0.81"),
        (table.milliseconds(412_000), "412.00"),
        (table.milliseconds(None), "n/a"),
        (table.mebibytes(31_457_280), "30.0"),
        (table.mebibytes(0), "0.0"),
        (table.mebibytes(None), "n/a"),
        (table.percent(0.52), "52 %"),
        (table.percent(0.0433, 1), "4.3 %"),
        (table.percent(None), "n/a"),
        (table.amount(0.4123, 2), "0.41"),
        (table.amount(None), "n/a"),
        (table.counted(1, "worker"), "1 worker"),
        (table.counted(1_024, "connection"), "1,024 connections"),
        (table.counted(0, "step"), "0 steps"),
    ],
)
def test_a_quantity_has_one_way_to_be_written(text: str, expected: str) -> None:
    assert text == expected


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["C", "Z"])) | st.just("two words"), min_size=1))
def test_a_command_line_splits_into_the_same_words(argv: list[str]) -> None:
    assert shlex.split(table.shell_line(argv)) == argv


def test_a_word_with_a_line_break_stays_on_the_line_and_means_the_same_to_a_shell() -> None:
    words = ["a\nb", "it's\t\\x", "é\x1b"]
    line = table.shell_line(["printf", "%s.", *words])
    assert "\n" not in line
    said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)  # noqa: S607 - any bash
    assert said.stdout == "".join(f"{word}." for word in words)


def test_a_fence_is_longer_than_the_fences_inside_it() -> None:
    assert table.fenced(["echo 1"]) == ["```sh", "echo 1", "```"]
    assert table.fenced(["echo ````"]) == ["`````sh", "echo ````", "`````"]
