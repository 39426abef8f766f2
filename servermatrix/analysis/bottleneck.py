"""What limited a closed-loop cell, with the measured facts that say so; cells of an open loop are below capacity on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from servermatrix.analysis.cases import Busy, Case
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.stats import estimate
from servermatrix.model import Bottleneck, Ceiling, Estimate, Flag, Noise, Remark, Verdict

# Share of its threads, or of its ceiling, above which the generator may be the limit. Where each request visits the server and
# the generator in turn, one with a share s of the server's time costs s**n (1 - s) / (1 - s**(n + 1)) of n in flight: 5 % of 8
# and nothing that could be measured of 64. From 60 % on, as others advise, servers would be left out that were full themselves.
GENERATOR_FULL = 0.85
GENERATOR_SPENT = 0.95  # below it, a server that is full as well is the limit
SERVER_FULL = 0.90  # at 64 connections a saturated single-process server shows 0.95 to 1.0
HOST_FULL = 0.90  # of all cores
WAITING_US = 1_000
WAITING_TIMES = 10  # as long as was computed for an answer
WAITING_QUEUES = 2  # as long as the server computes for all that is in flight, which is how long a queue may be
ONE_THREAD = 1.05  # of a core: more than a thread can use, whatever the tick of the clock
KEPT = 0.99  # of the requests that were due

FLAGS: Mapping[Bottleneck, Flag] = {
    Bottleneck.GENERATOR: Flag.GENERATOR_BOUND,
    Bottleneck.HOST: Flag.HOST_BOUND,
    Bottleneck.WAITING: Flag.WAITING,
    Bottleneck.CONNECTIONS: Flag.CONNECTION_BOUND,
}
ADVICE: Mapping[Bottleneck, str] = {
    Bottleneck.GENERATOR: "Give the generator more --threads, or take a machine with more cores.",
    Bottleneck.HOST: "Measure again on a machine that is left alone and has a core for every worker and thread.",
    Bottleneck.WAITING: "Look for what the answers wait for; with more --connections the server has more to do meanwhile.",
    Bottleneck.CONNECTIONS: "Raise --connections until the server is full.",
}


def judge(case: Case, seen: Busy) -> Verdict | None:
    """Return what limited a cell: the first that applies of host, generator, server, waiting and connections.

    A cell of an open loop is below capacity on purpose: there is a verdict only where the generator could not keep up.
    """
    if case.cell.load.rate_percent:
        full = generator_full(case, seen)
        return Verdict(bottleneck=Bottleneck.GENERATOR, evidence=_both(case, seen)) if full else None
    limit, evidence = next(_limits(case, seen))
    return Verdict(bottleneck=limit, evidence=evidence)


def _limits(case: Case, seen: Busy) -> Iterator[tuple[Bottleneck, str]]:
    if reason := _host(case, seen):
        yield Bottleneck.HOST, reason
    if generator_full(case, seen) and not _both_full(case, seen):
        yield Bottleneck.GENERATOR, _both(case, seen)
    if reason := _server(case, seen):
        yield Bottleneck.SERVER, reason
    if reason := _waiting(case, seen):
        yield Bottleneck.WAITING, reason
    yield Bottleneck.CONNECTIONS, f"neither was full: {_both(case, seen)}"


def _host(case: Case, seen: Busy) -> str:
    limits = Noise()
    if seen.throttled_us > 0:
        return f"a CPU quota held this container back for {seen.throttled_us / 1000:,.0f} ms of the median window"
    # A server that had its cores lost none to others. Its share of what it could have would say so of any that was stolen from.
    lost = seen.server_cores < SERVER_FULL * case.cell.workers or seen.taken >= HOST_FULL * case.cores
    if lost and seen.foreign > limits.foreign_cpu:
        return f"other programs used {seen.foreign:.0%} of a core in the median window"
    if lost and seen.steal > limits.steal:
        return f"the host took away {seen.steal:.1%} of the CPU time in the median window"
    if _crowded(case) and seen.taken >= HOST_FULL * case.cores:
        return f"{_crowd(case)} share {counted(case.cores, 'core')}, of which {seen.taken:.2f} were in use"
    return ""


def _crowded(case: Case) -> bool:
    return case.cell.workers + case.cell.load.threads > case.cores


def _crowd(case: Case) -> str:
    return f"{counted(case.cell.workers, 'worker')} and {counted(case.cell.load.threads, 'thread')} of the generator"


def generator_full(case: Case, seen: Busy) -> bool:
    """Tell whether the generator could do no more."""
    return _generator_share(case, seen) > GENERATOR_FULL


def _generator_share(case: Case, seen: Busy) -> float:
    return max(seen.generator, _reached(case) or 0.0)


def _both_full(case: Case, seen: Busy) -> bool:
    """Tell whether the server was full while the generator had a little left."""
    return seen.server >= SERVER_FULL and _generator_share(case, seen) < GENERATOR_SPENT


def _reached(case: Case) -> float | None:
    return ceiling_share(estimate(case.rates), case.ceiling, case.cores)


def ceiling_share(rps: Estimate, ceiling: Ceiling | None, cores: int) -> float | None:
    """Return which share (0 and up) of what its generator can do these requests per second are, None where it is not known."""
    capacity = capacity_per_s(ceiling, cores) if ceiling else None
    return None if capacity is None else rps.value / capacity


def capacity_per_s(ceiling: Ceiling, cores: int) -> float | None:
    """Return the requests per second that a generator can do: what it did, or what its CPU time would allow, if that is more.

    It is None where the generator was not full, for what it reached was then the limit of the responder or of the host; and it
    wakes up for fewer answers at a time, so that each costs it more than it would.
    """
    if ceiling_use(ceiling) < GENERATOR_FULL:
        return None
    return max(ceiling.requests_per_s, min(ceiling.threads, cores) * 1e6 / ceiling.cpu_us_per_request)


def ceiling_use(ceiling: Ceiling) -> float:
    """Return the share (0-1) of its threads that a generator used when its ceiling was to be found."""
    return ceiling.requests_per_s * ceiling.cpu_us_per_request / (ceiling.threads * 1e6)


def _generator(case: Case, seen: Busy) -> str:
    threads, share = case.cell.load.threads, _reached(case)
    could = "its thread" if threads == 1 else f"its {threads} threads"
    reached = "" if share is None else f" and reached {share:.0%} of what it can do here"
    return f"{case.cell.load.generator} used {seen.generator:.0%} of {could}{reached}"


def _server(case: Case, seen: Busy) -> str:
    if seen.server >= SERVER_FULL:
        return _both(case, seen)
    if case.cell.workers > 1 and seen.busiest is not None and seen.busiest >= SERVER_FULL:
        return f"the busiest of its workers used {seen.busiest:.0%} of a core while others had little to do: {_both(case, seen)}"
    return ""


def _both(case: Case, seen: Busy) -> str:
    could = "a core" if case.cell.workers == 1 else f"the time that its {case.cell.workers} workers could have"
    spread = " over several threads" if seen.server_cores > ONE_THREAD * case.cell.workers else ""
    return f"the server used {seen.server:.0%} of {could}{spread}, {_generator(case, seen)}"


def _waiting(case: Case, seen: Busy) -> str:
    p50_us, flying = case.p50_us.value_us, case.cell.load.in_flight
    queue_us = seen.server_us_per_request * flying / case.cell.workers
    if p50_us < max(WAITING_US, WAITING_TIMES * seen.us_per_request, WAITING_QUEUES * queue_us):
        return ""
    computed = (
        f"{seen.server_us_per_request / 1000:.2g} ms, or {queue_us / 1000:,.2f} ms for {counted(flying, 'request')} in flight"
    )
    return f"the median answer took {p50_us / 1000:,.1f} ms, of which the server computed {computed}: {_both(case, seen)}"


def limit_remark(verdict: Verdict | None) -> Iterator[Remark]:
    """Yield the flag of a verdict with its sentence and advice; a server that is the limit has none."""
    if verdict is not None and verdict.bottleneck in FLAGS:
        yield Remark(flag=FLAGS[verdict.bottleneck], sentence=verdict.evidence, advice=ADVICE[verdict.bottleneck])


def oversubscribed(case: Case) -> Iterator[Remark]:
    """Yield a remark where the workers and the generator's threads outnumber the cores."""
    if _crowded(case):
        sentence = f"{_crowd(case)} share {counted(case.cores, 'core')} and take time from each other"
        advice = "Use fewer workers, or a machine with a core for every worker and thread."
        yield Remark(flag=Flag.OVERSUBSCRIBED, sentence=sentence, advice=advice)


def rate_not_kept(case: Case, seen: Busy) -> Iterator[Remark]:
    """Yield a remark where requests had no answer, sending all took longer than it should, or the generator could do no more."""
    if not case.cell.load.rate_percent:
        return
    stats = [window.stats for window in case.windows]
    due, answered, unanswered = (
        sum(each) for each in zip(*((one.due, one.requests, one.unanswered) for one in stats), strict=True)
    )
    asked_s, took_s = len(stats) * case.cell.load.duration_s, sum(one.duration_us for one in stats) / 1e6
    slow = asked_s < KEPT * took_s
    if unanswered or answered < KEPT * due or slow or generator_full(case, seen):
        longer = f", and sending them took {took_s:,.2f} s instead of {asked_s:,} s" if slow else ""
        yield Remark(
            flag=Flag.RATE_NOT_KEPT,
            sentence=(
                f"{answered:,} of {counted(due, 'request')} that were due had an answer, {unanswered:,} had none in time"
                f"{longer}; {_both(case, seen)}"
            ),
            advice="Look at a lower rate: here a queue grew that says more of how long the load lasted than of the server.",
        )
