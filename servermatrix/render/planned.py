"""A plan as text and as JSON: what would run, with which command, what would not and why, and how long it takes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator

from servermatrix.analysis.stats import MIN_ROUNDS
from servermatrix.model import Plan, PlannedCell
from servermatrix.outlook import Outlook
from servermatrix.render.progress import human_seconds
from servermatrix.render.table import counted
from servermatrix.suggest import listed


def announcement(ahead: Outlook, rounds: int) -> str:
    """Say in one line what is about to run, how long it takes and whether it can rank."""
    cells = counted(ahead.cells, "cell") + (f" and {ahead.open_cells} at a fixed rate" if ahead.open_cells else "")
    twice = ", one cell twice" if ahead.twice else ""
    if len(ahead.looks) > 1:
        rounds_and_time = f"up to {rounds} rounds{twice}, about {human_seconds(ahead.seconds)} at most; {_looks(ahead.looks)}"
    else:
        rounds_and_time = f"{rounds} rounds{twice} = {ahead.steps} starts, about {human_seconds(ahead.seconds)}"
    return f"{cells} x {rounds_and_time}; {_power(ahead, rounds)}"


def _looks(rounds: tuple[int, ...]) -> str:
    return f"looks after rounds {listed(map(str, rounds[:-1]))} and {rounds[-1]} may leave cells out or end it"


def _power(ahead: Outlook, rounds: int) -> str:
    if ahead.largest_table < 2:  # noqa: PLR2004 - one row
        return "one cell per table: nothing to compare"
    if rounds < MIN_ROUNDS:
        return f"medians only: nothing can be ranked in fewer than {MIN_ROUNDS} rounds"
    if rounds < ahead.rounds_needed:
        return f"cannot tell any two cells apart: {ahead.largest_table} cells in one table need {ahead.rounds_needed} rounds"
    return f"enough rounds to rank: {ahead.largest_table} cells in one table need {ahead.rounds_needed}"


def to_text(plan: Plan, cells: tuple[PlannedCell, ...], ahead: Outlook) -> str:
    """Write the plan for people."""
    notes = (*_notes(ahead), announcement(ahead, plan.rounds), f"seed {plan.seed}")
    return "\n".join((*_lines(plan, cells), "", *notes, ""))


def _notes(ahead: Outlook) -> Iterator[str]:
    if ahead.open_cells:
        yield "at a fixed rate: r30 is sent 30% of what the slowest compared cell serves in a closed loop, measured before"
    if ahead.twice:
        yield f"measured twice, to see how far a cell differs from itself (the noise floor): {ahead.twice}"


def _lines(plan: Plan, cells: tuple[PlannedCell, ...]) -> Iterator[str]:
    for planned in _shown(cells):
        yield planned.cell.id
        yield f"    {shlex.join(planned.argv)}"
        yield f"    {shlex.join(planned.load_argv)}"
    for excluded in plan.excluded:
        yield f"excluded: {excluded.id}: {excluded.reason}"


def _shown(cells: Iterable[PlannedCell]) -> Iterator[PlannedCell]:
    return (planned for planned in cells if not planned.cell.duplicate)


def to_json(plan: Plan, cells: tuple[PlannedCell, ...], ahead: Outlook) -> str:
    """Write the plan for programs."""
    document = {
        "schema": 1,
        "rounds": plan.rounds,
        "seed": plan.seed,
        "seconds": round(ahead.seconds, 1),
        "rounds_needed": ahead.rounds_needed,
        "looks": list(ahead.looks),
        "measured_twice": ahead.twice or None,
        "cells": [
            {"id": planned.cell.id, "argv": list(planned.argv), "load_argv": list(planned.load_argv)} for planned in _shown(cells)
        ],
        "excluded": [{"id": excluded.id, "reason": excluded.reason} for excluded in plan.excluded],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
