"""Two compared runs in words and tables: the first line, what must be known before any of it is believed, every cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite, log, log1p

from servermatrix.analysis.phrases import joined
from servermatrix.model import Change, ComparedCell, ComparedRun, Comparison, Estimate, Metric, Summary
from servermatrix.render import notes
from servermatrix.render.check_lines import at_most, moved, outcomes
from servermatrix.render.check_tables import NOT_CHANGED, UP_TO
from servermatrix.render.machine import PROGRAM
from servermatrix.render.table import ABSENT, Column, Grid, amount, counted, shell_line

CHANGED = (Change.REGRESSION, Change.FAILED, Change.GONE, Change.NEW, Change.IMPROVEMENT)
TWO_TIMES = (
    "Two runs at two times: a machine that became slower in between looks like code that did, and the runs cannot tell one from "
    "the other; `check` can, for it starts both sides in turns."
)
BASE, HEAD = "BASE", "HEAD"
_SMALLEST_P = 0.0001


def title(found: Comparison) -> str:
    """Name a comparison."""
    return f"servermatrix compare: {found.base.header.id} -> {found.head.header.id}"


def first_line(found: Comparison) -> str:
    """Count the cells by what became of them, in one line for machines whose form never changes."""
    force = ", by force" if found.unlike else ""
    return f"compare: {outcomes(found.counts, found.detectable)}{force}"


def sides(found: Comparison) -> tuple[tuple[str, ComparedRun], tuple[str, ComparedRun]]:
    """Return both runs with the names that they have in every text."""
    return (BASE, found.base), (HEAD, found.head)


def warnings(found: Comparison) -> list[str]:
    """Say what makes the rest worth less, what is worst first."""
    return [
        *_by_force(found),
        *(f"In {name} the machine was not fit for a start: {run.environment}" for name, run in sides(found) if run.environment),
        *(_incomplete(name, run) for name, run in sides(found) if not run.complete),
        *dict.fromkeys(filter(None, (notes.substitute(run.header) for _, run in sides(found)))),
        *_too_few_rounds(found),
        *_all_alike(found),
    ]


def _by_force(found: Comparison) -> Iterator[str]:
    if found.unlike:
        names = joined(list(dict.fromkeys(one.what for one in found.unlike)))
        yield f"COMPARED BY FORCE: the runs were not measured alike ({names}), and what differs between them may be that alone."


def _incomplete(name: str, run: ComparedRun) -> str:
    done, planned = run.steps
    command = shell_line((*PROGRAM, "run", "--resume", run.header.id))
    return f"{name} is INCOMPLETE: {amount(done)} of {counted(planned, 'step')}; go on with: {command}"


def _too_few_rounds(found: Comparison) -> Iterator[str]:
    most = max((shift.ratio.n for cell in found.cells for shift in cell.shifts if shift.ratio), default=0)
    if 0 < most < found.rounds_needed:
        needed = found.rounds_needed
        yield (
            f"No change could be confirmed: {counted(found.hypotheses, 'test')} need {counted(needed, 'round')} of each run, and "
            f"there are {amount(most)}; make both again with --rounds {needed}, or with fewer cells."
        )


def _all_alike(found: Comparison) -> Iterator[str]:
    """Warn where the median cell has changed: many cells seldom change alike for a reason of their own."""
    if any(abs(log(ratio)) > log1p(found.margin) for _, ratio in found.overall):
        figures = joined([f"{metric.value} {moved(_bare(ratio))}" for metric, ratio in found.overall])
        yield f"The median cell has changed, {figures}: what moves most cells alike may well be the machine."


def _bare(ratio: float) -> Estimate:
    return Estimate(value=ratio, low=None, high=None, n=0)


def _p(cell: ComparedCell, metric: Metric) -> str:
    shift = cell.shift(metric)
    if shift is None or shift.p is None or not isfinite(shift.p):
        return ABSENT
    return f"< {_SMALLEST_P}" if shift.p < _SMALLEST_P else amount(shift.p, 4)


def _shift(cell: ComparedCell, metric: Metric) -> str:
    shift = cell.shift(metric)
    return ABSENT if shift is None else moved(shift.ratio)


def _rounds(row: Summary | None) -> str:
    return ABSENT if row is None else amount(row.rounds_ok)


def _rate(row: Summary | None) -> str:
    value = row.rps.value if row is not None and row.rps is not None and notes.is_measured(row) else None
    return amount(value, digits=1 if value is not None and value < 100 else 0)  # noqa: PLR2004 - three digits tell


Figure = tuple[str, bool, bool, Callable[[ComparedCell], str]]
_FIGURES: Sequence[Figure] = (  # header, whether it is a number, whether a terminal has it too, what stands under it
    ("verdict", False, True, lambda cell: cell.change.value),
    ("cell", False, True, lambda cell: cell.id),
    ("requests/s [95 %]", True, True, lambda cell: _shift(cell, Metric.RPS)),
    ("CPU us/request [95 %]", True, True, lambda cell: _shift(cell, Metric.CPU)),
    (UP_TO, True, True, lambda cell: at_most(cell.beyond) if cell.change in NOT_CHANGED else ABSENT),
    ("p requests/s", True, False, lambda cell: _p(cell, Metric.RPS)),
    ("p CPU", True, False, lambda cell: _p(cell, Metric.CPU)),
    ("BASE requests/s", True, False, lambda cell: _rate(cell.base)),
    ("HEAD requests/s", True, False, lambda cell: _rate(cell.head)),
    ("BASE rounds", True, False, lambda cell: _rounds(cell.base)),
    ("HEAD rounds", True, False, lambda cell: _rounds(cell.head)),
)
_NOT_ALIKE: Figure = ("not alike", False, True, lambda cell: ", ".join(cell.unlike) or "alike")
_FOUND: Figure = ("what was found", False, False, lambda cell: cell.sentence)


def cells(of: Sequence[ComparedCell], *, full: bool, forced: bool) -> Grid:
    """Lay out cells with their figures, as what changes from BASE to HEAD; what was forced says so in every row."""
    figures = [each for each in (*_FIGURES, *([_NOT_ALIKE] if forced else []), _FOUND) if (full or each[2]) and _stands(each, of)]
    return Grid(
        columns=tuple(Column(header=header, right=right) for header, right, _, _ in figures),
        rows=tuple(tuple(value(cell) for _, _, _, value in figures) for cell in of),
    )


def _stands(figure: Figure, of: Sequence[ComparedCell]) -> bool:
    header, _, _, value = figure
    return header != UP_TO or any(value(cell) != ABSENT for cell in of)


def changed(found: Comparison) -> tuple[ComparedCell, ...]:
    """List the cells that changed or failed, what is worst first."""
    return tuple(cell for change in CHANGED for cell in found.of(change))


def told(cell: ComparedCell) -> str:
    """Say what became of a cell, with what was not alike where it was compared by force."""
    label = f" (by force: other {', '.join(cell.unlike)})" if cell.unlike else ""
    return f"{cell.id}{label}: {cell.sentence}"
