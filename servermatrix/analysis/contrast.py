"""One cell in two runs: its starts on either side, and how its metrics differ between them; it gives no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from servermatrix.analysis.ranksum import above, shift
from servermatrix.analysis.stats import ALPHA, MIN_ROUNDS, median
from servermatrix.analysis.summarise import Row, checked, cpu_us_of, rate_of
from servermatrix.model import Cause, Estimate, Failed, Measured, Metric, Run, Sample, Shift

DECIMALS = 9  # of a share: 1.1 - 1 is a little more than 0.1 in binary
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sided:
    """A cell in one run: its row, its starts that worked, the failures that noise is no excuse for, how many noise took."""

    row: Row
    measured: tuple[Measured, ...]
    failures: tuple[Failed, ...]
    lost: int

    @property
    def tried(self) -> int:
        """Count the starts."""
        return len(self.measured) + len(self.failures) + self.lost

    @property
    def causes(self) -> frozenset[Cause]:
        """Return whose fault its failures are."""
        return frozenset(failure.cause for failure in self.failures)

    def logs(self, metric: Metric) -> tuple[float, ...]:
        """Return the logarithms of all starts, none where one has no logarithm (a CPU time below the clock's tick is 0)."""
        value = rate_of if metric is Metric.RPS else cpu_us_of
        found = [value(start) for start in self.measured]
        return tuple(map(log, found)) if all(each > 0 for each in found) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """How a metric differs between two runs, on the scale of logarithms: `centre` and `span` are from base to head.

    `worse` and `better` are the one-sided p of no change beyond the margin in that direction; `n` counts the starts of the
    side that has fewer.
    """

    metric: Metric
    worse: float
    better: float
    centre: float
    span: Span | None
    n: int

    def shift(self, p: float | None) -> Shift:
        """Return the same as ratios of head to base, with this p."""
        low, high = (None, None) if self.span is None else map(exp, self.span)
        return Shift(
            metric=self.metric,
            ratio=Estimate(value=exp(self.centre), low=low, high=high, n=self.n),
            p=p,
            beyond=None if self.span is None else round(exp(max(self.span[1], -self.span[0])) - 1, DECIMALS),
        )


def sided(run: Run, rows: Sequence[Row]) -> dict[str, Sided]:
    """Return every cell of a run by its id, with its starts; `rows` are those of the run."""
    samples: dict[str, list[Sample]] = {row.id: [] for row in rows}
    for sample in run.samples:
        samples.setdefault(sample.cell_id, []).append(checked(sample))
    return {row.id: _sided(row, samples[row.id]) for row in rows}


def _sided(row: Row, samples: Sequence[Sample]) -> Sided:
    failures = [sample for sample in samples if isinstance(sample, Failed)]
    return Sided(
        row=row,
        measured=tuple(sample for sample in samples if isinstance(sample, Measured)),
        failures=tuple(failure for failure in failures if failure.cause is not Cause.NOISE),
        lost=sum(failure.cause is Cause.NOISE for failure in failures),
    )


def contrasts(base: Sided, head: Sided, margin: float, looks: int) -> tuple[Contrast, ...]:
    """Compare the metrics of a cell; `margin` is one of logarithms.

    Where a run may have ended or left out cells at several rounds, how many starts it has depends on what they showed. `looks`
    is the number of pairs of rounds it might have come to: each p times that number is a p again, whichever of them it was
    (Boole's inequality), and the interval is the wider for the same reason.
    """
    found = (_contrast(metric, base.logs(metric), head.logs(metric), margin, looks) for metric in Metric)
    return tuple(one for one in found if one is not None)


def _contrast(metric: Metric, base: Sequence[float], head: Sequence[float], margin: float, looks: int) -> Contrast | None:
    n = min(len(base), len(head))
    if n < MIN_ROUNDS:
        return None
    worse, better = (head, base) if metric is Metric.CPU else (base, head)
    found = shift(base, head, ALPHA / looks)
    return Contrast(
        metric=metric,
        worse=min(1.0, looks * above(worse, better, margin)),
        better=min(1.0, looks * above(better, worse, margin)),
        centre=median([other - one for one in base for other in head]) if found is None else found[0],
        span=None if found is None else found[1:],
        n=n,
    )


def half_width(base: Sided, head: Sided, alpha: float) -> float | None:
    """Return half the width of the narrower interval of both metrics, on the scale of logarithms; None for too few starts."""
    spans = [shift(base.logs(metric), head.logs(metric), alpha) for metric in Metric]
    return min(((found[2] - found[1]) / 2 for found in spans if found is not None), default=None)
