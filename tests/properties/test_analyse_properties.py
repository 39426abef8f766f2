"""What must hold of the analysis for every run, however it ended."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.analysis.analyse import analyse
from servermatrix.analysis.phrases import places, title
from servermatrix.analysis.sequence import decide
from servermatrix.model import (
    ENCRYPTED,
    PROTOCOLS,
    UNRANKED,
    Cause,
    Cell,
    Load,
    Look,
    Measured,
    Report,
    Run,
    Sample,
    Summary,
    Window,
)
from tests.unit.analyse_runs import cell, failed, measured, run, skipped, window

CELLS = [cell(server, app=app) for server, app in product(("a", "b", "c"), ("plaintext", "json"))]
ROUNDS = 8
outcomes = st.one_of(
    st.integers(500, 50_000),
    st.sampled_from([Cause.NOISE, Cause.NOISE, *Cause]),
    st.just("skipped"),
    st.none(),
)


def sample(of: Cell, number: int, outcome: object) -> Sample | None:
    if isinstance(outcome, int):
        return measured(of, number, window(outcome))
    if isinstance(outcome, Cause):
        return failed(of, number, outcome)
    return skipped(of, number, "not tried") if outcome == "skipped" else None


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Draw a run in which many cells are whole and any may lack, lose or fail some rounds."""
    samples = []
    for one in CELLS:
        kind = st.integers(500, 50_000) if draw(st.booleans()) else outcomes
        drawn = draw(st.lists(kind, min_size=ROUNDS, max_size=ROUNDS))
        samples += [found for number, outcome in enumerate(drawn, 1) if (found := sample(one, number, outcome))]
    return run(CELLS, samples, ROUNDS)


def all_rows(report: Report) -> list[Summary]:
    return [row for table in report.tables for row in table.rows]


def faster(stored: Run, factor: int) -> Run:
    samples = [_faster(one, factor) if isinstance(one, Measured) else one for one in stored.samples]
    return replace(stored, samples=tuple(samples))


def _faster(one: Measured, factor: int) -> Measured:
    return replace(one, windows=tuple(_sped_up(seen, factor) for seen in one.windows))


def _sped_up(seen: Window, factor: int) -> Window:
    return replace(seen, stats=replace(seen.stats, duration_us=seen.stats.duration_us // factor))


@given(runs())
@settings(max_examples=60, deadline=None)
def test_every_planned_cell_is_in_the_report_once_with_its_rounds_counted(stored: Run) -> None:
    report = analyse(stored)
    seen = [*all_rows(report), *report.not_measured]
    assert sorted(row.planned.cell.id for row in seen) == sorted(one.id for one in CELLS)
    for row in seen:
        own = [one for one in stored.samples if one.cell_id == row.planned.cell.id]
        assert row.rounds_ok == sum(isinstance(one, Measured) for one in own)
    assert report.answer


@given(runs())
@settings(max_examples=60, deadline=None)
def test_only_measured_cells_have_numbers_and_only_unflagged_ones_a_rank(stored: Run) -> None:
    report = analyse(stored)
    for row in report.not_measured:
        assert row.reason
        assert (row.rps, row.cpu_us_per_request, row.p50_us, row.p99_us, row.ratio, row.ranking) == (None,) * 6
    for row in all_rows(report):
        assert row.rps is not None
        assert (row.rps.low is None) == (row.rounds_ok < 6)
        assert (row.ranking is None) == bool(UNRANKED & set(row.flags))


@given(runs())
@settings(max_examples=60, deadline=None)
def test_ranks_and_letters_agree_and_rows_are_the_fastest_first(stored: Run) -> None:
    for table in analyse(stored).tables:
        ranked = [row.ranking for row in table.rows if row.ranking]
        for one in ranked:
            alike = sum(bool(set(one.group) & set(other.group)) for other in ranked)
            assert one.rank[1] - one.rank[0] == alike - 1
        assert [row.rps.value for row in table.rows if row.rps] == sorted(
            (row.rps.value for row in table.rows if row.rps), reverse=True
        )


@given(runs(), st.integers(0, 48))
@settings(max_examples=60, deadline=None)
def test_every_prefix_of_a_run_has_a_report(stored: Run, length: int) -> None:
    report = analyse(replace(stored, samples=stored.samples[:length]))
    assert report.steps_done == min(length, len(stored.samples))
    assert len(all_rows(report)) + len(report.not_measured) == len(CELLS)


@given(runs(), st.integers(0, 48), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_prefix_of_a_run_with_looks_has_a_report_that_claims_what_its_decisions_allow(
    stored: Run,
    length: int,
    rich: bool,  # noqa: FBT001 - drawn
) -> None:
    looks = (Look(round=6, alpha=0.03), Look(round=ROUNDS, alpha=0.02))
    first = replace(stored, header=replace(stored.header, looks=looks), samples=stored.samples[:length])
    decision = decide(first, looks[0], lambda *_: rich)
    assert {cell_id for cell_id, _ in decision.dropped} <= {one.id for one in CELLS}
    assert not (decision.dropped and decision.stopped)
    assert rich or decision.stopped
    before, after = analyse(first), analyse(replace(first, decisions=(decision,)))
    assert all(len({row.ranking.group for row in table.rows if row.ranking}) <= 1 for table in before.tables)
    for table in after.tables:
        ranked = [row.ranking for row in table.rows if row.ranking]
        for one in ranked:
            alike = sum(bool(set(one.group) & set(other.group)) for other in ranked)
            assert one.rank[1] - one.rank[0] == alike - 1


@given(runs(), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_steps_ran_does_not_matter(stored: Run, seed: int) -> None:
    shuffled = list(stored.samples)
    Random(seed).shuffle(shuffled)  # noqa: S311 - reproducible, not secret
    assert analyse(replace(stored, samples=tuple(shuffled))).tables == analyse(stored).tables


@given(runs())
@settings(max_examples=40, deadline=None)
def test_a_machine_that_is_twice_as_fast_ranks_the_same(stored: Run) -> None:
    slow, fast = analyse(stored), analyse(faster(stored, 2))
    for before, after in zip(slow.tables, fast.tables, strict=True):
        assert [row.ranking for row in before.rows] == [row.ranking for row in after.rows]
        assert before.reference == after.reference


@given(runs())
@settings(max_examples=30, deadline=None)
def test_the_same_run_has_the_same_report(stored: Run) -> None:
    assert analyse(stored) == analyse(stored)


LOADS = st.builds(
    Load,
    generator=st.sampled_from(["wrk", "h2load"]),
    connections=st.sampled_from([8, 16]),
    threads=st.just(1),
    duration_s=st.just(1),
    warmup_s=st.just(0),
    windows=st.just(1),
    streams=st.sampled_from([1, 2]),
    requests_per_connection=st.sampled_from([0, 1]),
    rate_percent=st.sampled_from([0, 0, 30, 60]),
)
VARIED = st.builds(
    cell,
    st.sampled_from(["a", "b"]),
    app=st.sampled_from(["plaintext", "json"]),
    label=st.sampled_from(["", "loop=uvloop"]),
    protocol=st.sampled_from(PROTOCOLS),
    workers=st.integers(1, 2),
    interface=st.sampled_from(["asgi", "wsgi"]),
    python=st.sampled_from(["", "3.13"]),
    requires=st.sampled_from([(), ("x==1",)]),
    load=LOADS,
)


@given(st.lists(VARIED, max_size=30, unique_by=lambda one: one.id))
@settings(max_examples=100, deadline=None)
def test_rows_of_a_table_were_asked_alike_and_have_names_of_their_own(of: list[Cell]) -> None:
    report = analyse(run(of, [measured(one, 1) for one in of]))
    assert sorted(row.planned.cell.id for row in all_rows(report)) == sorted(one.id for one in of)
    for table in report.tables:
        rows = [row.planned.cell for row in table.rows]
        assert len({row.name for row in table.rows}) == len(rows)
        assert {(one.app, one.interface, one.workers) for one in rows} == {(table.app, table.interface, table.workers)}
        assert {one.load.generator for one in rows} == {table.generator}
        assert {one.load.connections * one.load.streams for one in rows} == {table.in_flight}
        assert {one.load.requests_per_connection for one in rows} == {table.requests_per_connection}
        assert {one.load.rate_percent for one in rows} == {table.rate_percent}
        assert len({one.protocol in ENCRYPTED for one in rows}) == 1
        assert table.protocols == tuple(each for each in PROTOCOLS if each in {one.protocol for one in rows})


@given(st.lists(VARIED, min_size=2, max_size=30, unique_by=lambda one: one.id))
@settings(max_examples=100, deadline=None)
def test_no_two_tables_of_a_report_are_headed_alike(of: list[Cell]) -> None:
    tables = analyse(run(of, [measured(one, 1) for one in of])).tables
    assert len({title(table, tables) for table in tables}) == len(tables)
    assert len(set(places(tables))) == len(tables)
