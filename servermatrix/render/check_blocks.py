"""What a check says, in the order in which it is told: headings with text and a table, a list or a block of shell text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from servermatrix.analysis.phrases import counted
from servermatrix.analysis.regress.stages import WIDEST
from servermatrix.model import CellChange, Change, CheckReport, Excluded
from servermatrix.render import check_facts, check_tables, remarks
from servermatrix.render.check_lines import percent, run_ids
from servermatrix.render.points import Point
from servermatrix.render.table import Column, Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A heading and what stands under it; `leads` says that nobody should have to open anything to read it."""

    heading: str
    text: tuple[str, ...] = ()
    grid: Grid | None = None
    points: tuple[Point | str, ...] = ()
    code: tuple[str, ...] = ()
    leads: bool = False

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing under the heading."""
        return not (self.text or self.points or self.code or (self.grid and self.grid.rows))


def blocks(report: CheckReport) -> list[Block]:
    """List all that a check says, what a reader must know first, without what is empty."""
    found = (
        changed(report),
        _of("Inconclusive", report.of(Change.INCONCLUSIVE), leads=True),
        attribution(report),
        sides(report),
        _of("No change", report.of(Change.UNCHANGED)),
        canary(report),
        _without_result(report),
        _remarks(report),
        _excluded(report),
        Block(heading="What was made equal", points=tuple(_alike(report))),
        Block(heading="How to read this", points=tuple(check_facts.rules(report))),
        Block(heading="How it was run", text=tuple(filter(None, [check_facts.shards(report)])), grid=check_facts.runs(report)),
        again(report),
    )
    return [block for block in found if not block.empty]


def title(report: CheckReport) -> str:
    """Name a check."""
    return f"servermatrix check: {run_ids(report)}"


def changed(report: CheckReport) -> Block:
    """Tell of the cells that changed or failed, or that there are none."""
    block = _of("What changed", check_tables.changed(report), leads=True)
    if not block.empty or not report.cells:
        return block
    return Block(heading=block.heading, text=("No cell was confirmed to be worse or better, and none failed.",), leads=True)


def _of(heading: str, cells: Sequence[CellChange], *, leads: bool = False) -> Block:
    grid = check_tables.cells(cells, full=True)
    return Block(heading=f"{heading}: {counted(len(cells), 'cell')}" if cells else heading, grid=grid, leads=leads)


def attribution(report: CheckReport) -> Block:
    """Tell which package made the difference; empty where that was not looked for."""
    heading, found = "Which package did it", report.attribution
    if found is None:
        return Block(heading=heading)
    return Block(heading=heading, text=(found.sentence,), grid=check_tables.probes(found.probes), leads=True)


def sides(report: CheckReport) -> Block:
    """Tell what differs between the two sides."""
    text = (check_tables.in_common(report),)
    return Block(heading="What differs between the sides", text=text, grid=check_tables.sides(report), leads=True)


def canary(report: CheckReport) -> Block:
    """Tell what the baseline differed by from itself, or that this was not measured."""
    text = (
        "The baseline of one cell against itself, measured twice in every round: what the two differ by is noise. "
        f"Where it is fit, that is at most {percent(max(WIDEST, report.trial.margin))}; where it is not, "
        "no cell counts as unchanged."
        if report.canaries
        else "No cell was measured against itself, so nothing shows how far the same thing differs from itself here."
    )
    return Block(heading="Canary", text=(text,), grid=check_tables.canaries(report.canaries))


def _without_result(report: CheckReport) -> Block:
    return Block(heading="Starts without a result", grid=check_tables.without_result(report))


def _remarks(report: CheckReport) -> Block:
    rows = check_tables.named_rows(report)
    repeated = sum(row.windows_repeated for row in rows)
    again = [f"Did not count: {counted(repeated, 'window')}, driven again."] if repeated else []
    return Block(heading="What must be known of single rows", points=(*again, *remarks.remarks(rows, ranks=False)))


def _excluded(report: CheckReport) -> Block:
    found: dict[Excluded, None] = dict.fromkeys(each for header in report.headers for each in header.excluded)
    rows = tuple((each.id, each.reason) for each in found)
    return Block(heading="Excluded", grid=Grid(columns=(Column(header="cell"), Column(header="reason")), rows=rows))


def _alike(report: CheckReport) -> list[str]:
    return list(dict.fromkeys(sentence for header in report.headers for sentence in header.equalised))


def again(report: CheckReport) -> Block:
    """Tell how the check is made again: all of it, and what changed alone."""
    whole, pairs = check_facts.again(report), [cell.pair for cell in check_tables.changed(report)]
    alone = ["# what changed alone", check_facts.again(report, pairs)] if pairs else []
    code = ("# all of it", whole, *alone) if whole else ()
    text = "A file of requirements may have changed since: report.json holds what was installed on each side."
    return Block(heading="Reproduce", text=(text,) if code else (), code=code)
