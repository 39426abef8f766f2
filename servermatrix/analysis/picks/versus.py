"""Cells of a search against each other, by the rounds that they have in common, with intervals also after few rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, isfinite, log, nan
from typing import TYPE_CHECKING

from servermatrix.analysis.race.duels import Duels, duels
from servermatrix.analysis.stats import ALPHA
from servermatrix.model import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Series = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Versus:
    """Positive figures by cell and round, of a run that was looked at so many times.

    Intervals are those of the race: of means of ln ratios by round, whose scatter is moderated by that of all pairs here. They
    hold with 95 % whichever of the looks a cell was left out at, for the level is divided by the number of looks.
    """

    series: Series
    looks: int = 1
    _known: dict[int, Duels] = field(default_factory=dict, repr=False, compare=False)
    _places: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def ratio(self, one: str, other: str, comparisons: int = 1) -> Estimate | None:
        """Return the first over the second, None without a common round; as many intervals as `comparisons` hold together."""
        if one not in self.series or other not in self.series:
            return None
        if one == other:
            return Estimate(value=1.0, low=1.0, high=1.0, n=len(self.series[one]))
        found, places = self._duels(comparisons), self._places
        at = places[one], places[other]
        centre, half, rounds = float(found.centres[at]), float(found.half_widths[at]), int(found.rounds[at])
        if not rounds:
            return None
        wide = isfinite(half)
        low, high = (exp(centre - half), exp(centre + half)) if wide else (None, None)
        return Estimate(value=exp(centre), low=low, high=high, n=rounds)

    def _duels(self, comparisons: int) -> Duels:
        if comparisons not in self._known:
            self._places.update({name: place for place, name in enumerate(self.series)})
            self._known[comparisons] = duels(logs(tuple(self.series.values())), ALPHA / 2 / self.looks / comparisons)
        return self._known[comparisons]


def logs(series: Sequence[Mapping[int, float]]) -> NDArray[np.float64]:
    """Return the logarithms of figures by round as rows x rounds, NaN where a row has no such round or a figure no logarithm."""
    import numpy as np  # noqa: PLC0415 - not in memory before the first look

    rounds = sorted(set[int]().union(*series))
    return np.array([[_log(one.get(number, 0.0)) for number in rounds] for one in series], dtype=np.float64).reshape(
        len(series), len(rounds)
    )


def _log(value: float) -> float:
    return log(value) if value > 0 else nan


def inverse(series: Series) -> Series:
    """Return one over every figure: of what is better the less there is of it, more is then better."""
    return {name: {number: 1 / value for number, value in one.items() if value > 0} for name, one in series.items()}
