"""How work was spread over workers: shares, fairness and connections, over all starts, and when one worker has too much."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from servermatrix.analysis.balance import balance, fairness, unbalanced
from servermatrix.analysis.cases import Case
from servermatrix.model import Balance, Flag, Measured, Percentile
from tests.unit.analyse_runs import cell, measured, window


def start(number: int, *cpu: Sequence[int], connections: Sequence[int] = ()) -> Measured:
    """Return a start with one window per sequence of CPU times, busiest first."""
    windows = [window(worker_cpu_us=tuple(each), worker_connections=tuple(connections)) for each in cpu]
    return measured(cell("a"), number, *windows)


def shown(starts: Sequence[Measured], workers: int) -> list[str]:
    one = cell("a", workers=workers)
    p50 = Percentile(value_us=1, lowest_us=1, highest_us=1, samples=1)
    case = Case(cell=one, starts=tuple(starts), rates=(1.0,), p5_us=p50, p50_us=p50, cores=8)
    remarks = list(unbalanced(case, balance(starts, workers)))
    assert all(each.flag == Flag.UNBALANCED and each.advice for each in remarks)
    return [each.sentence for each in remarks]


def found(starts: Sequence[Measured], workers: int = 2) -> Balance:
    balanced = balance(starts, workers)
    assert balanced is not None
    return balanced


def test_one_worker_has_no_balance() -> None:
    assert balance([start(1, (100,))], 1) is None


def test_a_balance_that_was_not_seen_is_none() -> None:
    assert balance([start(1, ())], 2) is None
    assert balance([start(1, (0, 0))], 2) is None


def test_the_busiest_workers_share_is_the_median_of_the_starts_and_the_worst_is_told() -> None:
    spread = found([start(1, (60, 40)), start(2, (50, 50)), start(3, (100, 0))])
    assert (spread.share, spread.worst, spread.starts) == (0.6, 1.0, 3)


def test_a_start_is_the_median_of_its_windows() -> None:
    assert found([start(1, (60, 40), (100, 0), (50, 50))]).share == pytest.approx(0.6)


def test_processes_that_only_watch_are_no_workers() -> None:
    spread = found([start(1, (60, 60, 30))])
    assert (spread.share, spread.index) == (0.5, 1.0)


def test_a_worker_that_is_missing_did_nothing() -> None:
    spread = found([start(1, (80,))], workers=4)
    assert (spread.share, spread.index) == (1.0, 0.25)


@pytest.mark.parametrize(("shares", "index"), [((0.5, 0.5), 1.0), ((1.0, 0.0), 0.5), ((1, 1, 0, 0), 0.5), ((3, 1), 0.8)])
def test_fairness_is_jains_index(shares: Sequence[float], index: float) -> None:
    assert fairness(shares) == pytest.approx(index)


def test_the_largest_share_of_connections_is_found_whichever_worker_holds_them() -> None:
    spread = found([start(1, (60, 40), connections=(16, 48)), start(2, (60, 40), connections=(32, 32))])
    assert spread.connections == pytest.approx((0.75 + 0.5) / 2)


def test_the_largest_share_is_the_largest_of_each_window() -> None:
    windows = [window(worker_cpu_us=(60, 40), worker_connections=each) for each in ((16, 48), (48, 16))]
    assert found([measured(cell("a"), 1, *windows)]).connections == pytest.approx(0.75)


def test_connections_that_were_not_looked_at_are_none() -> None:
    assert found([start(1, (60, 40))]).connections is None
    assert found([start(1, (60, 40), connections=(0, 0))]).connections is None


@pytest.mark.parametrize(
    ("workers", "cpu", "expected"),
    [(2, (71, 29), True), (2, (70, 30), False), (4, (46, 18, 18, 18), True), (4, (45, 19, 18, 18), False)],
)
def test_twenty_points_more_than_the_fair_share_are_too_much(
    workers: int,
    cpu: Sequence[int],
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    assert bool(shown([start(1, cpu)], workers)) is expected


def test_one_start_of_many_is_enough_and_the_sentence_says_how_many_and_how_bad() -> None:
    starts = [start(1, (50, 50)), start(2, (52, 48)), start(3, (100, 0), connections=(64, 0)), start(4, (75, 25))]
    (sentence,) = shown(starts, 2)
    assert sentence.startswith("in 2 of 4 starts one of 2 workers did more than 70% of the work, at worst 100%, where 50% would")
    assert sentence.endswith("in the median start one held 100% of the connections")


def test_without_connections_nothing_is_said_of_them() -> None:
    assert "connections" not in shown([start(1, (100, 0))], 2)[0]


def test_an_even_spread_has_no_remark() -> None:
    assert shown([start(number, (51, 49)) for number in range(1, 7)], 2) == []
