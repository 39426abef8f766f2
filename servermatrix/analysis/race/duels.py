"""All cells of a race against each other, by the rounds that they have in common: numbers in, directions out.

Why the best is left out in at most 5 % of all races: only a comparison of it can do that, in which another is said to be better.
There are fewer of those than cells, and each look may spend a share of the 5 %, so that every comparison is made at that share
divided by the number of comparisons that can do harm: cells and looks together cannot exceed 5 % (Boole's inequality), whatever
was left out before, and however the looks depend on each other. What is said of two cells that are both not the best costs
nothing. Differences are of logarithms and of the same round, whose share of the noise they have not. Their mean over its standard
error follows Student's distribution, with the variance of the pair moderated by that of all pairs (see spread.py); exact
signed-rank tests could tell nothing apart of 150 cells in fewer than 14 rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING

from servermatrix.analysis.race.spread import FINEST, Pooled, critical, moderated, pooled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FEWEST = 3  # rounds that two cells must have in common for anything to be said of them, as at the first look


@dataclass(frozen=True, slots=True, kw_only=True)
class Duels:
    """Every cell (row) against every other (column): by how much it is better, in ln, and how far that may be wrong.

    `centres` are means over common rounds, NaN without one; `half_widths` are infinite where there are fewer than FEWEST.
    """

    centres: Array
    half_widths: Array
    rounds: Array

    def among(self, rows: Sequence[int]) -> Duels:
        """Return the duels between some of the cells, in this order."""
        import numpy as np  # noqa: PLC0415 - not in memory before the first look

        chosen = np.ix_(rows, rows)
        return Duels(centres=self.centres[chosen], half_widths=self.half_widths[chosen], rounds=self.rounds[chosen])

    @property
    def better(self) -> NDArray[np.bool_]:
        """Tell which is surely better than which."""
        found: NDArray[np.bool_] = self.centres - self.half_widths > FINEST
        return found


def duels(scores: Array, alpha: float) -> Duels:
    """Compare cells x rounds of ln scores, NaN where a cell lacks a round; `alpha` is what each comparison may spend."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    there = ~np.isnan(scores)
    filled = np.where(there, scores, 0.0)
    filled = np.where(there, filled - filled.sum() / max(1, there.sum()), 0.0)
    ones = there.astype(np.float64)
    rounds = ones @ ones.T
    sums = filled @ ones.T - ones @ filled.T
    squares = filled**2 @ ones.T + ones @ (filled**2).T - 2 * filled @ filled.T
    with np.errstate(divide="ignore", invalid="ignore"):
        centres = sums / rounds
        own = np.maximum(squares - sums * centres, 0.0)
    own[rounds == 0] = 0.0
    freedom = np.maximum(rounds - 1, 0)
    return Duels(centres=centres, half_widths=_half_widths(own, freedom, rounds, alpha), rounds=rounds)


def _half_widths(own: Array, freedom: Array, rounds: Array, alpha: float) -> Array:
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    upper = np.triu_indices(len(own), 1)
    known = freedom[upper] > 0
    common = pooled(own[upper][known] / freedom[upper][known], freedom[upper][known])
    variances = moderated(own, freedom, common)
    numbers, places = np.unique(rounds, return_inverse=True)
    factors = np.array([_factor(number, common, alpha) for number in numbers])[places.reshape(rounds.shape)]
    found: Array = factors * np.sqrt(variances)
    return found


def _factor(rounds: float, common: Pooled, alpha: float) -> float:
    """Return by what the spread of so many differences is multiplied for half of the interval of their mean."""
    if rounds < FEWEST:
        return inf
    return critical(alpha, round(common.freedom + rounds - 1, 3)) / sqrt(rounds)


def beaten_in_family(told: Duels, families: Sequence[Sequence[tuple[int, int]]]) -> dict[int, tuple[int, int]]:
    """Return which rows are out because their workers lie on the wrong side of two others, (the worse, the better) of which.

    A family has (workers, row) of cells that differ in nothing else. Throughput over workers has one peak: where a number is
    surely worse than a smaller one all larger ones are, and where it is surely worse than a larger one all smaller ones are.
    What looks better than both of them all the same stays: some servers do have two peaks.
    """
    better, found = told.better, dict[int, tuple[int, int]]()
    for family in families:
        for workers, row in family:
            for others, other in family:
                if better[other, row]:
                    beyond = (each for many, each in family if many != workers and (many > workers) == (workers > others))
                    found |= {each: (row, other) for each in beyond if not told.centres[each, other] > 0}
    return found
