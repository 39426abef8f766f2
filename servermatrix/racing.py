"""What a race has besides the cells that were selected: the plaintext app beside them, and the time that two rounds take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import ceil

from servermatrix.analysis.phrases import counted
from servermatrix.config import applications
from servermatrix.effort import preparation_s, steps_s
from servermatrix.errors import UsageProblem
from servermatrix.measure import rehearsal
from servermatrix.model import Cell, Plan, Race

PLAINTEXT = "plaintext"
FAST = frozenset({"uvloop", "httptools"})  # what a reference runs with where its server offers it
FEWEST_ROUNDS = 2
HOLDING_SHARE = 0.35  # of the budget, for what is tried at fixed rates
REHEARSAL_S = 1.0  # per setting


def with_references(plan: Plan, race: Race) -> Plan:
    """Return the plan as a race between its cells, with the plaintext app beside them under one setting of each server."""
    cells = competing(plan)
    beside = tuple(_references(cells))
    apps = tuple(app for app in plan.apps if app.name != PLAINTEXT or any(cell.app == PLAINTEXT for cell in cells))
    known = apps if any(app.name == PLAINTEXT for app in apps) else (*apps, applications.builtin_app(PLAINTEXT))
    return replace(plan, cells=(*cells, *beside), apps=known, race=replace(race, references=tuple(cell.id for cell in beside)))


def competing(plan: Plan) -> tuple[Cell, ...]:
    """Return the cells that race."""
    beside = frozenset(() if plan.race is None else plan.race.references)
    return tuple(cell for cell in plan.cells if not cell.duplicate and cell.id not in beside)


def _references(cells: Iterable[Cell]) -> Iterable[Cell]:
    """Yield the plaintext app under one setting of each server with the fewest workers, the one that is likely to cost least."""
    best: dict[str, Cell] = {}
    for cell in cells:
        known = best.get(cell.server)
        if known is None or (-cell.workers, _fast(cell)) > (-known.workers, _fast(known)):
            best[cell.server] = cell
    return (replace(cell, app=PLAINTEXT) for cell in best.values())


def _fast(cell: Cell) -> int:
    return sum(value in FAST for _, value in cell.options)


def check_budget(plan: Plan, budget_s: float) -> None:
    """Refuse a budget in which two rounds of all cells do not fit; UsageProblem says what is needed."""
    starts = len({cell.setting for cell in plan.cells})
    need_s = needed_s(plan) + rehearsal.BETWEEN_S + REHEARSAL_S * starts
    if plan.race is not None and need_s > plan.budget_s:
        raise too_short(plan, budget_s, need_s)


def needed_s(plan: Plan, slower_s: float = 0.0) -> float:
    """Return what two rounds take, in seconds, with an app that takes so much longer to start than a small one."""
    return preparation_s(plan) + steps_s(plan.cells, FEWEST_ROUNDS) + FEWEST_ROUNDS * slower_s * len(competing(plan))


def too_short(plan: Plan, budget_s: float, need_s: float) -> UsageProblem:
    """Say that a budget is too short for what two rounds take, and what would be long enough."""
    whole_s = ceil(need_s / (1 - HOLDING_SHARE) if plan.race and plan.race.holding_s else need_s) + 1
    beside = len(plan.cells) - len(cells := competing(plan))
    fewer = "choose fewer cells with -k, or " if len(cells) > 1 else "give "
    what = f"two rounds of {counted(len(cells), 'cell')}, and {beside} for comparison,"
    return UsageProblem(
        f"{budget_s:.0f} s are too short: {what} take {whole_s:.0f} s",
        f"{fewer}--budget {whole_s:.0f}s",
    )
