"""CheckReport -> the issue that a nightly check keeps: a title, and a body."""

from __future__ import annotations

import re

from servermatrix.analysis.phrases import counted
from servermatrix.model import Change, CheckReport
from servermatrix.render import check_tables
from servermatrix.render.check_blocks import Block, again, attribution, canary, sides
from servermatrix.render.check_lines import first_line, warnings
from servermatrix.render.check_pieces import Piece, fitted, paragraphs, shortened, shown
from servermatrix.render.table import Column, Grid, plain

LIMIT_BYTES = 54_000  # GitHub takes 65,536 characters; what publishes it puts hidden lines before it and a link after it
_LONGEST_TITLE = 200
_KEPT = "This text is that of the latest check; the nightly workflow keeps it up to date and closes the issue on recovery."
# GitHub would tell a person, or link another issue, for these signs wherever they stand outside of code.
_CALLS = re.compile(r"(?<!\w)@(?=\w)|#(?=\d)")
_WORDS = (
    (Change.REGRESSION, "regressed"),
    (Change.FAILED, "failed"),
    (Change.GONE, "gone"),
    (Change.INCONCLUSIVE, "inconclusive"),
)


def issue_title(report: CheckReport) -> str:
    """Write a title of one line: what is worst, how many cells, and the first of them."""
    for change, word in _WORDS:
        if found := report.of(change):
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            return _cut(f"Nightly check: {counted(len(found), 'cell')} {word}: ", found[0].pair, more)
    return "Nightly check: no regression"


def _cut(before: str, name: str, after: str) -> str:
    room = _LONGEST_TITLE - len(before) - len(after)
    name = plain(name)
    return f"{before}{name if len(name) <= room else name[: room - 3] + '...'}{after}"


def issue_body(report: CheckReport, limit_bytes: int = LIMIT_BYTES) -> str:
    """Write the body: what changed with its figures, what differs between the sides, how to reproduce it."""
    top = [_defused(first_line(report)), *(f"**{_defused(warning)}**" for warning in warnings(report))]
    found = (_changed(report), attribution(report), sides(report), canary(report), again(report), _where(report))
    pieces: list[Piece] = [paragraphs(top), *(shown(block, _defused) for block in found if not block.empty)]
    return fitted([*pieces, paragraphs([_KEPT])], limit_bytes)


def _changed(report: CheckReport) -> Block:
    """Lay out what changed with the sentence beside the cell, where a narrow page still shows it."""
    cells = check_tables.changed(report)
    table = check_tables.cells(cells, full=True)
    order = [0, 1, len(table.columns) - 1, *range(2, len(table.columns) - 1)]
    columns = tuple(table.columns[place] for place in order)
    return Block(
        heading=f"What changed: {counted(len(cells), 'cell')}" if cells else "What changed",
        text=() if cells else ("No cell was confirmed to be worse or better, and none failed.",),
        grid=Grid(columns=columns, rows=tuple(tuple(row[place] for place in order) for row in table.rows)),
    )


def _where(report: CheckReport) -> Block:
    """Name the machine of each run."""
    rows = (
        (header.id, header.started_at, header.host.cpu, str(header.host.cores), header.host.system) for header in report.headers
    )
    columns = tuple(Column(header=each, right=each == "cores") for each in ("run", "started", "cpu", "cores", "system"))
    return Block(heading="Where it was measured", grid=Grid(columns=columns, rows=tuple(rows)))


def _defused(text: str) -> str:
    """Write text of any origin so that it shows as it is and calls nobody: an unseen space parts the sign from the name."""
    return _CALLS.sub(lambda found: f"{found.group()}&#8203;", shortened(text))
