from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.model import Bottleneck, Estimate, Excluded, Flag, Ranking, Remark, Report, Summary, Verdict, Wire
from servermatrix.render.document import to_document, to_json
from servermatrix.render.markdown import to_markdown
from servermatrix.render.table import plain
from servermatrix.render.terminal import to_terminal
from tests.golden.claims_examples import CLAIMS_EXAMPLES, CONTROLS, EFFECTS, STOPPED
from tests.golden.markdown_reader import tables
from tests.golden.protocol_examples import (
    AES_128,
    AES_256,
    BOTH_GENERATORS,
    DIFFERING_TLS,
    ENVIRONMENTS,
    GTHREAD,
    H2LOAD_MISSING,
    INTERFACES,
    PROTOCOL_EXAMPLES,
    SIDE_BY_SIDE,
    SYNC,
)
from tests.golden.remark_examples import REMARK_EXAMPLES
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

ALL = {**EXAMPLES, **PROTOCOL_EXAMPLES, **CLAIMS_EXAMPLES, **REMARK_EXAMPLES}
TEXT = st.text() | st.text(alphabet="\\|`*_<>[]~&\n\r\t\x00\x1b\u2028# -:é")


def with_rows(*rows: Summary) -> Report:
    return replace(RANKED, tables=(replace(TABLE, rows=rows),))


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("name", ALL)
def test_every_table_of_a_report_parses_back_with_no_blank_cell(name: str) -> None:
    found = tables(to_markdown(ALL[name]))
    assert found
    for rows in found:
        assert {len(row) for row in rows} == {len(rows[0])}
        assert all(value for row in rows for value in row)


@settings(max_examples=50)
@given(reason=TEXT, sentence=TEXT, word=TEXT, answer=st.text(alphabet="ab |\n`"))
def test_tables_parse_back_whatever_the_texts_of_a_run_are(reason: str, sentence: str, word: str, answer: str) -> None:
    odd = replace(GRANIAN, unequal=(sentence,), argv=(word, "x"), load_argv=(word,))
    row = replace(
        summary(odd, 5_000, None, Flag.NOISY),
        wire=Wire(head_bytes=119, body_bytes=13, framing=word),
        verdict=Verdict(bottleneck=Bottleneck.HOST, evidence=sentence),
        remarks=(Remark(flag=Flag.NOISY, sentence=sentence, advice=reason),),
    )
    effect = replace(EFFECTS.tables[0].effects[2], value=word, instead_of=reason)
    report = replace(
        with_rows(row),
        tables=(replace(TABLE, rows=(row,), effects=(effect,)),),
        checks=(replace(CONTROLS.checks[0], rule=sentence, subject=word),),
        decisions=(replace(STOPPED.decisions[0], dropped=((word, reason),)),),
        header=replace(HEADER, git=word, argv=(word,), excluded=(Excluded(id="a|b", reason=reason),), equalised=(sentence,)),
        proofs=(replace(PROOF, loop=word, tls=word),),
        not_measured=(without_numbers(HYPERCORN, "failed", reason),),
        answer=f"x{answer}",
    )
    text = to_markdown(report)
    results, limits, effects, checks, stopped, failed, excluded, unequal, wire, proof, how = tables(text)
    assert {len(row) for row in results} == {14}
    assert limits[1:] == [[GRANIAN.cell.setting, "host", plain(sentence)]]
    assert effects[1][:2] == [plain(f"access_log={word}"), plain(reason)]
    assert checks[1][1:3] == [plain(word), plain(sentence)]
    assert stopped[1:] == [["6", plain(word), plain(reason)]]
    assert failed[1:] == [[HYPERCORN.cell.id, "failed", plain(reason)]]
    assert excluded[1:] == [["a|b", plain(reason)]]
    assert unequal[1:] == [["granian", plain(sentence)]]
    assert wire[1:] == [["plaintext", GRANIAN.cell.setting, "h1", "119", "13", plain(word)]]
    assert [proof[1][2], proof[1][5]] == [plain(word), plain(word or "none")]
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
    assert [HYPERCORN.cell.id, "failed", reason] in tables(section(to_markdown(WITH_FAILURES), "Not measured"))[0]
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
        "p999_us",
        "balance",
        "due_per_s",
        "rank",
        "group",
    )
    assert {cell[name] for name in numbers} == {None}


def test_a_failed_row_that_is_still_in_its_table_is_told_once_and_not_as_numbers() -> None:
    failed = without_numbers(HYPERCORN, "failed", "it did not start")
    report = replace(with_rows(*TABLE.rows, failed), not_measured=(failed,))
    results, _, not_measured, *_ = tables(to_markdown(report))
    assert [row[2] for row in results[1:]] == [row.planned.cell.setting for row in TABLE.rows]
    assert not_measured[1:] == [[HYPERCORN.cell.id, "failed", "it did not start"]]
    assert len([each for each in json.loads(to_json(report))["cells"] if each["id"] == HYPERCORN.cell.id]) == 1


def test_a_table_without_a_measured_row_says_so() -> None:
    report = with_rows(without_numbers(GRANIAN, "failed", "no"))
    assert "- No row of this table could be measured." in to_markdown(report)
    assert "No row of this table could be measured." in to_terminal(report, width=80, colour=False)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (("a", "a", "b"), ["Cannot be told apart (a): granian", "Told apart from every other ranked row: uvicorn[http=h11"]),
        (("a", "ab", "b"), ["Cannot be told apart (a): granian", "Cannot be told apart (b): uvicorn[http=httptools"]),
        (("a", "b", "c"), ["Every ranked row is told apart from every other."]),
        (("z", "za2", "a2"), ["Cannot be told apart (z): granian", "Cannot be told apart (a2): uvicorn[http=httptools"]),
    ],
)
def test_the_groups_are_told_in_words(groups: tuple[str, ...], expected: list[str]) -> None:
    ranked = [replace(row, ranking=Ranking(rank=(1, 3), group=own)) for row, own in zip(TABLE.rows, groups, strict=True)]
    told = [line[2:] for line in to_markdown(with_rows(*ranked)).split("\n") if "old apart" in line]
    assert len(told) == len(expected)
    assert all(line.startswith(start) for line, start in zip(told, expected, strict=True)), told


def test_many_rows_that_are_told_apart_are_counted_where_the_others_are_named() -> None:
    def ranked(groups: str) -> str:
        rows = [replace(TABLE.rows[0], name=f"row{at}", ranking=Ranking(rank=(1, 9), group=own)) for at, own in enumerate(groups)]
        return to_markdown(with_rows(*rows))

    assert "- Told apart from every other ranked row: row2, row3, row4, row5.\n" in ranked("aabcde")
    assert "- Told apart from every other ranked row: the other 5.\n" in ranked("aabcdef")


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
        (RANKED, "closed loop, c = 64; latency: percentiles of all answers of all starts, as measured (wrk's back-fill removed)"),
        (made_by("builtin"), "generator: builtin, not comparable with wrk"),
        (made_by("fake"), "SIMULATED by the fake generator: no server was started"),
        (
            made_by("h2load"),
            "closed loop, 64 requests in flight; latency: percentiles of all answers of all starts, from h2load's log of every",
        ),
        (made_by("mine"), "closed loop, c = 64; latency: percentiles of all answers of all starts, as measured; generator: mine"),
        (RANKED, "The smallest difference this run could have seen: 1.043x (4.3 %)."),
        (RANKED, "Requests/s and CPU us per request are Hodges-Lehmann estimates of 11 rounds, with intervals of 95 %."),
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
    assert json.loads(to_json(made_by(generator)))["run"]["generators"] == [
        {"name": generator, "version": "1", "comparable": comparable}
    ]


def test_numbers_of_two_generators_are_kept_apart_in_words_at_the_top() -> None:
    sentence = "Numbers of wrk and h2load are never in one ranking."
    assert to_markdown(BOTH_GENERATORS).split("\n")[4] == sentence
    assert sentence in to_terminal(BOTH_GENERATORS, width=200, colour=False)
    for report in (RANKED, H2LOAD_MISSING):
        assert "never in one ranking" not in to_markdown(report)


def test_a_generator_that_is_missing_is_named() -> None:
    assert ["generator", "wrk 4.1.0, h2load is missing"] in tables(to_markdown(H2LOAD_MISSING))[-1]
    generators = json.loads(to_json(H2LOAD_MISSING))["run"]["generators"]
    assert [(each["name"], each["version"]) for each in generators] == [("wrk", "4.1.0"), ("h2load", None)]


def test_of_two_substitutes_both_are_told_at_the_top() -> None:
    header = replace(HEADER, generators=(("builtin", "1"), ("h2load", "1"), ("fake", "1")))
    top = to_markdown(replace(RANKED, header=header)).split("\n")[4]
    assert top.startswith("**generator: builtin, not comparable with wrk; SIMULATED by the fake generator")


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


def test_what_was_and_what_could_not_be_made_equal_is_said_below_the_tables() -> None:
    report = replace(INTERFACES, header=replace(INTERFACES.header, equalised=("the same backlog", "the same certificate")))
    text = to_markdown(report)
    assert section(text, "What was made equal").strip() == "- the same backlog\n- the same certificate"
    assert tables(section(text, "What could not be made equal"))[0][1:] == [
        [GTHREAD.cell.setting, GTHREAD.unequal[0]],
        [SYNC.cell.setting, SYNC.unequal[0]],
    ]
    shown = to_terminal(report, width=200, colour=False)
    assert "\nWhat was made equal\n  the same backlog\n  the same certificate\n" in shown
    assert f"\nWhat could not be made equal\n  {GTHREAD.cell.setting}: {GTHREAD.unequal[0]}\n" in shown


def test_a_difference_of_a_whole_server_is_told_on_a_terminal_without_naming_it_twice() -> None:
    assert f"\nWhat could not be made equal\n  {GRANIAN.unequal[0]}\n" in to_terminal(RANKED, width=200, colour=False)


def headed(*rows: Summary, **fields: object) -> str:
    """Write the heading of a table of these rows."""
    report = replace(RANKED, tables=(replace(TABLE, rows=rows, **fields),))  # type: ignore[arg-type]
    (heading,) = re.findall("^## (plaintext.*)$", to_markdown(report), re.MULTILINE)
    assert heading in to_terminal(report, width=200, colour=False).splitlines()
    return str(heading)


def driven(connections: int, streams: int = 1) -> Summary:
    load = replace(UVLOOP.cell.load, connections=connections, streams=streams)
    return summary(replace(UVLOOP, cell=replace(UVLOOP.cell, load=load)), 5_000, None)


@pytest.mark.parametrize(
    ("protocols", "names"),
    [
        (("h1",), "HTTP/1.1"),
        (("h1s",), "HTTP/1.1 over TLS"),
        (("h2c",), "HTTP/2 in the clear"),
        (("h2",), "HTTP/2 over TLS"),
        (("h1", "h2c"), "HTTP/1.1 and HTTP/2 in the clear"),
        (("h1s", "h2"), "HTTP/1.1 over TLS and HTTP/2 over TLS"),
        (("h9",), "h9"),
    ],
)
def test_a_heading_says_what_its_rows_have_in_common(protocols: tuple[str, ...], names: str) -> None:
    assert headed(driven(64), protocols=protocols, workers=2) == f"plaintext, {names}, 2 workers, 64 connections"


@pytest.mark.parametrize(
    ("rows", "load"),
    [
        ([driven(1)], "1 connection"),
        ([driven(1_024), driven(1_024)], "1,024 connections"),
        ([driven(8, 8), driven(8, 8)], "8 connections x 8 streams"),
        ([driven(64), driven(8, 8)], "64 requests in flight"),
        ([], "64 requests in flight"),
    ],
)
def test_a_heading_says_how_the_requests_in_flight_are_spread(rows: list[Summary], load: str) -> None:
    assert headed(*rows) == f"plaintext, HTTP/1.1, 1 worker, {load}"


@pytest.mark.parametrize(
    ("reuse", "words"), [(1, ", a new connection per request"), (1_000, ", a new connection per 1,000 requests"), (0, "")]
)
def test_a_heading_says_when_connections_are_replaced(reuse: int, words: str) -> None:
    assert headed(driven(64), requests_per_connection=reuse) == f"plaintext, HTTP/1.1, 1 worker, 64 connections{words}"


def test_where_connections_are_replaced_what_the_latency_leaves_out_is_said() -> None:
    assert "(wrk's back-fill removed), without the time to connect." in to_markdown(ENVIRONMENTS)
    assert "(wrk's back-fill removed)." in to_markdown(RANKED)
    builtin = replace(ENVIRONMENTS.tables[0], generator="builtin")
    said = "as measured, without the time to connect; generator: builtin"
    assert said in to_markdown(replace(ENVIRONMENTS, tables=(builtin,)))


def test_versions_that_several_environments_have_are_all_told_once() -> None:
    versions = (("h11", "0.16.0"), ("h11", "0.15.0"), ("h11", "0.16.0"), ("h2", "4.4.1"))
    report = replace(RANKED, header=replace(HEADER, versions=versions))
    assert ["versions", "h11 0.16.0, h11 0.15.0, h2 4.4.1"] in tables(to_markdown(report))[-1]
    assert json.loads(to_json(report))["run"]["versions"] == {"h11": "0.16.0, 0.15.0", "h2": "4.4.1"}


def test_a_heading_names_an_interface_that_is_not_asgi() -> None:
    assert headed(driven(64), interface="wsgi") == "plaintext (WSGI), HTTP/1.1, 1 worker, 64 connections"


def test_a_heading_names_the_generator_only_where_there_are_several() -> None:
    headings = re.findall("^## (plaintext.*)$", to_markdown(BOTH_GENERATORS), re.MULTILINE)
    assert [heading.rpartition(", ")[2] for heading in headings] == ["driven by wrk", "driven by h2load"]
    assert "driven by" not in to_markdown(SIDE_BY_SIDE)


def test_the_labels_of_rows_that_differ_in_their_load_are_explained() -> None:
    assert "64 requests in flight (c8m8: 8 connections x 8 streams; c64: 64 connections); latency" in to_markdown(SIDE_BY_SIDE)


def test_rows_whose_status_the_generator_could_not_read_are_named() -> None:
    one = "h2load cannot read the status line of hypercorn h1 c64 (empty reason phrase): its answers were checked by their size."
    assert f"- {one}\n" in to_markdown(SIDE_BY_SIDE)
    assert one in to_terminal(SIDE_BY_SIDE, width=200, colour=False)
    unread = [replace(row, status_unread=True) for row in TABLE.rows[:2]]
    both = f"of {TABLE.rows[0].name} and {TABLE.rows[1].name} (empty reason phrase): their answers were checked"
    assert both in to_markdown(with_rows(*unread))


def test_a_row_is_called_by_its_name_wherever_it_is_told_of() -> None:
    text = to_markdown(SIDE_BY_SIDE)
    header, *rows = tables(text)[0]
    assert header[4] == "vs granian h2c c8m8"
    assert [row[2] for row in rows] == ["granian h2c c8m8", "granian h1 c64", "hypercorn h1 c64", "hypercorn h2c c8m8"]
    assert "granian h2c c8m8  " in to_terminal(SIDE_BY_SIDE, width=200, colour=False)


def test_the_proof_tells_interface_and_tls() -> None:
    header, *rows = tables(section(to_markdown(DIFFERING_TLS), "Proof"))[0]
    assert [header[1], header[5]] == ["interface", "TLS"]
    assert [row[5] for row in rows] == [AES_128, AES_128, AES_256, AES_256]
    assert tables(section(to_markdown(INTERFACES), "Proof"))[0][1][1:6:4] == ["wsgi", "none"]


def test_what_a_row_is_made_of_is_in_json() -> None:
    cells = {cell["name"]: cell for cell in json.loads(to_json(ENVIRONMENTS))["cells"]}
    assert cells["uvicorn@3.13"]["python"] == "3.13"
    assert cells["uvicorn+uvicorn==0.52.0+h11<1"]["requires"] == ["uvicorn==0.52.0", "h11<1"]
    assert {cell["requests_per_connection"] for cell in cells.values()} == {1}
    document = json.loads(to_json(SIDE_BY_SIDE))
    assert document["tables"][0]["protocols"] == ["h1", "h2c"]
    assert {cell["name"]: (cell["streams"], cell["status_unread"]) for cell in document["cells"]} == {
        "granian h2c c8m8": (8, False),
        "granian h1 c64": (1, False),
        "hypercorn h1 c64": (1, True),
        "hypercorn h2c c8m8": (8, False),
    }
    assert document["cells"][0]["wire"] == {"head_bytes": 58, "body_bytes": 13, "framing": "content-length"}
    assert json.loads(to_json(RANKED))["cells"][0]["wire"] is None


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
@pytest.mark.parametrize("name", ALL)
def test_the_same_report_gives_the_same_text(render: Callable[[Report], str], name: str) -> None:
    assert render(ALL[name]) == render(replace(ALL[name]))


def test_what_was_driven_again_or_gave_no_result_is_said_under_the_table() -> None:
    lossy = replace(summary(UVLOOP, 5_000, None), windows_repeated=3, rounds_failed=1)
    assert "Did not count: 3 windows, driven again; 1 start, without a result." in to_markdown(with_rows(lossy))
    assert "Did not count" not in to_markdown(with_rows(summary(UVLOOP, 5_000, None)))
