"""What a plan will take and what it can tell: time, comparisons, rounds needed; nothing is measured for it."""

from __future__ import annotations

from dataclasses import dataclass

from servermatrix.analysis.stats import rounds_needed
from servermatrix.duplicate import measured_twice
from servermatrix.effort import confirmation_s, estimate_s, first_rounds, largest_table
from servermatrix.model import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The expected time in seconds, the cells, the rows of the largest table, and the rounds before they can be told apart.

    `cells` are those of closed loops, `open_cells` those at a fixed rate; `twice` is the id of the one that is measured twice,
    empty where none is, and it counts once. `steps` are the starts of all rounds, and `looks` the rounds after which a run with a
    budget may leave cells out or end. Of a check `cells` are pairs, `steps` and `seconds` those of its first stage, and
    `confirmation_s` is what each flagged pair adds in the second one.
    """

    seconds: float
    cells: int
    open_cells: int
    twice: str
    steps: int
    largest_table: int
    rounds_needed: int
    looks: tuple[int, ...] = ()
    confirmation_s: float = 0.0


def outlook(plan: Plan) -> Outlook:
    """Look ahead at a plan."""
    largest, twice = largest_table(plan), measured_twice(plan)
    opened = sum(cell.load.rate_percent > 0 for cell in plan.cells)
    cells = len(plan.cells) - opened - (twice is not None)
    return Outlook(
        seconds=estimate_s(plan),
        cells=cells if plan.trial is None else len({cell.pair for cell in plan.cells}),
        open_cells=opened,
        twice=twice.id if twice else "",
        steps=len(plan.cells) * first_rounds(plan),
        largest_table=largest,
        rounds_needed=rounds_needed(largest * (largest - 1) // 2),
        looks=tuple(look.round for look in plan.looks),
        confirmation_s=confirmation_s(plan),
    )
