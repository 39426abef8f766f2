from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.model import UNRANKED, Estimate, Excluded, Flag, Ranking, Report, Summary
from servermatrix.render.document import to_document, to_json
from servermatrix.render.markdown import to_markdown
from servermatrix.render.table import plain
from servermatrix.render.terminal import to_terminal
from tests.golden.markdown_reader import tables
from tests.golden.report_examples import (
    ASYNCIO,
    EXAMPLES,
    GRANIAN,
    HEADER,
    HYPERCORN,
    INCOMPLETE,
    ONE_ROUND,
    PROOF,
    RANKED,
    TABLE,
    UVLOOP,
    WITH_FAILURES,
    made_by,
    summary,
    without_numbers,
)

TEXT = st.text() | st.text(alphabet="\\|`*_<>[]~&\n\r\t\x00\x1b\u2028# -:é")


def with_rows(*rows: Summary) -> Report:
    return replace(RANKED, tables=(replace(TABLE, rows=rows),))


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_table_of_a_report_parses_back_with_no_blank_cell(name: str) -> None:
    found = tables(to_markdown(EXAMPLES[name]))
    assert found
    for rows in found:
        assert {len(row) for row in rows} == {len(rows[0])}
        assert all(value for row in rows for value in row)


@settings(max_examples=50)
@given(reason=TEXT, sentence=TEXT, word=TEXT, answer=st.text(alphabet="ab |\n`"))
def test_tables_parse_back_whatever_the_texts_of_a_run_are(reason: str, sentence: str, word: str, answer: str) -> None:
    odd = replace(GRANIAN, unequal=(sentence,), argv=(word, "x"), load_argv=(word,))
    report = replace(
        with_rows(summary(odd, 5_000, None)),
        header=replace(HEADER, git=word, argv=(word,), excluded=(Excluded(id="a|b", reason=reason),)),
        proofs=(replace(PROOF, loop=word),),
        not_measured=(without_numbers(HYPERCORN, "failed", reason),),
        answer=f"x{answer}",
    )
    text = to_markdown(report)
    results, failed, excluded, unequal, proof, how = tables(text)
    assert {len(row) for row in results} == {13}
    assert failed[1:] == [[HYPERCORN.cell.id, "failed", plain(reason)]]
    assert excluded[1:] == [["a|b", plain(reason)]]
    assert unequal[1:] == [["granian", plain(sentence)]]
    assert proof[1][1] == plain(word)
    assert ["git", plain(word)] in how
    assert text == to_markdown(report)
    assert json.loads(to_json(report))["excluded"][0]["reason"] == reason
    assert "\x1b" not in to_terminal(report, width=100, colour=False)


def test_a_report_leads_with_its_answer() -> None:
    assert to_markdown(RANKED).split("\n")[:3] == ["# servermatrix: 2026-11-22T15-30-00Z-1a2b", "", RANKED.answer]


def test_the_answer_of_the_only_table_is_not_said_twice() -> None:
    report = replace(RANKED, tables=(replace(TABLE, answer=RANKED.answer),))
    for text in (to_markdown(report), to_terminal(report, width=200, colour=False)):
        assert text.count(RANKED.answer) == 1
    for text in (to_markdown(RANKED), to_terminal(RANKED, width=200, colour=False)):
        assert text.count(RANKED.answer) == text.count(TABLE.answer) == 1


def test_an_incomplete_run_says_right_at_the_top_how_to_go_on() -> None:
    expected = "INCOMPLETE: 12 of 33 steps; go on with: python3 run_matrix.py run --resume 2026-11-22T15-30-00Z-1a2b"
    assert to_markdown(INCOMPLETE).split("\n")[4] == f"**{expected}**"
    assert expected in to_terminal(INCOMPLETE, width=200, colour=False)
    assert "INCOMPLETE" not in to_markdown(RANKED)


def test_a_failed_cell_has_its_reason_in_every_form_and_a_number_in_none() -> None:
    reason = "the port answered `502 Bad Gateway` with <html> | 12 of 64 requests, see __init__.py"
    (cell,) = (each for each in json.loads(to_json(WITH_FAILURES))["cells"] if each["status"] == "failed")
    assert [HYPERCORN.cell.id, "failed", reason] in tables(to_markdown(WITH_FAILURES))[1]
    assert f"{HYPERCORN.cell.id}: failed: {reason}" in to_terminal(WITH_FAILURES, width=200, colour=False)
    assert plain(cell["reason"]) == reason
    numbers = (
        "rps",
        "cpu_us_per_request",
        "p50_us",
        "p99_us",
        "ratio",
        "pss_bytes",
        "startup_s",
        "worker_share_max",
        "rank",
        "group",
    )
    assert {cell[name] for name in numbers} == {None}


def test_a_failed_row_that_is_still_in_its_table_is_told_once_and_not_as_numbers() -> None:
    failed = without_numbers(HYPERCORN, "failed", "it did not start")
    report = replace(with_rows(*TABLE.rows, failed), not_measured=(failed,))
    results, not_measured, *_ = tables(to_markdown(report))
    assert [row[2] for row in results[1:]] == [row.planned.cell.setting for row in TABLE.rows]
    assert not_measured[1:] == [[HYPERCORN.cell.id, "failed", "it did not start"]]
    assert len([each for each in json.loads(to_json(report))["cells"] if each["id"] == HYPERCORN.cell.id]) == 1


def test_a_table_without_a_measured_row_says_so() -> None:
    report = with_rows(without_numbers(GRANIAN, "failed", "no"))
    assert "- No row of this table could be measured." in to_markdown(report)
    assert "No row of this table could be measured." in to_terminal(report, width=80, colour=False)


@pytest.mark.parametrize("flag", Flag)
def test_every_flag_is_explained_under_the_table_in_which_it_stands(flag: Flag) -> None:
    text = section(to_markdown(with_rows(summary(GRANIAN, 5_000, None, flag))), "plaintext, HTTP/1.1, 1 worker, 64 connections")
    (explanation,) = [line for line in text.split("\n") if line.startswith(f"- {flag}: ")]
    assert explanation.endswith("; not ranked.") == (flag in UNRANKED)
    assert f"- {flag}: " not in to_markdown(RANKED)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (("a", "a", "b"), ["Cannot be told apart (a): granian", "Told apart from every other ranked row: uvicorn[http=h11"]),
        (("a", "ab", "b"), ["Cannot be told apart (a): granian", "Cannot be told apart (b): uvicorn[http=httptools"]),
        (("a", "b", "c"), ["Told apart from every other ranked row: granian"]),
        (("z", "za2", "a2"), ["Cannot be told apart (z): granian", "Cannot be told apart (a2): uvicorn[http=httptools"]),
    ],
)
def test_the_groups_are_told_in_words(groups: tuple[str, ...], expected: list[str]) -> None:
    ranked = [replace(row, ranking=Ranking(rank=(1, 3), group=own)) for row, own in zip(TABLE.rows, groups, strict=True)]
    told = [line[2:] for line in to_markdown(with_rows(*ranked)).split("\n") if "old apart" in line]
    assert len(told) == len(expected)
    assert all(line.startswith(start) for line, start in zip(told, expected, strict=True)), told


def test_a_single_ranked_row_is_not_told_apart_from_nothing() -> None:
    assert "old apart" not in to_markdown(with_rows(TABLE.rows[0]))


def test_ranks_are_intervals_and_unranked_rows_have_neither_rank_nor_group() -> None:
    results = tables(to_markdown(WITH_FAILURES))[0]
    assert [row[:2] for row in results[1:]] == [["1-2", "a"], ["1-2", "a"], ["3", "b"], ["not ranked", "n/a"]]


def test_the_reference_is_named_in_the_header_and_not_compared_with_itself() -> None:
    header, *rows = tables(to_markdown(RANKED))[0]
    assert header[4] == "vs uvicorn[http=h11,loop=asyncio]"
    assert [row[4] for row in rows] == ["2.10x [2.04, 2.17]", "2.08x [2.02, 2.14]", "reference"]
    without = replace(RANKED, tables=(replace(TABLE, reference=None),))
    assert tables(to_markdown(without))[0][0][4] == "vs reference"


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (RANKED, "closed loop, c = 64, latency as measured (wrk's back-fill removed)"),
        (made_by("builtin"), "generator: builtin, not comparable with wrk"),
        (made_by("fake"), "SIMULATED by the fake generator: no server was started"),
        (made_by("h2load"), "closed loop, c = 64, latency as measured; generator: h2load"),
        (RANKED, "The smallest difference this run could have seen: 1.043x (4.3 %)."),
        (RANKED, "Requests/s, CPU and latency are Hodges-Lehmann estimates of 11 rounds, with intervals of 95 %."),
        (ONE_ROUND, "medians of 1 round; nothing can be ranked"),
        (replace(RANKED, tables=(replace(TABLE, rounds_needed=12),)), "3 comparisons would need 12 rounds before any difference"),
    ],
)
def test_what_must_be_known_to_read_a_table_stands_under_it(report: Report, sentence: str) -> None:
    assert sentence in section(to_markdown(report), "plaintext, HTTP/1.1, 1 worker, 64 connections")
    assert sentence in to_terminal(report, width=200, colour=False)


@pytest.mark.parametrize(("generator", "comparable"), [("wrk", True), ("h2load", True), ("builtin", False), ("fake", False)])
def test_numbers_that_are_no_load_tests_say_so_at_the_top(generator: str, comparable: bool) -> None:  # noqa: FBT001 - a case
    top = to_markdown(made_by(generator)).split("\n## ")[0]
    assert (f"{generator}" in top) is not comparable
    assert json.loads(to_json(made_by(generator)))["run"]["generator"] == {
        "name": generator,
        "version": "1",
        "comparable": comparable,
    }


def test_too_few_rounds_show_values_without_intervals() -> None:
    results = tables(to_markdown(ONE_ROUND))[0]
    assert results[1][3:5] == ["21,034", "2.10x"]
    assert "detect" not in to_markdown(ONE_ROUND)


def test_every_measured_row_can_be_made_again_by_pasting_a_line() -> None:
    lines = to_markdown(WITH_FAILURES).split("\n")
    again = [shlex.split(line) for line in lines if line.startswith("python3 run_matrix.py run") and "-k" in line]
    assert [words[words.index("-k") + 1] for words in again] == [row.planned.cell.id for row in WITH_FAILURES.tables[0].rows]
    assert {tuple(words[-2:]) for words in again} == {("--seed", "7")}
    assert shlex.join(ASYNCIO.argv) in lines
    assert shlex.join(UVLOOP.load_argv) in lines


@pytest.mark.parametrize("budget", [("--budget", "20m"), ("--budget=20m",)])
def test_a_row_of_a_run_with_a_budget_is_made_again_with_the_rounds_that_fitted(budget: tuple[str, ...]) -> None:
    header = replace(RANKED.header, argv=("run", *budget, "--rounds", "3"), rounds=11)
    lines = to_markdown(replace(RANKED, header=header)).split("\n")
    again = next(shlex.split(line) for line in lines if line.startswith("python3 run_matrix.py run --") and "-k" in line)
    assert again[3:7] == ["--rounds", "3", "--rounds", "11"]  # the last one counts


def test_what_could_not_be_made_equal_is_said_once_per_server() -> None:
    twice = replace(UVLOOP, unequal=("The same.",)), replace(ASYNCIO, unequal=("The same.", "Another."))
    text = to_markdown(with_rows(*(summary(each, 5_000, None) for each in twice)))
    assert tables(section(text, "What could not be made equal"))[0][1:] == [["uvicorn", "The same."], ["uvicorn", "Another."]]


@pytest.mark.parametrize(("protocol", "name"), [("h1", "HTTP/1.1"), ("h2", "HTTP/2"), ("h9", "h9")])
def test_a_heading_says_what_its_rows_have_in_common(protocol: str, name: str) -> None:
    report = replace(RANKED, tables=(replace(TABLE, protocol=protocol, workers=2, connections=1),))
    assert f"\n## plaintext, {name}, 2 workers, 1 connection\n" in to_markdown(report)


def test_sections_with_nothing_in_them_are_left_out() -> None:
    headings = re.findall("^## (.*)$", to_markdown(with_rows(TABLE.rows[1])), re.MULTILINE)
    assert headings == ["plaintext, HTTP/1.1, 1 worker, 64 connections", "Proof", "How it was run", "Reproduce"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_null_in_json(bad: float) -> None:
    odd = Estimate(value=1.0, low=bad, high=-bad, n=6)
    row = replace(summary(GRANIAN, 5_000, None), rps=replace(odd, value=bad), ratio=odd, startup_s=bad)
    (cell,) = json.loads(to_json(with_rows(row)))["cells"]
    assert (cell["rps"], cell["startup_s"]) == (None, None)
    assert cell["ratio"] == {"value": 1.0, "low": None, "high": None, "n": 6}


@pytest.mark.parametrize("render", [to_markdown, to_json, lambda report: str(to_document(report))])
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_same_report_gives_the_same_text(render: Callable[[Report], str], name: str) -> None:
    assert render(EXAMPLES[name]) == render(replace(EXAMPLES[name]))


def test_what_was_driven_again_or_gave_no_result_is_said_under_the_table() -> None:
    lossy = replace(summary(UVLOOP, 5_000, None), windows_repeated=3, rounds_failed=1)
    assert "Did not count: 3 windows, driven again; 1 start, without a result." in to_markdown(with_rows(lossy))
    assert "Did not count" not in to_markdown(with_rows(summary(UVLOOP, 5_000, None)))
