"""Report -> text for a terminal: the tables of report.md with as many columns as fit; the caller prints it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Layout
from rich.text import Text

from servermatrix.model import Report, Summary, Table
from servermatrix.render import notes, parity
from servermatrix.render.results import results
from servermatrix.render.table import Grid, plain

# The first to go stands first; rank, server and requests/s always stay.
_LEAST_NEEDED = ("p99 ms", "group", "p50 ms", "CPU us/request", "ratio", "flags")
_GAP = 2


def to_terminal(report: Report, *, width: int, colour: bool) -> str:
    """Write a report for a terminal that is `width` columns wide; without colour there is no escape sequence in it."""
    target = StringIO()
    console = Console(
        file=target,
        width=max(width, 20),
        height=1_000,  # with the width given too, nothing is asked of a real terminal or of the environment
        force_terminal=colour,
        force_jupyter=False,
        color_system="standard" if colour else None,
        no_color=not colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    _paragraph(console, report.answer, "bold")
    for remark in (notes.substitute(report.header), notes.incomplete(report)):
        _paragraph(console, remark, "bold yellow")
    _paragraph(console, notes.apart(report), "")
    for table in report.tables:
        _table(console, table, report)
    _not_measured(console, notes.without_numbers(report))
    _list(console, "What was made equal", report.header.equalised)
    _list(console, "What could not be made equal", parity.unequal_in_words(notes.settled_rows(report)))
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()) + "\n"


def _list(console: Console, heading: str, sentences: Sequence[str]) -> None:
    if sentences:
        console.print()
        console.print(Text(heading, style="bold underline"))
        _bullets(console, sentences)


def _paragraph(console: Console, text: str, style: str) -> None:
    if text:
        console.print(Text(plain(text), style=style))


def _table(console: Console, table: Table, report: Report) -> None:
    console.print()
    console.print(Text(notes.title(table, report), style="bold underline"))
    _paragraph(console, notes.own_answer(table, report), "")
    grid = _fitting(_printable(results(table, full=False)), console.width)
    if grid.rows:
        console.print(_layout(grid))
    _bullets(console, notes.under_table(table, report))


def _bullets(console: Console, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        console.print(Padding(Text(plain(sentence), style="dim"), (0, 0, 0, _GAP)))


def _printable(grid: Grid) -> Grid:
    return Grid(columns=grid.columns, rows=tuple(tuple(map(plain, row)) for row in grid.rows))


def _fitting(grid: Grid, width: int) -> Grid:
    unflagged = ["flags"] if all(row[-1] == notes.NO_FLAGS for row in grid.rows) else []
    for header in (*unflagged, *_LEAST_NEEDED):
        if _wide(grid) <= width:
            break
        grid = _without(grid, header)
    return grid


def _wide(grid: Grid) -> int:
    columns = zip((column.header for column in grid.columns), *grid.rows, strict=True)
    return sum(max(map(cell_len, column)) + _GAP for column in columns) - _GAP


def _without(grid: Grid, header: str) -> Grid:
    kept = [index for index, column in enumerate(grid.columns) if column.header != header]
    return Grid(
        columns=tuple(grid.columns[index] for index in kept),
        rows=tuple(tuple(row[index] for index in kept) for row in grid.rows),
    )


def _layout(grid: Grid) -> Layout:
    layout = Layout(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in grid.columns:
        layout.add_column(Text(column.header), justify="right" if column.right else "left", overflow="fold")
    for row in grid.rows:
        layout.add_row(*map(Text, row))
    return layout


def _not_measured(console: Console, rows: tuple[Summary, ...]) -> None:
    if rows:
        console.print()
        console.print(Text("Not measured", style="bold underline"))
    for row in rows:
        console.print(Padding(Text(plain(f"{row.planned.cell.id}: {row.status}: {row.reason}")), (0, 0, 0, _GAP)))
