"""What is not known of a search at fixed rates because its time was up: whose rates are unsettled, and the budget for all."""

from __future__ import annotations

from math import ceil

from servermatrix.analysis import holding
from servermatrix.analysis.durations import seconds_per_step
from servermatrix.analysis.holding.search import common_rate, next_rate, starts_wanted
from servermatrix.analysis.holding.starts import by_cell
from servermatrix.model import Run

SEARCHED = 8  # starts that bracket a rate as a rule: five at its ends, and those on the way


def unsettled(run: Run) -> frozenset[str]:
    """Return the ids of the cells that were tried at fixed rates and of which the search was cut off."""
    race = run.header.race
    if race is None:
        return frozenset()
    known, tried = holding.capacities(run), by_cell(run.attempts)
    common = common_rate(race, holding.finalists(run), known)
    return frozenset(own for own, these in tried.items() if next_rate(race, common, known.get(own, 0.0), these) is not None)


def budget_needed_s(run: Run) -> int:
    """Return the budget, in whole seconds, that every finalist's starts at fixed rates take; 0 where time was not what lacked."""
    race, cells = run.header.race, holding.finalists(run)
    if race is None or not race.holding_s or not cells or any(one.rate_per_s for one in run.attempts):
        return 0
    each_s = max(seconds_per_step(cell.load) for cell in cells)
    if each_s <= race.holding_s:
        return 0
    starts = len(cells) * (starts_wanted(race) if race.rate_per_s or not race.latency_limits else SEARCHED)
    return ceil(starts * each_s * (run.header.budget_s + race.holding_s) / race.holding_s)
