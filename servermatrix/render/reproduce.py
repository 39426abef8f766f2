"""The command lines that make each row again: the server, the load, and both by this tool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from servermatrix.model import Report, Summary
from servermatrix.render import notes
from servermatrix.render.machine import PROGRAM
from servermatrix.render.table import counted, escaped, fenced, shell_line

_REPLACED = ("-k", "--seed", "--resume", "--out", "--budget")
_REPLACED_GLUED = ("-k", "--seed=", "--resume=", "--out=", "--budget=")
_ABOUT_OUTPUT = ("run", "--json", "-q", "--quiet", "-v", "--verbose", "-x")


def lines(report: Report) -> list[str]:
    """Write a block of shell text for each measured row; nothing when there is none."""
    rows = notes.settled_rows(report)
    blocks = [[f"### {escaped(row.planned.cell.id)}", "", *_commands(row, report), ""] for row in rows]
    return ["## Reproduce", "", *(line for block in blocks for line in block)][:-1] if rows else []


def _commands(row: Summary, report: Report) -> list[str]:
    planned, header = row.planned, report.header
    load, cells = planned.cell.load, (planned.cell.id, row.paced_by) if row.paced_by else (planned.cell.id,)
    selected = [word for cell_id in cells for word in ("-k", cell_id)]
    again = (*PROGRAM, "run", *_selection(header.argv), *_rounds(row, report), *selected, "--seed", str(header.seed))
    both = "both, by this tool" if len(cells) == 1 else "both, by this tool, with the row whose capacity set the rate"
    said = (
        ("the server, as it was started; files it names are in the work folder of a start", planned.argv),
        (f"the load, {counted(load.windows, 'window')} in each round after a warm-up of {load.warmup_s} s", planned.load_argv),
        (both, again),
    )
    return fenced([line for comment, argv in said if argv for line in (f"# {comment}", shell_line(argv))])


def _rounds(row: Summary, report: Report) -> tuple[str, ...]:
    """Ask for as many rounds as there were: for one cell alone a budget would be more, whatever else was said about them."""
    header = report.header
    if not any(word.startswith("--budget") for word in header.argv):
        return ()
    return "--rounds", str(row.rounds_ok + row.rounds_failed if report.decisions else header.rounds)


def _selection(argv: Sequence[str]) -> Iterator[str]:
    """Keep of a command line what shaped the cells: not which were kept, the seed, or how the report was shown."""
    words = iter(argv)
    for word in words:
        if word in _REPLACED:
            next(words, None)
        elif word not in _ABOUT_OUTPUT and not word.startswith(_REPLACED_GLUED):
            yield word
