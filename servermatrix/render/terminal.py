"""Report -> text for a terminal: the tables of report.md with as many columns as fit; the caller prints it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Layout
from rich.text import Text

from servermatrix.model import Report, Summary, Table
from servermatrix.render import controls, effects, looks, notes, parity, remarks
from servermatrix.render.points import MOST_ITEMS, Point, shortened
from servermatrix.render.results import results
from servermatrix.render.table import Grid, plain

# The first to go stands first; rank, server and requests/s always stay.
_LEAST_NEEDED = ("group", "p50 ms", "limited by", "busiest worker", "p99 ms", "CPU us", "ratio", "flags")
_LEAST_NEEDED_OPEN = ("CPU us", "p50 ms", "busiest worker", "p99.9 ms", "flags")
_GAP = 2
_LONGEST_NAME = 52
_PARTS = re.compile("(?<=,)|(?=[+@])")


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
    _top(console, report)
    for table in report.tables:
        _table(console, table, report)
    _controls(console, report)
    _stopped(console, report)
    _not_measured(console, notes.without_numbers(report))
    _list(console, "What was made equal", report.header.equalised)
    _list(console, "What could not be made equal", parity.unequal_in_words(notes.settled_rows(report)))
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()) + "\n"


def _top(console: Console, report: Report) -> None:
    """Begin with what makes all of the rest worthless, then the answer, then what it is worth."""
    _paragraph(console, controls.alarm(report.checks), "bold red")
    _paragraph(console, report.answer, "bold")
    for warning in (notes.substitute(report.header), notes.incomplete(report)):
        _paragraph(console, warning, "bold yellow")
    for told in (looks.noise_floor(report), notes.apart(report)):
        _paragraph(console, told, "")


def _list(console: Console, heading: str, points: Sequence[Point | str]) -> None:
    if points:
        console.print()
        console.print(Text(heading, style="bold underline"))
        _bullets(console, points)


def _controls(console: Console, report: Report) -> None:
    if report.checks:
        _list(
            console, controls.HEADING, [controls.outcome(report.checks), *shortened(controls.sentences(report.checks), "control")]
        )


def _stopped(console: Console, report: Report) -> None:
    if looks.may_stop(report):
        _list(console, looks.HEADING, [*filter(None, [looks.plan(report.header, report.decisions)]), *looks.points(report)])


def _paragraph(console: Console, text: str, style: str) -> None:
    if text:
        console.print(Text(plain(text), style=style))


def _table(console: Console, table: Table, report: Report) -> None:
    console.print()
    console.print(Text(notes.title(table, report), style="bold underline"))
    _paragraph(console, notes.own_answer(table, report), "")
    grid = _fitting(_printable(results(table, report, full=False), console.width), console.width, table)
    if grid.rows:
        console.print(_layout(grid))
    told = remarks.remarks(notes.shown(table), ranks=not table.rate_percent, most_names=MOST_ITEMS)
    _bullets(console, [*notes.under_table(table, report), *map(_short, told)])
    _list(console, effects.HEADING, list(effects.points(table)))


def _short(point: Point) -> Point:
    return replace(point, items=tuple(shortened(point.items)))


def _bullets(console: Console, points: Iterable[Point | str]) -> None:
    for point in points:
        text, items = (point, ()) if isinstance(point, str) else (point.text, point.items)
        for indent, line in ((1, text), *((2, item) for item in items)):
            console.print(Padding(Text(plain(line), style="dim"), (0, 0, 0, indent * _GAP)))


def _printable(grid: Grid, width: int) -> Grid:
    longest = min(_LONGEST_NAME, width // 2)
    return Grid(columns=grid.columns, rows=tuple(tuple(_folded(plain(value), longest) for value in row) for row in grid.rows))


def _folded(text: str, longest: int) -> str:
    """Break a long name where one of its parts begins, so that it leaves room for the numbers beside it."""
    lines = [""]
    for part in _PARTS.split(text):
        lines = [*lines, part] if cell_len(lines[-1] + part) > longest and lines[-1] else [*lines[:-1], lines[-1] + part]
    return "\n".join(lines)


def _fitting(grid: Grid, width: int, table: Table) -> Grid:
    unflagged = ["flags"] if all(row[-1] == remarks.NO_FLAGS for row in grid.rows) else []
    for header in (*unflagged, *(_LEAST_NEEDED_OPEN if table.rate_percent else _LEAST_NEEDED)):
        if _wide(grid) <= width:
            break
        grid = _without(grid, header)
    return grid


def _wide(grid: Grid) -> int:
    columns = zip((column.header for column in grid.columns), *grid.rows, strict=True)
    return sum(max(cell_len(line) for value in column for line in value.split("\n")) + _GAP for column in columns) - _GAP


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
