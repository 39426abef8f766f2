"""The ratios of many nights -> where a metric stands: what accepted candidates gained or lost is added on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from math import exp, log

from packaging.utils import canonicalize_name

from servermatrix.analysis.stats import median
from servermatrix.model import Estimate, Side, Trial
from servermatrix.model.trends import Level

NOT_COMPARED = frozenset({"pip", "setuptools", "wheel"})
_FURTHEST = 500.0  # of a logarithm, so that every level has an exponential
Known = tuple[str, ...]


def installed(side: Side) -> dict[str, str]:
    """Return what a side has installed, by name, without what installs it."""
    found = {canonicalize_name(name): version for name, version in side.versions}
    return {name: version for name, version in found.items() if name not in NOT_COMPARED}


def known(side: Side) -> Known:
    """Tell a side from others whatever it was called: by its versions and the commit of its app.

    Where no version was found, its requirements stand for them, and where no commit tells the app, its folder does.
    """
    what = sorted(f"{name}=={version}" for name, version in installed(side).items()) or side.requires
    app = side.git if side.git and not side.git.endswith("+") else f"{side.git} in {side.app_dir}"
    return (app, *what)


def levels(nights: Iterable[tuple[Trial, Estimate | None, Hashable]]) -> Iterator[Level | None]:
    """Yield where a metric stands each night, in the order given; None where the night has no ratio.

    Each night comes with what it was measured by. The first baseline stands at 1. A baseline that was a candidate before, by
    the same, stands, once and for all, at the median of the levels that this candidate had until then: what was accepted stays
    in the line, and noise is not added up from night to night. A baseline of which nothing is known begins a segment of its own.
    The intervals are those of each night alone: that median has noise, too, in which all nights of its baseline share.
    """
    bases: dict[tuple[Hashable, Known], tuple[int, float]] = {}
    seen: dict[tuple[Hashable, Known], dict[int, list[float]]] = defaultdict(dict)
    for trial, ratio, by in nights:
        if ratio is None:
            yield None
            continue
        baseline = by, known(trial.baseline)
        if baseline not in bases:
            bases[baseline] = _base(seen.get(baseline), len({segment for segment, _ in bases.values()}))
        segment, base = bases[baseline]
        seen[by, known(trial.candidate)].setdefault(segment, []).append(base + log(ratio.value))
        yield Level(ratio=ratio, total=_shifted(ratio, base), segment=segment)


def _base(seen: dict[int, list[float]] | None, new: int) -> tuple[int, float]:
    """Return the segment and level of a baseline from the levels it had as a candidate, in the newest segment it was in."""
    if not seen:
        return new, 0.0
    segment = max(seen)
    return segment, median(seen[segment])


def _shifted(ratio: Estimate, base: float) -> Estimate:
    low, high = (None if end is None else _exp(log(end) + base) for end in (ratio.low, ratio.high))
    return Estimate(value=_exp(log(ratio.value) + base), low=low, high=high, n=ratio.n)


def _exp(level: float) -> float:
    return exp(max(-_FURTHEST, min(_FURTHEST, level)))
