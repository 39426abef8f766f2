"""The paired statistics of stats.py for all pairs of a table at once; needs numpy, and imports it only when called.

`differences` is an array of pairs x rounds, NaN where a round is missing on either side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp
from typing import TYPE_CHECKING

from servermatrix.analysis.stats import ALPHA, critical, median, signed_rank, two_sided

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Differences = NDArray[np.float64]

_CHUNK = 1_000_000  # Walsh averages held at once: a table of 1,000 rows has half a million pairs


def all_pairs(k: int) -> list[tuple[int, int]]:
    """Return the pairs of `k` rows in the order in which `pair_differences` has them."""
    return [(i, j) for i in range(k) for j in range(i + 1, k)]


def pair_differences(logs: Sequence[Sequence[float]]) -> Differences:
    """Return row i minus row j for all pairs i < j of `logs` (rows x rounds, NaN where a row has no such round).

    Rounded to 12 decimals: logarithms of equal ratios differ in their last bit, and what is a tie must not depend on units.
    """
    import numpy as np  # noqa: PLC0415 - not in memory while measuring

    table = np.array(logs, dtype=np.float64)
    left, right = np.triu_indices(len(logs), 1)
    return np.round(table[left] - table[right], 12)


def common_rounds(differences: Differences) -> list[int]:
    """Return how many rounds the two sides of each pair have in common."""
    import numpy as np  # noqa: PLC0415 - not in memory while measuring

    return [int(count) for count in np.count_nonzero(~np.isnan(differences), axis=1)]


def _by_rounds(differences: Differences) -> Iterator[tuple[NDArray[np.intp], Differences]]:
    """Yield (indices, differences without gaps) for pairs of equally many common rounds, fewest first."""
    import numpy as np  # noqa: PLC0415 - not in memory while measuring

    there = ~np.isnan(differences)
    counts = there.sum(axis=1)
    for n in np.unique(counts[counts > 0]):
        for part in np.array_split(chosen := np.flatnonzero(counts == n), len(chosen) * n * (n + 1) // 2 // _CHUNK + 1):
            yield part, differences[part][there[part]].reshape(-1, int(n))


def signed_ranks(differences: Differences) -> list[tuple[float, int]]:
    """Return for every pair what `stats.signed_rank` returns for one: exact p and direction; (1, 0) without rounds."""
    results = [(1.0, 0)] * len(differences)
    for part, complete in _by_rounds(differences):
        for index, result in zip(part.tolist(), _complete_signed_ranks(complete), strict=True):
            results[index] = result
    return results


def _complete_signed_ranks(differences: Differences) -> list[tuple[float, int]]:
    import numpy as np  # noqa: PLC0415 - not in memory while measuring

    n = differences.shape[1]
    order = np.argsort(np.abs(differences), axis=1)
    ordered = np.take_along_axis(differences, order, axis=1)
    sizes = np.abs(ordered)
    tied = (sizes[:, 0] == 0) | (sizes[:, 1:] == sizes[:, :-1]).any(axis=1)
    statistics = ((ordered > 0) @ np.arange(1, n + 1)).tolist()
    table, half = two_sided(tuple(range(1, n + 1))), n * (n + 1) / 4
    results = [(table[w], (w > half) - (w < half)) for w in statistics]
    for index in np.flatnonzero(tied).tolist():
        results[index] = signed_rank(differences[index].tolist())
    return results


def detectable_ratio(differences: Differences, alpha: float = ALPHA) -> float | None:
    """Return the smallest ratio above 1 that a table could have seen: exp(half-width) of the median pair's interval.

    The interval of a pair is the signed-rank one at `alpha` / pairs, Holm's first level. It excludes 1 when the measured ratio
    is further from 1 than the half-width, so a pair whose true ratio is the one returned is told apart about every second time
    by the first step of Holm (the later steps are easier). None when no pair has the common rounds that such an interval
    needs: then no difference could have been seen. Source: half-width of the interval in stats.signed_rank_interval.
    """
    widths = [width for _, part in _by_rounds(differences) for width in _half_widths(part, len(differences), alpha)]
    return exp(median(widths)) if widths else None


def _half_widths(differences: Differences, comparisons: int, alpha: float) -> list[float]:
    import numpy as np  # noqa: PLC0415 - not in memory while measuring

    n = differences.shape[1]
    cut = critical(n, alpha / comparisons)
    if cut is None:
        return []
    left, right = np.triu_indices(n)
    walsh = (differences[:, left] + differences[:, right]) / 2
    low, high = cut, len(left) - 1 - cut
    ends = np.partition(walsh, (low, high), axis=1)
    widths: list[float] = ((ends[:, high] - ends[:, low]) / 2).tolist()
    return widths
