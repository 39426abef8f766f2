"""What a plan will take and what it can tell: time, comparisons, rounds needed; nothing is measured for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from servermatrix.analysis.grouping import table_key
from servermatrix.analysis.stats import rounds_needed
from servermatrix.model import Plan
from servermatrix.plan import estimate_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The expected time in seconds, the cells of the largest table, and the rounds before its rows can be told apart."""

    seconds: float
    cells: int
    steps: int
    largest_table: int
    rounds_needed: int


def outlook(plan: Plan) -> Outlook:
    """Look ahead at a plan."""
    tables = Counter(map(table_key, plan.cells))
    largest = max(tables.values())
    return Outlook(
        seconds=estimate_s(plan),
        cells=len(plan.cells),
        steps=len(plan.cells) * plan.rounds,
        largest_table=largest,
        rounds_needed=rounds_needed(largest * (largest - 1) // 2),
    )
