"""A terminal of a known width as text: paragraphs, lists and tables that fit; the caller prints it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Layout
from rich.text import Text

from servermatrix.render.points import Point
from servermatrix.render.table import Grid, plain

_GAP = 2
_NARROWEST = 20
LONGEST_NAME = 52
_SHORTEST_NAME = 22  # a ratio with its interval is as long
PARTS_OF_IDS = re.compile("(?<=[,/])|(?=[+@])")
PARTS_OF_NAMES = re.compile("(?<=,)|(?=[+@])")


def drawn(write: Callable[[Console], None], *, width: int, colour: bool) -> str:
    """Return what is written on a terminal `width` columns wide; without colour there is no escape sequence in it."""
    target = StringIO()
    console = Console(
        file=target,
        width=max(width, _NARROWEST),
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
    write(console)
    return "".join(f"{line.rstrip()}\n" for line in target.getvalue().splitlines())


def paragraph(console: Console, text: str, style: str = "") -> None:
    """Write a line of text, folded at spaces."""
    if text:
        console.print(Text(plain(text), style=style))


def heading(console: Console, text: str) -> None:
    """Write a heading under an empty line."""
    console.print()
    console.print(Text(plain(text), style="bold underline"))


def bullets(console: Console, points: Iterable[Point | str], style: str = "dim") -> None:
    """Write points, indented, and what stands under each of them, indented further."""
    for point in points:
        text, items = (point, ()) if isinstance(point, str) else (point.text, point.items)
        for indent, line in ((1, text), *((2, item) for item in items)):
            console.print(Padding(Text(plain(line), style=style), (0, 0, 0, indent * _GAP)))


def table(
    console: Console,
    grid: Grid,
    least_needed: Sequence[str],
    *,
    parts: re.Pattern[str] = PARTS_OF_IDS,
    shortest: int = _SHORTEST_NAME,
) -> None:
    """Write a table with as many of its columns as fit; of `least_needed` the first goes first, the others always stay.

    What is long is folded where `parts` finds that one of its parts begins, down to `shortest` signs where nothing else helps.
    """
    longest = min(LONGEST_NAME, console.width // 2)
    for header in least_needed:
        if _wide(_printable(grid, longest, parts)) <= console.width:
            break
        grid = _without(grid, header)
    while longest > shortest and _wide(_printable(grid, longest, parts)) > console.width:
        longest -= 1
    console.print(_layout(_printable(grid, longest, parts)))


def _printable(grid: Grid, longest: int, parts: re.Pattern[str]) -> Grid:
    rows = (tuple(_folded(plain(value), longest, parts) for value in row) for row in grid.rows)
    return Grid(columns=grid.columns, rows=tuple(rows))


def _folded(text: str, longest: int, parts: re.Pattern[str]) -> str:
    """Break a long name where one of its parts begins, so that it leaves room for the numbers beside it."""
    lines = [""]
    for part in parts.split(text) if cell_len(text) > longest else [text]:
        lines = [*lines, part] if cell_len(lines[-1] + part) > longest and lines[-1] else [*lines[:-1], lines[-1] + part]
    return "\n".join(lines)


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
