"""How far paired differences scatter: of a pair alone after few rounds next to nothing is known, of all pairs together much.

Numbers in, numbers out; it knows no server and no run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, isinf, lgamma, log
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FINEST = 1e-4  # what repeats to the last digit, as memory may, is not known more finely than this, in ln
NOISIEST = 0.9  # of the variances those above this quantile count as being there: one wild cell must not hide all the others
FIRMEST = 10.0  # degrees of freedom that all pairs together are worth at most: a pair may be unlike all the others
NEARLY_NORMAL = 1000.0  # degrees of freedom from which Student's distribution is taken as the normal one
STEPS, DIGITS = 200, 1e-12
HALVED = 1e-7  # how far critical values are halved, as a share


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """What is known of any pair before its own rounds: a variance of ln ratios, and how many degrees of freedom it is worth.

    Where pairs scatter alike these are FIRMEST; where some scatter much more than others, fewer.
    """

    variance: float
    freedom: float


def pooled(variances: Array, freedom: Array) -> Pooled:
    """Return what the variances of all pairs, each with its degrees of freedom, say of a further one.

    Source: Smyth (2004), Linear models and empirical Bayes methods for assessing differential expression, section 6.2: from mean
    and variance of the logarithms. Where the logarithms say less than the mean of the variances, without the extremes, that
    counts: few starts that agree by chance must not make all of them look steady.
    """
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    known = (freedom > 0) & (variances > FINEST**2)
    if not known.any():
        return Pooled(variance=FINEST**2, freedom=FIRMEST)
    sizes, counts = variances[known], freedom[known]
    numbers, places = np.unique(counts, return_inverse=True)
    logs = np.log(sizes) - np.array([digamma(one / 2) - log(one / 2) for one in numbers])[places]
    beyond = float(logs.var() - np.array([trigamma(one / 2) for one in numbers])[places].mean())
    prior = 2 * inverse_trigamma(beyond) if beyond > 0 else inf
    typical = exp(float(logs.mean()) + (0.0 if isinf(prior) else digamma(prior / 2) - log(prior / 2)))
    clipped = np.minimum(sizes, np.quantile(sizes, NOISIEST))
    return Pooled(variance=max(typical, float(np.average(clipped, weights=counts))), freedom=min(prior, FIRMEST))


def moderated(squares: Array, freedom: Array, common: Pooled) -> Array:
    """Return the variance of each pair from its own sum of squares, and what is known of all; source as above, section 3."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    found: Array = (common.freedom * common.variance + squares) / (common.freedom + freedom)
    return np.maximum(found, FINEST**2)


def digamma(x: float) -> float:
    """Return the derivative of ln gamma for x > 0. Source: Abramowitz & Stegun (1964), 6.3.5 and 6.3.18."""
    below = 0.0
    while x < 10:  # noqa: PLR2004 - from here on the series has ten digits
        below, x = below + 1 / x, x + 1
    return log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) - 1 / (252 * x**6) - below


def trigamma(x: float) -> float:
    """Return the second derivative of ln gamma for x > 0. Source: Abramowitz & Stegun (1964), 6.4.6 and 6.4.12."""
    below = 0.0
    while x < 10:  # noqa: PLR2004 - from here on the series has ten digits
        below, x = below + 1 / x**2, x + 1
    return below + 1 / x + 1 / (2 * x**2) + 1 / (6 * x**3) - 1 / (30 * x**5) + 1 / (42 * x**7)


def inverse_trigamma(value: float) -> float:
    """Return where trigamma, which only ever falls, has this value above 0: by halving, from 1e-6 to 1e9."""
    low, high = -14.0, 21.0
    while high - low > HALVED:
        middle = (low + high) / 2
        low, high = (middle, high) if trigamma(exp(middle)) > value else (low, middle)
    return exp(low)


@lru_cache(maxsize=4096)
def critical(p: float, freedom: float) -> float:
    """Return what Student's t with so many degrees of freedom exceeds with probability `p`, under one half."""
    if freedom >= NEARLY_NORMAL:
        return -NormalDist().inv_cdf(p)
    low, high = 0.0, 1.0
    while tail(high, freedom) > p:
        high *= 2
    while high - low > HALVED * high:
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, freedom) > p else (low, middle)
    return high


def tail(t: float, freedom: float) -> float:
    """Return how likely Student's t is above `t`, from 0 on. Source: Abramowitz & Stegun (1964), 26.7.1 and 26.5.8."""
    x = freedom / (freedom + t * t)
    half, other = freedom / 2, 0.5
    if x <= 0:
        return 0.0
    if x > (half + 1) / (half + other + 2):
        return 0.5 * (1 - _incomplete_beta(1 - x, other, half))
    return 0.5 * _incomplete_beta(x, half, other)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function, by Lentz's continued fraction; for x below its mean."""
    if x <= 0:
        return 0.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
    d = 1 / (1 - (a + b) * x / (a + 1))
    c, value = 1.0, d
    for m in range(1, STEPS):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / (1 + factor * d), 1 + factor / c
            value *= d * c
        if abs(d * c - 1) < DIGITS:
            break
    return front * value
