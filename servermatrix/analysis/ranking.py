"""Rows against rows: which is better than which, ranks, letters and ratios; it reads no sample and writes no sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import exp, isnan, log, nan
from typing import TYPE_CHECKING

from servermatrix.analysis.claims import Adjust, Looks, claimed, up_to
from servermatrix.analysis.pairs import all_pairs, centres, common_rounds, detectable_ratio, pair_differences
from servermatrix.analysis.stats import letters, rank_intervals, ratio
from servermatrix.analysis.summarise import Row
from servermatrix.model import UNRANKED, Estimate, Ranking

if TYPE_CHECKING:
    from servermatrix.analysis.pairs import Differences

Series = Mapping[str, Mapping[int, float]]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What all pairs of some rows showed: (one, other) in `better` says that the first was shown to serve more.

    `withheld` are pairs that the tests alone tell apart, but not by more than a cell differs from itself. `comparisons` counts
    the pairs of Holm's family. `rounds` is the largest number of rounds that two rows have in common up to the last look,
    `detectable` the ratio of pairs.detectable_ratio there.
    """

    better: frozenset[Pair] = frozenset()
    withheld: frozenset[Pair] = frozenset()
    comparisons: int = 0
    rounds: int = 0
    detectable: float | None = None
    widest: float | None = None


def contest(
    series: Series,
    looks: Looks | None = None,
    *,
    floor: float = 1.0,
    shown: Collection[str] | None = None,
    adjust: Adjust | None = None,
) -> Contest:
    """Compare positive values by round, every pair on the rounds it has in common, corrected for all pairs together.

    A pair with fewer than 6 common rounds is never better or worse: no outcome of 5 signs is rare enough. Nor is one whose
    ratio is within the `floor`. The result is about the rows that are `shown`, None: all of them.
    """
    looks, names = looks or Looks(), list(series)
    pairs = [(names[i], names[j]) for i, j in all_pairs(len(names))]
    rounds = sorted(set().union(*series.values()))
    if not pairs or not rounds or not looks.taken:
        return Contest(comparisons=len(pairs))
    differences = pair_differences([[log(one[number]) if number in one else nan for number in rounds] for one in series.values()])
    ways = claimed(differences, rounds, [looks.end(*pair) for pair in pairs], looks, adjust)
    about = [shown is None or (one in shown and other in shown) for one, other in pairs]
    told = [index for index, way in enumerate(ways) if way and about[index]]
    far = beyond(differences[told], [ways[index] for index in told], floor)
    winners = [pairs[index] if ways[index] > 0 else pairs[index][::-1] for index in told]
    better = frozenset(pair for pair, enough in zip(winners, far, strict=True) if enough)
    last = looks.taken[-1]
    seen = up_to(last, differences[about], rounds)
    return Contest(
        better=better,
        withheld=frozenset(winners) - better,
        comparisons=len(pairs),
        rounds=max(common_rounds(seen), default=0),
        detectable=detectable_ratio(seen, last.alpha, len(pairs)),
        widest=None if better or floor <= 1 else _widest(differences[about]),
    )


def _widest(differences: Differences) -> float | None:
    sizes = [abs(centre) for centre in centres(differences) if not isnan(centre)]
    return exp(max(sizes)) if sizes else None


def beyond(differences: Differences, ways: Sequence[int], floor: float) -> list[bool]:
    """Tell of claims, by the directions claimed, which are of differences above the floor in all rounds together.

    A claim of an early look that later rounds do not bear out is not.
    """
    return [way * centre > log(floor) for way, centre in zip(ways, centres(differences), strict=True)]


def rankings(order: Sequence[str], better: Collection[Pair]) -> list[Ranking]:
    """Return rank interval and letters of the rows in `order`, which is that of the table; what others showed is left out."""
    place = {name: i for i, name in enumerate(order)}
    inside = {(place[one], place[other]) for one, other in better if one in place and other in place}
    groups, ranks = letters(range(len(order)), inside), rank_intervals(len(order), inside)
    return [Ranking(rank=rank, group=group) for rank, group in zip(ranks, groups, strict=True)]


def is_rankable(row: Row) -> bool:
    """Tell whether the row was measured and no flag takes it out of the ranking."""
    return row.summary.status == "measured" and UNRANKED.isdisjoint(row.summary.flags)


def ratio_to(row: Row, reference: Row, looks: Looks | None = None, comparisons: int = 1) -> Estimate | None:
    """Return requests per second of `row` over `reference` on their common rounds, None when they have none.

    A row is exactly 1 times itself. Intervals of as many pairs as there are `comparisons` hold all at once (Boole's inequality),
    so that of a pair that was chosen by the result holds as well as one that was chosen beforehand.
    """
    if row.id == reference.id:
        return Estimate(value=1.0, low=1.0, high=1.0, n=row.summary.rounds_ok)
    common = sorted(row.rps.keys() & reference.rps.keys())
    if not common:
        return None
    alpha = (looks or Looks()).alpha(row.id, reference.id)
    return ratio([row.rps[number] for number in common], [reference.rps[number] for number in common], alpha / comparisons)
