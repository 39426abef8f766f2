"""What a run has to compare: a row for each of its cells, the looks that were taken, and who competes with whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import maxsize

from servermatrix.analysis.claims import Looks
from servermatrix.analysis.grouping import Key, row_names, table_key
from servermatrix.analysis.summarise import Row, checked, rate_of, summarise
from servermatrix.model import Cause, Cell, Failed, Look, Measured, Run, Sample

Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The rows of all cells, in the order of the plan, and the looks at them.

    `entrants` has by table what its looks compared: the rows of all cells of a closed loop but duplicates, those of cells that
    failed later with the rates that they had until then. `broken` are the ids of cells that failed, unless through noise alone.
    """

    rows: tuple[Row, ...]
    looks: Looks
    entrants: Mapping[Key, Sequence[Row]]
    broken: frozenset[str]


def field_of(run: Run, now: Look | None = None) -> Field:
    """Return what a run has to compare at the looks that it decided something at, and at `now`, if that is one."""
    samples = _by_cell(run)
    rows = _rows(run, samples)
    failed = {row.id: first for row in rows if row.summary.status == "failed" and (first := _first_failure(samples[row.id]))}
    closed = [row for row in rows if not cell_of(row).load.rate_percent]
    entrants: dict[Key, list[Row]] = defaultdict(list)
    for row in closed:
        if not cell_of(row).duplicate:
            # What a look has shown stands, and so must all that Holm's procedure had before it, when a cell fails later.
            until = replace(row, rps=_rates(samples[row.id], failed[row.id])) if row.id in failed else row
            entrants[table_key(cell_of(row))].append(until)
    ends = {row.id: min(run.rounds_of(cell_of(row)), failed.get(row.id, maxsize) - 1) for row in closed}
    return Field(rows=rows, looks=_looks(run, ends, now), entrants=entrants, broken=frozenset(failed))


def cell_of(row: Row) -> Cell:
    """Return the cell that a row is about."""
    return row.summary.planned.cell


def _by_cell(run: Run) -> Samples:
    samples: dict[str, list[Sample]] = {planned.cell.id: [] for planned in run.header.cells}
    for sample in run.samples:
        samples.setdefault(sample.cell_id, []).append(sample)
    return samples


def _rows(run: Run, samples: Samples) -> tuple[Row, ...]:
    names = row_names(planned.cell for planned in run.header.cells)
    paces = {pace.cell_id: pace for pace in run.paces}
    cores, ceilings = run.header.host.cores, run.ceilings
    identified = ((planned, planned.cell.id) for planned in run.header.cells)
    return tuple(
        summarise(planned, samples[own], cores=cores, name=names[own], ceilings=ceilings, pace=paces.get(own))
        for planned, own in identified
    )


def _hard_failures(samples: Sequence[Sample]) -> Iterator[Failed]:
    found = (one for one in map(checked, samples) if isinstance(one, Failed))
    return (one for one in found if one.cause is not Cause.NOISE)


def _first_failure(samples: Sequence[Sample]) -> int | None:
    """Return the round of the first failure that noise is no excuse for."""
    return min((one.round for one in _hard_failures(samples)), default=None)


def _rates(samples: Sequence[Sample], before: int) -> Mapping[int, float]:
    return {one.round: rate_of(one) for one in map(checked, samples) if isinstance(one, Measured) and one.round < before}


def _looks(run: Run, ends: Mapping[str, int], now: Look | None) -> Looks:
    if not run.header.looks:
        return Looks()
    decided = sorted((Look(round=one.round, alpha=one.alpha) for one in run.decisions), key=lambda look: look.round)
    taken = (*decided, *([now] if now else []))
    left = [look for look in run.header.looks if not taken or look.round > taken[-1].round]
    stopped = any(one.stopped for one in run.decisions)
    return Looks(
        taken=taken,
        coming=None if stopped or not left else left[0],
        planned=True,
        ends={cell_id: end for cell_id, end in ends.items() if end < run.header.rounds},
    )
