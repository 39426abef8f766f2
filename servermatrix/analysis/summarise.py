"""One cell: its samples to a Row of estimates, flags and the per-round rates; it compares nothing with anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from servermatrix.analysis import bottleneck, pathologies
from servermatrix.analysis.balance import balance, unbalanced
from servermatrix.analysis.cases import Busy, Case, busy, ceiling_of
from servermatrix.analysis.latency import percentiles
from servermatrix.analysis.stats import estimate, median
from servermatrix.model import (
    HTTP2,
    Balance,
    Cause,
    Ceiling,
    Cell,
    Failed,
    Flag,
    Measured,
    Pace,
    PlannedCell,
    Remark,
    Sample,
    Skipped,
    Summary,
    Verdict,
    Window,
    Wire,
)

NOT_REACHED = "not reached before the run ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A cell's summary with what comparisons need, by round: requests per second, and server CPU microseconds per request."""

    summary: Summary
    rps: Mapping[int, float]
    cpu_us: Mapping[int, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name the cell."""
        return self.summary.planned.cell.id

    @property
    def value(self) -> float:
        """Return the requests per second that rows are ordered by, 0 when there are none."""
        return self.summary.rps.value if self.summary.rps else 0.0


def summarise(
    planned: PlannedCell,
    samples: Sequence[Sample],
    *,
    cores: int,
    name: str,
    ceilings: Sequence[Ceiling] = (),
    pace: Pace | None = None,
) -> Row:
    """Return the row of one cell: measured, failed (any failure but noise, or nothing else) or skipped; see Summary.

    `cores` are those of the host, `ceilings` what generators can do there, `pace` the rate of a cell of an open loop.
    """
    sound = [checked(sample) for sample in samples]
    measured = {sample.round: sample for sample in sound if isinstance(sample, Measured)}
    failures = [sample for sample in sound if isinstance(sample, Failed)]
    status = _status(measured, failures)
    bare = Summary(
        planned=planned,
        name=name,
        status=status,
        reason=_reason(status, failures, sound),
        rounds_ok=len(measured),
        rounds_failed=len(failures),
        windows_repeated=sum(len(window.discarded) for sample in measured.values() for window in sample.windows),
        due_per_s=None if pace is None else pace.rate_per_s,
        paced_by="" if pace is None else pace.slowest,
    )
    if status != "measured":
        return Row(summary=bare, rps={})
    starts = {number: measured[number] for number in sorted(measured)}
    return _with_numbers(bare, starts, cores, ceiling_of(planned.cell, ceilings))


def checked(sample: Sample) -> Sample:
    """Return the sample, or a failure in its place when it claims to be measured but holds nothing to divide by."""
    if not isinstance(sample, Measured) or (sample.windows and all(map(_sound, sample.windows))):
        return sample
    reason = f"round {sample.round} is stored as measured, but a window of it has no requests or no duration"
    return Failed(
        cell_id=sample.cell_id,
        round=sample.round,
        started_at=sample.started_at,
        cause=Cause.GENERATOR,
        reason=reason,
    )


def _sound(window: Window) -> bool:
    stats = window.stats
    return stats.requests > 0 and stats.duration_us > 0 and window.usage.wall_us > 0 and any(n for _, n in stats.histogram)


def _status(measured: Mapping[int, Measured], failures: Sequence[Failed]) -> str:
    if any(failure.cause is not Cause.NOISE for failure in failures):
        return "failed"
    if measured:
        return "measured"
    return "failed" if failures else "skipped"


def _reason(status: str, failures: Sequence[Failed], samples: Sequence[Sample]) -> str:
    if status == "failed":  # a round lost to noise is not what made a cell with a broken server fail
        return next((one.reason for one in failures if one.cause is not Cause.NOISE), failures[0].reason)
    if failures:
        return failures[0].reason
    skipped = [sample.reason for sample in samples if isinstance(sample, Skipped)]
    return "" if status == "measured" else next(iter(skipped), NOT_REACHED)


def _with_numbers(bare: Summary, starts: Mapping[int, Measured], cores: int, ceiling: Ceiling | None) -> Row:
    rps = {number: rate_of(start) for number, start in starts.items()}
    cpu_us = {number: cpu_us_of(start) for number, start in starts.items()}
    windows = [window for start in starts.values() for window in start.windows]
    pss = _median_of_known([_pss_bytes(start) for start in starts.values()])
    known = replace(
        bare,
        wire=_wire(starts.values()),
        status_unread=_status_unread(bare.planned.cell, windows),
        rps=estimate([*rps.values()]),
        cpu_us_per_request=estimate([*cpu_us.values()]),
        pss_bytes=None if pss is None else round(pss),
        startup_s=median([start.startup_s for start in starts.values()]),
    )
    return Row(summary=_judged(known, tuple(starts.values()), (*rps.values(),), cores, ceiling), rps=rps, cpu_us=cpu_us)


def _judged(
    bare: Summary, starts: tuple[Measured, ...], rates: tuple[float, ...], cores: int, ceiling: Ceiling | None
) -> Summary:
    cell, found = bare.planned.cell, percentiles(starts)
    case = Case(cell=cell, starts=starts, rates=rates, p5_us=found[5], p50_us=found[50], cores=cores, ceiling=ceiling)
    seen, spread = busy(case), balance(starts, cell.workers)
    verdict = bottleneck.judge(case, seen)
    remarks = sorted(_remarks(case, seen, spread, verdict), key=lambda remark: _PLACES[remark.flag])
    return replace(
        bare,
        p50_us=found[50],
        p99_us=found[99],
        p999_us=found.get(99.9),
        balance=spread,
        verdict=verdict,
        remarks=tuple(remarks),
        flags=tuple(remark.flag for remark in remarks),
    )


_PLACES = {flag: place for place, flag in enumerate(Flag)}


def _remarks(case: Case, seen: Busy, spread: Balance | None, verdict: Verdict | None) -> Iterator[Remark]:
    yield from bottleneck.limit_remark(verdict)
    yield from bottleneck.oversubscribed(case)
    yield from bottleneck.rate_not_kept(case, seen)
    yield from unbalanced(case, spread)
    yield from pathologies.remarks(case, seen, verdict)


def _wire(starts: Iterable[Measured]) -> Wire | None:
    """Return what most starts sent; of two that are as frequent, what the earlier round sent."""
    sent = Counter(wire for start in starts if (wire := start.wire))
    return max(sent, key=sent.__getitem__, default=None)


def _status_unread(cell: Cell, windows: Sequence[Window]) -> bool:
    # h2load misses the status of an HTTP/1.1 answer without a reason phrase; other generators never list statuses, or always.
    return cell.load.generator == "h2load" and cell.protocol not in HTTP2 and not all(one.stats.statuses for one in windows)


def rate_of(start: Measured) -> float:
    """Return the requests per second of one start: the median of its windows."""
    return median([window.stats.requests * 1e6 / window.stats.duration_us for window in start.windows])


def cpu_us_of(start: Measured) -> float:
    """Return the CPU microseconds of the server per request of one start: the median of its windows."""
    return median([window.usage.server_cpu_us / window.stats.requests for window in start.windows])


def _pss_bytes(start: Measured) -> int | None:
    return max((window.usage.pss_bytes for window in start.windows if window.usage.pss_bytes is not None), default=None)


def _median_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
