"""The tables of a check, as values: its cells with their figures, the canary, what differs between the sides, what failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from servermatrix.analysis.phrases import joined
from servermatrix.model import BASELINE, CANDIDATE, Canary, CellChange, Change, CheckReport, Metric, Probe, Side, Summary
from servermatrix.render import check_lines
from servermatrix.render.check_lines import at_most, moved
from servermatrix.render.notes import is_measured
from servermatrix.render.table import ABSENT, Column, Grid, amount, counted

_CHANGED = (Change.REGRESSION, Change.FAILED, Change.GONE, Change.NEW, Change.IMPROVEMENT)
_MOST_REQUIREMENTS = 6
NOT_CHANGED = frozenset({Change.UNCHANGED, Change.INCONCLUSIVE})
UP_TO = "may be up to"
NOT_INSTALLED = "not installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A column of the table of cells: its header, what stands under it, and whether a terminal has it too.

    One that is `seldom` known is left out of a table in which it is known of no cell.
    """

    header: str
    value: Callable[[CellChange], str]
    right: bool = True
    brief: bool = False
    seldom: bool = False


def _absolute(row: Summary | None) -> str:
    value = row.rps.value if row is not None and row.rps is not None and is_measured(row) else None
    return amount(value, digits=1 if value is not None and value < 100 else 0)  # noqa: PLR2004 - three digits tell


def _up_to(cell: CellChange) -> str:
    """Write how large a change may be there; beside one that was found, it would read as another figure of it."""
    return at_most(cell.beyond) if cell.change in NOT_CHANGED else ABSENT


FIGURES: Sequence[Figure] = (
    Figure(header="verdict", value=lambda cell: cell.change.value, right=False, brief=True),
    Figure(header="cell", value=lambda cell: cell.pair, right=False, brief=True),
    Figure(header="requests/s [95 %]", value=lambda cell: check_lines.shift(cell, Metric.RPS), brief=True),
    Figure(header="CPU us/request [95 %]", value=lambda cell: check_lines.shift(cell, Metric.CPU), brief=True),
    Figure(header=UP_TO, value=_up_to, brief=True, seldom=True),
    Figure(header="stage", value=lambda cell: check_lines.stage(cell.shifts), right=False, brief=True),
    Figure(header="p requests/s", value=lambda cell: check_lines.p_value(cell, Metric.RPS), seldom=True),
    Figure(header="p CPU", value=lambda cell: check_lines.p_value(cell, Metric.CPU), seldom=True),
    Figure(header="baseline requests/s", value=lambda cell: _absolute(cell.baseline)),
    Figure(header="candidate requests/s", value=lambda cell: _absolute(cell.candidate)),
    Figure(header="what was found", value=lambda cell: cell.sentence, right=False),
)


def changed(report: CheckReport) -> tuple[CellChange, ...]:
    """List the cells that changed or failed, what is worst first."""
    return tuple(cell for change in _CHANGED for cell in report.of(change))


def cells(of: Sequence[CellChange], *, full: bool) -> Grid:
    """Lay out cells with their figures: ratios of the candidate to the baseline, as what changes."""
    figures = [figure for figure in FIGURES if (full or figure.brief) and _stands(figure, of)]
    return Grid(
        columns=tuple(Column(header=figure.header, right=figure.right) for figure in figures),
        rows=tuple(tuple(figure.value(cell) for figure in figures) for cell in of),
    )


def _stands(figure: Figure, of: Sequence[CellChange]) -> bool:
    return not figure.seldom or any(figure.value(cell) != ABSENT for cell in of)


def canaries(found: Sequence[Canary]) -> Grid:
    """Lay out what one side differed by from itself."""
    headers = (("fit", False), ("cell", False), ("requests/s [95 %]", True), ("CPU us/request [95 %]", True), ("stage", False))
    return Grid(
        columns=tuple(Column(header=header, right=right) for header, right in (*headers, ("what was found", False))),
        rows=tuple(map(_canary, found)),
    )


def _canary(canary: Canary) -> tuple[str, ...]:
    by = {shift.metric: moved(shift.ratio) for shift in canary.shifts}
    figures = (by.get(metric, ABSENT) for metric in (Metric.RPS, Metric.CPU))
    return "yes" if canary.fit else "NO", canary.pair, *figures, check_lines.stage(canary.shifts), canary.sentence


def sides(report: CheckReport) -> Grid:
    """Lay out the two sides: what they are made of, then each package in which they differ."""
    rows = (*given(report), *packages(report))
    return Grid(columns=tuple(Column(header=each) for each in ("what", BASELINE, CANDIDATE)), rows=rows)


def given(report: CheckReport) -> tuple[tuple[str, str, str], ...]:
    """List what the two sides are made of, without what is said of neither."""
    one, other = report.trial.baseline, report.trial.candidate
    own = "the app's own folder"
    return (
        ("requirements", _requirements(one), _requirements(other)),
        *([("app from", one.app_dir or own, other.app_dir or own)] if one.app_dir or other.app_dir else []),
        *([("git of the app", one.git or ABSENT, other.git or ABSENT)] if one.git or other.git else []),
    )


def packages(report: CheckReport) -> tuple[tuple[str, str, str], ...]:
    """List the packages in which the two sides differ."""
    return tuple((each.name, each.baseline or NOT_INSTALLED, each.candidate or NOT_INSTALLED) for each in report.differing)


def _requirements(side: Side) -> str:
    if not side.requires:
        return "what the run itself has"
    more = len(side.requires) - _MOST_REQUIREMENTS
    shown = side.requires if more <= 1 else side.requires[:_MOST_REQUIREMENTS]
    return ", ".join(shown) + (f" and {amount(more)} more" if more > 1 else "")


def in_common(report: CheckReport) -> str:
    """Say how much the two sides have in common, so that what differs can be what made the difference."""
    one, other = (set(side.versions) for side in (report.trial.baseline, report.trial.candidate))
    if not one and not other:
        return "What was installed on the two sides is not known."
    differ = f"in {counted(len(report.differing), 'package')}" if report.differing else "in no package"
    alike = f"{counted(len(one & other), 'package')} of" if one & other else "no package is of"
    return f"The sides differ {differ}; {alike} the same version on both."


def without_result(report: CheckReport) -> Grid:
    """Lay out the rows that have no numbers or lost starts, with the reason."""
    headers = ("cell", "side", "status", "starts without a result", "reason")
    rows = (
        (cell.pair, side, row.status, amount(row.rounds_failed), row.reason)
        for cell in report.cells
        for side, row in _rows(cell)
        if row.rounds_failed or not is_measured(row)
    )
    return Grid(columns=tuple(Column(header=each, right=each.startswith("starts")) for each in headers), rows=tuple(rows))


def _rows(cell: CellChange) -> Iterator[tuple[str, Summary]]:
    for side, row in ((BASELINE, cell.baseline), (CANDIDATE, cell.candidate)):
        if row is not None:
            yield side, row


def named_rows(report: CheckReport) -> list[Summary]:
    """List the measured rows of both sides, under a name that says which side of which cell each of them is."""
    found = ((cell, side, row) for cell in report.cells for side, row in _rows(cell) if is_measured(row))
    return [replace(row, name=f"{cell.pair} ({side})") for cell, side, row in found]


def probes(found: Sequence[Probe]) -> Grid:
    """Lay out the steps of an attribution."""
    headers = ("with the candidate's versions of", "the change is", "what was found", "run")
    words = {True: "there", False: "not there", None: "not told"}
    rows = ((joined(one.upgraded) or "nothing", words[one.worse], one.sentence, one.run) for one in found)
    return Grid(columns=tuple(Column(header=each) for each in headers), rows=tuple(rows))
