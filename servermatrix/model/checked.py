"""What a check of two sides says, before it takes a form, and what of it is kept from night to night."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from servermatrix.model.planned import Excluded, Load
from servermatrix.model.reported import Estimate, Summary
from servermatrix.model.stored import Host, RunHeader
from servermatrix.model.trial import Trial

CHECK_SCHEMA = 1
NIGHT_SCHEMA = 1


class Change(StrEnum):
    """What became of a cell from the baseline to the candidate."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    UNCHANGED = "no change"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"
    NEW = "new"
    GONE = "gone"


class Metric(StrEnum):
    """What is compared: more requests per second are better, more CPU time per request is worse."""

    RPS = "requests/s"
    CPU = "CPU us/request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How a metric differs between two sides: `ratio` is that of the candidate to the baseline, paired by round.

    Its interval holds with 95 %. `stage` is whose rounds it is from: 1, or 2 where the cell was flagged and has fresh rounds;
    where it was for a failure alone, and in the canary, these are all of its rounds.
    `p` is that of the second stage, after Holm's correction over all that was flagged that night; None where there was none.
    `beyond` is the larger end of the interval, either way, as a share: 0.04 where no change beyond 4 % is there; None for none.
    """

    metric: Metric
    ratio: Estimate | None
    stage: int = 1
    p: float | None = None
    beyond: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """One cell on both sides: what became of it, in one sentence with its figures, and what that rests on.

    `pair` names the cell without its side, for ever. `flagged` says that the first stage sent it to the second. `beyond` is how
    large a change, either way, both metrics leave room for (CPU time alone where something else limited requests/s), as a share;
    None where there is no interval. `baseline` and `candidate` are the rows of the two sides, None where that side has no such
    cell.
    """

    pair: str
    change: Change
    sentence: str
    shifts: tuple[Shift, ...] = ()
    flagged: bool = False
    beyond: float | None = None
    baseline: Summary | None = None
    candidate: Summary | None = None

    def shift(self, metric: Metric) -> Shift | None:
        """Return how a metric differs, None where that is not known."""
        return next((one for one in self.shifts if one.metric is metric), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The baseline of one cell against itself, measured twice in every round: what the two differ by is noise.

    `fit` says whether what the run found can be believed; if not, `sentence` says why, and nothing of it counts as unchanged.
    `alarmed` says that the two were told apart, as a regression would be: then nothing counts as changed either.
    """

    pair: str
    shifts: tuple[Shift, ...]
    fit: bool
    sentence: str
    alarmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChange:
    """A package in which the two sides differ; a version is empty where the package is not installed."""

    name: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One step of an attribution: the packages that the candidate's versions were taken of, and what came of it.

    `worse` tells whether the change was there: None where that could not be told. `run` is the id of the run that measured it.
    """

    upgraded: tuple[str, ...]
    worse: bool | None
    sentence: str
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Which package made the difference: `packages` is one where it was found, several where no step could part them.

    `packages` is empty where nothing can be said; `sentence` says what was found, or why nothing was.
    """

    packages: tuple[str, ...]
    sentence: str
    probes: tuple[Probe, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """All that a check says; `headers` are those of its runs, several where it was done in shards.

    `detectable` is the smallest change, as a share, of which an alarm would have come about every second time in the median cell;
    None where too little is there. `differing` are the packages in which the sides differ. `steps` are done and planned.
    """

    headers: tuple[RunHeader, ...]
    trial: Trial
    cells: tuple[CellChange, ...]
    canaries: tuple[Canary, ...]
    differing: tuple[VersionChange, ...]
    detectable: float | None
    complete: bool
    steps: tuple[int, int]
    attribution: Attribution | None = None

    @property
    def counts(self) -> Counter[Change]:
        """Count the cells by what became of them."""
        return Counter(cell.change for cell in self.cells)

    def of(self, change: Change) -> tuple[CellChange, ...]:
        """Return the cells of which this became."""
        return tuple(cell for cell in self.cells if cell.change is change)


@dataclass(frozen=True, slots=True, kw_only=True)
class NightCell:
    """What one night says of one cell: the ratios of the candidate to the baseline, None where there is none.

    `host` is the place, in the hosts of its night, of the machine that the cell was measured on. `generator` is the name and
    version of what drove it there, and `load` how hard and how long: ratios under another of the two have no known relation.
    """

    pair: str
    change: Change
    sentence: str
    rps: Estimate | None = None
    cpu: Estimate | None = None
    host: int = 0
    generator: str = ""
    load: Load | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A check as the history keeps it: one file, written once, whose name is `id` (that of the run, its time of start first).

    `hosts` are the machines it was measured on, one per shard, each once. `left_out` are the cells that were not
    measured, and why. Where it was `simulated`, in whole or in part, nothing was measured.
    """

    id: str
    started_at: str
    hosts: tuple[Host, ...]
    trial: Trial
    cells: tuple[NightCell, ...]
    detectable: float | None = None
    left_out: tuple[Excluded, ...] = ()
    simulated: bool = False
    schema: int = NIGHT_SCHEMA
