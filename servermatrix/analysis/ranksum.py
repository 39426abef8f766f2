"""Statistics of two unpaired series: numbers in, numbers out; it knows no server and no run, and works without numpy.

The one model behind it: the two series differ by a shift of their logarithms and in nothing else. Then every way to deal the
values out to the two sides is as likely as any other once the shift is taken off, whatever the noise; nothing here assumes a
normal distribution. What it cannot see is what has changed for all of a series at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from math import comb, erfc, floor, gcd, sqrt
from statistics import NormalDist, fmean

from servermatrix.analysis.stats import MIN_ROUNDS, doubled_ranks, median

EXACT = 120  # values of both sides: beyond, counting takes seconds, and tells nothing that the normal distribution does not
_DECIMALS = 12  # logarithms of equal ratios differ in their last bit, and a tie must not depend on units


def above(higher: Sequence[float], lower: Sequence[float], margin: float = 0.0) -> float:
    """Return the one-sided p of "`higher` is not more than `margin` above `lower`" by the rank-sum test.

    Ties share ranks, and p comes from the distribution given those ranks, so that it stays exact; for more than EXACT values it
    is the normal approximation, whose tails are the heavier ones. 1 where a side is empty.
    Source: Wilcoxon (1945); Mann & Whitney (1947); Hollander, Wolfe & Chicken (2014), Nonparametric Statistical Methods, 4.1.
    """
    if not higher or not lower:
        return 1.0
    ranks = doubled_ranks([round(value, _DECIMALS) for value in (*higher, *(value + margin for value in lower))])
    unit = gcd(*ranks)  # without ties all are even, and a sum of plain ranks is found in half the time
    seen, small = sum(ranks[: len(higher)]) // unit, tuple(sorted(rank // unit for rank in ranks))
    return _exact_tail(small, len(higher))[seen] if len(ranks) <= EXACT else _normal_tail(small, len(higher), seen)


@lru_cache(maxsize=64)
def _exact_tail(ranks: tuple[int, ...], size: int) -> tuple[float, ...]:
    """Return for every sum the share of the subsets of `ranks` of that size that have it or more."""
    counts = sums_of(ranks, size)
    total = comb(len(ranks), size)
    return tuple((total - less) / total for less in accumulate(counts[:-1], initial=0))


def _normal_tail(ranks: Sequence[int], size: int, seen: int) -> float:
    """Return the chance of such a sum or more by its mean and variance, which hold with ties as well."""
    n, middle = len(ranks), fmean(ranks)
    variance = size * (n - size) / (n - 1) * fmean((rank - middle) ** 2 for rank in ranks)
    return erfc((seen - 0.5 - size * middle) / sqrt(2 * variance)) / 2 if variance else 1.0


@lru_cache(maxsize=64)
def sums_of(ranks: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Count, for every sum from 0 on, the subsets of `ranks` that have it and so many members.

    The counts by sum are the coefficients of a polynomial, and one large whole number holds them all, at a fixed distance.
    Source: Streitberg & Roehmel (1986), Exact distributions for permutation and rank tests; the packing is Kronecker's.
    """
    width = len(ranks) // 8 + 1  # bytes: no count reaches 2 ** len(ranks)
    packed = [1] + [0] * size
    for done, rank in enumerate(ranks):
        for members in range(min(size, done + 1), 0, -1):
            packed[members] += packed[members - 1] << (8 * width * rank)
    length = sum(ranks[-size:]) + 1 if size else 1
    data = packed[size].to_bytes(length * width, "little")
    return tuple(int.from_bytes(data[start : start + width], "little") for start in range(0, len(data), width))


def shift(xs: Sequence[float], ys: Sequence[float], alpha: float) -> tuple[float, float, float] | None:
    """Return how far `ys` lie above `xs`, and the interval of all shifts that a two-sided rank-sum test would not reject.

    The estimate is the median of all differences; the interval has a confidence of at least 1 - `alpha`. None where there are
    too few values for one.
    Source: Hodges & Lehmann (1963); Moses (1953) for the interval; Hollander, Wolfe & Chicken (2014), 4.2 and 4.3.
    """
    cut = critical(len(xs), len(ys), alpha)
    if cut is None:
        return None
    differences = sorted(round(y - x, _DECIMALS) for x in xs for y in ys)
    return median(differences), differences[cut], differences[-1 - cut]


@lru_cache(maxsize=512)
def critical(m: int, n: int, alpha: float) -> int | None:
    """Return the largest c with 2 P(U <= c) <= alpha for series of m and n, None when even c = 0 is too likely for so few."""
    if not m or not n:
        return None
    if m + n > EXACT:
        last = floor(m * n / 2 - 0.5 + NormalDist().inv_cdf(alpha / 2) * sqrt(m * n * (m + n + 1) / 12))
    else:
        counts = sums_of(tuple(range(1, m + n + 1)), n)[n * (n + 1) // 2 :]
        last = bisect_right(list(accumulate(counts)), alpha * comb(m + n, n) / 2) - 1
    return last if last >= 0 else None


def rounds_needed(hypotheses: int, alpha: float) -> int:
    """Return the fewest rounds a side with which the clearest outcome could pass Holm's first level; at least 6."""
    rounds = MIN_ROUNDS
    while hypotheses > alpha * comb(2 * rounds, rounds):
        rounds += 1
    return rounds
