"""Comparison -> markdown: the whole page of two compared runs."""

from __future__ import annotations

from collections.abc import Sequence

from servermatrix.model import Change, ComparedCell, Comparison
from servermatrix.render import compared, compared_facts
from servermatrix.render.points import to_markdown_list
from servermatrix.render.table import Grid, escaped, to_markdown_table


def to_markdown(found: Comparison) -> str:
    """Write a comparison as markdown; the same comparison gives the same text."""
    forced = bool(found.unlike)
    parts = [
        [escaped(compared.first_line(found))],
        [f"# {escaped(compared.title(found))}"],
        *([f"**{escaped(warning)}**"] for warning in compared.warnings(found)),
        [escaped(compared.TWO_TIMES)],
        *_cells("What changed", compared.changed(found), forced=forced),
        *_cells("Inconclusive", found.of(Change.INCONCLUSIVE), forced=forced),
        *_cells("No change", found.of(Change.UNCHANGED), forced=forced),
        *_section("What is not the same in the two runs", compared_facts.not_the_same(found)),
        ["## How to read this"],
        to_markdown_list(compared_facts.rules(found)),
        *_section("How they were run", compared_facts.runs(found)),
    ]
    return "\n".join("\n".join([*part, ""]) for part in parts)


def _cells(heading: str, cells: Sequence[ComparedCell], *, forced: bool) -> list[list[str]]:
    return _section(heading, compared.cells(cells, full=True, forced=forced))


def _section(heading: str, grid: Grid) -> list[list[str]]:
    return [[f"## {heading}"], to_markdown_table(grid)] if grid.rows else []
