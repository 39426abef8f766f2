"""CheckReport -> markdown: the whole page of a check; its parts and their order come from check_blocks."""

from __future__ import annotations

from collections.abc import Iterator

from servermatrix.model import CheckReport
from servermatrix.render.check_blocks import Block, blocks, title
from servermatrix.render.check_lines import first_line, warnings
from servermatrix.render.points import to_markdown_list
from servermatrix.render.table import escaped, fenced, to_markdown_table


def to_markdown(report: CheckReport) -> str:
    """Write a check as markdown; the same check gives the same text."""
    strong = (f"**{escaped(warning)}**" for warning in warnings(report))
    parts = [[f"# {escaped(title(report))}"], [escaped(first_line(report))], *([line] for line in strong)]
    parts += [part for block in blocks(report) for part in _parts(block)]
    return "\n".join("\n".join([*part, ""]) for part in parts)


def _parts(block: Block) -> Iterator[list[str]]:
    yield [f"## {escaped(block.heading)}"]
    yield from ([escaped(text)] for text in block.text)
    if block.grid is not None and block.grid.rows:
        yield to_markdown_table(block.grid)
    if block.points:
        yield to_markdown_list(block.points)
    if block.code:
        yield fenced(block.code)
