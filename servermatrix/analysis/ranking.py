"""Rows against rows: which is better than which, ranks, letters and ratios; it reads no sample and writes no sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log, nan

from servermatrix.analysis.pairs import all_pairs, common_rounds, detectable_ratio, pair_differences, signed_ranks
from servermatrix.analysis.stats import ALPHA, holm, letters, rank_intervals, ratio
from servermatrix.analysis.summarise import Row
from servermatrix.model import UNRANKED, Estimate, Ranking


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What all pairs of some rows showed: (i, j) in `better` says that row i was shown to serve more than row j.

    `rounds` is the largest number of rounds that a pair has in common; `detectable` is the ratio of pairs.detectable_ratio.
    """

    better: frozenset[tuple[int, int]] = frozenset()
    rounds: int = 0
    detectable: float | None = None


def contest(series: Sequence[Mapping[int, float]], adjust: Callable[[Sequence[float]], list[float]] = holm) -> Contest:
    """Compare positive values by round, every pair on the rounds it has in common, `adjust`ed for all pairs together.

    A pair with fewer than 6 common rounds is never better or worse: no outcome of 5 signs is rare enough.
    """
    if len(series) < 2:  # noqa: PLR2004 - a pair takes two
        return Contest()
    rounds = sorted(set().union(*series))
    differences = pair_differences([[log(one[number]) if number in one else nan for number in rounds] for one in series])
    tests = signed_ranks(differences)
    adjusted = adjust([p for p, _ in tests])
    better = frozenset(
        (i, j) if direction > 0 else (j, i)
        for (i, j), (_, direction), p in zip(all_pairs(len(series)), tests, adjusted, strict=True)
        if p <= ALPHA
    )
    return Contest(better=better, rounds=max(common_rounds(differences)), detectable=detectable_ratio(differences))


def rankings(count: int, better: frozenset[tuple[int, int]]) -> list[Ranking]:
    """Return rank interval and letters of `count` rows, which are in the order of the table."""
    groups = letters(range(count), better)
    return [Ranking(rank=rank, group=group) for rank, group in zip(rank_intervals(count, better), groups, strict=True)]


def is_rankable(row: Row) -> bool:
    """Tell whether no flag takes the row out of the ranking."""
    return UNRANKED.isdisjoint(row.summary.flags)


def ratio_to(row: Row, reference: Row) -> Estimate | None:
    """Return requests per second of `row` over `reference` on their common rounds, None when they have none.

    A row is exactly 1 times itself.
    """
    if row.id == reference.id:
        return Estimate(value=1.0, low=1.0, high=1.0, n=row.summary.rounds_ok)
    common = sorted(row.rps.keys() & reference.rps.keys())
    return ratio([row.rps[number] for number in common], [reference.rps[number] for number in common]) if common else None
