"""PickReport -> text for a terminal, one screen of it: the answer, the command, what is tied, what else must be known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from servermatrix.analysis.phrases import joined
from servermatrix.model import Candidate, Capacity, PickReport, Standing
from servermatrix.render import console, pick_lines, pick_tables
from servermatrix.render.points import shortened
from servermatrix.render.table import amount, plain

MOST_ROWS = 6
_MOST_OF_CAPACITY = 2
# The first to go stands first; the setting, its requests/s and how it stands against the picked one always stay.
_LEAST_NEEDED = ("workers", "p50 ms", pick_tables.MORE_CPU, pick_tables.MORE_MEMORY, "p99 ms", "CPU us", "MiB", pick_tables.THERE)


def to_terminal(report: PickReport, *, width: int, colour: bool, where: str = "") -> str:
    """Write a search for a terminal that is `width` columns wide; the first line is whole, plain and for machines.

    `where` is the folder of the run, to which the reader is sent for all that is not here.
    """
    return f"{plain(report.line)}\n" + console.drawn(lambda on: _write(on, report, where), width=width, colour=colour)


def _write(on: Console, report: PickReport, where: str) -> None:
    console.paragraph(on, report.answer, "bold")
    for warning in pick_lines.warnings(report):
        console.paragraph(on, warning, "bold yellow")
    _command(on, report, where)
    rows = _shown(report)
    _table(on, report, rows)
    _sentences(on, [*_reasons(report), *_told(report, rows)])
    on.print()
    console.paragraph(on, _where(report, where))


def _command(on: Console, report: PickReport, where: str) -> None:
    """Write the command unfolded: what is folded cannot be pasted."""
    if line := pick_lines.command(report):
        on.print()
        on.print(Text(line, style="bold green"), soft_wrap=True)
        console.paragraph(on, pick_lines.needs(report, where))


def _shown(report: PickReport) -> tuple[Candidate, ...]:
    """Choose the rows of the table: what is recommended, else what came closest."""
    return pick_lines.recommended(report)[:MOST_ROWS] or pick_lines.reached(report)[:MOST_ROWS]


def _table(on: Console, report: PickReport, rows: Sequence[Candidate]) -> None:
    if rows:
        console.heading(on, f"Picked; {pick_lines.beside(report)}" if report.picked else "Best that was reached")
        closed = ("requests/s",) if any(one.held for one in rows) else ()
        console.table(on, pick_tables.cells(rows, report, full=False), (*_LEAST_NEEDED, *closed))


def _sentences(on: Console, told: Sequence[str]) -> None:
    if told:
        on.print()
        console.bullets(on, told, "")


def _reasons(report: PickReport) -> list[str]:
    """Say why the picked cell is; where nothing is, why those that came closest are not."""
    if report.picked:
        reason = pick_lines.sentence(report.picked.reason)
        return [pick_lines.brief(reason)] if reason else []
    found = pick_lines.by_reason(report.of(Standing.OVER_LIMIT), report, pick_lines.MOST_NAMES)
    return shortened([pick_lines.brief(text) for text in found], "reason")


def _told(report: PickReport, rows: Sequence[Candidate]) -> Iterator[str]:
    more = len(pick_lines.recommended(report)) - len(rows)
    if more > 0:
        yield f"{amount(more)} more of these are in report.md."
    if report.share:
        yield pick_lines.sentence(report.share.sentence)
    if report.capacity:
        yield from map(pick_lines.sentence, _of_capacity(report.capacity))
    listed = pick_lines.recommended(report) or (*rows, *report.of(Standing.OVER_LIMIT))
    yield from pick_lines.others(report, listed)


def _of_capacity(found: Capacity) -> tuple[str, ...]:
    """Keep what was asked for by options, which stands last, a sentence for each figure; before it what there is room for."""
    figures = (found.workers_fit, found.connections, found.scaling)
    asked = sum(figure is not None for figure in figures)
    others = found.sentences[: max(0, len(found.sentences) - asked)]
    return (*others[: max(0, _MOST_OF_CAPACITY - asked)], *found.sentences[len(others) :])


def _where(report: PickReport, where: str) -> str:
    names = [name for name, _, _ in report.deployed.files] if report.deployed else []
    files = f", with {joined(names)} in {pick_lines.deploy_folder(report, where)}/" if names else ""
    page = f"{where.rstrip('/')}/report.md" if where else f"report.md of {report.header.id}"
    return f"Everything else: {page}{files}."
