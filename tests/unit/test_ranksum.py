"""ranksum.py against worked examples, brute force and scipy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb
from random import Random

import pytest
import scipy.stats

from servermatrix.analysis import ranksum

PERMEABILITY = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]  # Hollander, Wolfe & Chicken (2014), table 4.1
AT_TERM = [1.15, 0.88, 0.90, 0.74, 1.21]


def seeded(seed: object) -> Random:
    return Random(str(seed))  # noqa: S311 - reproducible, not secret


def normal(seed: object, n: int, centre: float = 0.0) -> list[float]:
    source = seeded(seed)
    return [source.gauss(centre, 1) for _ in range(n)]


def by_all_deals(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Count, over all ways to deal the ranks out, those whose sum is at least the one seen."""
    ranks: list[float] = scipy.stats.rankdata([*higher, *lower]).tolist()
    seen = sum(ranks[: len(higher)])
    deals = list(combinations(ranks, len(higher)))
    return sum(sum(deal) >= seen for deal in deals) / len(deals)


def test_the_example_of_the_textbook_comes_out_as_it_stands_there() -> None:
    assert ranksum.above(PERMEABILITY, AT_TERM) == pytest.approx(0.1272, abs=5e-5)
    found = ranksum.shift(AT_TERM, PERMEABILITY, 0.05)
    assert found == pytest.approx((0.305, -0.15, 0.76))


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 5), (6, 6), (6, 17), (12, 9), (30, 30)])
def test_without_ties_p_is_that_of_scipy(m: int, n: int) -> None:
    for seed in range(5):
        higher, lower = normal(f"{m} {n} {seed}", m, 0.5), normal(f"{n} {m} {seed} other", n)
        expected = scipy.stats.mannwhitneyu(higher, lower, alternative="greater", method="exact").pvalue
        assert ranksum.above(higher, lower) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("values", [2, 3, 5])
def test_with_ties_p_is_that_of_all_deals_of_these_ranks(values: int) -> None:
    for seed in range(8):
        source = seeded(seed)
        higher, lower = (
            [float(source.randrange(values)) for _ in range(n)] for n in (source.randint(1, 7), source.randint(1, 7))
        )
        assert ranksum.above(higher, lower) == pytest.approx(by_all_deals(higher, lower), rel=1e-12)


def test_values_that_are_all_the_same_are_no_evidence() -> None:
    assert ranksum.above([1.0] * 8, [1.0] * 8) == 1.0


def test_a_side_without_values_is_no_evidence() -> None:
    assert ranksum.above([], [1.0]) == ranksum.above([1.0], []) == ranksum.above([], []) == 1.0
    assert ranksum.shift([], [1.0, 2.0], 0.05) is None


def test_the_clearest_outcome_has_the_smallest_p_there_is() -> None:
    assert ranksum.above([7, 8, 9, 10, 11, 12], [1, 2, 3, 4, 5, 6]) == pytest.approx(1 / comb(12, 6))


def test_a_margin_is_taken_off_before_the_values_are_ranked() -> None:
    higher, lower = normal(1, 9, 2), normal(2, 9)
    assert ranksum.above(higher, lower, 0.7) == ranksum.above(higher, [value + 0.7 for value in lower])
    assert ranksum.above(higher, lower, 0.7) > ranksum.above(higher, lower)


def test_a_difference_in_the_last_bit_is_a_tie() -> None:
    assert 0.1 + 0.2 != 0.3
    assert ranksum.above([0.1 + 0.2], [0.3]) == 1.0
    assert ranksum.above([0.3], [0.1], 0.2) == 1.0


@pytest.mark.parametrize(("distance", "over"), [(0.0, 0.05), (0.4, 0.05), (0.8, 0.5)])
def test_beyond_what_is_counted_p_is_close_to_the_exact_one_and_no_bolder_where_it_is_small(distance: float, over: float) -> None:
    n = ranksum.EXACT // 2 + 1
    higher, lower = normal("many", n, distance), normal("many others", n)
    exact = scipy.stats.mannwhitneyu(higher, lower, alternative="greater", method="exact").pvalue
    assert ranksum.above(higher, lower) == pytest.approx(exact, rel=over)
    assert exact > 0.01 or ranksum.above(higher, lower) >= exact


def test_beyond_what_is_counted_p_is_the_approximation_of_scipy() -> None:
    higher, lower = normal("much", 90, 0.3), normal("more", 70)
    found = scipy.stats.mannwhitneyu(higher, lower, alternative="greater", method="asymptotic", use_continuity=True)
    assert ranksum.above(higher, lower) == pytest.approx(found.pvalue, rel=1e-9)


def test_many_values_that_are_all_the_same_are_no_evidence() -> None:
    assert ranksum.above([1.0] * 100, [1.0] * 100) == 1.0


@pytest.mark.parametrize(("m", "n"), [(4, 4), (6, 6), (6, 11), (13, 8)])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_interval_holds_the_shifts_that_the_test_does_not_reject(m: int, n: int, alpha: float) -> None:
    xs, ys = normal(f"{m} {n}", m), normal(f"{n} {m}", n, 1.5)
    found = ranksum.shift(xs, ys, alpha)
    assert found is not None
    _, low, high = found

    def rejected(shift: float) -> bool:
        return 2 * min(ranksum.above(ys, xs, shift), ranksum.above(xs, ys, -shift)) <= alpha

    assert not rejected(low + 1e-9)
    assert not rejected(high - 1e-9)
    assert rejected(low - 1e-9)
    assert rejected(high + 1e-9)


def test_the_interval_is_the_one_that_the_distribution_of_scipy_gives() -> None:
    m, n, alpha = 9, 7, 0.05
    counts = [0] * (m * n + 1)
    for deal in combinations(range(m + n), n):
        counts[sum(deal) - n * (n - 1) // 2] += 1
    tails = [sum(counts[: c + 1]) / comb(m + n, n) for c in range(m * n + 1)]
    assert ranksum.critical(m, n, alpha) == max(c for c, tail in enumerate(tails) if 2 * tail <= alpha)


def test_too_few_values_have_no_interval() -> None:
    assert ranksum.shift([1, 2, 3], [4, 5, 6], 0.05) is None
    assert ranksum.shift([1, 2, 3, 4], [4, 5, 6, 7], 0.05) is not None


def test_the_interval_of_many_values_is_close_to_the_counted_one() -> None:
    counted = ranksum.critical(60, 60, 0.05)
    assert counted is not None
    approximated = ranksum.critical(61, 60, 0.05)
    assert approximated is not None
    assert 0 < approximated - counted < 60


@pytest.mark.parametrize(("hypotheses", "rounds"), [(1, 6), (9, 6), (10, 7), (132, 9), (1_000, 10)])
def test_the_rounds_needed_are_the_fewest_that_could_pass_the_first_level(hypotheses: int, rounds: int) -> None:
    assert ranksum.rounds_needed(hypotheses, 0.01) == rounds
    assert hypotheses / comb(2 * rounds, rounds) <= 0.01


def test_subsets_are_counted_by_their_sum_and_their_size() -> None:
    ranks = (1, 2, 2, 5)
    found = ranksum.sums_of(ranks, 2)
    sums = [sum(deal) for deal in combinations(ranks, 2)]
    assert found == tuple(sums.count(total) for total in range(len(found)))
    assert sum(found) == comb(4, 2)
