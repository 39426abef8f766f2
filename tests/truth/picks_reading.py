"""Reads what became of made-up spaces, and holds it against what is true of them."""

from __future__ import annotations

from collections import Counter

from servermatrix.analysis import race
from servermatrix.model import Run
from tests.truth.picks_worlds import Space, Spaces, conducted, raced


def by_race(world: Spaces, seed: int) -> Counter[str]:
    """Count whether a race keeps the best of a space, and what it costs."""
    return tally(*raced(world, seed))


def by_conduct(world: Spaces, seed: int) -> Counter[str]:
    """Count the same of a race that is conducted as the command does."""
    return tally(*conducted(world, seed))


def tally(space: Space, run: Run) -> Counter[str]:
    """Count spaces with the best in the winner group, starts, and those of the full matrix of equal confidence.

    A matrix in which every cell has as many rounds as those in front had in the race has the same standard error on them.
    """
    found = race.outcome(run)
    group = {found.best, *found.tied}
    rounds = max(one.round for one in run.decisions)
    starts = sum(min(rounds, run.rounds_of(cell)) for cell in space.cells)
    return Counter(
        {
            "spaces": 1,
            "kept": space.best in group,
            "led": space.best == found.best,
            "cells": len(space.cells),
            "starts": starts,
            "full": len(space.cells) * rounds,
            "rounds": rounds,
            "group": len(group),
            "after 3": sum(run.rounds_of(cell) > 3 for cell in space.cells),
        }
    )
