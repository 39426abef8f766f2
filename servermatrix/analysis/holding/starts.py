"""Starts at a fixed rate: what each kept, and what those at one rate say together; the rule is that of `AtRate`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf

from servermatrix.analysis.latency import merge
from servermatrix.analysis.summarise import checked
from servermatrix.model import Attempt, Cause, Failed, Limit, Measured

STARTS = 3  # at the lower end of a bracket
AGREEING = 2  # starts that settle a rate
KEPT = 0.99  # of the requests that were due must have an answer, and of the time that sending took must be in the window
USUAL_PERCENT = 99.0
ROUNDING = 1e-6  # 100 - 99.9 is a little less than 0.1 in binary
OWN_FAULT = "could not keep the rate"  # what an open-loop generator says of itself
LOST = frozenset({Cause.NOISE, Cause.ENVIRONMENT})

Tried = Measured | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRate:
    """The starts of one cell at one rate, in their order, without those that were lost to what the server has no part in.

    The rule: of one or two starts all must say the same, else nothing is known yet; from three on a rate is held where at least
    two thirds of them hold it. No rate of a search is started more than three times, whatever comes of it. Where a start has too
    few requests to show a percentile, the answers of all starts are judged together, and where even these are too few it is not
    known whether the rate is held.
    """

    rate_per_s: float
    starts: tuple[Tried, ...]
    limits: tuple[Limit, ...]

    @property
    def held(self) -> int:
        """Count the starts that held the rate, those with too few requests for a percentile whatever that is."""
        if self.few:
            return sum(holds(start, self.rate_per_s, ()) for start in self.starts)
        return sum(holds(start, self.rate_per_s, self.limits) for start in self.starts)

    @property
    def verdict(self) -> bool | None:
        """Tell whether the rate is held, None where that is not known yet."""
        count, held = len(self.starts), self.held
        if self.few:
            return self._together()
        if count >= STARTS:
            return AGREEING * count <= STARTS * held
        return held == count if count and held in {0, count} else None

    @property
    def few(self) -> bool:
        """Tell whether one start has too few requests to show a percentile that is limited."""
        fewest = min(map(due_of, self._measured), default=0)
        return bool(self._measured) and any(not shows(fewest, limit.percent) for limit in self.limits)

    @property
    def too_few(self) -> float:
        """Return the highest limited percentile that all starts together have too few requests for, 0 where there is none."""
        due = sum(map(due_of, self._measured))
        return max((limit.percent for limit in self.limits if self.few and not shows(due, limit.percent)), default=0.0)

    @property
    def _measured(self) -> list[Measured]:
        return [start for start in self.starts if isinstance(start, Measured)]

    @property
    def all_answers(self) -> Measured | None:
        """Return the windows of all starts that did not fail as if they were those of one, None without any."""
        measured = self._measured
        return replace(measured[0], windows=tuple(one for start in measured for one in start.windows)) if measured else None

    def _together(self) -> bool | None:
        """Judge all starts as one, by as many requests as there are when there are enough starts."""
        count, kept, whole = len(self.starts), self.held, self.all_answers
        if whole is None or (count and not kept):
            return False if count else None
        if count >= STARTS and AGREEING * count > STARTS * kept:
            return False
        due = due_of(whole) * max(count, STARTS) / count
        if any(slower(whole, limit.bound) > (100 - limit.percent) * due / 100 + ROUNDING for limit in self.limits):
            return False
        return True if count >= STARTS and not self.too_few else None

    @property
    def reason(self) -> str:
        """Say why a start failed, empty where one did not."""
        failures = [start.reason for start in self.starts if isinstance(start, Failed)]
        return failures[0] if failures and len(failures) == len(self.starts) else ""

    def latencies_us(self, percent: float) -> list[float]:
        """Return a percentile of each start that did not fail, infinite where so many requests had no answer."""
        return [percentile_us(start, percent) for start in self.starts if isinstance(start, Measured)]


def by_rate(attempts: Iterable[Attempt], limits: tuple[Limit, ...]) -> dict[float, AtRate]:
    """Put the attempts of one cell together by their rates, lowest first."""
    found: dict[float, list[Tried]] = defaultdict(list)
    for attempt in sorted(attempts, key=lambda one: one.number):
        if not lost(sample := sound(attempt)) and attempt.rate_per_s:
            found[attempt.rate_per_s].append(sample)
    return {rate: AtRate(rate_per_s=rate, starts=tuple(found[rate]), limits=limits) for rate in sorted(found)}


def by_cell(attempts: Iterable[Attempt]) -> Mapping[str, list[Attempt]]:
    """Put attempts together by the cell that was tried."""
    found: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        found[attempt.sample.cell_id].append(attempt)
    return found


def sound(attempt: Attempt) -> Tried:
    """Return what came of an attempt, a failure where it claims to be measured but holds nothing to divide by."""
    sample = checked(attempt.sample)
    return sample if isinstance(sample, Measured | Failed) else attempt.sample


def lost(sample: Tried) -> bool:
    """Tell whether a start says nothing of the server."""
    return isinstance(sample, Failed) and (sample.cause in LOST or own_fault(sample))


def own_fault(sample: Tried) -> bool:
    """Tell whether the load generator could not keep the rate, whatever the server did."""
    return isinstance(sample, Failed) and sample.cause in {Cause.NOISE, Cause.GENERATOR} and OWN_FAULT in sample.reason


def holds(sample: Tried, rate_per_s: float, limits: Sequence[Limit]) -> bool:
    """Tell whether a start was answered without errors, kept the rate, and kept every limit of latency."""
    if isinstance(sample, Failed) or not _kept(sample, rate_per_s):
        return False
    return all(percentile_us(sample, limit.percent) <= limit.bound for limit in limits)


def _kept(start: Measured, rate_per_s: float) -> bool:
    """Tell whether a rate was kept: where a queue grows, latency says more of how long the load lasted than of the server."""
    stats = [window.stats for window in start.windows]
    due, answered = sum(one.due for one in stats), sum(one.requests for one in stats)
    due_s, took_s = (due + len(stats) / 2) / rate_per_s, sum(one.duration_us for one in stats) / 1e6  # due is rounded per window
    return answered >= KEPT * due and due_s >= KEPT * took_s


def due_of(start: Measured) -> int:
    """Count what was due in the windows of a start: what was answered and what was not."""
    return sum(count for one in start.windows for _, count in one.stats.histogram) + sum(
        one.stats.unanswered for one in start.windows
    )


def shows(due: int, percent: float) -> bool:
    """Tell whether so many requests show a percentile: at least one of them may be slower."""
    return due * (100 - percent) / 100 >= 1 - ROUNDING


def slower(start: Measured, bound_us: float) -> int:
    """Count the requests that took longer than this, or had no answer."""
    unanswered = sum(one.stats.unanswered for one in start.windows)
    return unanswered + sum(count for one in start.windows for us, count in one.stats.histogram if us > bound_us)


def percentile_us(start: Measured, percent: float) -> float:
    """Return a percentile of all that was due in a start: nearest rank, infinite where that request had no answer.

    Source: Hyndman & Fan (1996), Sample quantiles in statistical packages, definition 1.
    """
    unanswered = sum(window.stats.unanswered for window in start.windows)
    counts = merge(window.stats.histogram for window in start.windows)
    due = unanswered + sum(count for _, count in counts)
    left = max(1, ceil(round(percent * due / 100, 6)))  # 99.9 % of 1,000 is a little more than 999 in binary
    for latency_us, count in counts:
        left -= count
        if left <= 0:
            return float(latency_us)
    return inf
