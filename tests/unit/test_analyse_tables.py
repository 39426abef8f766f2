"""Run -> Report: tables, ranking and references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from servermatrix.analysis.analyse import analyse
from servermatrix.analysis.phrases import places, title
from servermatrix.errors import Exit, UsageProblem
from servermatrix.model import Cause, Cell, Estimate, Flag, Pace, Ranking, Report, Sample
from tests.unit.analyse_runs import LOAD, cell, cells, failed, measured, rates, run, series, window

# tables


@pytest.mark.parametrize(
    "other",
    [
        cell("b", app="json"),
        cell("b", interface="wsgi"),
        cell("b", protocol="h1s"),
        cell("b", protocol="h2"),
        cell("b", workers=2),
        cell("b", load=replace(LOAD, connections=8)),
        cell("b", protocol="h2c", load=replace(LOAD, streams=2)),
        cell("b", load=replace(LOAD, requests_per_connection=1)),
        cell("b", load=replace(LOAD, generator="h2load")),
        cell("b", load=replace(LOAD, rate_percent=30)),
    ],
    ids=lambda other: f"{other.id} {other.interface} {other.load.generator}",
)
def test_cells_that_were_not_asked_alike_are_never_compared(other: Cell) -> None:
    report = analyse(run([cell("a"), other], [measured(cell("a"), 1), measured(other, 1)]))
    assert [[row.planned.cell.server for row in table.rows] for table in report.tables] == [["a"], ["b"]]


@pytest.mark.parametrize(
    "other",
    [
        cell("b"),
        cell("b", protocol="h2c"),
        cell("b", protocol="h2c", load=replace(LOAD, connections=8, streams=8)),
        cell("a", python="3.13"),
        cell("a", requires=("uvicorn==0.52.0",)),
        cell("a", options=(("access_log", "on"),), label="access_log=on"),
    ],
    ids=lambda other: other.id,
)
def test_cells_that_were_asked_alike_are_compared_whatever_serves_them(other: Cell) -> None:
    report = analyse(run([cell("a"), other], [measured(cell("a"), 1), measured(other, 1)]))
    assert [len(table.rows) for table in report.tables] == [2]


def test_a_table_says_what_its_rows_have_in_common() -> None:
    load = replace(LOAD, generator="h2load", connections=8, streams=10, requests_per_connection=100)
    both = [cell("a", protocol="h2", workers=2, interface="rsgi", load=load)]
    both.append(cell("a", protocol="h1s", workers=2, interface="rsgi", load=replace(load, connections=80, streams=1)))
    (table,) = analyse(run(both, [measured(one, 1) for one in both])).tables
    assert (table.app, table.interface, table.protocols, table.workers) == ("plaintext", "rsgi", ("h1s", "h2"), 2)
    assert (table.in_flight, table.requests_per_connection, table.generator) == (80, 100, "h2load")


def test_tables_stand_in_the_order_of_the_plan_with_the_interfaces_of_an_app_together() -> None:
    of = [
        cell("a", workers=2),
        cell("r", interface="rsgi", workers=2),
        cell("x", interface="other", workers=2),
        cell("w", interface="wsgi"),
        cell("a"),
        cell("a", app="json"),
        cell("w", interface="wsgi", workers=2),
    ]
    tables = analyse(run(of, [measured(one, 1) for one in of])).tables
    assert [(table.app, table.workers, table.interface) for table in tables] == [
        ("plaintext", 2, "asgi"),
        ("plaintext", 2, "wsgi"),
        ("plaintext", 2, "rsgi"),
        ("plaintext", 2, "other"),
        ("plaintext", 1, "asgi"),
        ("plaintext", 1, "wsgi"),
        ("json", 1, "asgi"),
    ]


def at_rate(server: str, percent: int) -> Cell:
    return cell(server, load=replace(LOAD, generator="builtin", rate_percent=percent))


def paced(of: Sequence[Cell], rates_per_s: Mapping[str, float]) -> Report:
    stored = run(of, [measured(one, 1) for one in of])
    paces = tuple(Pace(cell_id=one.id, rate_per_s=rates_per_s[one.id], slowest="a") for one in of if one.id in rates_per_s)
    return analyse(replace(stored, paces=paces))


def test_every_rate_of_an_open_loop_has_a_table_of_its_own_behind_the_closed_loop() -> None:
    of = [cell("a"), at_rate("a", 30), at_rate("a", 90), cell("b"), at_rate("b", 30), at_rate("b", 90)]
    tables = paced(of, {}).tables
    assert [(table.rate_percent, [row.name for row in table.rows]) for table in tables] == [
        (0, ["a", "b"]),
        (30, ["a", "b"]),
        (90, ["a", "b"]),
    ]
    assert [row.ranking for table in tables[1:] for row in table.rows] == [None] * 4


def test_a_table_of_an_open_loop_is_headed_by_its_rate() -> None:
    slow = at_rate("a", 30)
    closed, opened = paced([cell("a"), slow], {slow.id: 1234.4}).tables
    assert opened.rate_per_s == 1234.4
    assert title(closed, (opened,)) == "plaintext, HTTP/1.1, 1 worker, 64 connections, driven by fake"
    assert title(opened, (closed,)).removeprefix("plaintext, HTTP/1.1, 1 worker, 64 connections, ") == (
        "at 30 % of the slowest one's capacity, 1,234 requests/s, driven by builtin"
    )
    assert places((closed, opened)) == ["closed loop, driven by fake", "open loop at 30 %, driven by builtin"]


def test_a_rate_that_is_not_known_is_not_told() -> None:
    (table,) = paced([at_rate("a", 60)], {}).tables
    assert title(table, ()) == "plaintext, HTTP/1.1, 1 worker, 64 connections, at 60 % of the slowest one's capacity"


# names


def names(*of: Cell, measured_ones: int | None = None) -> dict[str, str]:
    report = analyse(run(of, [measured(one, 1) for one in of[:measured_ones]]))
    rows = [*(row for table in report.tables for row in table.rows), *report.not_measured]
    return {row.planned.cell.id: row.name for row in rows}


def test_a_row_is_called_by_its_setting_where_that_tells_it_from_the_others() -> None:
    a, b = cell("a", label="loop=uvloop", python="3.13"), cell("b", protocol="h2")
    assert names(a, b) == {a.id: "a[loop=uvloop]@3.13", b.id: "b"}


def test_a_row_is_called_by_its_protocol_too_in_a_table_of_several() -> None:
    one, other, elsewhere = cell("a"), cell("a", protocol="h2c"), cell("a", workers=2)
    assert names(one, other, elsewhere) == {one.id: "a h1", other.id: "a h2c", elsewhere.id: "a"}


def test_a_row_is_called_by_its_load_too_where_connections_differ() -> None:
    wide = cell("a", protocol="h2c", load=replace(LOAD, connections=64))
    deep = cell("a", protocol="h2c", load=replace(LOAD, connections=8, streams=8))
    assert names(wide, deep) == {wide.id: "a c64", deep.id: "a c8m8"}
    assert names(deep, cell("a"))[deep.id] == "a h2c c8m8"


def test_a_row_keeps_its_name_when_the_other_rows_are_not_measured() -> None:
    one, other = cell("a"), cell("a", protocol="h2c")
    assert names(one, other, measured_ones=1) == {one.id: "a h1", other.id: "a h2c"}


def test_rows_are_the_fastest_first_and_equal_ones_by_id() -> None:
    a, b, c = cell("a"), cell("b"), cell("c")
    report = analyse(run([c, b, a], [measured(c, 1), measured(a, 1), measured(b, 1, window(20_000))]))
    assert [row.planned.cell.server for row in report.tables[0].rows] == ["b", "a", "c"]


def test_what_was_not_measured_is_listed_apart_and_never_omitted() -> None:
    a, b, c = cell("a"), cell("b"), cell("c")
    report = analyse(run([a, b, c], [measured(a, 1), failed(b, 1, Cause.SERVER)]))
    assert [row.planned.cell.server for row in report.tables[0].rows] == ["a"]
    assert [(row.planned.cell.server, row.status) for row in report.not_measured] == [("b", "failed"), ("c", "skipped")]


def test_a_report_tells_how_far_the_run_came() -> None:
    a, b = cell("a"), cell("b")
    part = analyse(run([a, b], [measured(a, 1)], rounds=1))
    whole = analyse(run([a, b], [measured(a, 1), failed(b, 1, Cause.SERVER)], rounds=1))
    assert (part.complete, part.steps_done, whole.complete, whole.steps_done) == (False, 1, True, 2)


# ranking


def test_clear_differences_are_ranked_and_lettered() -> None:
    three = cells(3)
    samples = [sample for one, rps in zip(three, (30_000, 20_000, 10_000), strict=True) for sample in series(one, rates(rps))]
    table = analyse(run(three, samples, 10)).tables[0]
    standings = [row.ranking for row in table.rows]
    assert standings == [Ranking(rank=(i, i), group=letter) for i, letter in ((1, "a"), (2, "b"), (3, "c"))]
    assert (table.comparisons, table.rounds_needed) == (3, 7)


def test_rows_that_cannot_be_told_apart_share_a_letter_and_a_rank_interval() -> None:
    a, b, c = cells(3)
    wobbling = [rate * (1.2 if number % 2 else 0.85) for number, rate in enumerate(rates(20_000))]
    samples = [*series(a, rates(20_000)), *series(b, wobbling), *series(c, rates(9_000))]
    table = analyse(run([a, b, c], samples, 10)).tables[0]
    assert [row.ranking.rank for row in table.rows if row.ranking] == [(1, 2), (1, 2), (3, 3)]
    assert [row.ranking.group for row in table.rows if row.ranking] == ["a", "a", "b"]


@pytest.mark.parametrize("rounds", [1, 3, 5])
def test_under_six_rounds_there_are_medians_only(rounds: int) -> None:
    a, b = cells(2)
    samples = [*series(a, rates(20_000, rounds)), *series(b, rates(10_000, rounds))]
    table = analyse(run([a, b], samples, rounds)).tables[0]
    for row in table.rows:
        assert (row.ranking, row.flags) == (None, (Flag.FEW_ROUNDS,))
        assert row.ratio is not None
        assert row.rps is not None
    assert (table.detectable, table.comparisons) == (None, 1)


def test_a_flagged_row_is_shown_but_neither_ranked_nor_counted_in_the_comparisons() -> None:
    a, b, c = cells(3)
    starved = series(a, rates(90_000), generator_cpu_us=1_990_000)
    table = analyse(run([a, b, c], [*starved, *series(b, rates(20_000)), *series(c, rates(10_000))], 10)).tables[0]
    assert [row.ranking.rank if row.ranking else None for row in table.rows] == [None, (1, 1), (2, 2)]
    assert table.comparisons == 1


def test_pairs_are_compared_on_the_rounds_they_have_in_common() -> None:
    a, b = cells(2)
    weather = [1, 9, 2, 8, 3, 7, 4, 6, 5, 10]
    of_a = series(a, [1000 * today for today in weather])
    of_b = series(b, [900 * today for today in weather])
    table = analyse(run([a, b], [*of_a[:8], *of_b[2:]], 10)).tables[0]
    below = next(row for row in table.rows if row.planned.cell == b)
    above = next(row for row in table.rows if row.planned.cell == a)
    ratio = above.ratio if table.reference == b.id else below.ratio
    assert ratio is not None
    assert ratio.n == 6
    assert {row.ranking.rank for row in table.rows if row.ranking} == {(1, 1), (2, 2)}


def test_five_common_rounds_show_nothing_however_clear_the_difference() -> None:
    a, b = cells(2)
    of_a, of_b = series(a, rates(50_000, 10)), series(b, rates(1_000, 10))
    table = analyse(run([a, b], [*of_a[:7], *of_b[2:7], *series(b, rates(1_000) * 2)[10:12]], 12)).tables[0]
    assert [row.ranking.rank for row in table.rows if row.ranking] == [(1, 2), (1, 2)]


def test_rows_without_a_common_round_have_no_ratio() -> None:
    a, b = cells(2)
    table = analyse(run([a, b], [measured(a, 1, window(20_000)), measured(b, 2)])).tables[0]
    assert table.rows[1].ratio is None


# the reference


@pytest.mark.parametrize("speeds", [(10_000, 20_000, 30_000), (30_000, 20_000, 10_000), (20_000, 30_000, 10_000)])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_the_reference_is_the_row_that_was_planned_first_whatever_is_the_fastest(first: int, speeds: Sequence[float]) -> None:
    of = [*cells(3)[first:], *cells(3)[:first]]
    samples = [sample for one, rps in zip(of, speeds, strict=True) for sample in series(one, rates(rps))]
    table = analyse(run(of, samples, 10)).tables[0]
    assert table.reference == of[0].id
    by_id = {row.planned.cell.id: row.ratio.value for row in table.rows if row.ratio}
    assert [by_id[one.id] for one in of] == pytest.approx([rps / speeds[0] for rps in speeds])


def test_the_reference_is_the_first_row_that_is_ranked() -> None:
    a, b, c = cells(3)
    starved = series(a, rates(90_000), generator_cpu_us=1_990_000)
    table = analyse(run([a, b, c], [*starved, *series(b, rates(10_000)), *series(c, rates(20_000))], 10)).tables[0]
    assert table.reference == b.id
    assert [row.ratio.value for row in table.rows if row.ratio] == [pytest.approx(9), pytest.approx(2), 1.0]


def test_the_reference_is_the_first_row_when_none_is_ranked() -> None:
    a, b = cells(2)
    table = analyse(run([a, b], [measured(a, 1), measured(b, 1, window(20_000))])).tables[0]
    assert table.reference == a.id


def test_a_reference_is_exactly_once_itself() -> None:
    found = analyse(run([cell("a")], series(cell("a"), rates(10_000)), 10)).tables[0].rows[0]
    assert found.ratio == Estimate(value=1.0, low=1.0, high=1.0, n=10)


@pytest.mark.parametrize("name", ["s0001", "s0001/h1/w1/c64/plaintext"])
def test_the_reference_can_be_named_by_setting_or_cell(name: str) -> None:
    a, b = cells(2)
    report = analyse(run([a, b], [*series(a, rates(20_000)), *series(b, rates(10_000))], 10), name)
    assert report.tables[0].reference == b.id
    assert report.tables[0].rows[0].ratio is not None
    assert report.tables[0].rows[0].ratio.value == pytest.approx(2)


def test_the_reference_can_be_named_as_its_row_is() -> None:
    h1, h2c = cell("a"), cell("a", protocol="h2c")
    stored = run([h1, h2c], [*series(h1, rates(20_000)), *series(h2c, rates(10_000))], 10)
    assert analyse(stored, "a h2c").tables[0].reference == h2c.id
    assert analyse(stored, h2c.id).tables[0].reference == h2c.id


def test_a_setting_with_several_rows_in_a_table_is_the_reference_by_the_one_planned_first() -> None:
    b, h1, h2c = cell("b"), cell("a"), cell("a", protocol="h2c")
    samples = [*series(b, rates(30_000)), *series(h1, rates(10_000)), *series(h2c, rates(20_000))]
    assert analyse(run([b, h1, h2c], samples, 10), "a").tables[0].reference == h1.id
    assert analyse(run([b, h2c, h1], samples, 10), "a").tables[0].reference == h2c.id


def test_a_table_without_the_named_reference_uses_the_first_of_its_rows() -> None:
    a, b, c, d = cell("a"), cell("b"), cell("c", app="json"), cell("d")
    samples: list[Sample] = [measured(b, 1), measured(c, 1), failed(a, 1, Cause.SERVER), measured(d, 1, window(20_000))]
    assert [table.reference for table in analyse(run([a, b, c, d], samples), "a").tables] == [b.id, c.id]


def test_a_misspelt_reference_is_named_with_a_suggestion() -> None:
    with pytest.raises(UsageProblem, match=r"no cell 'uvicron'.*did you mean 'uvicorn'") as problem:
        analyse(run([cell("uvicorn")], []), "uvicron")
    assert problem.value.exit_code is Exit.USAGE
    assert problem.value.tip
