"""Percentiles of a cell: of all answers of all starts, and of each start alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servermatrix.analysis.latency import merge, percentiles
from servermatrix.model import LoadStats, Measured, Percentile
from tests.unit.analyse_runs import cell, measured, window

Pairs = Sequence[tuple[int, int]]
histograms = st.lists(
    st.dictionaries(st.integers(1, 50), st.integers(1, 9), min_size=1).map(lambda found: tuple(sorted(found.items()))), min_size=1
)


def start(*latencies: Pairs) -> Measured:
    """Return a start with one window per histogram."""
    usage = window().usage
    windows = []
    for pairs in latencies:
        stats = LoadStats(requests=sum(count for _, count in pairs), duration_us=1_000_000, histogram=tuple(pairs))
        windows.append(type(window())(stats=stats, usage=usage))
    return measured(cell("a"), 1, *windows)


def test_a_percentile_is_of_all_answers_not_the_mean_or_median_of_those_of_the_starts() -> None:
    busy, idle = start(((1_000, 9_901), (50_000, 99))), start(((2_000, 98), (80_000, 2)))
    found = percentiles([busy, idle])[99]
    assert found == Percentile(value_us=2_000, lowest_us=1_000, highest_us=80_000, samples=10_100)


def test_windows_of_a_start_are_added_up_too() -> None:
    found = percentiles([start(((1_000, 60),), ((3_000, 40),))])[50]
    assert (found.value_us, found.lowest_us, found.highest_us, found.samples) == (1_000, 1_000, 1_000, 100)


def test_one_start_is_its_own_lowest_and_highest() -> None:
    for found in percentiles([start(((1_000, 9_000), (7_000, 1_000)))]).values():
        assert found.value_us == found.lowest_us == found.highest_us


@pytest.mark.parametrize(("count", "expected"), [(5_000, [5, 50, 99, 99.9]), (4_999, [5, 50, 99])])
def test_the_thousandth_slowest_answer_is_told_from_ten_thousand_answers_on(count: int, expected: list[float]) -> None:
    found = percentiles([start(((1_000, count),)), start(((2_000, count + count % 2),))])
    assert list(found) == expected


def test_the_ten_slowest_of_ten_thousand_are_beyond_the_last_percentile() -> None:
    assert percentiles([start(((1_000, 9_990), (9_000, 10)))])[99.9].value_us == 1_000
    assert percentiles([start(((1_000, 9_989), (9_000, 11)))])[99.9].value_us == 9_000


def test_starts_without_an_answer_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="without counts"):
        percentiles([start(())])


@given(histograms)
def test_adding_up_loses_no_answer_and_keeps_every_latency(each: list[Pairs]) -> None:
    merged = merge(each)
    assert [latency_us for latency_us, _ in merged] == sorted({latency_us for pairs in each for latency_us, _ in pairs})
    assert sum(count for _, count in merged) == sum(count for pairs in each for _, count in pairs)


@given(histograms)
def test_a_percentile_is_that_of_the_answers_one_by_one(each: list[Pairs]) -> None:
    answers = sorted(latency_us for pairs in each for latency_us, count in pairs for _ in range(count))
    found = percentiles([start(pairs) for pairs in each])[99]
    assert found.value_us == answers[-(-99 * len(answers) // 100) - 1]
    assert found.lowest_us <= found.value_us <= found.highest_us
