"""What a history says over many nights, before it takes a form."""

from __future__ import annotations

from dataclasses import dataclass

from servermatrix.model.checked import Change, Metric, VersionChange
from servermatrix.model.reported import Estimate

TREND_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Where a metric of a cell stands one night: `ratio` is that night's, candidate to baseline; `total` is accumulated.

    `total` is against the first baseline of its `segment`: what an accepted candidate had gained or lost is in it, so that a new
    baseline does not begin anew. Levels of different segments have no known relation, and those of different baselines one with
    the noise of few nights in it.
    """

    ratio: Estimate
    total: Estimate
    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One cell in one night; a level is None where the night has no ratio."""

    night: str
    started_at: str
    change: Change
    rps: Level | None = None
    cpu: Level | None = None

    def level(self, metric: Metric) -> Level | None:
        """Return where a metric stands."""
        return self.rps if metric is Metric.RPS else self.cpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change point: from this night on a metric stands elsewhere, by the factor `ratio`, under the same baseline; advisory.

    `p` is how likely a step as clear as this is anywhere in nights that are all alike, when it was found. `differing` are the
    packages in which the candidate changed from three nights before it to two nights after: noise may put it so far off.
    """

    metric: Metric
    night: str
    started_at: str
    ratio: float
    p: float
    differing: tuple[VersionChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A night before which and from which on the levels of a cell have no known relation, and why not, in one sentence."""

    night: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A night with another baseline than the night before; `differing` are the packages in which the two baselines differ."""

    night: str
    started_at: str
    differing: tuple[VersionChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One cell on one machine over the nights, in the order of time."""

    pair: str
    machine: str
    points: tuple[Point, ...]
    steps: tuple[Step, ...] = ()
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A cell that reported and does not any more: when it last had figures, what the latest night says, and what to do."""

    pair: str
    night: str
    started_at: str
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """All that the last nights say: `nights` are (id, time of start), `machines` those they were measured on.

    `promotions` are the nights with a new baseline. `stopped` and `stale` (the latest night is too long ago; empty: it is not)
    are alarms, `notes` are not.
    """

    nights: tuple[tuple[str, str], ...]
    machines: tuple[str, ...]
    margin: float
    lines: tuple[Line, ...]
    stopped: tuple[Stopped, ...]
    promotions: tuple[Promotion, ...] = ()
    stale: str = ""
    notes: tuple[str, ...] = ()

    @property
    def alarmed(self) -> bool:
        """Tell whether something ceased to report."""
        return bool(self.stopped or self.stale)
