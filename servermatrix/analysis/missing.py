"""Requests that were never answered, though the generator says nothing of them: whether the time in flight adds up."""

from __future__ import annotations

from collections.abc import Iterator

from servermatrix.analysis.cases import Case, generator_busy
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.stats import median
from servermatrix.model import ENCRYPTED, Flag, Remark, Window

SIMULATED = "fake"
# Of the time of all requests in flight, what is lost while nothing hangs. In 371 windows of wrk, h2load and builtin on five
# servers, with 1 to 512 connections over HTTP/1.1 and 2, in the clear and encrypted, at most 0.65 times the sum of these was
# lost, and 0.8 times in one where others used all that there was.
LOST = 0.03
LOST_TO_GENERATOR = 0.3  # times its share of its threads: an answer that was read waits for the next request to be written
LOST_TO_OTHERS = 0.1  # times their share of a core
OPENING_US = 100  # of every connection, and more where others are busy
HANDSHAKE_US = 1_500


def answers_missing(case: Case) -> Iterator[Remark]:
    """Yield a remark where requests in flight do not add up: some were never answered, and the generator does not say so.

    Connections that are opened anew take time that is no latency, and a model has no requests in flight: there it looks away.
    """
    load = case.cell.load
    if load.rate_percent or load.requests_per_connection or load.generator == SIMULATED:
        return
    missing = median([unaccounted(window, load.in_flight) for window in case.windows])
    if missing > median([_lost(case, window) for window in case.windows]):
        yield Remark(
            flag=Flag.ANSWERS_MISSING,
            sentence=(
                f"the answers account for {1 - missing:.0%} of the time that {counted(load.in_flight, 'request')} were to be in "
                f"flight: about {missing * load.in_flight:,.0f} of them were never answered, and {load.generator} does not say so"
            ),
            advice="Look in the app for requests that hang, and in the server's log for connections that it did not take.",
        )


def unaccounted(window: Window, in_flight: int) -> float:
    """Return the share (0-1) of the time of all requests in flight that no answer accounts for.

    In a closed loop the latencies of each connection add up to the duration, but for the request that is under way at its end.
    """
    stats = window.stats
    total_us = sum(latency_us * count for latency_us, count in stats.histogram)
    answers = sum(count for _, count in stats.histogram)
    return 1 - (total_us / in_flight + total_us / answers) / stats.duration_us


def _lost(case: Case, window: Window) -> float:
    """Return the share (0-1) of the time of all requests in flight that may be lost in a window without one that hangs."""
    load, usage = case.cell.load, window.usage
    generator = LOST_TO_GENERATOR * min(1.0, generator_busy(usage, load.threads))
    opening_us = load.connections * (HANDSHAKE_US if case.cell.protocol in ENCRYPTED else OPENING_US) * (1 + usage.foreign_cpu)
    return LOST + generator + LOST_TO_OTHERS * min(1.0, usage.foreign_cpu) + opening_us / window.stats.duration_us
