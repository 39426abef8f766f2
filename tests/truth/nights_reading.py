"""Reads verdicts off made-up nights, and holds them against what is true of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from servermatrix.analysis.regress import FIRST_ROUNDS, judge
from servermatrix.analysis.regress.findings import findings_of
from servermatrix.analysis.regress.stages import detectable
from servermatrix.analysis.stats import median
from servermatrix.model import Change
from tests.truth.nights_worlds import Nights, conducted, duels_at_night

NEARLY = 1e-9  # what is exactly at the margin is not beyond it, whatever its last bit says
Verdict = tuple[Change, float | None]  # and within what it was said to be unchanged


def by_numbers(world: Nights, seed: int) -> Counter[str]:
    """Count what the functions of both stages say of a night, without a canary."""
    duels = duels_at_night(world, seed)
    found = findings_of(duels, world.stages)
    counts = _tally(world, [(one.change, one.beyond) for one in found])
    went_on = sum(duel.baseline.rounds > FIRST_ROUNDS for duel in duels)
    return counts + Counter({"went on": went_on, "first no change": found[0].change is Change.UNCHANGED})


def by_detectable(world: Nights, seed: int) -> Counter[str]:
    """Count whether a change of the size that a night like this one would print as detectable is found in the first cell."""
    sizes = [detectable(duel, world.stages) for duel in duels_at_night(replace(world, cells=24), seed)]
    size = median([one for one in sizes if one is not None])
    duels = duels_at_night(replace(world, one=1 + size), seed)
    found = findings_of(duels, world.stages)[0].change is Change.REGRESSION
    return Counter({"nights": 1, "found": found, "size in 1/1000 %": round(size * 1e5)})


def by_judgement(world: Nights, seed: int) -> Counter[str]:
    """Count what a check says of a night that was gone through from the plan on, canary and all."""
    report = judge([conducted(world, seed)])
    (canary,) = report.canaries
    counts = _tally(world, [(cell.change, cell.beyond) for cell in report.cells])
    return counts + Counter({"canary unfit": not canary.fit, "canary alarmed": canary.alarmed, "starts": report.steps[0]})


def _tally(world: Nights, verdicts: Sequence[Verdict]) -> Counter[str]:
    """Count nights and cells by what was said of them, and what of that is wrong."""
    changes = Counter(change for change, _ in verdicts)
    wrong = [_is_false(world.worse(place), world.margin, verdict) for place, verdict in enumerate(verdicts)]
    return Counter(
        {
            "nights": 1,
            "cells": len(verdicts),
            "false alarm": any(one == "alarm" for one in wrong),
            "wrongly unchanged": wrong.count("unchanged"),
            "any failed": changes[Change.FAILED] > 0,
            "found": verdicts[0][0] is Change.REGRESSION,
            "all unchanged": changes[Change.UNCHANGED] == len(verdicts),
            "any inconclusive": changes[Change.INCONCLUSIVE] > 0,
            **{str(change): count for change, count in changes.items()},
        }
    )


def _is_false(worse: float, margin: float, verdict: Verdict) -> str:
    """Say in what way a verdict is false, empty for one that is not: a change that is not there, or none beyond what is there."""
    change, within = verdict
    size = max(worse, 1 / worse) - 1
    if change in {Change.REGRESSION, Change.IMPROVEMENT}:
        rightly = size > margin + NEARLY and (worse > 1) is (change is Change.REGRESSION)
        return "" if rightly else "alarm"
    return "unchanged" if change is Change.UNCHANGED and size > (within or 0) + NEARLY else ""
