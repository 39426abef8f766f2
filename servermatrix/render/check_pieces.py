"""Markdown that must fit into so many bytes: parts that are cut between lines, never inside a row or something folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from servermatrix.render.check_blocks import Block
from servermatrix.render.points import Point
from servermatrix.render.table import Grid, amount, counted, escaped, fenced, plain

Write = Callable[[str], str]
MOST_SIGNS = 600
_ROOM_FOR_CUT = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Lines that may be cut after any of `lines`, but stand with the whole of `head` and `tail` or not at all."""

    head: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Return all of its lines."""
        return *self.head, *self.lines, *self.tail


def shortened(text: str) -> str:
    """Cut a text of any length, as it may come from a log, to one line of a few hundred signs of markdown."""
    line = plain(text)
    return escaped(line if len(line) <= MOST_SIGNS else f"{line[: MOST_SIGNS - 3]}...")


def paragraphs(texts: Iterable[str]) -> Piece:
    """Make one piece of lines of markdown, a paragraph each."""
    return Piece(head=tuple(line for text in texts for line in (text, "")))


def shown(block: Block, write: Write) -> Piece:
    """Make a piece of a block under its heading."""
    head, lines, tail = _inside(block, write)
    return Piece(head=(f"### {write(block.heading)}", "", *head), lines=lines, tail=(*tail, ""))


def folded(block: Block, write: Write) -> Piece:
    """Make a piece of a block that is closed until a reader opens it."""
    head, lines, tail = _inside(block, write)
    return Piece(
        head=(f"<details><summary>{write(block.heading)}</summary>", "", *head), lines=lines, tail=(*tail, "", "</details>", "")
    )


def _inside(block: Block, write: Write) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    text = [line for each in block.text for line in (write(each), "")]
    if block.grid is not None and block.grid.rows:
        return (*text, *_table_head(block.grid, write)), tuple(_row(row, write) for row in block.grid.rows), ()
    if block.points:
        return tuple(text), tuple(line for point in block.points for line in _point(point, write)), ()
    return (*text, *(fenced(block.code) if block.code else ())), (), ()


def _table_head(grid: Grid, write: Write) -> tuple[str, str]:
    """Write the head of a table that is not padded: a padded one is as wide in every row as in its widest."""
    rule = " | ".join("---:" if column.right else "---" for column in grid.columns)
    return _row([column.header for column in grid.columns], write), f"| {rule} |"


def _row(values: Sequence[str], write: Write) -> str:
    return f"| {' | '.join(map(write, values))} |"


def _point(point: Point | str, write: Write) -> Iterator[str]:
    text, items = (point, ()) if isinstance(point, str) else (point.text, point.items)
    yield f"- {write(text)}"
    yield from (f"    - {write(item)}" for item in items)


def fitted(pieces: Sequence[Piece], limit_bytes: int) -> str:
    """Join pieces into a text of at most so many bytes of UTF-8; where they do not fit, the end is left out and that is said."""
    whole = _text(line for piece in pieces for line in piece.all)
    if len(whole.encode()) <= limit_bytes:
        return whole
    kept, whole_pieces, lost = _as_far_as_fits(pieces, limit_bytes - _ROOM_FOR_CUT)
    cut = _text([*kept, _cut(limit_bytes, lost, len(pieces) - whole_pieces - bool(lost))])
    return cut if len(cut.encode()) <= limit_bytes else ""


def _as_far_as_fits(pieces: Sequence[Piece], room: int) -> tuple[list[str], int, int]:
    """Return the lines that fit, how many pieces are whole, and how many lines are missing of the one that was cut."""
    kept: list[str] = []
    for number, piece in enumerate(pieces):
        lines = _lines_that_fit(piece, room - _size(kept))
        if lines is None:
            return kept, number, 0
        kept += [*piece.head, *piece.lines[:lines], *piece.tail]
        if lines < len(piece.lines):
            return kept, number, len(piece.lines) - lines
    return kept, len(pieces), 0


def _lines_that_fit(piece: Piece, room: int) -> int | None:
    """Count the lines of a piece that fit; None where not one does, or no frame for them."""
    left = room - _size((*piece.head, *piece.tail))
    if left < 0:
        return None
    for number, line in enumerate(piece.lines):
        left -= _size([line])
        if left < 0:
            return number or None
    return len(piece.lines)


def _cut(limit_bytes: int, lines: int, sections: int) -> str:
    lost = [counted(lines, "line")] if lines else []
    lost += [counted(sections, "section")] if sections else []
    return f"Cut to fit into {amount(limit_bytes)} bytes; left out here: {' and '.join(lost)}. The report has all of it."


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"
