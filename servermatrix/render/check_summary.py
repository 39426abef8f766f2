"""CheckReport -> the summary of a step on GitHub: what changed is in sight, the rest folded, all of it within a limit."""

from __future__ import annotations

from servermatrix.model import CheckReport
from servermatrix.render.check_blocks import blocks, title
from servermatrix.render.check_lines import first_line, warnings
from servermatrix.render.check_pieces import Piece, fitted, folded, paragraphs, shortened, shown

LIMIT_BYTES = 1_000_000  # GitHub refuses the whole summary of a step above 1 MiB


def step_summary(report: CheckReport, limit_bytes: int = LIMIT_BYTES) -> str:
    """Write the summary of a step in at most so many bytes of UTF-8; what does not fit is left out from the end, and counted."""
    return fitted([top(report), *_rest(report)], limit_bytes)


def top(report: CheckReport) -> Piece:
    """Begin with the verdict and with what makes it worth less."""
    strong = (f"**{shortened(line)}**" for line in (first_line(report), *warnings(report)))
    return paragraphs([f"## {shortened(title(report))}", *strong])


def _rest(report: CheckReport) -> list[Piece]:
    found = sorted(blocks(report), key=lambda block: not block.leads)
    return [shown(block, shortened) if block.leads else folded(block, shortened) for block in found]
