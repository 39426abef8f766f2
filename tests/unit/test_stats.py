"""stats.py and pairs.py against worked examples, brute force and the libraries that others trust."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import comb, exp, log
from random import Random

import numpy as np
import pytest
import scipy.stats

from servermatrix.analysis import stats
from servermatrix.model import Estimate


def seeded(seed: object) -> Random:
    return Random(str(seed))  # noqa: S311 - reproducible, not secret


def normal(seed: object, n: int, centre: float = 0.0) -> list[float]:
    source = seeded(seed)
    return [source.gauss(centre, 1) for _ in range(n)]


def shown(logarithms: Sequence[float], alpha: float = 0.05) -> Estimate:
    """Return what is shown of values that have these logarithms."""
    return stats.estimate([exp(each) for each in logarithms], alpha)


def centre(logarithms: Sequence[float]) -> float:
    return log(shown(logarithms).value)


def interval(logarithms: Sequence[float], alpha: float = 0.05) -> tuple[float, float] | None:
    found = shown(logarithms, alpha)
    return None if found.low is None or found.high is None else (log(found.low), log(found.high))


def two_sided_by_all_signs(differences: list[float]) -> float:
    """Count, over all 2**n signs, the outcomes at least as far out as the one seen, in the smaller tail, twice."""
    kept = [difference for difference in differences if difference]
    ranks: list[float] = scipy.stats.rankdata(np.abs(kept)).tolist()
    seen = sum(rank for rank, difference in zip(ranks, kept, strict=True) if difference > 0)
    sums = [sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign) for signs in product((0, 1), repeat=len(kept))]
    tail = min(sum(one <= seen for one in sums), sum(one >= seen for one in sums))
    return min(1.0, 2.0 * float(tail) / len(sums))


# percentiles and medians


@pytest.mark.parametrize(("q", "expected"), [(0, 10), (1, 10), (50, 10), (51, 20), (75, 20), (76, 30), (100, 30)])
def test_a_percentile_is_the_value_at_the_nearest_rank(q: float, expected: float) -> None:
    assert stats.weighted_percentiles(((10, 2), (20, 1), (30, 1)), [q]) == [expected]


def test_a_percentile_of_a_histogram_is_that_of_the_values_written_out() -> None:
    source = seeded(5)
    histogram = [(us, source.randrange(0, 9)) for us in range(1, 60)]
    written_out = [us for us, count in histogram for _ in range(count)]
    asked = (1, 7, 25, 50, 90, 99, 99.9)
    assert stats.weighted_percentiles(histogram, asked) == [*np.percentile(written_out, asked, method="inverted_cdf")]


def test_a_histogram_may_name_a_latency_twice() -> None:
    assert stats.weighted_percentiles(((10, 1), (10, 1), (20, 1)), [66]) == [10]


@pytest.mark.parametrize("histogram", [(), ((10, 0), (20, 0))])
def test_nothing_counted_has_no_percentile(histogram: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="without counts"):
        stats.weighted_percentiles(histogram, [50])


@pytest.mark.parametrize(("values", "expected"), [([3.0], 3), ([1.0, 9.0, 2.0], 2), ([4.0, 1.0, 2.0, 9.0], 3)])
def test_the_median_is_the_middle_or_between_the_middle_two(values: list[float], expected: float) -> None:
    assert stats.median(values) == expected


def test_no_values_have_no_median() -> None:
    with pytest.raises(ValueError, match="no median"):
        stats.median([])


# the signed-rank test


def test_the_null_distribution_of_three_ranks_is_the_one_in_the_textbooks() -> None:
    assert stats.subset_sums((1, 2, 3)) == (1, 1, 1, 2, 1, 1, 1)


def test_equal_weights_give_the_binomial_distribution() -> None:
    assert stats.subset_sums((1,) * 10) == tuple(comb(10, k) for k in range(11))


@pytest.mark.parametrize("n", [1, 6, 10, 30])
def test_the_null_distribution_is_symmetric_and_counts_every_choice_of_signs(n: int) -> None:
    counts = stats.subset_sums(tuple(range(1, n + 1)))
    assert sum(counts) == 2**n
    assert counts == counts[::-1]


@pytest.mark.parametrize("n", [1, 5, 6, 9, 10, 14, 30, 50])
@pytest.mark.parametrize("centre", [0.0, 0.4, -2.0])
def test_p_without_ties_is_that_of_scipy(n: int, centre: float) -> None:
    differences = normal(f"{n}/{centre}", n, centre)
    assert stats.signed_rank(differences)[0] == pytest.approx(scipy.stats.wilcoxon(differences, method="exact").pvalue)


@pytest.mark.parametrize("seed", range(25))
def test_p_with_ties_and_zeros_is_that_of_all_signs_written_out(seed: int) -> None:
    source = seeded(seed)
    differences = [float(source.randint(-3, 4)) for _ in range(source.randint(1, 9))]
    assert stats.signed_rank(differences)[0] == pytest.approx(two_sided_by_all_signs(differences))


@pytest.mark.parametrize("differences", [[], [0.0], [0.0] * 12])
def test_no_difference_at_all_is_no_evidence(differences: list[float]) -> None:
    assert stats.signed_rank(differences) == (1.0, 0)


@pytest.mark.parametrize(("n", "expected"), [(5, 2 / 32), (6, 2 / 64), (10, 2 / 1024)])
def test_the_clearest_outcome_has_the_smallest_p_that_n_signs_allow(n: int, expected: float) -> None:
    assert stats.signed_rank([0.1 * i for i in range(1, n + 1)]) == (expected, 1)


# estimate and interval


def test_an_estimate_is_the_median_of_the_means_of_all_pairs_of_logarithms() -> None:
    differences = normal("hl", 9)
    means = [(a + b) / 2 for i, a in enumerate(differences) for b in differences[i:]]
    assert centre(differences) == pytest.approx(float(np.median(means)))


def test_one_wild_round_hardly_moves_the_estimate() -> None:
    calm = [0.10, 0.11, 0.09, 0.10, 0.12, 0.08, 0.10, 0.11, 0.09]
    assert centre([*calm, 5.0]) == pytest.approx(0.10, abs=0.01)


@pytest.mark.parametrize("n", range(1, 6))
def test_under_six_values_have_no_interval(n: int) -> None:
    assert interval(normal(n, n)) is None


def test_six_values_have_the_interval_from_the_least_to_the_greatest() -> None:
    differences = normal("six", 6)
    assert interval(differences) == pytest.approx((min(differences), max(differences)))


@pytest.mark.parametrize(("n", "cut"), [(6, 0), (8, 3), (10, 8), (20, 52), (25, 89)])
def test_critical_values_are_those_of_the_published_table(n: int, cut: int) -> None:
    assert stats.critical(n, 0.05) == cut


@pytest.mark.parametrize("n", [6, 7, 10, 15])
@pytest.mark.parametrize("confidence", [0.95, 0.90])
def test_the_interval_ends_where_the_test_begins_to_reject(n: int, confidence: float) -> None:
    differences = normal(f"interval/{n}", n)
    found = interval(differences, 1 - confidence)
    assert found is not None
    for end, outward in ((found[0], -1), (found[1], 1)):
        inside, outside = end - outward * 1e-9, end + outward * 1e-9
        assert stats.signed_rank([value - inside for value in differences])[0] > 1 - confidence
        assert stats.signed_rank([value - outside for value in differences])[0] <= 1 - confidence


@pytest.mark.parametrize("n", [6, 10])
def test_the_interval_covers_the_truth_as_often_as_it_says(n: int) -> None:
    tries, missed = 2000, 0
    for seed in range(tries):
        found = interval(normal(f"cover/{n}/{seed}", n))
        assert found is not None
        missed += not found[0] <= 0 <= found[1]
    assert missed / tries <= 0.05 + 3 * (0.05 * 0.95 / tries) ** 0.5
    assert missed / tries >= 0.015


def test_an_estimate_lies_within_its_interval_on_the_scale_of_the_values() -> None:
    found = stats.estimate([98.0, 101.0, 100.0, 99.0, 102.0, 100.5, 99.5])
    assert found.low is not None
    assert found.high is not None
    assert 98 <= found.low < found.value < found.high <= 102
    assert found.n == 7


@pytest.mark.parametrize("values", [[5.0], [1.0, 9.0, 5.0, 4.0, 6.0]])
def test_an_estimate_from_under_six_values_is_the_bare_median(values: list[float]) -> None:
    assert stats.estimate(values) == Estimate(value=5.0, low=None, high=None, n=len(values))


def test_a_value_without_logarithm_leaves_the_bare_median() -> None:
    assert stats.estimate([0.0, 1, 2, 3, 4, 5, 6]) == Estimate(value=3, low=None, high=None, n=7)


def test_a_ratio_pairs_the_rounds_so_that_what_both_sides_share_cancels() -> None:
    weather = [1.0, 5.0, 0.2, 3.0, 0.7, 9.0, 0.4]
    found = stats.ratio([2 * today for today in weather], weather)
    assert [found.value, found.low, found.high] == pytest.approx([2, 2, 2])


def test_a_surer_interval_is_wider_and_there_is_none_where_the_rounds_are_too_few_for_it() -> None:
    values = [100.0, 103.0, 98.0, 101.0, 97.0, 105.0, 99.0, 102.0]
    usual, surer, too_sure = (stats.estimate(values, alpha) for alpha in (0.05, 0.01, 0.001))
    assert [surer.low, surer.high] == pytest.approx([97, 105])
    assert usual.low is not None
    assert 97 < usual.low < usual.value == surer.value == too_sure.value
    assert (too_sure.low, too_sure.high, too_sure.n) == (None, None, 8)
    assert stats.ratio(values, [1.0] * 8, 0.01) == surer


def test_a_ratio_of_few_rounds_is_the_bare_median_of_the_round_ratios() -> None:
    found = stats.ratio([2.0, 30.0, 8.0], [1.0, 10.0, 2.0])
    assert found.value == pytest.approx(3)
    assert (found.low, found.high, found.n) == (None, None, 3)


@pytest.mark.parametrize(("xs", "ys"), [([1.0, 2.0], [1.0]), ([0.0], [1.0]), ([1.0], [-1.0])])
def test_what_is_not_paired_or_not_positive_has_no_ratio(xs: list[float], ys: list[float]) -> None:
    with pytest.raises(ValueError, match=r"shorter|longer|domain|positive"):
        stats.ratio(xs, ys)
