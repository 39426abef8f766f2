"""A check in words: its first line, its figures as text, and what must be known before any of them is believed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite

from servermatrix.analysis.regress import shifts
from servermatrix.model import CellChange, Change, CheckReport, Estimate, Metric, RunHeader, Shift
from servermatrix.render import notes, table
from servermatrix.render.machine import PROGRAM
from servermatrix.render.table import ABSENT, amount, counted, shell_line

_ALWAYS = (
    (Change.REGRESSION, "regressed"),
    (Change.IMPROVEMENT, "improved"),
    (Change.UNCHANGED, "unchanged"),
    (Change.INCONCLUSIVE, "inconclusive"),
    (Change.FAILED, "failed"),
)
_SELDOM = ((Change.NEW, "new"), (Change.GONE, "gone"))
_TOLD_AS_RATIO = 3.0
_SMALLEST_P = 0.0001
_NO_CELL = "No cell was compared."
_SERVER_ENDS = re.compile(r"[\[@+:/]")


def first_line(report: CheckReport) -> str:
    """Count the cells by what became of them, in one line for machines whose form never changes."""
    return f"check: {outcomes(report.counts, report.detectable)}"


def outcomes(counts: Mapping[Change, int], detectable: float | None) -> str:
    """Count what became of cells, the seldom ones only where there are any, with the smallest change that would have shown."""
    told = [f"{counts.get(change, 0)} {word}" for change, word in _ALWAYS]
    told += [f"{counts[change]} {word}" for change, word in _SELDOM if counts.get(change)]
    smallest = percent(detectable) if detectable is not None and isfinite(detectable) else "unknown"
    return f"{', '.join(told)} (smallest detectable change {smallest})"


def percent(share: float | None) -> str:
    """Write a share as a percentage with one digit after the point."""
    return table.percent(share, 1)


def at_most(share: float | None) -> str:
    """Write an upper limit as a percentage, rounded up as the sentences of a check have it."""
    return ABSENT if share is None or not isfinite(share) else shifts.percent(share)


def moved(found: Estimate | None) -> str:
    """Write a ratio of two sides as what changes, `-12.3 % [-13.5, -11.0]`, or as a ratio where percents do not tell."""
    if found is None or not isfinite(found.value):
        return ABSENT
    if not 1 / _TOLD_AS_RATIO < found.value < _TOLD_AS_RATIO:
        return table.ratio(found)
    inside = "" if found.low is None or found.high is None else f" [{_by(found.low)}, {_by(found.high)}]"
    return f"{_by(found.value)} %{inside}"


def _by(ratio: float) -> str:
    tenths = round(1_000 * (ratio - 1))
    return f"{tenths / 10:+,.1f}" if tenths else "0.0"


def shift(cell: CellChange, metric: Metric) -> str:
    """Write how a metric of a cell differs between the sides."""
    found = cell.shift(metric)
    return ABSENT if found is None else moved(found.ratio)


def p_value(cell: CellChange, metric: Metric) -> str:
    """Write the p of the second stage, `n/a` where a metric was not tested there."""
    found = cell.shift(metric)
    if found is None or found.p is None:
        return ABSENT
    return f"< {_SMALLEST_P}" if found.p < _SMALLEST_P else amount(found.p, 4)


def stage(of: Iterable[Shift]) -> str:
    """Say from which stage figures are and on how many rounds they rest, `2 (16 rounds)`."""
    found = (f"{one.stage} ({counted(one.ratio.n, 'round')})" for one in of if one.ratio is not None)
    return ", ".join(dict.fromkeys(found)) or ABSENT


def server(cell: CellChange) -> str:
    """Name the server of a cell."""
    row = cell.baseline or cell.candidate
    return row.planned.cell.server if row else _SERVER_ENDS.split(cell.pair, maxsplit=1)[0]


def run_ids(report: CheckReport) -> str:
    """Name the runs of a check."""
    return ", ".join(header.id for header in report.headers)


def warnings(report: CheckReport) -> list[str]:
    """Say what makes the rest worth less: no cells, not all done, not measured for real, a canary that is not fit."""
    return [
        *([] if report.cells else [_NO_CELL]),
        *([] if report.complete else [_incomplete(report)]),
        *dict.fromkeys(filter(None, (notes.substitute(header) for header in report.headers))),
        *unfit(report),
    ]


def unfit(report: CheckReport) -> list[str]:
    """Say which canaries are not fit, and why."""
    return [f"The canary {canary.pair} is not fit: {canary.sentence}" for canary in report.canaries if not canary.fit]


def no_night(report: CheckReport) -> str:
    """Say why a check is none at all: it is not complete, or it has nothing to show; empty where it is one."""
    if not report.complete:
        return _incomplete(report)
    if not report.cells:
        return _NO_CELL
    ratios = (shift.ratio for cell in report.cells for shift in cell.shifts)
    known = any(ratio is not None and isfinite(ratio.value) for ratio in ratios)
    return "" if known else "No cell has a figure: nothing was measured on both sides."


def _incomplete(report: CheckReport) -> str:
    done, planned = report.steps
    if done >= planned:
        return "INCOMPLETE: not all shards of this check are here; finish those that are missing, then merge again"
    said = f"INCOMPLETE: {amount(done)} of {counted(planned, 'step')}"
    if len(report.headers) != 1:
        return f"{said}; finish the runs that were cut off, then merge again"
    return f"{said}; go on with: {_resume(report.headers[0])}"


def _resume(header: RunHeader) -> str:
    return shell_line((*PROGRAM, "check", "--resume", header.id))
