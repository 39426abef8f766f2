"""What limited a closed-loop cell, with the measured facts that say so; cells of an open loop are below capacity on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from servermatrix.analysis.cases import Busy, Case
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.stats import median
from servermatrix.model import Bottleneck, Ceiling, Flag, Noise, Remark, Verdict

# Share of its threads, or of its ceiling, above which the generator may be the limit. Where each request visits the server and
# the generator in turn, one with a share s of the server's time costs s**n (1 - s) / (1 - s**(n + 1)) of n in flight: 5 % of 8
# and nothing that could be measured of 64. From 60 % on, as others advise, servers would be left out that were full themselves.
GENERATOR_FULL = 0.85
SERVER_FULL = 0.90  # at 64 connections a saturated single-process server shows 0.95 to 1.0
HOST_FULL = 0.90  # of all cores
WAITING_US = 1_000
WAITING_TIMES = 10  # as long as was computed for an answer
WAITING_BUSY = 0.75  # from there on it may be queueing that takes so long
KEPT = 0.99  # of the requests that were due

FLAGS: Mapping[Bottleneck, Flag] = {
    Bottleneck.GENERATOR: Flag.GENERATOR_BOUND,
    Bottleneck.HOST: Flag.HOST_BOUND,
    Bottleneck.WAITING: Flag.WAITING,
    Bottleneck.CONNECTIONS: Flag.CONNECTION_BOUND,
}
ADVICE: Mapping[Bottleneck, str] = {
    Bottleneck.GENERATOR: "Give the generator more --threads, or take a machine with more cores: the server could do more.",
    Bottleneck.HOST: "Measure again on a machine that is left alone and has a core for every worker and thread.",
    Bottleneck.WAITING: "Look for what the answers wait for; with more --connections the server has more to do meanwhile.",
    Bottleneck.CONNECTIONS: "Raise --connections until the server is busy.",
}


def judge(case: Case, seen: Busy) -> Verdict | None:
    """Return what limited a cell: the first that applies of host, generator, server, waiting and connections.

    A cell of an open loop is below capacity on purpose: there is a verdict only where the generator could not keep up.
    """
    if case.cell.load.rate_percent:
        full = generator_full(case, seen)
        return Verdict(bottleneck=Bottleneck.GENERATOR, evidence=full) if full else None
    limit, evidence = next(_limits(case, seen))
    return Verdict(bottleneck=limit, evidence=evidence)


def _limits(case: Case, seen: Busy) -> Iterator[tuple[Bottleneck, str]]:
    if reason := _host(case, seen):
        yield Bottleneck.HOST, reason
    if reason := generator_full(case, seen):
        yield Bottleneck.GENERATOR, reason
    if reason := _server(case, seen):
        yield Bottleneck.SERVER, reason
    if reason := _waiting(case, seen):
        yield Bottleneck.WAITING, reason
    yield Bottleneck.CONNECTIONS, f"nothing was busy: {_both(case, seen)}"


def _host(case: Case, seen: Busy) -> str:
    limits = Noise()
    if seen.throttled_us > 0:
        return f"a CPU quota held this container back for {seen.throttled_us / 1000:,.0f} ms of the median window"
    if seen.foreign > limits.foreign_cpu:
        return f"other programs used {seen.foreign:.0%} of a core in the median window"
    if seen.steal > limits.steal:
        return f"the host took away {seen.steal:.1%} of the CPU time in the median window"
    if _crowded(case) and seen.taken >= HOST_FULL * case.cores:
        return f"{_crowd(case)} share {counted(case.cores, 'core')}, of which {seen.taken:.2f} were in use"
    return ""


def _crowded(case: Case) -> bool:
    return case.cell.workers + case.cell.load.threads > case.cores


def _crowd(case: Case) -> str:
    return f"{counted(case.cell.workers, 'worker')} and {counted(case.cell.load.threads, 'thread')} of the generator"


def generator_full(case: Case, seen: Busy) -> str:
    """Say that the generator could do no more, empty where it could."""
    share = ceiling_share(case)
    full = seen.generator > GENERATOR_FULL or (share is not None and share > GENERATOR_FULL)
    return _generator(case, seen) if full else ""


def ceiling_share(case: Case) -> float | None:
    """Return which share (0 and up) of what its generator can do a cell reached, None where no ceiling is known."""
    capacity = capacity_per_s(case.ceiling, case.cores) if case.ceiling else 0.0
    return median(case.rates) / capacity if capacity > 0 else None


def capacity_per_s(ceiling: Ceiling, cores: int) -> float:
    """Return the requests per second that a generator can do: what it did, or what its CPU time would allow, if that is more.

    Both fall short of it. What it reached may have been the limit of the responder; and a generator that is not full wakes up
    for fewer answers at a time, so that each costs it more than it would.
    """
    by_cpu = min(ceiling.threads, cores) * 1e6 / ceiling.cpu_us_per_request if ceiling.cpu_us_per_request > 0 else 0.0
    return max(ceiling.requests_per_s, by_cpu)


def _generator(case: Case, seen: Busy) -> str:
    threads, share = case.cell.load.threads, ceiling_share(case)
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
    return f"the server used {seen.server:.0%} of {could}, {_generator(case, seen)}"


def _waiting(case: Case, seen: Busy) -> str:
    p50_us = case.p50_us.value_us
    if p50_us < max(WAITING_US, WAITING_TIMES * seen.us_per_request) or seen.server >= WAITING_BUSY:
        return ""
    took, computed = f"{p50_us / 1000:,.1f} ms", f"{seen.server_us_per_request / 1000:.2g} ms"
    return f"the median answer took {took}, of which the server computed {computed}: {_both(case, seen)}"


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
    """Yield a remark where requests of a fixed rate had no answer, too few were answered, or the generator could do no more."""
    if not case.cell.load.rate_percent:
        return
    stats = [window.stats for window in case.windows]
    due, answered, unanswered = (
        sum(each) for each in zip(*((one.due, one.requests, one.unanswered) for one in stats), strict=True)
    )
    full = generator_full(case, seen)
    if unanswered or answered < KEPT * due or full:
        yield Remark(
            flag=Flag.RATE_NOT_KEPT,
            sentence=(
                f"{answered:,} of {counted(due, 'request')} that were due had an answer, {unanswered:,} had none in time; "
                f"{_both(case, seen)}"
            ),
            advice="Look at a lower rate: here a queue grew that says more of how long the load lasted than of the server.",
        )
