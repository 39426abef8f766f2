"""CheckReport -> text for a terminal: the line for machines, then what changed and what that rests on; the caller prints it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from servermatrix.model import Canary, CellChange, Change, CheckReport
from servermatrix.render import check_blocks, check_facts, check_lines, check_tables, console
from servermatrix.render.points import Point, shortened
from servermatrix.render.table import amount, counted

# The first to go stands first; the verdict, the cell and its requests/s always stay.
_LEAST_NEEDED = ("stage", check_tables.UP_TO, "CPU us/request [95 %]")


def to_terminal(report: CheckReport, *, width: int, colour: bool) -> str:
    """Write a check for a terminal that is `width` columns wide; the first line is whole, plain and for machines."""
    return f"{check_lines.first_line(report)}\n" + console.drawn(lambda on: _write(on, report), width=width, colour=colour)


def _write(on: Console, report: CheckReport) -> None:
    for warning in check_lines.warnings(report):
        console.paragraph(on, warning, "bold yellow")
    console.paragraph(on, check_facts.shards(report))
    _cells(on, "What changed", check_tables.changed(report), every_sentence=True)
    _cells(on, "Inconclusive", report.of(Change.INCONCLUSIVE), every_sentence=False)
    _unchanged(on, report)
    _list(on, "Which package did it", _attribution(report))
    _list(on, "What differs between the sides", _sides(report))
    _list(on, "Canary", [_canary(each) for each in report.canaries] or check_blocks.canary(report).text)
    _list(on, "Starts without a result", _without_result(report))


def _unchanged(on: Console, report: CheckReport) -> None:
    """Lay out the cells without a change, or say in one sentence that there are no others: a good night needs no table."""
    cells = report.of(Change.UNCHANGED)
    known = [cell for cell in cells if cell.beyond is not None]
    if not report.complete or len(cells) < len(report.cells) or not known:
        _cells(on, "No change", cells, every_sentence=False)
        return
    widest = max(known, key=lambda cell: cell.beyond or 0)
    most = f"{check_lines.at_most(widest.beyond)} ({widest.pair})"
    console.paragraph(on, f"No change in any of {counted(len(cells), 'cell')}: none beyond {most}; report.md has every figure.")


def _cells(on: Console, heading: str, cells: Sequence[CellChange], *, every_sentence: bool) -> None:
    if not cells:
        return
    console.heading(on, f"{heading}: {counted(len(cells), 'cell')}")
    console.table(on, check_tables.cells(cells, full=False), _LEAST_NEEDED)
    sentences = [f"{cell.pair}: {cell.sentence}" for cell in cells if cell.change is not Change.UNCHANGED]
    console.bullets(on, sentences if every_sentence else shortened(sentences, "cell"))


def _list(on: Console, heading: str, points: Sequence[Point | str]) -> None:
    if points:
        console.heading(on, heading)
        console.bullets(on, points)


def _attribution(report: CheckReport) -> list[Point]:
    found = report.attribution
    if found is None:
        return []
    rows = check_tables.probes(found.probes).rows
    return [Point(text=found.sentence, items=tuple(f"with {names}: {word}: {said}" for names, word, said, _ in rows))]


def _sides(report: CheckReport) -> list[Point | str]:
    """Say what differs, packages first; of what is alike only how much it is."""
    rows = (*check_tables.packages(report), *check_tables.given(report))
    lines = [f"{what}: {one} -> {other}" for what, one, other in rows if one != other]
    return [Point(text=check_tables.in_common(report), items=tuple(shortened(lines, "difference")))]


def _canary(canary: Canary) -> str:
    return f"{canary.pair} against itself: {canary.sentence}"


def _without_result(report: CheckReport) -> list[str]:
    rows = check_tables.without_result(report).rows
    told = [f"{pair} ({side}): {status}, {_starts(starts)}: {reason}" for pair, side, status, starts, reason in rows]
    return shortened(told, "row")


def _starts(number: str) -> str:
    return f"{number} {'start' if number == amount(1) else 'starts'} without a result"
