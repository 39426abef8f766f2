"""What to try next at a fixed rate: one rate for all, or a search of the highest that each cell holds; pure and resumable.

The search of one cell starts at half of what it serves in a closed loop, doubles while that is held, up to 95 % of it, halves
while it is not, down to 1 request/s, and then halves the ratio between the lowest rate that was not held and the highest below it
that was, until that is at most 1.1. A rate is started once on the way. At the end the lower rate is started until there are three
starts, the upper one until two agree, by the rule of `AtRate`; where that turns a verdict, the search goes on from there. What
was started three times is settled: nothing is tried again until it holds. Where the requests of three starts are too few for a
percentile nothing is known of the rate, and the search goes on above. A rate that the load generator itself twice could not keep
ends the search at half of it. Cells take turns, those with the fewest starts first.
When all finalists were seen not to keep the limits, further cells have their turns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import inf, isinf, sqrt

from servermatrix.analysis.holding.starts import AGREEING, STARTS, AtRate, by_cell, by_rate, lost, own_fault, sound
from servermatrix.analysis.stats import MIN_ROUNDS
from servermatrix.model import LATENCY, Attempt, Cause, Cell, Failed, Measured, Race

FLOOR_PER_S = 1.0
FIRST, HIGHEST = 0.5, 0.95  # of what a cell serves in a closed loop
WITHIN = 1.1
GIVE_UP_AFTER = 2  # starts that the server let fail, where none has worked
LOST_IN_A_ROW = 3


def following(
    race: Race,
    finalists: Sequence[Cell],
    capacity: Mapping[str, float],
    attempts: Sequence[Attempt],
    spent_s: float,
    *,
    each_s: float = 0.0,
    reserves: Sequence[Cell] = (),
) -> tuple[Cell, float, int] | None:
    """Return the cell to start next, its rate, and which of its starts at that rate it is; None when there is nothing to try.

    `capacity` are requests per second in a closed loop by cell id, `each_s` is what a start takes if none has been made yet.
    Nothing is begun that would not end in time, going by the mean of what was.
    """
    started = sum(one.rate_per_s > 0 for one in attempts)
    mean_s = spent_s / started if started else each_s
    if spent_s + mean_s > race.holding_s:
        return None
    common, tried = common_rate(race, finalists, capacity), by_cell(attempts)

    def waiting(cells: Sequence[Cell]) -> list[tuple[int, int, Cell, float]]:
        return [
            (len(own), place, cell, rate)
            for place, cell in enumerate(cells)
            if (rate := next_rate(race, common, capacity.get(cell.id, 0.0), own := tried.get(cell.id, []))) is not None
        ]

    turns = waiting(finalists)
    if not turns and all(_fails(race, tried.get(cell.id, [])) for cell in finalists):
        turns = waiting(reserves)
    if not turns:
        return None
    _, _, cell, rate = min(turns, key=lambda turn: turn[:2])
    return cell, rate, 1 + sum(one.rate_per_s == rate for one in tried.get(cell.id, ()))


def _fails(race: Race, own: Sequence[Attempt]) -> bool:
    """Tell whether a cell keeps the limits at no rate, and not only because that could not be seen."""
    low, high = ends(by_rate(own, race.latency_limits))
    return low is None and (high is not None or bool(given_up(own)))


def common_rate(race: Race, finalists: Sequence[Cell], capacity: Mapping[str, float]) -> float:
    """Return the rate at which all are tried: the wished one, or without limits half of what the slowest serves; 0: a search."""
    known = [capacity[cell.id] for cell in finalists if cell.id in capacity]
    if race.rate_per_s or race.latency_limits or not known:
        return race.rate_per_s
    return max(FLOOR_PER_S, tidy(FIRST * min(known)))


def starts_wanted(race: Race) -> int:
    """Return how many starts a rate gets at which all are tried; latencies are compared only where there is an interval."""
    return MIN_ROUNDS if race.prefer == LATENCY else STARTS


def next_rate(race: Race, common: float, capacity: float, own: Sequence[Attempt]) -> float | None:
    """Return the rate at which a cell is to be tried next, None when it is done with or cannot be tried."""
    if given_up(own):
        return None
    rates, ceiling = by_rate(own, race.latency_limits), ceiling_of(own)
    if common >= ceiling:
        return None
    if common:
        done = len(rates[common].starts) if common in rates else 0
        return common if done < starts_wanted(race) else None
    return sought(capacity, rates, ceiling) if capacity and race.latency_limits else None


def given_up(own: Sequence[Attempt]) -> str:
    """Say why a cell is not started again, empty when it is."""
    found = [sound(one) for one in sorted(own, key=lambda one: one.number)]
    never = next((one.sample.reason for one in own if not one.rate_per_s and isinstance(one.sample, Failed)), "")
    if never:
        return never
    last = [one for one in [one for one in found if not own_fault(one)][-LOST_IN_A_ROW:] if isinstance(one, Failed) and lost(one)]
    if len(last) == LOST_IN_A_ROW:
        return f"{LOST_IN_A_ROW} starts in a row showed nothing of it: {last[-1].reason}"
    broken = [one for one in found if isinstance(one, Failed) and one.cause is Cause.SERVER]
    if len(broken) >= GIVE_UP_AFTER and not any(isinstance(one, Measured) for one in found):
        return broken[0].reason
    return ""


def ceiling_of(own: Iterable[Attempt]) -> float:
    """Return the lowest rate that the load generator itself could not keep in two starts, infinite where there is none."""
    faults = Counter(one.rate_per_s for one in own if own_fault(one.sample))
    return min((rate for rate, count in faults.items() if count >= AGREEING), default=inf)


def sought(capacity: float, rates: Mapping[float, AtRate], ceiling: float = inf) -> float | None:
    """Return the next rate of the search of one cell, None when its bracket is found; see the head of this file."""
    split = [rate for rate, found in rates.items() if found.verdict is None and len(found.starts) < STARTS and rate < ceiling]
    if split:
        return split[0]
    top = highest(capacity) if isinf(ceiling) else max(FLOOR_PER_S, min(highest(capacity), tidy(ceiling / 2)))
    wished = _wished(capacity, rates, top)
    if wished is not None and wished >= ceiling:
        wished = top
    settled = wished is not None and (wished >= ceiling or (wished in rates and len(rates[wished].starts) >= STARTS))
    return None if settled else wished


def _wished(capacity: float, rates: Mapping[float, AtRate], top: float) -> float | None:
    low, high = ends(rates)
    unknown = max(
        (rate for rate, found in rates.items() if found.verdict is None and (high is None or rate < high)), default=None
    )
    low = unknown if low is None else max(low, unknown or 0.0)
    if high is None:
        if low is None:
            return max(FLOOR_PER_S, min(top, tidy(FIRST * capacity)))
        return min(top, tidy(2 * low)) if low < top else _unless(low, rates[low], STARTS)
    if low is None:
        return max(FLOOR_PER_S, tidy(high / 2)) if high > FLOOR_PER_S else _unless(high, rates[high], AGREEING)
    if high > WITHIN * low:
        return tidy(sqrt(low * high))
    return _unless(low, rates[low], STARTS) or _unless(high, rates[high], AGREEING)


def _unless(rate: float, found: AtRate, enough: int) -> float | None:
    return rate if len(found.starts) < enough else None


def highest(capacity: float) -> float:
    """Return the highest rate that is tried: close to what a closed loop reaches, no queue is ever short."""
    return max(FLOOR_PER_S, tidy(HIGHEST * capacity))


def ends(rates: Mapping[float, AtRate]) -> tuple[float | None, float | None]:
    """Return the highest rate that is held below the lowest that is not, and that one; None where there is none."""
    high = min((rate for rate, found in rates.items() if found.verdict is False), default=None)
    held = (rate for rate, found in rates.items() if found.verdict and (high is None or rate < high))
    return max(held, default=None), high


def tidy(rate_per_s: float) -> float:
    """Round to three digits, which is finer than any bracket."""
    return float(f"{rate_per_s:.3g}")
