"""Many comparisons: Holm, letters, rank intervals and all pairs at once, against the libraries that others trust."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations
from math import exp, log, nan, sqrt
from random import Random

import numpy as np
import pytest
import scikit_posthocs
from statsmodels.stats.multitest import multipletests

from servermatrix.analysis import pairs, stats


def seeded(seed: object) -> Random:
    return Random(str(seed))  # noqa: S311 - reproducible, not secret


def normal(seed: object, n: int, centre: float = 0.0) -> list[float]:
    source = seeded(seed)
    return [source.gauss(centre, 1) for _ in range(n)]


# many comparisons


@pytest.mark.parametrize("count", [1, 2, 10, 66])
def test_holm_is_that_of_statsmodels(count: int) -> None:
    source = seeded(count)
    ps = [source.random() ** 4 for _ in range(count)]
    assert stats.holm(ps) == pytest.approx(multipletests(ps, method="holm")[1].tolist())


def test_holm_of_no_comparison_is_empty() -> None:
    assert stats.holm([]) == []


@pytest.mark.parametrize(("comparisons", "rounds"), [(0, 6), (1, 6), (10, 9), (24, 10), (28, 11), (66, 12), (276, 14)])
def test_the_rounds_needed_are_those_after_which_holm_can_reject(comparisons: int, rounds: int) -> None:
    assert stats.rounds_needed(comparisons) == rounds


@pytest.mark.parametrize("comparisons", [1, 3, 28, 276])
def test_one_round_less_than_needed_shows_nothing_however_clear(comparisons: int) -> None:
    rounds = stats.rounds_needed(comparisons)
    clearest = {n: stats.holm([2 / 2**n] * comparisons)[0] for n in (rounds - 1, rounds)}
    assert clearest[rounds] <= 0.05 < clearest[rounds - 1]


# letters and ranks


def sharing(groups: list[set[str]]) -> set[tuple[int, int]]:
    return {(i, j) for i, j in combinations(range(len(groups)), 2) if groups[i] & groups[j]}


def test_letters_run_down_the_table_and_overlap_where_rows_cannot_be_told_apart() -> None:
    assert stats.letters("ABCD", {("A", "C"), ("A", "D"), ("B", "D")}) == ["a", "ab", "bc", "c"]


@pytest.mark.parametrize(
    ("different", "expected"), [(set(), ["a", "a", "a"]), ({("A", "B"), ("A", "C"), ("C", "B")}, ["a", "b", "c"])]
)
def test_letters_of_all_alike_and_of_all_different(different: set[tuple[str, str]], expected: list[str]) -> None:
    assert stats.letters("ABC", different) == expected


def test_no_rows_have_no_letters() -> None:
    assert stats.letters([], set()) == []


@pytest.mark.parametrize("seed", range(40))
def test_letters_say_the_same_as_those_of_scikit_posthocs_with_no_more_groups(seed: int) -> None:
    source = seeded(seed)
    count = source.randint(2, 9)
    different = {pair for pair in combinations(range(count), 2) if source.random() < 0.4}
    ps = np.ones((count, count))
    for i, j in different:
        ps[i, j] = ps[j, i] = 0.001
    theirs = [set(group.replace(" ", "")) for group in scikit_posthocs.compact_letter_display(ps)]
    ours = [set(group) for group in stats.letters(range(count), different)]
    assert sharing(ours) == sharing(theirs) == set(combinations(range(count), 2)) - different
    assert len(set().union(*ours)) <= len(set().union(*theirs))


def test_the_letters_after_z_and_capital_z_are_numbered() -> None:
    groups = stats.letters(range(60), set(combinations(range(60), 2)))
    assert (groups[25], groups[26], groups[51], groups[52], groups[59]) == ("z", "A", "Z", "a1", "h1")


def test_two_hundred_rows_of_which_many_are_nearly_equal_get_letters_at_once() -> None:
    source = seeded(1)
    places = [source.gauss(0, 1) for _ in range(200)]
    different = {(i, j) for i, j in combinations(range(200), 2) if abs(places[i] - places[j]) + source.gauss(0, 0.3) > 1}
    groups = [set(re.findall(r"\D\d*", group)) for group in stats.letters(range(200), different)]
    assert sharing(groups) == set(combinations(range(200), 2)) - different


def test_a_rank_interval_counts_those_shown_better_and_those_shown_worse() -> None:
    assert stats.rank_intervals(4, {(0, 2), (0, 3), (1, 3)}) == [(1, 2), (1, 3), (2, 4), (3, 4)]


def test_without_evidence_every_rank_is_possible() -> None:
    assert stats.rank_intervals(3, set()) == [(1, 3)] * 3


# all pairs at once


def test_differences_come_in_the_order_of_the_pairs() -> None:
    differences = pairs.pair_differences([[1.0], [10.0], [100.0]])
    assert [row[0] for row in differences.tolist()] == [-9.0, -99.0, -90.0]
    assert pairs.all_pairs(3) == [(0, 1), (0, 2), (1, 2)]


def test_all_pairs_at_once_give_what_each_gives_alone_with_gaps_ties_and_zeros() -> None:
    source = seeded(3)
    rows = [[float(source.randint(0, 6)) if number % 2 else source.gauss(0, 1) for _ in range(12)] for number in range(14)]
    rows = [[nan if source.random() < 0.15 else value for value in row] for row in rows]
    differences = pairs.pair_differences(rows)
    alone = [stats.signed_rank([value for value in row if value == value]) for row in differences.tolist()]  # noqa: PLR0124 - nan
    assert pairs.signed_ranks(differences) == alone


def test_pairs_without_a_common_round_show_nothing() -> None:
    differences = pairs.pair_differences([[1.0, nan], [nan, 2.0]])
    assert pairs.common_rounds(differences) == [0]
    assert pairs.signed_ranks(differences) == [(1.0, 0)]
    assert pairs.detectable_ratio(differences) is None


def half_width(logarithms: Sequence[float], alpha: float) -> float:
    """Return by which factor the interval that is shown goes up and down, where it does so alike."""
    shown = stats.estimate([exp(each) for each in logarithms], alpha)
    assert shown.low is not None
    assert shown.high is not None
    return sqrt(shown.high / shown.low)


def test_the_detectable_ratio_of_one_comparison_is_the_half_width_of_its_interval() -> None:
    differences = normal("detect", 9)
    found = pairs.detectable_ratio(np.array([differences]))
    assert found == pytest.approx(half_width(differences, 0.05))


def test_the_detectable_ratio_goes_by_holms_first_level_where_the_rounds_allow_it() -> None:
    many = np.array([normal(f"row/{row}", 12) for row in range(10)])
    strict = [half_width(row.tolist(), 0.05 / 10) for row in many]
    assert pairs.detectable_ratio(many) == pytest.approx(exp(stats.median([log(each) for each in strict])))


def test_rounds_too_few_for_holm_could_have_seen_no_difference_however_large() -> None:
    """Was a bug: the report named a smallest difference beside the sentence that none could be confirmed."""
    many = np.array([normal(f"row/{row}", 6) for row in range(10)])
    assert pairs.detectable_ratio(many) is None
    assert pairs.detectable_ratio(many[:1]) is not None


def test_five_rounds_can_detect_nothing() -> None:
    assert pairs.detectable_ratio(np.array([normal("five", 5)])) is None


def test_a_true_ratio_of_the_detectable_size_is_seen_about_every_second_time() -> None:
    seen = []
    for seed in range(400):
        noise = [0.1 * value for value in normal(f"power/{seed}", 10)]
        found = pairs.detectable_ratio(np.array([noise]))
        assert found is not None
        seen.append(stats.signed_rank([value + log(found) for value in noise])[0] <= 0.05)
    assert 0.4 < sum(seen) / len(seen) < 0.6


def test_neither_statistics_nor_the_analysis_load_numpy_before_they_compare() -> None:
    code = "import sys, servermatrix.analysis.analyse; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
