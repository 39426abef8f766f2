"""What must hold of the statistics for every input."""

from __future__ import annotations

from itertools import combinations
from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from servermatrix.analysis import pairs, stats
from servermatrix.analysis.ranking import contest

finite = st.floats(-1e3, 1e3)
coarse = st.integers(-3, 3).map(float)
rates = st.floats(1, 1e6)
paired = st.lists(st.tuples(rates, rates), min_size=1, max_size=15)
two_series = st.lists(st.tuples(rates, rates), min_size=6, max_size=15)


@st.composite
def relations(draw: st.DrawFn) -> tuple[int, set[tuple[int, int]]]:
    count = draw(st.integers(1, 12))
    return count, {pair for pair in combinations(range(count), 2) if draw(st.booleans())}


@given(paired)
def test_swapping_the_sides_inverts_the_ratio_and_its_interval(rounds: list[tuple[float, float]]) -> None:
    xs, ys = zip(*rounds, strict=True)
    there, back = stats.ratio(xs, ys), stats.ratio(ys, xs)
    assert isclose(there.value * back.value, 1, rel_tol=1e-9)
    assert (there.low is None) == (back.high is None) == (len(rounds) < stats.MIN_ROUNDS)
    if there.low is not None and back.high is not None and there.high is not None and back.low is not None:
        assert isclose(there.low * back.high, 1, rel_tol=1e-9)
        assert isclose(there.high * back.low, 1, rel_tol=1e-9)


@given(two_series)
def test_swapping_the_sides_mirrors_the_verdict(rounds: list[tuple[float, float]]) -> None:
    one, other = (dict(enumerate(side)) for side in zip(*rounds, strict=True))
    there, back = contest({"one": one, "other": other}), contest({"other": other, "one": one})
    assert there == back


@given(two_series, st.floats(0.01, 100))
def test_the_unit_of_the_rates_does_not_matter(rounds: list[tuple[float, float]], unit: float) -> None:
    xs, ys = zip(*rounds, strict=True)
    plain, scaled = stats.ratio(xs, ys), stats.ratio([x * unit for x in xs], [y * unit for y in ys])
    assert isclose(plain.value, scaled.value, rel_tol=1e-9)
    assert isclose(stats.estimate(xs).value * unit, stats.estimate([x * unit for x in xs]).value, rel_tol=1e-9)


@given(st.lists(finite | coarse, max_size=14))
def test_p_is_a_probability_and_blind_to_the_order_and_the_sides(differences: list[float]) -> None:
    p, direction = stats.signed_rank(differences)
    assert 0 < p <= 1
    assert stats.signed_rank(sorted(differences)) == (p, direction)
    assert stats.signed_rank([-difference for difference in differences]) == (p, -direction)


@given(st.lists(st.lists(coarse | finite, min_size=8, max_size=8), min_size=1, max_size=6))
def test_many_at_once_are_as_each_alone(rows: list[list[float]]) -> None:
    differences = pairs.pair_differences(rows)
    assert pairs.signed_ranks(differences) == [stats.signed_rank(row) for row in differences.tolist()]


@given(st.lists(rates, min_size=6, max_size=14))
def test_the_estimate_lies_in_its_interval_and_the_interval_in_the_data(values: list[float]) -> None:
    shown = stats.estimate(values)
    assert shown.low is not None
    assert shown.high is not None
    assert shown.low <= shown.value <= shown.high
    assert min(values) <= shown.low * (1 + 1e-9)
    assert shown.high <= max(values) * (1 + 1e-9)


@given(st.lists(rates, min_size=6, max_size=14), st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_more_confidence_never_gives_a_narrower_interval(values: list[float], one: float, other: float) -> None:
    wide, narrow = stats.estimate(values, min(one, other)), stats.estimate(values, max(one, other))
    if wide.low is not None and wide.high is not None:
        assert narrow.low is not None
        assert narrow.high is not None
        assert wide.low <= narrow.low
        assert narrow.high <= wide.high


@given(st.lists(st.floats(0, 1), max_size=40))
def test_holm_never_lowers_a_p_and_keeps_their_order(ps: list[float]) -> None:
    adjusted = stats.holm(ps)
    assert all(before <= after <= 1 for before, after in zip(ps, adjusted, strict=True))
    order = sorted(range(len(ps)), key=ps.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)


@given(relations())
def test_rows_share_a_letter_exactly_when_they_are_not_different(relation: tuple[int, set[tuple[int, int]]]) -> None:
    count, different = relation
    groups = [set(group) for group in stats.letters(range(count), different)]
    assert all(groups)
    assert {(i, j) for i, j in combinations(range(count), 2) if not groups[i] & groups[j]} == different


@given(relations())
def test_rank_intervals_hold_every_order_that_respects_what_was_shown(relation: tuple[int, set[tuple[int, int]]]) -> None:
    count, better = relation
    ranks = stats.rank_intervals(count, better)
    assert all(low <= place <= high for place, (low, high) in enumerate(ranks, 1))


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 1000)), min_size=1, max_size=30), st.floats(0, 100))
def test_a_percentile_is_a_value_that_was_seen_and_rises_with_q(histogram: list[tuple[int, int]], q: float) -> None:
    ascending = sorted(histogram)
    value, later = stats.weighted_percentiles(ascending, (q, min(100, q + 5)))
    assert value in {us for us, _ in histogram}
    assert value <= later
