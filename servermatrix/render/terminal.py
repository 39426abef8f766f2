"""Report -> text for a terminal: the tables of report.md with as many columns as fit; the caller prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from servermatrix.model import Report, Summary, Table
from servermatrix.render import console, controls, effects, looks, notes, parity, remarks
from servermatrix.render.points import MOST_ITEMS, Point, shortened
from servermatrix.render.results import results
from servermatrix.render.table import Grid

# The first to go stands first; rank, server and requests/s always stay.
_LEAST_NEEDED = ("group", "p50 ms", "limited by", "busiest worker", "p99 ms", "CPU us", "ratio", "flags")
_LEAST_NEEDED_OPEN = ("CPU us", "p50 ms", "busiest worker", "p99.9 ms", "flags")


def to_terminal(report: Report, *, width: int, colour: bool) -> str:
    """Write a report for a terminal that is `width` columns wide; without colour there is no escape sequence in it."""
    return console.drawn(lambda on: _write(on, report), width=width, colour=colour)


def _write(on: Console, report: Report) -> None:
    _top(on, report)
    for table in report.tables:
        _table(on, table, report)
    _controls(on, report)
    _stopped(on, report)
    _not_measured(on, notes.without_numbers(report))
    _list(on, "What was made equal", report.header.equalised)
    _list(on, "What could not be made equal", parity.unequal_in_words(notes.settled_rows(report)))


def _top(on: Console, report: Report) -> None:
    """Begin with what makes all of the rest worthless, then the answer, then what it is worth."""
    console.paragraph(on, controls.alarm(report.checks), "bold red")
    console.paragraph(on, report.answer, "bold")
    for warning in (notes.substitute(report.header), notes.incomplete(report)):
        console.paragraph(on, warning, "bold yellow")
    for told in (looks.noise_floor(report), notes.apart(report)):
        console.paragraph(on, told)


def _list(on: Console, heading: str, points: Sequence[Point | str], style: str = "dim") -> None:
    if points:
        console.heading(on, heading)
        console.bullets(on, points, style)


def _controls(on: Console, report: Report) -> None:
    if report.checks:
        told = shortened(controls.sentences(report.checks), "control")
        _list(on, controls.HEADING, [controls.outcome(report.checks), *told])


def _stopped(on: Console, report: Report) -> None:
    if looks.may_stop(report):
        _list(on, looks.HEADING, [*filter(None, [looks.plan(report.header, report.decisions)]), *looks.points(report)])


def _table(on: Console, table: Table, report: Report) -> None:
    console.heading(on, notes.title(table, report))
    console.paragraph(on, notes.own_answer(table, report))
    grid = results(table, report, full=False)
    if grid.rows:
        console.table(on, grid, _least_needed(grid, table), parts=console.PARTS_OF_NAMES, shortest=console.LONGEST_NAME)
    told = remarks.remarks(notes.shown(table), ranks=not table.rate_percent, most_names=MOST_ITEMS)
    console.bullets(on, [*notes.under_table(table, report), *map(_short, told)])
    _list(on, effects.HEADING, list(effects.points(table)))


def _short(point: Point) -> Point:
    return replace(point, items=tuple(shortened(point.items)))


def _least_needed(grid: Grid, table: Table) -> tuple[str, ...]:
    unflagged = ("flags",) if all(row[-1] == remarks.NO_FLAGS for row in grid.rows) else ()
    return (*unflagged, *(_LEAST_NEEDED_OPEN if table.rate_percent else _LEAST_NEEDED))


def _not_measured(on: Console, rows: tuple[Summary, ...]) -> None:
    _list(on, "Not measured", [f"{row.planned.cell.id}: {row.status}: {row.reason}" for row in rows], style="")
