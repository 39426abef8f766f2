"""Two stored runs -> Comparison: which cells changed, and whether the runs may be compared at all.

What is said of a cell rests on one thing that no test can show: that nothing but the code has changed between the two times.
Holm's procedure (1979) keeps the chance that any of the changes called confirmed is none to ALARM_ALPHA, but only of what varies
from start to start within a run; a machine that was slower for a whole night looks like code that is slower.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from math import exp, expm1, inf, isfinite, log1p

from servermatrix.analysis import conditions
from servermatrix.analysis.compare_verdicts import BASE, HEAD, Meeting, Rules, Tested, counts, settled, verdict, without_number
from servermatrix.analysis.contrast import Contrast, Sided, contrasts, half_width, sided
from servermatrix.analysis.field import Field, field_of
from servermatrix.analysis.floor import noise_floor
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.ranksum import rounds_needed
from servermatrix.analysis.regress.shifts import percent
from servermatrix.analysis.regress.stages import ALARM_ALPHA, WIDEST
from servermatrix.analysis.stats import MIN_ROUNDS, holm, median
from servermatrix.errors import NothingSelected, Unfit, UsageProblem
from servermatrix.model import (
    Cause,
    Cell,
    Change,
    ComparedCell,
    ComparedRun,
    Comparison,
    Failed,
    Metric,
    PlannedCell,
    Run,
    RunHeader,
    Unlike,
)

DIRECTIONS = 2
ENOUGH_CELLS = 3  # for a change of all of them together to be anything but that of one

Tests = Mapping[str, tuple[Contrast, ...]]


def compare_runs(base: Run, head: Run, margin: float, *, force: bool = False) -> Comparison:
    """Return what became of each cell from one run to the other; a change within the `margin`, a share, does not matter.

    Raises UsageProblem for what cannot be compared at all, NothingSelected for runs without a common cell, and Unfit, unless
    `force` is given, for runs that were not measured alike.
    """
    _refuse_always(base.header, head.header)
    before, after = _cells(base.header), _cells(head.header)
    shared = [(cell, after[cell.id]) for cell in before.values() if cell.id in after]
    _refuse_too_little(base.header, head.header, len(shared))
    apart = conditions.unlike(base.header, head.header, shared)
    if apart and not force:
        raise _not_alike(apart)
    return _compared(base, head, [cell.id for cell, _ in shared], margin, apart)


def _refuse_always(base: RunHeader, head: RunHeader) -> None:
    if base.id == head.id:
        raise UsageProblem(f"{BASE} and {HEAD} are the same run, {base.id}", "name two runs: an older and a newer one")
    for header in (base, head):
        if header.trial is not None:
            raise UsageProblem(
                f"run {header.id} is a check and holds both of its sides already",
                f"see what it found with: python3 run_matrix.py report {header.id}",
            )


def _cells(header: RunHeader) -> dict[str, Cell]:
    """Return the cells that can be compared, by id: of a closed loop, and not measured only to find the noise."""
    cells = (planned.cell for planned in header.cells)
    return {cell.id: cell for cell in cells if not cell.duplicate and not cell.load.rate_percent}


def _refuse_too_little(base: RunHeader, head: RunHeader, shared: int) -> None:
    if not shared:
        raise NothingSelected(
            f"{base.id} and {head.id} have no cell of a closed loop in common",
            "cells are found by their ids, which `plan` prints; two sets of packages are compared by `check`",
        )
    needed = rounds_needed(shared * len(Metric) * DIRECTIONS, ALARM_ALPHA)
    for header in (base, head):
        if header.rounds < MIN_ROUNDS:
            raise UsageProblem(
                f"run {header.id} has {header.rounds} of the at least {MIN_ROUNDS} rounds that comparing takes",
                f"make both runs again with --rounds {needed}, which can confirm a change among {counted(shared, 'cell')}",
            )


def _not_alike(apart: Sequence[Unlike]) -> Unfit:
    lines = "".join(f"\n  {one.what}: {one.base} in {BASE}, {one.head} in {HEAD}" for one in apart)
    return Unfit(
        f"these runs were not measured alike, and what differs between them may be that alone:{lines}",
        "measure both alike, or compare them all the same with --force, which labels every line",
    )


def _compared(base: Run, head: Run, shared: Sequence[str], margin: float, apart: Sequence[Unlike]) -> Comparison:
    one, other = field_of(base), field_of(head)
    before, after = sided(base, one.rows), sided(head, other.rows)
    meetings = [Meeting(id=cell_id, base=before[cell_id], head=after[cell_id]) for cell_id in shared]
    runs = _run(base, one), _run(head, other)
    early = {cell.id: found for cell in meetings if (found := settled(cell)) is not None}
    open_cells = [cell for cell in meetings if counts(cell)]
    looks, band = runs[0].looks * runs[1].looks, log1p(margin)
    tests = {cell.id: contrasts(cell.base, cell.head, band, looks) for cell in open_cells}
    hypotheses = DIRECTIONS * sum(map(len, tests.values()))
    rules = Rules(margin=margin, hypotheses=hypotheses, unfit=_unfit(runs, max(WIDEST, margin)))
    tested = _corrected(tests)
    late = {cell.id: verdict(cell, tested[cell.id], rules) for cell in open_cells if cell.id not in early}
    cells = [*(early.get(cell_id) or late[cell_id] for cell_id in shared), *_one_sided(base.header, before, head.header, after)]
    return Comparison(
        base=runs[0],
        head=runs[1],
        margin=margin,
        cells=tuple(replace(cell, unlike=tuple(each.what for each in apart if each.concerns(cell.id))) for cell in cells),
        unlike=tuple(apart),
        changed=conditions.changed(base, head),
        hypotheses=hypotheses,
        rounds_needed=rounds_needed(max(1, hypotheses) * looks, ALARM_ALPHA),
        detectable=_detectable(open_cells, band, ALARM_ALPHA / (max(1, hypotheses) * looks)),
        overall=tuple(_overall(tests)),
        left_out=_open_loops(base.header, head.header),
    )


def _run(run: Run, field: Field) -> ComparedRun:
    floor = noise_floor(field.rows, field.looks)
    unfit = (one.reason for one in run.samples if isinstance(one, Failed) and one.cause is Cause.ENVIRONMENT)
    return ComparedRun(
        header=run.header,
        complete=run.complete,
        steps=(len(run.samples), run.steps_planned),
        looks=max(1, len(run.header.looks)),
        noise_floor=None if floor is None else floor.factor,
        environment=next(unfit, ""),
    )


def _unfit(runs: Sequence[ComparedRun], widest: float) -> str:
    """Say in which run a cell differed from itself by so much that no change of any can be ruled out; empty for none."""
    for name, run in zip((BASE, HEAD), runs, strict=True):
        if run.noise_floor is not None and run.noise_floor - 1 > widest:
            return f"in {name} a cell differed from itself by up to {percent(run.noise_floor - 1)}"
    return ""


def _corrected(tests: Tests) -> dict[str, dict[Metric, Tested]]:
    """Correct every p for all of them: of all cells, metrics and directions."""
    flat = [(cell_id, one) for cell_id, found in tests.items() for one in found]
    adjusted = iter(holm(list(chain.from_iterable((one.worse, one.better) for _, one in flat))))
    tested: dict[str, dict[Metric, Tested]] = {cell_id: {} for cell_id in tests}
    for cell_id, one in flat:
        tested[cell_id][one.metric] = Tested(contrast=one, worse=next(adjusted), better=next(adjusted))
    return tested


def _one_sided(
    base: RunHeader, before: Mapping[str, Sided], head: RunHeader, after: Mapping[str, Sided]
) -> Iterator[ComparedCell]:
    """Yield the cells that only one of the runs has."""
    old, new = _cells(base), _cells(head)
    for cell_id in [each for each in old if each not in new]:
        change, sentence = _alone(before[cell_id], BASE, Change.GONE, _why_not(head, cell_id))
        yield ComparedCell(id=cell_id, change=change, sentence=sentence, base=before[cell_id].row.summary)
    for cell_id in [each for each in new if each not in old]:
        change, sentence = _alone(after[cell_id], HEAD, Change.NEW, _why_not(base, cell_id))
        yield ComparedCell(id=cell_id, change=change, sentence=sentence, head=after[cell_id].row.summary)


def _why_not(header: RunHeader, cell_id: str) -> str:
    reasons = (each.reason for each in header.excluded if each.id == cell_id)
    return next((f": excluded in the other, {reason}" for reason in reasons), "")


def _alone(side: Sided, name: str, change: Change, reason: str) -> tuple[Change, str]:
    """Say what a cell of one run alone is, alike for either run: errors first, then whether there was a number at all."""
    if side.failures:
        return Change.FAILED, f"only in {name}, where it failed: {side.failures[0].reason}"
    if not side.measured:
        return Change.INCONCLUSIVE, f"only in {name}, and {without_number(side, name)}"
    stopped = ", a cell that stopped being measured" if change is Change.GONE else ""
    return change, f"only in {name}{stopped}{reason}"


def _detectable(cells: Sequence[Meeting], band: float, alpha: float) -> float | None:
    """Return the change that the first step of Holm's procedure would confirm about every second time in the median cell."""
    widths = [half_width(cell.base, cell.head, DIRECTIONS * alpha) for cell in cells]
    found = median([inf if width is None else expm1(band + width) for width in widths]) if widths else inf
    return found if isfinite(found) else None


def _overall(tests: Tests) -> Iterator[tuple[Metric, float]]:
    """Yield by how much the median cell changed, where there are enough to speak of all."""
    for metric in Metric:
        centres = [one.centre for found in tests.values() for one in found if one.metric is metric]
        if len(centres) >= ENOUGH_CELLS:
            yield metric, exp(median(centres))


def _open_loops(*headers: RunHeader) -> tuple[str, ...]:
    cells: list[PlannedCell] = [planned for header in headers for planned in header.cells]
    return tuple(dict.fromkeys(planned.cell.id for planned in cells if planned.cell.load.rate_percent))
