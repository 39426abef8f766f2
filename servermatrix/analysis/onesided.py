"""One-sided tests of whether paired differences lie beyond a margin: numbers in, numbers out; it knows no server and no run.

As in stats.py nothing is assumed but that differences are symmetric around the true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from servermatrix.analysis.stats import critical, doubled_ranks, subset_sums, walsh_averages

DECIMALS = 12  # logarithms of equal ratios differ in their last bit, and a tie must not depend on that


def p_above(differences: Sequence[float], margin: float) -> float:
    """Return the exact one-sided p of "the differences are centred at `margin` or below": small where they lie above it.

    What is exactly at the margin is dropped; ties share ranks, and p comes from the distribution given those ranks, so that it
    stays exact. Without differences it is 1.
    Source: Wilcoxon (1945); Pratt & Gibbons (1981), Concepts of Nonparametric Theory, chapter 3, for zeros and ties; Hollander,
    Wolfe & Chicken (2014), 3.1, for shifting the differences by what the hypothesis says.
    """
    kept = [shifted for one in differences if (shifted := round(one - margin, DECIMALS))]
    ranks = doubled_ranks([abs(one) for one in kept])
    positive = sum(rank for rank, one in zip(ranks, kept, strict=True) if one > 0)
    return _upper_tails(tuple(sorted(ranks)))[positive]


@lru_cache(maxsize=512)
def _upper_tails(weights: tuple[int, ...]) -> tuple[float, ...]:
    """Return for every value of the statistic how likely it, or a larger one, is when each sign is a fair coin."""
    counts, total = subset_sums(weights), 2 ** len(weights)
    return tuple((total - below + count) / total for below, count in zip(accumulate(counts), counts, strict=True))


def half_width(differences: Sequence[float], alpha: float, rounds: int = 0) -> float | None:
    """Return half the width of the interval that the one-sided test at `alpha` leaves on either side; None for too few.

    Differences whose true centre is so far above a margin are shown to be above it about every second time. With `rounds` it is
    that of so many rounds of the same spread: the Walsh averages of few rounds are spread as those of many are, so that the end
    is where it would be, by its share of them, on a line between the two nearest.
    Source: Tukey (1949); Hollander, Wolfe & Chicken (2014), 3.3: the (c+1)-th Walsh average from either end.
    """
    n = rounds or len(differences)
    cut = critical(n, round(2 * alpha, DECIMALS)) if differences and n else None
    if cut is None:
        return None
    walsh = walsh_averages(differences)
    place = cut * (len(walsh) - 1) / max(1, n * (n + 1) // 2 - 1)
    near = min(int(place), len(walsh) // 2)
    part = place - near
    low, high = ((1 - part) * each[near] + part * each[min(near + 1, len(walsh) - 1)] for each in (walsh, walsh[::-1]))
    return (high - low) / 2
