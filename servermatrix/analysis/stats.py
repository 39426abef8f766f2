"""Statistics of paired rounds: numbers in, numbers out; it knows no server and no run, and works without numpy.

The one model behind it: per-round differences of logarithms are symmetric around the true one. Random order within a
round makes that so for equal arms, whatever the noise; nothing here assumes a normal distribution.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import accumulate
from math import ceil, exp, log
from operator import itemgetter
from string import ascii_letters

from servermatrix.model import Estimate

ALPHA = 0.05
MIN_ROUNDS = 6  # 2 / 2**5 > 0.05: with five differences even the most extreme outcome is no evidence at 5 %


def weighted_percentiles(histogram: Sequence[tuple[int, int]], qs: Iterable[float]) -> list[float]:
    """Return the percentiles `qs` (0-100) of (value, count) pairs in ascending order: the nearest rank, never between two.

    Values may repeat, so that histograms can be merged by sorting. Raises ValueError when nothing was counted.
    Source: Hyndman & Fan (1996), Sample quantiles in statistical packages, definition 1.
    """
    running = list(accumulate(map(itemgetter(1), histogram)))
    if not running or running[-1] <= 0:
        raise ValueError("a histogram without counts has no percentile")
    ranks = (max(1, ceil(q * running[-1] / 100)) for q in qs)
    return [float(histogram[bisect_left(running, rank)][0]) for rank in ranks]


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the middle two; raises ValueError when there is none."""
    if not values:
        raise ValueError("no values have no median")
    return _middle(sorted(values))


def _middle(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


@lru_cache(maxsize=512)
def subset_sums(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Count, for every sum from 0 on, the subsets of `weights` that have it.

    With weights 1..n this is the null distribution of the signed-rank statistic W+, times 2**n: each sign is a fair coin.
    Source: Wilcoxon (1945); the recursion is in Hollander, Wolfe & Chicken (2014), Nonparametric Statistical Methods, 3.1.
    """
    counts = [1]
    for weight in weights:
        gap = [0] * weight
        counts = [without + having for without, having in zip(counts + gap, gap + counts, strict=True)]
    return tuple(counts)


@lru_cache(maxsize=512)
def two_sided(weights: tuple[int, ...]) -> tuple[float, ...]:
    """Return the exact two-sided p of every value of the statistic: twice the smaller tail, at most 1."""
    counts = subset_sums(weights)
    total = 2 ** len(weights)
    below = tuple(accumulate(counts))
    return tuple(
        min(1.0, 2 * min(cumulated, total - cumulated + count) / total) for cumulated, count in zip(below, counts, strict=True)
    )


def doubled_ranks(values: Sequence[float]) -> list[int]:
    """Return twice the rank of each value, equal values sharing their mean rank: doubled, a mid-rank is a whole number."""
    ordered = sorted(values)
    return [bisect_left(ordered, value) + bisect_right(ordered, value) + 1 for value in values]


def signed_rank(differences: Sequence[float]) -> tuple[float, int]:
    """Return the exact two-sided p of the signed-rank test and the direction of the evidence (1, -1, or 0 for none).

    Zeros are dropped; ties share ranks, and p comes from the distribution given those ranks, so that it stays exact.
    Source: Wilcoxon (1945); Pratt & Gibbons (1981), Concepts of Nonparametric Theory, chapter 3, for zeros and ties.
    """
    kept = [difference for difference in differences if difference]
    ranks = doubled_ranks([abs(difference) for difference in kept])
    positive = sum(rank for rank, difference in zip(ranks, kept, strict=True) if difference > 0)
    negative = sum(ranks) - positive
    return two_sided(tuple(sorted(ranks)))[positive], (positive > negative) - (positive < negative)


def walsh_averages(differences: Sequence[float]) -> list[float]:
    """Return the means of all pairs, each value with itself included, in ascending order. Source: Walsh (1949)."""
    ordered = sorted(differences)  # so that what is left to sort comes in ascending runs
    return sorted([(left + right) / 2 for i, left in enumerate(ordered) for right in ordered[i:]])


@lru_cache(maxsize=512)
def critical(n: int, alpha: float) -> int | None:
    """Return the largest c with 2 P(W+ <= c) <= alpha, None when even c = 0 is too likely for so few differences."""
    allowed = alpha * 2**n / 2
    last = bisect_right(list(accumulate(subset_sums(tuple(range(1, n + 1))))), allowed) - 1
    return last if last >= 0 else None


def _interval(walsh: Sequence[float], n: int, alpha: float) -> tuple[float, float] | None:
    """Return the interval of all shifts that the signed-rank test would not reject, None when n is too small for one.

    Source: Tukey (1949); Hollander, Wolfe & Chicken (2014), 3.3: the (c+1)-th Walsh average from either end.
    """
    cut = critical(n, round(alpha, 12))  # 1 - 0.95 is not 0.05 in binary
    return None if cut is None else (walsh[cut], walsh[-1 - cut])


def _on_the_ratio_scale(logs: Sequence[float], alpha: float) -> Estimate:
    if len(logs) < MIN_ROUNDS:
        return Estimate(value=exp(median(logs)), low=None, high=None, n=len(logs))
    walsh = walsh_averages(logs)
    ends = _interval(walsh, len(logs), alpha)
    low, high = (exp(ends[0]), exp(ends[1])) if ends else (None, None)
    return Estimate(value=exp(_middle(walsh)), low=low, high=high, n=len(logs))


def estimate(values: Sequence[float], alpha: float = ALPHA) -> Estimate:
    """Return the Hodges-Lehmann estimate of the logarithms with its exact interval, on the scale of the values.

    The interval has a confidence of 1 - `alpha`; there is none where the values are too few for it. Under six values, or where
    one has no logarithm (a CPU time below the clock's tick is 0), the estimate is the bare median.
    Source: Hodges & Lehmann (1963), Estimates of location based on rank tests: the median of the Walsh averages.
    """
    if len(values) < MIN_ROUNDS or min(values) <= 0:
        return Estimate(value=median(values), low=None, high=None, n=len(values))
    return _on_the_ratio_scale([log(value) for value in values], alpha)


def ratio(xs: Sequence[float], ys: Sequence[float], alpha: float = ALPHA) -> Estimate:
    """Return x over y from paired rounds: the Hodges-Lehmann estimate of ln x - ln y and its exact interval, exp'd.

    The interval has a confidence of 1 - `alpha`. Under six rounds it is the bare median ratio. Raises ValueError for values
    that are not positive or not paired.
    Source: Kalibera & Jones (2013) for reporting ratios with intervals; Hodges & Lehmann (1963) for the estimate.
    """
    return _on_the_ratio_scale([log(x) - log(y) for x, y in zip(xs, ys, strict=True)], alpha)


def holm(ps: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for all of them being looked at, in the order given.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    adjusted = [0.0] * len(ps)
    worst = 0.0
    for done, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        worst = max(worst, min(1.0, (len(ps) - done) * ps[index]))
        adjusted[index] = worst
    return adjusted


def letters(order: Sequence[Hashable], different: AbstractSet[tuple[Hashable, Hashable]]) -> list[str]:
    """Return the letters of each name in `order`: two names share a letter exactly when they are not `different`.

    The compact letter display of Piepho (2004), found by growing cliques of names that are alike: insert-and-absorb, the
    algorithm of that paper, can need exponentially many letters where many names are nearly equal.
    Source: Gramm et al. (2007), Algorithms for compact letter displays: comparison and evaluation.
    """
    groups = _groups(_alike(order, different))
    names = [ascii_letters[i % 52] + (str(i // 52) if i >= len(ascii_letters) else "") for i in range(len(groups))]
    return ["".join(name for name, group in zip(names, groups, strict=True) if i in group) for i in range(len(order))]


def _alike(order: Sequence[Hashable], different: AbstractSet[tuple[Hashable, Hashable]]) -> list[int]:
    """Return for each name the set, as bits, of those it may share a letter with, itself included."""
    place = {name: i for i, name in enumerate(order)}
    alike = [(1 << len(order)) - 1] * len(order)
    for one, other in different:
        alike[place[one]] &= ~(1 << place[other])
        alike[place[other]] &= ~(1 << place[one])
    return alike


def _groups(alike: Sequence[int]) -> list[list[int]]:
    """Return cliques, each as large as it gets, until every pair that is alike is within one."""
    covered = [0] * len(alike)
    groups = []
    for i, others in enumerate(alike):
        while missing := (others & ~covered[i]) >> i:
            group = _grown(alike, i, i + missing.bit_length() - 1)
            groups.append(group)
            bits = sum(1 << member for member in group)
            for member in group:
                covered[member] |= bits
    return sorted(groups)


def _grown(alike: Sequence[int], one: int, other: int) -> list[int]:
    group = {one, other}
    candidates = alike[one] & alike[other] & ~(1 << one) & ~(1 << other)
    while candidates:
        member = (candidates & -candidates).bit_length() - 1
        group.add(member)
        candidates &= alike[member] & ~(1 << member)
    return sorted(group)


def rank_intervals(k: int, better: AbstractSet[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return for each of `k` rows the ranks it may have: 1 + the number shown better to `k` - the number shown worse.

    `better` holds (i, j) for "row i was shown to be better than row j".
    Source: Al Mohamad, Goeman & van Zwet (2022), Simultaneous confidence intervals for ranks with application to ranking
    institutions: with Holm's family-wise level the intervals hold together.
    """
    above, below = [0] * k, [0] * k
    for winner, loser in better:
        above[loser] += 1
        below[winner] += 1
    return [(1 + above[i], k - below[i]) for i in range(k)]


def rounds_needed(comparisons: int, alpha: float = ALPHA) -> int:
    """Return the fewest rounds with which the clearest outcome, 2 / 2**n, could pass Holm's first level; at least 6."""
    rounds = MIN_ROUNDS
    while 2 * comparisons > alpha * 2**rounds:
        rounds += 1
    return rounds
