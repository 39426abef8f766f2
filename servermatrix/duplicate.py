"""The cell that is measured twice: what it differs by from itself is noise, and the floor under every claim of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from random import Random

from servermatrix.analysis.grouping import table_key
from servermatrix.analysis.stats import MIN_ROUNDS
from servermatrix.model import Cell, Plan

FEWEST_CELLS = 2
WAITING = frozenset({"sleep"})  # apps of the tool that wait by themselves, beside those whose control says so


def with_duplicate(plan: Plan, missing: Collection[str] = ()) -> Plan:
    """Return the plan with one cell of a closed loop a second time, right behind itself, chosen by the seed.

    Only where the rounds can rank and there are two such cells to be ranked; never a cell whose generator is `missing`.
    """
    cells = tuple(cell for cell in plan.cells if not cell.duplicate)
    ranked = [cell for cell in cells if not cell.load.rate_percent]
    chosen = choose(replace(plan, cells=cells), missing)
    if plan.rounds < MIN_ROUNDS or len(ranked) < FEWEST_CELLS or chosen is None:
        return replace(plan, cells=cells)
    place = cells.index(chosen) + 1
    return replace(plan, cells=(*cells[:place], replace(chosen, duplicate=True), *cells[place:]))


def choose(plan: Plan, missing: Collection[str] = ()) -> Cell | None:
    """Choose by the seed the cell of a closed loop to be measured twice; None when the generators of all are `missing`."""
    driven = [cell for cell in plan.cells if not cell.load.rate_percent and cell.load.generator not in missing]
    if not driven:
        return None
    return Random(f"{plan.seed}/again").choice(_fit(plan, driven))  # noqa: S311 - a reproducible choice, not a secret


def _fit(plan: Plan, driven: Sequence[Cell]) -> list[Cell]:
    """Return the cells of the comparisons that are most likely to be ranked, of those of the largest ones.

    What waits, or opens connections all the time, or has more workers than the machine has cores to spare, is often not limited
    by its server; so is not ranked, and its noise is not that of what is.
    """
    rows = Counter(map(table_key, driven))
    waiting = WAITING | {app.name for app in plan.apps if app.control and app.control.holds}

    def obstacles(cell: Cell) -> tuple[bool, bool, bool, int, int]:
        count, per_connection = rows[table_key(cell)], cell.load.requests_per_connection
        return count < FEWEST_CELLS, cell.app in waiting, per_connection > 0, cell.workers, -count

    best = min(map(obstacles, driven))
    return [cell for cell in driven if obstacles(cell) == best]


def measured_twice(plan: Plan) -> Cell | None:
    """Return the cell of which the plan has a duplicate, None when it has none."""
    return next((replace(cell, duplicate=False) for cell in plan.cells if cell.duplicate), None)
