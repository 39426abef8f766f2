"""What is wrong with a server, an app or a machine although there are numbers: each in one sentence with figures and advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log

from servermatrix.analysis.cases import Busy, Case, is_noisy
from servermatrix.analysis.missing import answers_missing
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.stats import MIN_ROUNDS, median
from servermatrix.model import Bottleneck, Flag, Load, Measured, Noise, Remark, Verdict, Window

NOISY_WINDOWS = 1 / 3
PLATEAU_US = (38_000, 46_000)  # delayed acknowledgements answer after 40 ms: where they do, no fast answer takes less
PLATEAU_QUEUE_US = 80_000  # a queue behind it, as on a busy machine, is no second delay
PLATEAU_BUSY = 0.5
# Two speeds: of noise with one, normal or contaminated, of 2 to 20 % and over 11 rounds, fewer than 1 in 200 look like two.
LEAST_STARTS = 3
LEAST_SHARE = 5  # one in so many
RATIO = 1.15
RANGES = 1.5
STRANGERS_PER_S = 2  # few, for connections to other ports are counted only where the ended ones of a port are too many to tell
REQUESTS_PER_CLOSE = 1_100  # some servers close after 1,000
GROWTH_BYTES = 16 * 2**20
GROWTH_PER_CONNECTION = 128 * 2**10  # buffers of both ends of TLS, and more than those of a plain connection
GROWTH = 0.10
FLOOD_BYTES = 4_096  # of a window: a sentence or two are none
MIB = 2**20


def remarks(case: Case, seen: Busy, verdict: Verdict | None) -> Iterator[Remark]:
    """Yield what is wrong with a cell that was limited by what its verdict says."""
    yield from noisy(case)
    if verdict is None or verdict.bottleneck != Bottleneck.HOST:  # where others take the time, many answers take 40 ms
        yield from plateau(case, seen)
    yield from two_speeds(case)
    closes = list(closes_connections(case))
    yield from closes or answers_missing(case)
    yield from memory_grows(case)
    yield from log_flood(case)
    yield from few_rounds(case)


def noisy(case: Case) -> Iterator[Remark]:
    """Yield a remark where more than a third of the windows went over the standard limits, whatever the run allowed."""
    usages, limits = case.usages, Noise()
    disturbed = sum(is_noisy(usage, limits) for usage in usages)
    if disturbed > len(usages) * NOISY_WINDOWS:
        yield Remark(
            flag=Flag.NOISY,
            sentence=(
                f"in {disturbed} of {counted(len(usages), 'window')} other programs used more than {limits.foreign_cpu:.0%} "
                f"of a core, or the host took away more than {limits.steal:.0%} of the CPU time"
            ),
            advice="Measure again when nothing else runs; CPU us/request suffers less from this than requests/s.",
        )


def plateau(case: Case, seen: Busy) -> Iterator[Remark]:
    """Yield a remark where an idle server answers after 40 ms: Nagle's algorithm waits for a delayed acknowledgement.

    Answers may queue behind the delay, so that only the fast ones show it as it is.
    """
    p5_us, p50_us = case.p5_us.value_us, case.p50_us.value_us
    delayed = PLATEAU_US[0] <= p5_us <= PLATEAU_US[1] and p50_us < PLATEAU_QUEUE_US
    if delayed and seen.server < PLATEAU_BUSY:
        yield Remark(
            flag=Flag.PLATEAU_40_MS,
            sentence=(
                f"the median answer took {p50_us / 1000:.1f} ms and 95% took {p5_us / 1000:.1f} ms or more, while the server "
                f"used {seen.server:.0%} of its CPU time: a delayed acknowledgement takes 40 ms, and the second part of an "
                "answer waits for that of the first where TCP_NODELAY is not set; or the app itself waits 40 ms"
            ),
            advice="Use a loop or a server that sets TCP_NODELAY: uvicorn with several workers does under uvloop, not asyncio.",
        )


def two_speeds(case: Case) -> Iterator[Remark]:
    """Yield a remark where the starts fall into two clusters, so that no single number tells what the server does."""
    split = None if case.cell.load.rate_percent else clusters(case.rates)
    if split is None:
        return
    slow, fast = split
    yield Remark(
        flag=Flag.BIMODAL,
        sentence=(
            f"{counted(len(slow), 'start')} served about {median(slow):,.0f} requests/s and {len(fast)} about "
            f"{median(fast):,.0f}, and none anything between {slow[-1]:,.0f} and {fast[0]:,.0f}"
        ),
        advice="Look for what differs from start to start; the median of the two speeds tells of neither.",
    )


def clusters(rates: Sequence[float]) -> tuple[list[float], list[float]] | None:
    """Split rates at the largest gap of their logarithms, None where they are not clearly of two kinds.

    They are when each side has three starts or more and a fifth of them, and the gap is above 15 % and more than 1.5 times the
    range of either side. The range stands in for a spread because that of three values is no measure of theirs.
    """
    ordered = sorted(rate for rate in rates if rate > 0)
    logs = [log(rate) for rate in ordered]
    if len(logs) < 2 * LEAST_STARTS:
        return None
    place = max(range(1, len(logs)), key=lambda at: logs[at] - logs[at - 1])
    gap = logs[place] - logs[place - 1]
    smaller = min(place, len(logs) - place)
    if smaller < LEAST_STARTS or smaller * LEAST_SHARE < len(logs):
        return None
    widest = max(logs[place - 1] - logs[0], logs[-1] - logs[place])
    return (ordered[:place], ordered[place:]) if gap > max(log(RATIO), RANGES * widest) else None


def closes_connections(case: Case) -> Iterator[Remark]:
    """Yield a remark where in every window far more connections were opened than the load asks for.

    The connections of strangers are on the same count. They come and go, so the window with the fewest decides.
    """
    load = case.cell.load
    counts = [(excess, window) for window in case.windows if (excess := _unasked(load, window)) is not None]
    if not counts or any(excess <= _by_strangers(window) for excess, window in counts):
        return
    excess, window = min(counts, key=lambda each: each[0])
    yield Remark(
        flag=Flag.CLOSES_CONNECTIONS,
        sentence=(
            f"in every window {excess:,.0f} connections or more were opened beyond those asked for, one per "
            f"{max(1, window.stats.requests / excess):,.0f} requests: the server closes connections that were to be kept"
        ),
        advice="Look for a limit of requests per connection, or for an app that answers with `connection: close`.",
    )


def _unasked(load: Load, window: Window) -> float | None:
    if window.usage.connects is None:
        return None
    replaced = window.stats.requests / load.requests_per_connection if load.requests_per_connection else 0
    return window.usage.connects - load.connections - replaced


def _by_strangers(window: Window) -> float:
    """Return how many connections others may have opened; where they are busy, as many as one per two requests."""
    requests = window.stats.requests
    if is_noisy(window.usage, Noise()):
        return requests / 2
    return max(STRANGERS_PER_S * window.stats.duration_us / 1e6, requests / REQUESTS_PER_CLOSE)


def memory_grows(case: Case) -> Iterator[Remark]:
    """Yield a remark where memory swells under the load, in the last window as in those before it."""
    found = [growth for start in case.starts if (growth := _growth(start)) is not None]
    if not found:
        return
    grown, before, requests = (median([each[place] for each in found]) for place in range(3))
    allowed = GROWTH_BYTES + GROWTH_PER_CONNECTION * case.cell.load.connections
    if grown > max(allowed, GROWTH * before):
        yield Remark(
            flag=Flag.MEMORY_GROWS,
            sentence=(
                f"in the median start memory grew from {before / MIB:,.0f} to {(before + grown) / MIB:,.0f} MiB under the load, "
                f"{grown / requests:,.0f} bytes per request, and went on growing to its end"
            ),
            advice="Look for what the app or the server keeps of every request.",
        )


def _growth(start: Measured) -> tuple[float, float, float] | None:
    """Return the bytes that a start's memory grew by, those that it began with, and the requests meanwhile; None if not seen.

    What is filled once, a cache or a pool, does not swell: where the last of several windows did not grow by half of an even
    share or more, nothing did.
    """
    first, last = start.windows[0].usage, start.windows[-1].usage
    if first.pss_before_bytes is None or last.pss_before_bytes is None or last.pss_bytes is None:
        return None
    grown = last.pss_bytes - first.pss_before_bytes
    goes_on = 2 * len(start.windows) * (last.pss_bytes - last.pss_before_bytes) >= grown
    return grown if goes_on else 0, first.pss_before_bytes, sum(window.stats.requests for window in start.windows)


def log_flood(case: Case) -> Iterator[Remark]:
    """Yield a remark where the server writes a log with every request, although no access log was asked for."""
    if dict(case.cell.options).get("access_log") == "on":
        return
    windows = case.windows
    written = median([window.usage.log_bytes for window in windows])
    per_request = median([window.usage.log_bytes / window.stats.requests for window in windows])
    if written > FLOOD_BYTES and per_request > 1:
        yield Remark(
            flag=Flag.LOG_FLOOD,
            sentence=f"the server wrote {per_request:,.0f} bytes of log per request, {written:,.0f} in the median window",
            advice="Read its log and turn off what writes it: it takes time from every answer.",
        )


def few_rounds(case: Case) -> Iterator[Remark]:
    """Yield a remark where there are too few starts for an interval."""
    if len(case.starts) < MIN_ROUNDS:
        yield Remark(
            flag=Flag.FEW_ROUNDS,
            sentence=f"{counted(len(case.starts), 'start')} where an interval takes {MIN_ROUNDS}",
            advice=f"Use --rounds {MIN_ROUNDS} or more.",
        )
