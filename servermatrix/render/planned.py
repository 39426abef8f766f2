"""A plan as text and as JSON: what would run, with which command, what would not and why, and how long it takes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from servermatrix.analysis.stats import MIN_ROUNDS
from servermatrix.model import Plan, PlannedCell
from servermatrix.outlook import Outlook
from servermatrix.render.progress import human_seconds


def announcement(ahead: Outlook, rounds: int) -> str:
    """Say in one line what is about to run, how long it takes and whether it can rank."""
    counted = f"{ahead.cells} cells x {rounds} rounds = {ahead.steps} starts"
    return f"{counted}, about {human_seconds(ahead.seconds)}; {_power(ahead, rounds)}"


def _power(ahead: Outlook, rounds: int) -> str:
    if ahead.largest_table < 2:  # noqa: PLR2004 - one row
        return "one cell per table: nothing to compare"
    if rounds < MIN_ROUNDS:
        return f"medians only: nothing can be ranked in fewer than {MIN_ROUNDS} rounds"
    if rounds < ahead.rounds_needed:
        return f"cannot tell any two cells apart: {ahead.largest_table} cells in one table need {ahead.rounds_needed} rounds"
    return "enough rounds to rank"


def to_text(plan: Plan, cells: tuple[PlannedCell, ...], ahead: Outlook) -> str:
    """Write the plan for people."""
    return "\n".join((*_lines(plan, cells), "", announcement(ahead, plan.rounds), f"seed {plan.seed}", ""))


def _lines(plan: Plan, cells: tuple[PlannedCell, ...]) -> Iterator[str]:
    for planned in cells:
        yield planned.cell.id
        yield f"    {shlex.join(planned.argv)}"
        yield f"    {shlex.join(planned.load_argv)}"
    for excluded in plan.excluded:
        yield f"excluded: {excluded.id}: {excluded.reason}"


def to_json(plan: Plan, cells: tuple[PlannedCell, ...], ahead: Outlook) -> str:
    """Write the plan for programs."""
    document = {
        "schema": 1,
        "rounds": plan.rounds,
        "seed": plan.seed,
        "seconds": round(ahead.seconds, 1),
        "rounds_needed": ahead.rounds_needed,
        "cells": [{"id": planned.cell.id, "argv": list(planned.argv), "load_argv": list(planned.load_argv)} for planned in cells],
        "excluded": [{"id": excluded.id, "reason": excluded.reason} for excluded in plan.excluded],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
