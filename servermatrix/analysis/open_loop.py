"""Cells that were sent a fixed rate: at which rate, whether it was kept, and how long answers took; nothing here is ranked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from servermatrix.analysis.grouping import Key, comparison
from servermatrix.analysis.phrases import counted, joined
from servermatrix.analysis.stats import median
from servermatrix.analysis.summarise import Row, checked, rate_of
from servermatrix.model import PROTOCOLS, Cause, Cell, Failed, Flag, Measured, Pace, Run, Sample, Summary, Table

MOST_NAMES = 3


def paces(run: Run) -> tuple[Pace, ...]:
    """Return the rate of every planned open-loop cell: so many percent of what the slowest cell of its comparison serves.

    A comparison is what may stand in one table, whatever the generator. Duplicates, failed cells and cells without a sample
    set no rate; an open-loop cell whose comparison has no other has no pace.
    """
    cells = [planned.cell for planned in run.header.cells if not planned.cell.duplicate]
    capacities = _capacities(run)
    slowest: dict[Key, tuple[float, str]] = {}
    for cell in cells:
        if not cell.load.rate_percent and cell.id in capacities:
            key, found = comparison(cell), (capacities[cell.id], cell.id)
            slowest[key] = min(slowest.get(key, found), found)
    asked = ((cell, slowest.get(comparison(cell))) for cell in cells if cell.load.rate_percent)
    return tuple(
        Pace(cell_id=cell.id, rate_per_s=cell.load.rate_percent / 100 * found[0], slowest=found[1])
        for cell, found in asked
        if found is not None
    )


def _capacities(run: Run) -> dict[str, float]:
    """Return by cell id the median requests per second of the starts that worked; cells that failed are left out."""
    by_cell: dict[str, list[Sample]] = defaultdict(list)
    for sample in run.samples:
        by_cell[sample.cell_id].append(checked(sample))
    rates = {cell_id: [rate_of(each) for each in found if isinstance(each, Measured)] for cell_id, found in by_cell.items()}
    return {cell_id: median(found) for cell_id, found in rates.items() if found and not _broken(by_cell[cell_id])}


def _broken(samples: Sequence[Sample]) -> bool:
    return any(isinstance(sample, Failed) and sample.cause is not Cause.NOISE for sample in samples)


def tabulate_open(rows: Sequence[Row]) -> Table:
    """Return the table of rows that were sent the same rate, the shortest 99th percentile first; they are not ranked."""
    ordered = sorted((row.summary for row in rows), key=lambda row: (_p99_us(row), row.planned.cell.id))
    cell = ordered[0].planned.cell
    rates = [row.due_per_s for row in ordered if row.due_per_s is not None]
    rate = rates[0] if rates else None
    found = {row.planned.cell.protocol for row in ordered}
    return Table(
        app=cell.app,
        interface=cell.interface,
        protocols=tuple(each for each in PROTOCOLS if each in found),
        workers=cell.workers,
        in_flight=cell.load.in_flight,
        requests_per_connection=cell.load.requests_per_connection,
        generator=cell.load.generator,
        rows=tuple(ordered),
        reference=None,
        detectable=None,
        comparisons=0,
        rounds_needed=0,
        answer=open_answer(ordered, cell.load.rate_percent, rate),
        rate_percent=cell.load.rate_percent,
        rate_per_s=rate,
    )


def _p99_us(row: Summary) -> float:
    return row.p99_us.value_us if row.p99_us else float("inf")


def open_answer(rows: Sequence[Summary], percent: int, rate: float | None) -> str:
    """Say how long answers took at this rate; it claims no difference."""
    told = [f"{row.p99_us.value_us / 1000:,.2f} ms under {row.name}" for row in rows if row.p99_us]
    more = len(told) - MOST_NAMES
    texts = told if more <= 0 else [*told[:MOST_NAMES], f"up to {told[-1]}"]
    at = "" if rate is None else f" ({rate:,.0f} requests/s)"
    lost = sum(Flag.RATE_NOT_KEPT in row.flags for row in rows)
    missed = f"; {counted(lost, 'row')} did not keep the rate" if lost else ""
    since = "counted from when each request was due"
    pacer = _pacer(rows)
    whose = f"the capacity of {pacer}, the slowest" if pacer else "the slowest one's capacity"
    return f"at {percent}% of {whose}{at}, p99 is {joined(texts)}, {since}{missed}"


def _pacer(rows: Sequence[Summary]) -> str:
    """Name the cell whose capacity set the rate, as the row here that is the same but for the rate, else by its id."""
    names = {_closed(row.planned.cell).id: row.name for row in rows}
    return next((names.get(row.paced_by, row.paced_by) for row in rows if row.paced_by), "")


def _closed(cell: Cell) -> Cell:
    return replace(cell, load=replace(cell.load, rate_percent=0))
