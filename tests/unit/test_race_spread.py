"""The numbers of a race against scipy, and what is taken for known of a pair from all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import digamma as digamma_of
from scipy.special import polygamma
from scipy.stats import t as student

from servermatrix.analysis.race.duels import beaten_in_family, duels
from servermatrix.analysis.race.spread import (
    FINEST,
    FIRMEST,
    critical,
    digamma,
    inverse_trigamma,
    moderated,
    pooled,
    tail,
    trigamma,
)

PLACES = (0.01, 0.3, 1.0, 2.5, 11.0, 400.0)


@pytest.mark.parametrize("x", PLACES)
def test_the_derivatives_of_ln_gamma_are_those_of_scipy(x: float) -> None:
    assert digamma(x) == pytest.approx(float(digamma_of(x)), rel=1e-9)
    assert trigamma(x) == pytest.approx(float(polygamma(1, x)), rel=1e-9)
    assert inverse_trigamma(float(polygamma(1, x))) == pytest.approx(x, rel=1e-6)


@pytest.mark.parametrize("freedom", [1.0, 1.5, 2.0, 4.7, 10.0, 50.0, 999.0, 5000.0])
@pytest.mark.parametrize("p", [0.4, 0.05, 0.01, 1e-4, 1e-6])
def test_critical_values_are_those_of_scipy(p: float, freedom: float) -> None:
    expected = float(student.isf(p, freedom))
    assert critical(p, freedom) == pytest.approx(expected, rel=1e-6 if freedom < 1000 else 1e-2)
    if freedom < 1000:
        assert tail(expected, freedom) == pytest.approx(p, rel=1e-6)


def variances(scales: np.ndarray, freedom: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    found = scales**2 * source.chisquare(freedom, len(scales)) / freedom
    return found, np.full(len(scales), float(freedom))


def test_pairs_that_scatter_alike_are_worth_as_much_as_they_may() -> None:
    found = pooled(*variances(np.full(3000, 0.03), 2))
    assert found.freedom == FIRMEST
    assert found.variance == pytest.approx(0.03**2, rel=0.1)


def test_pairs_that_scatter_each_in_its_own_way_are_worth_little() -> None:
    scales = 0.03 * np.exp(np.random.default_rng(2).normal(0, 0.8, 3000))
    assert pooled(*variances(scales, 4)).freedom < 2


def test_the_prior_of_variances_of_which_it_is_true_is_found() -> None:
    source = np.random.default_rng(3)
    scales = np.sqrt(0.03**2 * 4 / source.chisquare(4, 20_000))
    assert pooled(*variances(scales, 5)).freedom == pytest.approx(4, rel=0.1)


def test_one_wild_cell_does_not_hide_all_others() -> None:
    scales = np.full(3000, 0.01)
    scales[:60] = 1.0
    assert pooled(*variances(scales, 4)).variance < 2 * 0.01**2


def test_what_repeats_to_the_last_digit_is_known_no_more_finely_than_that() -> None:
    nothing = pooled(np.zeros(5), np.full(5, 2.0))
    assert (nothing.variance, nothing.freedom) == (FINEST**2, FIRMEST)
    assert moderated(np.zeros(3), np.full(3, 2.0), nothing).tolist() == pytest.approx([FINEST**2] * 3)


def test_the_more_rounds_a_pair_has_the_more_its_own_scatter_counts() -> None:
    common = pooled(*variances(np.full(3000, 0.03), 2))
    few, many = (float(moderated(np.array([rounds * 0.2**2]), np.array([rounds]), common)[0]) for rounds in (2.0, 23.0))
    assert 0.03**2 < few < many < 0.2**2


def test_differences_are_of_common_rounds_alone() -> None:
    scores = np.array([[1.0, 2.0, np.nan, 4.0], [0.5, 1.4, 9.0, 3.6], [np.nan, np.nan, 3.0, np.nan]])
    found = duels(scores, 0.01)
    assert found.centres[0, 1] == pytest.approx((0.5 + 0.6 + 0.4) / 3)
    assert found.rounds.tolist() == [[3, 3, 0], [3, 4, 1], [0, 1, 1]]
    assert np.isnan(found.centres[0, 2])
    assert found.half_widths[1, 2] == np.inf
    assert not found.better[1, 2]
    assert not found.better[2, 1]


def test_the_interval_is_student_s_of_the_moderated_variance() -> None:
    scores = np.random.default_rng(5).normal(0, 0.05, (30, 6))
    found = duels(scores, 0.001)
    upper = np.triu_indices(30, 1)
    squares = np.array([[((a - b) - (a - b).mean()) @ ((a - b) - (a - b).mean()) for b in scores] for a in scores])
    common = pooled(squares[upper] / 5, np.full(len(upper[0]), 5.0))
    variance = (common.freedom * common.variance + squares[2, 7]) / (common.freedom + 5)
    expected = student.isf(0.001, common.freedom + 5) * np.sqrt(variance / 6)
    assert found.half_widths[2, 7] == pytest.approx(expected, rel=1e-3)


def test_swapping_two_cells_mirrors_what_is_said_of_them() -> None:
    scores = np.random.default_rng(6).normal(0, 0.05, (12, 5)) + np.linspace(0, 1, 12)[:, None]
    one, other = duels(scores, 0.001), duels(scores[::-1], 0.001)
    assert (one.better == other.better[::-1, ::-1]).all()
    assert one.better.any()
    assert not (one.better & one.better.T).any()


def five_rounds_of(*means: float) -> np.ndarray:
    return np.array(means)[:, None] + np.random.default_rng(7).normal(0, 0.001, (len(means), 5))


def test_only_workers_beyond_those_that_do_worse_go() -> None:
    family = [[(1, 0), (2, 1), (3, 2), (4, 3)]]
    assert beaten_in_family(duels(five_rounds_of(0.0, 2.0, 1.0, 0.5), 0.001), family)[3] == (2, 1)
    assert beaten_in_family(duels(five_rounds_of(0.5, 1.0, 2.0, 1.9), 0.001), family).keys() == {0}


def test_workers_that_do_better_than_both_stay_where_there_are_two_peaks() -> None:
    family = [[(1, 0), (2, 1), (3, 2)]]
    assert beaten_in_family(duels(five_rounds_of(2.0, 0.0, 1.0), 0.001), family) == {2: (1, 0)}
