"""Throughput over workers: the fit of the Universal Scalability Law, where there are enough points for its three numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, sqrt
from typing import TYPE_CHECKING

from servermatrix.model import Scaling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FEWEST = 6  # worker counts: three numbers fit anything that has hardly more points
FARTHEST = 2  # times the most workers that were measured, to which alone a fit is read
ALMOST = 1e-9  # what a least-squares solution may be below 0 by rounding alone
TERMS = ((0, 1, 2), (0, 1), (0, 2), (0,))  # the rate always, contention and coherency where they are not negative


def fitted(setting: str, points: Mapping[int, float]) -> Scaling | None:
    """Return the fit of requests per second by worker count, None with fewer than six counts or where none has a positive rate.

    N / X(N) is linear in 1 / rate, contention / rate and coherency / rate. It is fitted by least squares of relative deviations,
    for rates are as uncertain as they are high, with none of the three below 0.
    Source: Gunther (2007), Guerrilla Capacity Planning, chapter 5.
    """
    if len(points) < FEWEST:
        return None
    found = _non_negative(sorted(points), [points[workers] for workers in sorted(points)])
    if found is None:
        return None
    base, contention, coherency = found[0], found[1] / found[0], found[2] / found[0]
    farthest = FARTHEST * max(points)
    return Scaling(
        setting=setting,
        rate_per_s=1 / base,
        contention=contention,
        coherency=coherency,
        peak=_peak(contention, coherency, farthest),
        farthest=farthest,
        points=len(points),
    )


def predicted(scaling: Scaling, workers: int) -> float:
    """Return the requests per second of a fit; raises ValueError beyond the workers to which it may be read."""
    if not 1 <= workers <= scaling.farthest:
        raise ValueError(f"the fit may be read from 1 to {scaling.farthest} workers, not at {workers}")
    return scaling.rate_per_s * _gain(scaling.contention, scaling.coherency, workers)


def _gain(contention: float, coherency: float, workers: int) -> float:
    return workers / (1 + contention * (workers - 1) + coherency * workers * (workers - 1))


def _non_negative(counts: Sequence[int], rates: Sequence[float]) -> tuple[float, float, float] | None:
    """Return the best solution without a negative number: of every choice of terms the least-squares one, if it has none."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    workers, reached = np.array(counts, dtype=np.float64), np.array(rates, dtype=np.float64)
    terms = np.stack([np.ones_like(workers), workers - 1, workers * (workers - 1)], axis=1) * (reached / workers)[:, None]
    best: tuple[float, tuple[float, float, float]] | None = None
    for chosen in TERMS:
        part = terms[:, list(chosen)]
        solution = np.linalg.lstsq(part, np.ones(len(counts)), rcond=None)[0]
        off = float(np.sum((part @ solution - 1) ** 2))
        if float(solution[0]) > 0 and float(solution.min()) > -ALMOST and isfinite(off) and (best is None or off < best[0]):
            whole = dict(zip(chosen, (max(0.0, float(each)) for each in solution), strict=True))
            best = off, (whole[0], whole.get(1, 0.0), whole.get(2, 0.0))
    return best[1] if best else None


def _peak(contention: float, coherency: float, farthest: int) -> int | None:
    """Return the whole number of workers with the highest throughput, None where it is not reached up to the farthest.

    The derivative is 0 at sqrt((1 - contention) / coherency); between the whole numbers around it the higher one is the peak.
    """
    if coherency <= 0:
        return 1 if contention >= 1 else None
    top = sqrt(max(0.0, 1 - contention) / coherency)
    if top >= farthest:
        return None
    low = max(1, int(top))
    return max((low, low + 1), key=lambda workers: _gain(contention, coherency, workers))
