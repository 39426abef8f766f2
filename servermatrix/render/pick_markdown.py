"""PickReport -> markdown: the whole page of a search; its parts and their order come from pick_blocks."""

from __future__ import annotations

from collections.abc import Iterator

from servermatrix.model import PickReport
from servermatrix.render.check_pieces import folded
from servermatrix.render.pick_blocks import Part, blocks, title
from servermatrix.render.pick_lines import warnings
from servermatrix.render.points import to_markdown_list
from servermatrix.render.table import escaped, fenced, to_markdown_table


def to_markdown(report: PickReport) -> str:
    """Write a search as markdown; the same search gives the same text."""
    strong = (f"**{escaped(text)}**" for text in (report.answer, *warnings(report)))
    parts = [[f"# {escaped(title(report))}"], [escaped(report.line)], *([line] for line in strong)]
    parts += [part for block in blocks(report) for part in _parts(block)]
    return "\n".join("\n".join([*part, ""]) for part in parts)


def _parts(part: Part) -> Iterator[list[str]]:
    if part.folded:
        yield list(folded(part, escaped).all)[:-1]
        return
    yield [f"## {escaped(part.heading)}"]
    yield from ([escaped(text)] for text in part.text)
    if part.points:
        yield to_markdown_list(part.points)
    if part.grid is not None and part.grid.rows:
        yield to_markdown_table(part.grid)
    if part.code:
        yield _fenced(part)
    if part.needs:
        yield [escaped(part.needs)]


def _fenced(part: Part) -> list[str]:
    fence, *rest = fenced(part.code)
    return [f"{fence.removesuffix('sh')}{part.language}", *rest]
