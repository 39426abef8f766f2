"""The noise floor: a cell measured twice, and what may not be claimed because of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import pytest

from servermatrix.analysis.analyse import analyse
from servermatrix.analysis.stats import ratio
from servermatrix.model import Cause, Cell, Report, Sample
from tests.unit.analyse_runs import STEADY, again, cell, cells, failed, measured, rates, run, series

A, B, C = cell("a"), cell("b"), cell("c")
WOBBLE = [1.06, 0.96, 1.05, 0.97, 1.03, 0.98, 1.04, 0.95, 1.02, 0.99]


def shifted(rps: float, factors: Sequence[float]) -> list[float]:
    """Return rates that differ from `rates(rps)` by these factors, round by round."""
    return [rate * factor for rate, factor in zip(rates(rps), factors, strict=True)]


def report(of: Sequence[Cell], *samples: Sequence[Sample]) -> Report:
    return analyse(run(of, list(chain(*samples)), 10))


def with_floor(*others: float) -> Report:
    """Report on a cell that wobbles by 6 % against itself, beside others that serve so many times as much in every round."""
    of = cells(len(others) + 1)
    own, twice = series(of[0], rates(10_000)), series(again(of[0]), shifted(10_000, WOBBLE))
    rest = [series(one, rates(10_000 * factor)) for one, factor in zip(of[1:], others, strict=True)]
    return report([of[0], again(of[0]), *of[1:]], own, twice, *rest)


def test_the_floor_is_the_interval_of_the_duplicate_over_its_original_by_round() -> None:
    floor = with_floor(1.0).noise_floor
    assert floor is not None
    assert (floor.cell_id, floor.name) == ("s0000/h1/w1/c64/plaintext", "s0000")
    expected = ratio(WOBBLE, [1.0] * 10)
    assert expected.low is not None
    assert expected.high is not None
    assert (floor.ratio.value, floor.ratio.low, floor.ratio.high) == pytest.approx(
        (expected.value, expected.low, expected.high), rel=1e-3
    )
    assert floor.factor == pytest.approx(max(expected.high, 1 / expected.low), rel=1e-3)


def test_a_duplicate_that_is_slower_counts_by_how_much() -> None:
    twice = series(again(A), shifted(10_000, [factor * 0.9 for factor in WOBBLE]))
    floor = report([A, again(A)], series(A, rates(10_000)), twice).noise_floor
    assert floor is not None
    assert floor.ratio.low is not None
    assert floor.factor == pytest.approx(1 / floor.ratio.low)
    assert floor.factor > 1.1


def test_a_duplicate_is_in_no_table_and_counts_in_no_comparison() -> None:
    found = with_floor(1.5, 2.0)
    (table,) = found.tables
    assert [row.planned.cell.server for row in table.rows] == ["s0002", "s0001", "s0000"]
    assert (table.comparisons, found.not_measured, found.steps_done) == (3, (), 40)
    assert {row.name for row in table.rows} == {"s0000", "s0001", "s0002"}


def test_a_difference_within_the_floor_is_not_claimed_however_steady_it_is() -> None:
    inside, outside = with_floor(1.01).tables[0], with_floor(1.10).tables[0]
    assert [row.ranking.rank for row in inside.rows if row.ranking] == [(1, 2), (1, 2)]
    assert [row.ranking.rank for row in outside.rows if row.ranking] == [(1, 1), (2, 2)]


def test_the_same_difference_is_claimed_where_nothing_was_measured_twice() -> None:
    one, other = cells(2)
    (table,) = report([one, other], series(one, rates(10_000)), series(other, rates(10_100))).tables
    assert [row.ranking.rank for row in table.rows if row.ranking] == [(1, 1), (2, 2)]


def test_the_answer_names_no_winner_within_the_floor_but_the_machine() -> None:
    assert with_floor(1.01).answer == (
        "this machine cannot tell these apart: s0000, measured twice, differs from itself by up to 1.040x, "
        "and the 2 rows on plaintext were not shown to differ by more (1.010x between two of them at most)"
    )


def test_rows_that_nothing_tells_apart_and_that_are_all_within_the_floor_are_a_matter_of_the_machine() -> None:
    of = cells(2)
    samples = [series(of[0], rates(10_000)), series(again(of[0]), shifted(10_000, WOBBLE))]
    said = report([of[0], again(of[0]), of[1]], *samples, series(of[1], shifted(10_000, STEADY))).answer
    assert said.startswith("this machine cannot tell these apart: s0000, measured twice, ")


def test_rows_that_differ_by_more_than_the_floor_but_not_clearly_are_not_the_machines_fault() -> None:
    of = cells(2)
    wild = [1.9, 0.8, 1.7, 0.9, 2.1, 0.7, 1.5, 1.0, 1.4, 1.2]
    samples = [series(of[0], rates(10_000)), series(again(of[0]), shifted(10_000, WOBBLE))]
    said = report([of[0], again(of[0]), of[1]], *samples, series(of[1], shifted(10_000, wild))).answer
    assert said.startswith("no difference between 2 rows was shown on plaintext; a ratio of ")


def test_a_winner_by_less_than_the_floor_shares_the_lead() -> None:
    said = with_floor(1.01, 0.5).answer
    assert said == (
        "s0001 and s0000 are tied for the lead on plaintext (s0000, measured twice, differs from itself by up to 1.040x); "
        "s0001 serves 2.02x [2.02, 2.02] as many requests per second as s0002"
    )


def test_what_was_measured_twice_in_another_table_is_named_with_all_that_tells_its_table() -> None:
    far = [cell("a", app="json"), cell("b", app="json")]
    own, twice = series(far[0], rates(10_000)), series(again(far[0]), shifted(10_000, WOBBLE))
    others = [*own, *twice, *series(far[1], rates(20_000))]
    said = [
        report([far[0], again(far[0]), far[1], *near], others, *(series(*each) for each in zip(near, rated, strict=True))).answer
        for near, rated in (((A, B), (rates(10_000), rates(10_100))), ((A, B, C), (rates(10_000), rates(10_100), rates(5_000))))
    ]
    assert "plaintext: this machine cannot tell these apart: a/h1/w1/c64/json, measured twice, differs from itself by" in said[0]
    assert "(a/h1/w1/c64/json, measured twice, differs from itself by up to 1.040x)" in said[1]


def test_the_winner_is_not_in_doubt_because_rows_behind_it_are() -> None:
    assert with_floor(2.0, 1.01).answer == "s0001 serves plaintext 2.00x [2.00, 2.00] as many requests per second as s0000"


def test_the_floor_holds_for_every_table_of_the_run() -> None:
    json, other = cell("a", app="json"), cell("b", app="json")
    twice = [series(A, rates(10_000)), series(again(A), shifted(10_000, WOBBLE))]
    found = report([A, again(A), json, other], *twice, series(json, rates(10_000)), series(other, rates(10_100)))
    assert [row.ranking.rank for row in found.tables[1].rows if row.ranking] == [(1, 2), (1, 2)]


@pytest.mark.parametrize("rounds", [1, 5])
def test_too_few_rounds_in_common_make_no_floor(rounds: int) -> None:
    twice = series(again(A), rates(10_000))[:rounds]
    assert report([A, again(A), B], series(A, rates(10_000)), twice, series(B, rates(9_000))).noise_floor is None


def test_a_run_that_measured_nothing_twice_has_no_floor() -> None:
    assert report([A, B], series(A, rates(10_000)), series(B, rates(9_000))).noise_floor is None


def test_an_original_that_failed_leaves_no_floor() -> None:
    found = report([A, again(A), B], [failed(A, 1, Cause.SERVER)], series(again(A), rates(9_000)), series(B, rates(9_000)))
    assert found.noise_floor is None
    assert [row.name for row in found.not_measured] == ["a"]


def test_a_duplicate_that_failed_is_not_hidden() -> None:
    found = report([A, again(A), B], series(A, rates(9_000)), [failed(again(A), 1, Cause.SERVER)], series(B, rates(9_000)))
    assert found.noise_floor is None
    assert [(row.name, row.status, row.reason) for row in found.not_measured] == [("a (measured again)", "failed", "it broke")]


def test_a_duplicate_that_was_not_reached_is_nobodys_business() -> None:
    assert report([A, again(A)], [measured(A, 1)]).not_measured == ()


def test_a_duplicate_does_not_make_its_table_name_protocols_or_loads() -> None:
    found = analyse(run([A, again(A), replace(B, protocol="h2c")], [measured(A, 1)], 10))
    assert [row.name for row in found.tables[0].rows] == ["a h1"]
    assert [row.name for table in analyse(run([A, again(A)], [measured(A, 1)], 10)).tables for row in table.rows] == ["a"]
