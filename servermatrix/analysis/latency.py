"""Percentiles of a cell, from one histogram of all its answers: counts are added up, percentiles are never averaged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from servermatrix.analysis.stats import weighted_percentiles
from servermatrix.model import Measured, Percentile

Histogram = Sequence[tuple[int, int]]

ASKED = (5.0, 50.0, 99.0, 99.9)
ENOUGH_FOR_P999 = 10_000  # then ten answers were slower than it


def percentiles(starts: Sequence[Measured]) -> dict[float, Percentile]:
    """Return the 5th, 50th, 99th and, from 10,000 answers on, 99.9th percentile of all answers of these starts.

    Raises ValueError when none was counted.
    """
    merged = [_of_start(start) for start in starts]
    whole = merge(merged)
    samples = sum(count for _, count in whole)
    asked = [q for q in ASKED if q <= 99 or samples >= ENOUGH_FOR_P999]  # noqa: PLR2004 - a percentile
    single = zip(*(weighted_percentiles(each, asked) for each in merged), strict=True)
    return {
        q: Percentile(value_us=value_us, lowest_us=min(found), highest_us=max(found), samples=samples)
        for q, value_us, found in zip(asked, weighted_percentiles(whole, asked), single, strict=True)
    }


def _of_start(start: Measured) -> Histogram:
    histograms = [window.stats.histogram for window in start.windows]
    return histograms[0] if len(histograms) == 1 else merge(histograms)


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """Add up the counts of (microseconds, count) pairs, ascending; it takes no value apart and puts none together."""
    counts: dict[int, int] = defaultdict(int)
    for histogram in histograms:
        for latency_us, count in histogram:
            counts[latency_us] += count
    return sorted(counts.items())
