"""What cells were found to hold at fixed rates, with the bracket and in a sentence; it tries nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, inf, isfinite, isinf

from servermatrix.analysis.holding.entrants import capacities, finalists
from servermatrix.analysis.holding.search import HIGHEST, ceiling_of, common_rate, ends, given_up, highest, next_rate
from servermatrix.analysis.holding.starts import (
    USUAL_PERCENT,
    AtRate,
    by_cell,
    by_rate,
    due_of,
    holds,
    lost,
    percentile_us,
    shows,
    sound,
)
from servermatrix.analysis.phrases import counted, joined
from servermatrix.analysis.stats import estimate, median
from servermatrix.model import Attempt, Cause, Cell, Estimate, Failed, Held, Race, Run

NOT_TRIED = "it was not tried at a fixed rate: the time for that was up"
NO_CAPACITY = "it was not tried at a fixed rate: it has no start in a closed loop that worked"


def held(run: Run) -> tuple[Held, ...]:
    """Return what was found of each finalist, and of whatever else was tried; nothing where no rate was to be tried."""
    race = run.header.race
    if race is None or not (race.holding_s or run.attempts):
        return ()
    known, tried = capacities(run), by_cell(run.attempts)
    cells = {cell.id: cell for cell in finalists(run)}
    others = {one.cell.id: one.cell for one in run.header.cells if one.cell.id in tried}
    common = common_rate(race, tuple(cells.values()), known)
    return tuple(
        judged(race, cell, common, known.get(cell.id, 0.0), tried.get(cell.id, [])) for cell in (cells | others).values()
    )


def judged(race: Race, cell: Cell, common: float, capacity: float, own: Sequence[Attempt]) -> Held:
    """Say what one cell holds, from its attempts; `common` is the rate at which all were tried, 0 where each was searched for."""
    rates = by_rate(own, race.latency_limits)
    low, high = ends(rates)
    bare = Held(
        cell_id=cell.id,
        low_per_s=low or 0.0,
        high_per_s=high or 0.0,
        latency_us=None,
        starts=sum(len(found.starts) for found in rates.values()),
        sentence=given_up(own) or _unable(own) or (NOT_TRIED if capacity else NO_CAPACITY),
    )
    if not rates:
        return bare
    told_of = rates[min(rates) if low is None else low]
    latency = None if told_of.verdict is None and told_of.too_few else latency_us(told_of, percent_of(race))
    sentence = _sentence(race, rates, capacity) + _too_few(rates, cell) + _ending(race, common, capacity, own)
    return replace(bare, latency_us=latency, sentence=sentence)


def broke(run: Run) -> dict[str, str]:
    """Return by id, in a sentence, the cells of which the server failed in every start at fixed rates that was not lost."""
    found: dict[str, str] = {}
    for cell_id, own in by_cell(run.attempts).items():
        starts = [sample for one in own if one.rate_per_s and not lost(sample := sound(one))]
        failures = [one for one in starts if isinstance(one, Failed) and one.cause is Cause.SERVER]
        if failures and len(failures) == len(starts):
            count = "its start" if len(starts) == 1 else f"each of its {len(starts)} starts"
            found[cell_id] = f"it failed at fixed rates, in {count}: {failures[0].reason}"
    return found


def _unable(own: Sequence[Attempt]) -> str:
    """Say which rate the load generator itself could not keep, empty where there is none."""
    ceiling = ceiling_of(own)
    if isinf(ceiling):
        return ""
    return f"the load generator itself could not keep {per_s(ceiling)}, so it is not known whether the server does"


def _too_few(rates: Mapping[float, AtRate], cell: Cell) -> str:
    """Say how a percentile could be shown where nothing is held and requests were too few for it, empty elsewhere."""
    few = [found for found in rates.values() if found.verdict is None and found.too_few]
    if not few or ends(rates)[0] is not None:
        return ""
    rate, percent = few[-1].rate_per_s, few[-1].too_few
    seconds = ceil(round(100 / (100 - percent) / rate / max(1, cell.load.windows), 6))
    if ends(rates)[1] is not None:
        return f"; at {per_s(rate)} there were too few requests for p{percent:g}: --duration of at least {seconds} s"
    return f"; too few requests at this rate for p{percent:g}; --duration of at least {seconds} s, or a higher rate"


def percent_of(race: Race) -> float:
    """Return the percentile that is told: that of the first limit of latency, else the 99th."""
    return race.latency_limits[0].percent if race.latency_limits else USUAL_PERCENT


def latency_us(found: AtRate, percent: float) -> Estimate | None:
    """Return a percentile at one rate over the starts; None where none was measured, or half of them were not answered so far.

    Where a start has too few requests for it, it is that of all answers together, without an interval.
    """
    if found.few and (whole := found.all_answers):
        value = percentile_us(whole, percent)
        return Estimate(value=value, low=None, high=None, n=len(found.starts)) if isfinite(value) else None
    values = found.latencies_us(percent)
    if not values or not isfinite(median(values)):
        return None
    return estimate(values) if max(values) < inf else Estimate(value=median(values), low=None, high=None, n=len(values))


def _sentence(race: Race, rates: dict[float, AtRate], capacity: float) -> str:
    what, percent = joined([limit.text for limit in race.latency_limits]) or "the rate", percent_of(race)
    low, high = ends(rates)
    if low is None:
        unknown = [rate for rate, one in rates.items() if one.verdict is None and one.too_few]
        lowest = rates[high if high is not None else max(unknown, default=min(rates))]
        verb = "did not keep" if high is not None else "is not known to keep"
        at = "at" if race.rate_per_s or not race.latency_limits else "even at"
        return f"it {verb} {what} {at} {per_s(lowest.rate_per_s)} ({_tally(lowest, percent)})"
    kept = f"it kept {what} at {per_s(low)} ({_tally(rates[low], percent)})"
    if high is not None:
        return f"{kept} and not at {per_s(high)} ({_tally(rates[high], percent)})"
    if race.latency_limits and not race.rate_per_s and low >= highest(capacity):
        return f"{kept}, {HIGHEST:.0%} of what it serves in a closed loop and the highest rate tried"
    return kept


def _tally(found: AtRate, percent: float) -> str:
    """Say how many starts held a rate, and how long answers took: `3 of 3 starts, p99 12.1 ms`."""
    count = f"{found.held if found.verdict is not False or not found.few else 0} of {counted(len(found.starts), 'start')}"
    if found.few and found.verdict is not False and (whole := found.all_answers):
        due = counted(due_of(whole), "request")
        return f"{counted(len(found.starts), 'start')} together, p{percent:g} {_ms(percentile_us(whole, percent))} of {due}"
    values = found.latencies_us(percent)
    if not values:
        return f"{count}: {found.reason}" if found.reason else count
    return f"{count}, p{percent:g} {_ms(median(values))}{_few(found, percent)}"


def _few(found: AtRate, percent: float) -> str:
    """Say of how few requests a percentile is, where it is but the slowest of them."""
    due = min((sum(one.stats.due for one in start.windows) for start in found.starts if not isinstance(start, Failed)), default=0)
    return f", the slowest of {counted(due, 'request')}" if due * (100 - percent) < 100 else ""  # noqa: PLR2004 - a percentage


def _ending(race: Race, common: float, capacity: float, own: Sequence[Attempt]) -> str:
    """Say why a cell was tried less than it was to be, empty where it was not."""
    if reason := given_up(own):
        return f"; it was not started again: {reason}"
    if next_rate(race, common, capacity, own) is None:
        unable = _unable(own)
        return f"; {unable}" if unable else ""
    return "; the time was up before there were all starts" if common else "; the time was up before this could be told closer"


def told(race: Race, attempt: Attempt) -> str:
    """Say what came of one attempt, for those who watch: `at 812 requests/s: p99 12.1 ms, held`."""
    sample, percent = sound(attempt), percent_of(race)
    if isinstance(sample, Failed):
        verdict = "not counted" if lost(sample) else "not held"
        return f"at {per_s(attempt.rate_per_s)}: {verdict}: {sample.reason}"
    verdict = "held" if holds(sample, attempt.rate_per_s, race.latency_limits) else "not held"
    if (due := due_of(sample)) and not all(shows(due, limit.percent) for limit in race.latency_limits):
        verdict = f"{counted(due, 'request')}, too few to tell by one start"
    return f"at {per_s(attempt.rate_per_s)}: p{percent:g} {_ms(percentile_us(sample, percent))}, {verdict}"


def per_s(rate: float) -> str:
    """Write a rate: `812 requests/s`, `1.41 requests/s`."""
    number = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"  # noqa: PLR2004 - three digits
    return f"{number} request{'' if rate == 1 else 's'}/s"


def _ms(latency_us: float) -> str:
    """Write a latency with three digits."""
    if not isfinite(latency_us):
        return "without an answer"
    ms = latency_us / 1000
    return f"{ms:,.0f} ms" if ms >= 100 else f"{ms:.1f} ms" if ms >= 10 else f"{ms:.2f} ms"  # noqa: PLR2004 - digits
