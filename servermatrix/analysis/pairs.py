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
    """Return row i minus row j for all pairs i < j of `logs` (rows x rounds, NaN where a row has no such round)."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    return _rounded(np.array(logs, dtype=np.float64), *np.triu_indices(len(logs), 1))


def effect_differences(
    logs: Sequence[Sequence[float]], effects: Sequence[tuple[int, int]], both: Sequence[tuple[int, int]]
) -> Differences:
    """Return row i minus row j of `logs` for all (i, j) of `effects`, then effect k minus effect l for all (k, l) of `both`."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    found = _rounded(np.array(logs, dtype=np.float64), *np.array(effects, dtype=np.intp).reshape(-1, 2).T)
    return np.concatenate([found, _rounded(found, *np.array(both, dtype=np.intp).reshape(-1, 2).T)])


def _rounded(table: Differences, left: NDArray[np.intp], right: NDArray[np.intp]) -> Differences:
    """Subtract rows, to 12 decimals: logarithms of equal ratios differ in their last bit, and a tie must not depend on units."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    return np.round(table[left] - table[right], 12)


def common_rounds(differences: Differences) -> list[int]:
    """Return how many rounds the two sides of each pair have in common."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    return [int(count) for count in np.count_nonzero(~np.isnan(differences), axis=1)]


def _by_rounds(differences: Differences) -> Iterator[tuple[NDArray[np.intp], Differences]]:
    """Yield (indices, differences without gaps) for pairs of equally many common rounds, fewest first."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

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
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

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


def centres(differences: Differences) -> list[float]:
    """Return the Hodges-Lehmann estimate of every pair, NaN for a pair without rounds; see stats.ratio."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    found = np.full(len(differences), np.nan)
    for part, complete in _by_rounds(differences):
        found[part] = np.median(_walsh(complete), axis=1)
    result: list[float] = found.tolist()
    return result


def detectable_ratio(differences: Differences, alpha: float = ALPHA, comparisons: int | None = None) -> float | None:
    """Return the smallest ratio above 1 that a table could have seen: exp(half-width) of the median pair's interval.

    The interval of a pair is the signed-rank one at `alpha` / `comparisons` (None: as many as there are pairs), Holm's first
    level. It excludes 1 when the measured ratio is further from 1 than the half-width, so a pair whose true ratio is the one
    returned is told apart about every second time by the first step of Holm (the later steps are easier). None when no pair has
    the common rounds that such an interval needs: then no difference could have been seen.
    Source: half-width of the interval in stats.ratio.
    """
    level = alpha / (comparisons or len(differences) or 1)
    widths = [width for _, part in _by_rounds(differences) for width in _half_widths(part, level)]
    return exp(median(widths)) if widths else None


def _half_widths(differences: Differences, level: float) -> list[float]:
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    cut = critical(differences.shape[1], level)
    if cut is None:
        return []
    walsh = _walsh(differences)
    low, high = cut, walsh.shape[1] - 1 - cut
    ends = np.partition(walsh, (low, high), axis=1)
    widths: list[float] = ((ends[:, high] - ends[:, low]) / 2).tolist()
    return widths


def _walsh(differences: Differences) -> Differences:
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    left, right = np.triu_indices(differences.shape[1])
    return (differences[:, left] + differences[:, right]) / 2
