"""What a comparison of two stored runs says, before it takes a form."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from servermatrix.model.checked import Change, Metric, Shift
from servermatrix.model.reported import Summary
from servermatrix.model.stored import RunHeader

COMPARE_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlike:
    """Something that two runs do not have in common, on either side; `cells` are the ids that it is about, empty: all of them."""

    what: str
    base: str
    head: str
    cells: frozenset[str] = frozenset()

    def concerns(self, cell_id: str) -> bool:
        """Tell whether it is about a cell."""
        return not self.cells or cell_id in self.cells


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedCell:
    """One cell in two runs: what became of it from `base` to `head`, in one sentence with its figures.

    The `shifts` are those of all starts of one run to all of the other, not paired by round; the p of each is the smaller one of
    both directions, after Holm's correction. `worse` and `better` are the metrics in which a change beyond the margin was
    confirmed. `beyond` is how large a change, either way, both metrics leave room for, as a share; None without an interval.
    `base` and `head` are the rows of the two runs, None where that run has no such cell. `unlike` names in what the two
    measurements are not alike: nothing unless they were compared by force.
    """

    id: str
    change: Change
    sentence: str
    shifts: tuple[Shift, ...] = ()
    worse: tuple[Metric, ...] = ()
    better: tuple[Metric, ...] = ()
    beyond: float | None = None
    base: Summary | None = None
    head: Summary | None = None
    unlike: tuple[str, ...] = ()

    def shift(self, metric: Metric) -> Shift | None:
        """Return how a metric differs, None where that is not known."""
        return next((one for one in self.shifts if one.metric is metric), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """One of the two runs, and how far it came: `steps` are done and planned.

    `looks` is at how many rounds it might have ended or left cells out, 1 where that was at its end alone. `noise_floor` is the
    largest ratio above 1 that a cell may have differed by from itself, None where that was not measured. `environment` is why
    the machine was not fit for a start, the first reason of them, empty where it always was.
    """

    header: RunHeader
    complete: bool
    steps: tuple[int, int]
    looks: int = 1
    noise_floor: float | None = None
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that can be said of two stored runs, `base` first.

    `margin` is a change that does not matter, as a share. `unlike` is what the measurements do not have in common and should,
    `changed` what else is not the same: what may have made the difference. `hypotheses` counts what Holm's correction was over;
    `rounds_needed` is how many rounds it takes before the clearest change could be confirmed among so many. `detectable` is the
    smallest change, as a share, that would have been confirmed about every second time in the median cell; None where there is
    none. `overall` is by how much the median cell changed, a ratio per metric. `left_out` are the cells of an open loop.
    """

    base: ComparedRun
    head: ComparedRun
    margin: float
    cells: tuple[ComparedCell, ...]
    unlike: tuple[Unlike, ...]
    changed: tuple[Unlike, ...]
    hypotheses: int
    rounds_needed: int
    detectable: float | None
    overall: tuple[tuple[Metric, float], ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def counts(self) -> Counter[Change]:
        """Count the cells by what became of them."""
        return Counter(cell.change for cell in self.cells)

    def of(self, change: Change) -> tuple[ComparedCell, ...]:
        """Return the cells of which this became."""
        return tuple(cell for cell in self.cells if cell.change is change)
