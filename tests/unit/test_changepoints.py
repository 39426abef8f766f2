from __future__ import annotations

from itertools import pairwise
from math import comb, log
from random import Random
from statistics import median

import pytest
from scipy.stats import mannwhitneyu

from servermatrix.analysis.changepoints import FEWEST, LEAST, change_points, rank_sum_p
from servermatrix.analysis.stats import doubled_ranks

MARGIN = log(1.03)


def noise(count: int, sd: float, seed: int = 1, level: float = 0.0) -> list[float]:
    random = Random(seed)  # noqa: S311 - reproducible, not secret
    return [level + random.gauss(0, sd) for _ in range(count)]


def excess(first: list[float], second: list[float]) -> int:
    return abs(sum(doubled_ranks(first + second)[: len(first)]) - len(first) * (len(first) + len(second) + 1))


@pytest.mark.parametrize(("few", "many"), [(3, 3), (3, 40), (7, 5), (20, 21), (45, 50)])
def test_the_p_of_a_rank_sum_is_that_of_scipy(few: int, many: int) -> None:
    for seed in range(20):
        first, second = noise(few, 1, seed), noise(many, 1, seed + 100, level=0.4)
        found = rank_sum_p(few, many, excess(first, second))
        assert found == pytest.approx(mannwhitneyu(first, second, method="exact").pvalue, rel=1e-9)


def test_beyond_the_exact_sizes_the_p_errs_to_the_safe_side() -> None:
    for seed in range(20):
        first, second = noise(55, 1, seed), noise(60, 1, seed + 100, level=0.4)
        exact = mannwhitneyu(first, second, method="exact").pvalue
        assert exact * 0.97 <= rank_sum_p(55, 60, excess(first, second)) <= max(exact * 3, exact + 0.01)


def test_values_that_are_all_alike_have_no_change_point() -> None:
    assert change_points([0.1] * 40, 0.0) == []
    assert rank_sum_p(5, 7, 0) == 1


@pytest.mark.parametrize("count", range(6))
def test_too_few_values_have_no_change_point(count: int) -> None:
    assert change_points([0.0, 0.0, 0.0, 1.0, 1.0, 1.0][:count], 0.0) == []


def test_a_step_is_found_where_it_is_with_its_size() -> None:
    values = [*noise(20, 0.01), *noise(10, 0.01, 2, level=0.1)]
    (found,) = change_points(values, MARGIN)
    assert found.index == 20
    assert found.shift == median(values[20:]) - median(values[:20]) == pytest.approx(0.1, abs=0.01)
    assert found.p == pytest.approx(21 * 2 / comb(26, 6))


def test_a_step_down_is_found_like_one_up() -> None:
    values = [*noise(20, 0.01), *noise(10, 0.01, 2, level=0.1)]
    (up,), (down,) = change_points(values, MARGIN), change_points([-value for value in values], MARGIN)
    assert (up.index, up.shift, up.p) == (down.index, -down.shift, down.p)


def clear_step(before: int, after: int) -> list[float]:
    return [0.001 * place for place in range(before)] + [1 + 0.001 * place for place in range(after)]


def test_fewer_values_than_are_asked_for_never_have_a_change_point() -> None:
    assert not [at for count in range(6, LEAST) for at in range(count) if change_points(clear_step(at, count - at), 0.0)]
    assert change_points(clear_step(LEAST // 2, LEAST // 2), 0.0)


@pytest.mark.parametrize("steps", [(0.1, 0.25), (0.25, 0.35), (0.3, 0.0)])
def test_two_steps_are_found_in_order(steps: tuple[float, float]) -> None:
    values = [*noise(15, 0.01), *noise(15, 0.01, 2, level=steps[0]), *noise(20, 0.01, 3, level=steps[1])]
    for found in (change_points(values, MARGIN), change_points([-value for value in values], MARGIN)):
        assert [one.index for one in found] == [15, 30]
        assert [abs(one.shift) for one in found] == pytest.approx([steps[0], abs(steps[1] - steps[0])], abs=0.01)


def test_a_change_point_that_was_seen_stays_whatever_comes_later() -> None:
    values = [*noise(15, 0.02), *noise(8, 0.02, 2, level=0.15), *noise(30, 0.02, 3)]
    seen = [{one.index for one in change_points(values[:count], MARGIN)} for count in range(len(values) + 1)]
    assert all(earlier <= later for earlier, later in pairwise(seen))
    assert seen[-1] == {15, 23}


def test_a_step_within_the_margin_is_none() -> None:
    values = [*noise(20, 0.001), *noise(20, 0.001, 2, level=0.02)]
    assert change_points(values, MARGIN) == []
    assert [one.index for one in change_points(values, log(1.01))] == [20]


def test_outliers_are_no_step() -> None:
    values = noise(30, 0.01)
    values[-2:] = [0.5, 0.6]
    values[10] = -0.7
    assert change_points(values, MARGIN) == []


def test_noise_hardly_ever_shows_a_change_point() -> None:
    # Looked at every night of thirty: once in a thousand series at most.
    found = sum(bool(change_points(noise(30, 0.05, seed), 0.0)) for seed in range(1_000))
    assert found <= 1 + 3


@pytest.mark.parametrize(("step", "sd", "within"), [(0.05, 0.02, 12), (0.10, 0.02, 6), (0.10, 0.05, 19), (0.20, 0.05, 7)])
def test_a_step_is_found_as_soon_as_the_text_says(step: float, sd: float, within: int) -> None:
    found = 0
    for seed in range(200):
        values = [*noise(30, sd, seed), *noise(within, sd, seed + 1_000, level=log(1 + step))]
        found += any(abs(one.index - 30) <= FEWEST for one in change_points(values, MARGIN))
    assert found >= 200 * 0.9 - 15
