from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from servermatrix.analysis.summarise import summarise
from servermatrix.model import UNRANKED, Bottleneck, Ceiling, Flag, Remark, Report, Summary, Verdict
from servermatrix.render.document import to_json
from servermatrix.render.markdown import to_markdown
from servermatrix.render.points import MOST_ITEMS, shortened
from servermatrix.render.remarks import limits, remarks
from servermatrix.render.terminal import to_terminal
from tests.golden.claims_examples import CEILINGS, LONG, NOISE_FLOOR, ONE_ROW, OPEN_LOOP, again
from tests.golden.markdown_reader import tables
from tests.golden.remark_examples import BOUND, EVERY_FLAG, SIXTY, UNEXPLAINED, WORKERS, flagged, of
from tests.golden.report_examples import GRANIAN, RANKED, REMARKS, TABLE, UVLOOP, about, percentile, summary
from tests.unit.analyse_runs import measured, window


def column(report: Report, header: str) -> list[str]:
    """Return what stands under a header of the first table of report.md."""
    head, *rows = tables(to_markdown(report))[0]
    return [row[head.index(header)] for row in rows]


def headers(report: Report, table: int = 0) -> list[str]:
    return tables(to_markdown(report))[table][0]


def facts(report: Report) -> dict[str, str]:
    return {row[0]: row[1] for row in tables(to_markdown(report))[-1]}


def with_rows(*rows: Summary, **fields: object) -> Report:
    return replace(RANKED, tables=(replace(TABLE, rows=rows, **fields),))  # type: ignore[arg-type]


@pytest.mark.parametrize("flag", Flag)
def test_a_flag_is_explained_with_the_figures_of_its_row_and_what_to_do(flag: Flag) -> None:
    ranked = " (not ranked)" if flag in UNRANKED else ""
    said = f"{flag}{ranked}: {GRANIAN.cell.setting}: {REMARKS[flag].sentence}. {REMARKS[flag].advice}."
    report = with_rows(summary(GRANIAN, 5_000, None, flag))
    assert f"- {said}\n" in to_markdown(report)
    assert f"  {said}\n" in to_terminal(report, width=500, colour=False)
    assert f"- {flag}" not in to_markdown(RANKED)


def test_rows_with_one_flag_stand_together_each_with_its_figures() -> None:
    text = to_markdown(SIXTY)
    advice = REMARKS[Flag.NOISY].advice
    assert text.count(advice) == 1
    found = re.search(rf"^- noisy, 60 rows\. {advice}\.\n((?:    - .*\n)+)", text, re.MULTILINE)
    assert found
    assert found[1].splitlines()[58] == f"    - server58[loop=uvloop]: {REMARKS[Flag.NOISY].sentence}, 60 times."
    assert len(found[1].splitlines()) == 60


def test_rows_of_which_the_same_is_said_share_a_line() -> None:
    (point,) = remarks([flagged(0, Flag.FEW_ROUNDS), replace(flagged(0, Flag.FEW_ROUNDS), name="other")])
    assert point.items == ()
    assert point.text.startswith("few rounds (not ranked): server0[loop=uvloop] and other: fewer than 6 rounds")


def test_different_advice_stands_with_the_row_that_it_is_for() -> None:
    rows = [flagged(number, Flag.NOISY) for number in range(2)]
    told = (
        Remark(flag=Flag.NOISY, sentence="one.", advice="do this"),
        Remark(flag=Flag.NOISY, sentence="two", advice="do that."),
    )
    (point,) = remarks([replace(row, remarks=(remark,)) for row, remark in zip(rows, told, strict=True)])
    assert point.text == "noisy, 2 rows."
    assert point.items == ("server0[loop=uvloop]: one. do this.", "server1[loop=uvloop]: two. do that.")


def test_flags_are_told_gravest_first_and_those_of_an_open_loop_speak_of_no_rank() -> None:
    heads = [point.text.partition(":")[0] for point in remarks(EVERY_FLAG.tables[0].rows)]
    assert [head.removesuffix(" (not ranked)") for head in heads] == list(Flag)
    assert "rate not kept: uvicorn" in to_markdown(OPEN_LOOP)
    assert "rate not kept: uvicorn" in to_terminal(OPEN_LOOP, width=120, colour=False)


def test_a_flag_without_a_remark_still_names_its_rows() -> None:
    texts = [point.text for point in remarks(UNEXPLAINED.tables[0].rows)]
    assert "noisy: server0[loop=uvloop] and server1[loop=uvloop]." in texts
    assert "unbalanced: server1[loop=uvloop]." in texts


def test_a_limit_that_no_flag_tells_of_is_told_with_its_evidence() -> None:
    texts = [point.text for point in remarks(UNEXPLAINED.tables[0].rows)]
    evidence = BOUND[Flag.CONNECTION_BOUND].evidence
    assert f"limited by connections: server3[loop=uvloop]: {evidence}." in texts
    assert not [text for text in texts if text.startswith("limited by waiting")]


@pytest.mark.parametrize(("limit", "flag"), [(bound.bottleneck, flag) for flag, bound in BOUND.items()])
def test_a_limit_is_not_told_twice(limit: Bottleneck, flag: Flag) -> None:
    row = replace(summary(GRANIAN, 5_000, None), verdict=Verdict(bottleneck=limit, evidence="so it was"))
    assert [point.text for point in remarks([row])] == [f"limited by {limit}: {row.name}: so it was."]
    assert "limited by" not in str(remarks([replace(row, flags=(flag,), remarks=(REMARKS[flag],))]))


def test_what_limited_each_row_stands_in_a_table_with_its_share_of_the_ceiling() -> None:
    head, *rows = tables(to_markdown(EVERY_FLAG))[1]
    assert head == ["server", "limited by", "of the generator's ceiling", "evidence"]
    assert [row[1] for row in rows[:5]] == ["generator", "host", "waiting", "connections", "server"]
    assert rows[0][2:] == ["44 %", BOUND[Flag.GENERATOR_BOUND].evidence]


@pytest.mark.parametrize(
    "other",
    [
        {"generator": "h2load"},
        {"protocol": "h2"},
        {"threads": 2, "cpu_us_per_request": 21.8},
        {"requests_per_s": 0.0, "cpu_us_per_request": 0.0},
        {"cpu_us_per_request": 9.4},
    ],
    ids=str,
)
def test_a_ceiling_of_another_generator_protocol_or_thread_count_or_of_one_that_was_not_full_is_none_of_a_row(
    other: dict[str, object],
) -> None:
    ceiling: Ceiling = replace(CEILINGS[0], **other)  # type: ignore[arg-type]
    assert headers(replace(RANKED, ceilings=(ceiling,)), 1) == ["server", "limited by", "evidence"]


def test_rows_whose_limit_is_not_known_have_no_table_of_limits() -> None:
    report = with_rows(replace(TABLE.rows[0], verdict=None))
    assert "What limited each row" not in to_markdown(report)
    assert "limited by" not in headers(report)
    assert column(RANKED, "limited by") == ["server"] * 3
    assert column(UNEXPLAINED, "limited by") == ["server", "n/a", "waiting", "connections", "server"]


def test_the_ceilings_are_told_with_what_they_cost_the_generator() -> None:
    how = facts(EVERY_FLAG)
    assert how["ceiling of wrk, HTTP/1.1, 1 thread"] == (
        "wrk reached 90,012 requests/s against a responder that does nothing, at 10.9 us of its own CPU per request, "
        "which would allow 91,743"
    )
    full = replace(EVERY_FLAG, ceilings=(replace(CEILINGS[0], cpu_us_per_request=12),))
    assert facts(full)["ceiling of wrk, HTTP/1.1, 1 thread"].endswith("at 12.0 us of its own CPU per request")


def test_a_ceiling_that_is_not_known_is_told_with_why() -> None:
    how = facts(EVERY_FLAG)
    assert how["ceiling of h2load, HTTP/2 in the clear, 2 threads"] == (
        "not known: h2load used only 76 % of its threads when it reached 71,500 requests/s against a responder that does nothing"
    )
    missing = "not found: only the CPU time of wrk says whether it was the limit"
    assert facts(RANKED)["ceiling of wrk, HTTP/1.1, 1 thread"] == missing
    assert "not found" not in how["ceiling of wrk, HTTP/1.1, 1 thread"]


def test_neither_an_open_loop_nor_a_simulation_has_a_ceiling() -> None:
    assert [what for what in facts(OPEN_LOOP) if what.startswith("ceiling")] == ["ceiling of wrk, HTTP/1.1, 1 thread"]
    cell = TABLE.rows[0].planned.cell
    fake = replace(TABLE.rows[0].planned, cell=replace(cell, load=replace(cell.load, generator="fake")))
    assert not [what for what in facts(with_rows(replace(TABLE.rows[0], planned=fake))) if what.startswith("ceiling")]


def test_a_generator_that_measured_nothing_has_no_ceiling() -> None:
    assert not [what for what in facts(replace(RANKED, tables=())) if what.startswith("ceiling")]


def test_the_share_of_the_ceiling_is_the_one_in_the_evidence() -> None:
    samples = [
        measured(GRANIAN.cell, number, window(rps)) for number, rps in enumerate([10_000] * 4 + [20_000] * 3, 1)
    ]  # the median start served 10,000 requests/s, the estimate is 14,142
    ceiling = Ceiling(generator="wrk", protocol="h1", threads=1, requests_per_s=100_000, cpu_us_per_request=10)
    row = summarise(GRANIAN, samples, cores=4, name="granian", ceilings=[ceiling])
    grid = limits([row.summary], [ceiling], 4)
    assert grid.rows[0][2] == "14 %"
    assert "reached 14% of what it can do here" in grid.rows[0][3]


def test_how_work_was_spread_is_shown_of_several_workers_alone() -> None:
    spread = ["busiest worker", "at worst", "most connections", "balance"]
    assert [column(WORKERS, header) for header in spread] == [
        ["26 %", "61 %", "61 %", "n/a"],
        ["28 %", "83 %", "83 %", "n/a"],
        ["25 %", "59 %", "n/a", "n/a"],
        ["1.00", "0.55", "0.55", "n/a"],
    ]
    assert set(spread).isdisjoint(headers(RANKED))
    unseen = [replace(row, balance=row.balance and replace(row.balance, connections=None)) for row in WORKERS.tables[0].rows]
    assert "most connections" not in headers(with_rows(*unseen))
    assert "- busiest worker: its share of all CPU work" in to_markdown(WORKERS)
    assert "busiest worker" not in to_markdown(RANKED)


def test_p99_9_is_shown_where_a_row_has_enough_answers_for_it() -> None:
    fine, few = replace(TABLE.rows[0], p999_us=percentile(18_000)), TABLE.rows[1]
    assert column(with_rows(fine, few), "p99.9 ms") == ["18.00", "n/a"]
    assert "- p99.9 takes 10,000 answers; rows with fewer have none." in to_markdown(with_rows(fine, few))
    assert "p99.9 takes" not in to_markdown(with_rows(fine))
    assert "p99.9 ms" not in headers(RANKED)
    assert "p99.9" not in to_terminal(with_rows(fine), width=300, colour=False)


def test_the_range_of_p99_over_single_starts_is_shown_where_there_is_one() -> None:
    assert column(RANKED, "p99 ms") == ["6.18", "6.25", "13.00"]
    assert column(RANKED, "p99 ms by start") == ["5.87 to 6.49", "5.94 to 6.56", "12.35 to 13.65"]
    alone = with_rows(replace(TABLE.rows[0], p99_us=percentile(6_000, 0)))
    assert "p99 ms by start" not in to_markdown(alone)


def test_a_cell_that_was_measured_twice_is_shown_once_and_never_as_a_row() -> None:
    twin = replace(summary(again(UVLOOP), 20_700, None), name="the twin")
    report = replace(NOISE_FLOOR, tables=(replace(TABLE, rows=(*TABLE.rows, twin)),))
    for text in (to_markdown(report), to_terminal(report, width=200, colour=False), to_json(report)):
        assert "the twin" not in text
        assert "/again" not in text


def test_that_a_cell_failed_when_it_was_measured_again_is_told() -> None:
    assert f"  {again(UVLOOP).cell.id}: failed: it did not start\n" in to_terminal(ONE_ROW, width=200, colour=False)
    assert [again(UVLOOP).cell.id, "failed", "it did not start"] in tables(to_markdown(ONE_ROW))[2]


def test_a_row_says_in_json_what_limited_it_and_how_work_was_spread() -> None:
    cells = json.loads(to_json(WORKERS))["cells"]
    assert cells[1]["balance"] == {
        "share": 0.61,
        "worst": 0.832,
        "index": 0.55,
        "connections": 0.594,
        "unbalanced_starts": 7,
        "starts": 11,
    }
    assert cells[1]["limited_by"] == {"bottleneck": "server", "evidence": "the server used 99 % of the one core that it can use"}
    assert [remark["flag"] for remark in cells[1]["remarks"]] == ["unbalanced", "two speeds"]
    assert cells[3]["balance"] is None
    assert cells[0]["p999_us"] is None
    fine = json.loads(to_json(with_rows(replace(TABLE.rows[0], p999_us=percentile(18_000, 0)))))["cells"][0]
    assert fine["p999_us"] == {"value_us": 18_000, "lowest_us": 18_000, "highest_us": 18_000, "samples": 462_000}
    assert cells[0]["p99_us"] == {"value_us": 3250.0, "lowest_us": 3087.5, "highest_us": 3412.5, "samples": 462_000}


def test_a_short_list_is_whole_and_a_long_one_says_what_it_leaves_out() -> None:
    assert shortened([*"abcd"]) == [*"abcd"]
    assert shortened([*"abcde"], "control") == [*"abc", "and 2 more controls, which report.md lists"]
    assert MOST_ITEMS == 3


def test_long_names_are_whole_in_what_is_said_of_their_rows() -> None:
    report = of(replace(summary(LONG, 900, None, Flag.LOG_FLOOD), rps=about(900)))
    assert f"log flood: {LONG.cell.setting}: the server wrote 41 MiB" in to_terminal(report, width=500, colour=False)


def alike(count: int) -> list[Summary]:
    return [replace(flagged(0, Flag.FEW_ROUNDS), name=f"row{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("of_all", "most", "names"),
    [
        (9, None, "row0, row1, row2, row3 and row4"),
        (9, 3, "row0, row1, row2 and 2 more rows"),
        (9, 4, "row0, row1, row2, row3 and row4"),
        (5, None, "all 5 rows"),
        (5, 3, "all 5 rows"),
    ],
)
def test_rows_of_which_the_same_is_said_are_named_or_counted(of_all: int, most: int | None, names: str) -> None:
    others = [replace(TABLE.rows[0], name=f"other{number}") for number in range(of_all - 5)]
    (point,) = remarks([*alike(5), *others], most_names=most)
    assert point.text.startswith(f"few rounds (not ranked): {names}: fewer than 6 rounds")


def test_of_two_rows_both_are_named() -> None:
    assert "row0 and row1: fewer" in remarks(alike(2))[0].text


def test_report_md_names_every_row_where_a_terminal_counts_them() -> None:
    report = of(*alike(6), TABLE.rows[0])
    assert "row3, row4 and row5: fewer" in to_markdown(report)
    assert "row2 and 3 more rows: fewer" in to_terminal(report, width=300, colour=False)
