"""Comparison -> text for a terminal: the line for machines, then what changed and what that rests on; the caller prints it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from servermatrix.model import Change, ComparedCell, Comparison
from servermatrix.render import check_tables, compared, compared_facts, console
from servermatrix.render.points import shortened
from servermatrix.render.table import counted

# The first to go stands first; the verdict, the cell, its requests/s and what it was not alike in always stay.
_LEAST_NEEDED = (check_tables.UP_TO, "CPU us/request [95 %]")


def to_terminal(found: Comparison, *, width: int, colour: bool) -> str:
    """Write a comparison for a terminal that is `width` columns wide; the first line is whole, plain and for machines."""
    return f"{compared.first_line(found)}\n" + console.drawn(lambda on: _write(on, found), width=width, colour=colour)


def _write(on: Console, found: Comparison) -> None:
    for warning in compared.warnings(found):
        console.paragraph(on, warning, "bold yellow")
    console.paragraph(on, compared.TWO_TIMES)
    forced = bool(found.unlike)
    changed, inconclusive = compared.changed(found), found.of(Change.INCONCLUSIVE)
    _cells(on, "What changed", changed, [compared.told(cell) for cell in changed], forced=forced)
    _cells(on, "Inconclusive", inconclusive, shortened([compared.told(cell) for cell in inconclusive], "cell"), forced=forced)
    _cells(on, "No change", found.of(Change.UNCHANGED), (), forced=forced)
    rows = compared_facts.not_the_same(found).rows
    if rows:
        console.heading(on, "What is not the same in the two runs")
        console.bullets(on, [f"{what}: {base} -> {head}" for what, base, head in rows])
    for sentence in compared_facts.left_out(found):
        console.heading(on, "Not compared")
        console.bullets(on, [sentence])


def _cells(on: Console, heading: str, cells: Sequence[ComparedCell], sentences: Sequence[str], *, forced: bool) -> None:
    if cells:
        console.heading(on, f"{heading}: {counted(len(cells), 'cell')}")
        console.table(on, compared.cells(cells, full=False, forced=forced), _LEAST_NEEDED)
        console.bullets(on, sentences)
