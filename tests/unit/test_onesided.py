"""One-sided tests beyond a margin: against scipy, against all sign patterns, and at the edges."""

from __future__ import annotations

from itertools import product
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon

from servermatrix.analysis.onesided import half_width, p_above
from servermatrix.analysis.stats import ratio, signed_rank

WHOLE = st.lists(st.integers(-4, 4), max_size=8)


def by_all_signs(values: list[int]) -> float:
    """Return the p by trying all patterns of signs that the sizes could have had."""
    kept = [value for value in values if value]
    ranks = rankdata([abs(value) for value in kept]) if kept else []
    seen: float = sum(rank for rank, value in zip(ranks, kept, strict=True) if value > 0)
    sums = [sum(rank for rank, up in zip(ranks, ups, strict=True) if up) for ups in product((True, False), repeat=len(kept))]
    return float(sum(one >= seen for one in sums) / len(sums))


@given(WHOLE, st.integers(-2, 2))
def test_with_ties_and_zeros_p_is_that_of_all_patterns_of_signs(values: list[int], margin: int) -> None:
    assert p_above([float(value) for value in values], margin) == pytest.approx(by_all_signs([one - margin for one in values]))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=15, unique_by=lambda value: round(abs(value - 0.03), 9)))
def test_without_ties_p_is_that_of_scipy(values: list[float]) -> None:
    shifted = [round(value - 0.03, 12) for value in values]
    if all(shifted):
        assert p_above(values, 0.03) == pytest.approx(wilcoxon(shifted, alternative="greater", method="exact").pvalue)


@given(WHOLE)
def test_the_smaller_of_both_sides_twice_is_the_two_sided_p(values: list[int]) -> None:
    up, down = p_above([float(one) for one in values], 0.0), p_above([-float(one) for one in values], 0.0)
    assert signed_rank([float(one) for one in values])[0] == pytest.approx(min(1.0, 2 * min(up, down)))


def test_without_differences_or_with_none_off_the_margin_nothing_is_shown() -> None:
    assert p_above([], 0.03) == 1.0
    assert p_above([log(1.03)] * 10, log(1.03)) == 1.0
    assert p_above([log(2.06) - log(2.0)] * 10, log(1.03)) == 1.0  # which is not log(1.03) in its last bit


def test_ten_rounds_beyond_the_margin_are_as_clear_as_ten_can_be() -> None:
    assert p_above([0.04 + number / 100 for number in range(10)], 0.03) == 1 / 1024
    assert p_above([0.02 - number / 100 for number in range(10)], 0.03) == 1.0


@given(st.lists(st.floats(-0.5, 0.5), min_size=6, max_size=14))
def test_half_the_width_is_that_of_the_interval_at_twice_alpha(values: list[float]) -> None:
    found, plain = half_width(values, 0.025), ratio([2.718281828459045**value for value in values], [1.0] * len(values))
    assert found is not None
    assert plain.low is not None
    assert plain.high is not None
    assert found == pytest.approx((log(plain.high) - log(plain.low)) / 2, abs=1e-9)


def test_too_few_differences_have_no_width() -> None:
    assert half_width([], 0.1) is None
    assert half_width([0.1, 0.2, 0.3], 0.1) is None
    assert half_width([0.1, 0.2, 0.3, 0.4], 0.1) is not None
