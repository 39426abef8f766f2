"""The cell that is measured twice: what it differs by from itself is noise, and the floor under every claim of the run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from random import Random

from servermatrix.analysis.stats import MIN_ROUNDS
from servermatrix.model import Cell, Plan

FEWEST_CELLS = 2


def with_duplicate(plan: Plan, missing: Collection[str] = ()) -> Plan:
    """Return the plan with one cell of a closed loop a second time, right behind itself, chosen by the seed.

    Only where the rounds can rank and there are two such cells to be ranked; never a cell whose generator is `missing`.
    """
    cells = tuple(cell for cell in plan.cells if not cell.duplicate)
    ranked = [cell for cell in cells if not cell.load.rate_percent]
    driven = [cell for cell in ranked if cell.load.generator not in missing]
    if plan.rounds < MIN_ROUNDS or len(ranked) < FEWEST_CELLS or not driven:
        return replace(plan, cells=cells)
    chosen = Random(f"{plan.seed}/again").choice(driven)  # noqa: S311 - a reproducible choice, not a secret
    place = cells.index(chosen) + 1
    return replace(plan, cells=(*cells[:place], replace(chosen, duplicate=True), *cells[place:]))


def measured_twice(plan: Plan) -> Cell | None:
    """Return the cell of which the plan has a duplicate, None when it has none."""
    return next((replace(cell, duplicate=False) for cell in plan.cells if cell.duplicate), None)
