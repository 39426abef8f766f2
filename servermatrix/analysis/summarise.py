"""One cell: its samples to a Row of estimates, flags and the per-round rates; it compares nothing with anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from servermatrix.analysis.flags import cell_flags
from servermatrix.analysis.stats import estimate, median, weighted_percentile
from servermatrix.model import (
    HTTP2,
    Cause,
    Cell,
    Failed,
    Measured,
    PlannedCell,
    Sample,
    Skipped,
    Summary,
    Usage,
    Window,
    Wire,
)

NOT_REACHED = "not reached before the run ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A cell's summary with what comparisons need: requests per second by round."""

    summary: Summary
    rps: Mapping[int, float]

    @property
    def id(self) -> str:
        """Name the cell."""
        return self.summary.planned.cell.id

    @property
    def value(self) -> float:
        """Return the requests per second that rows are ordered by, 0 when there are none."""
        return self.summary.rps.value if self.summary.rps else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one start of a server tells: one value per metric, whatever the number of windows."""

    rps: float
    cpu_us_per_request: float
    p50_us: float
    p99_us: float
    pss_bytes: int | None
    startup_s: float
    worker_share: float | None


def summarise(planned: PlannedCell, samples: Sequence[Sample], cores: int, name: str) -> Row:
    """Return the row of one cell: measured, failed (any failure but noise, or nothing else) or skipped; see Summary."""
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
    )
    return _with_numbers(bare, measured, cores) if status == "measured" else Row(summary=bare, rps={})


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


def _with_numbers(bare: Summary, measured: Mapping[int, Measured], cores: int) -> Row:
    seen = {number: observe(measured[number]) for number in sorted(measured)}
    windows = [window for sample in measured.values() for window in sample.windows]
    known = replace(bare, wire=_wire(measured), status_unread=_status_unread(bare.planned.cell, windows))
    return Row(
        summary=_filled(known, tuple(seen.values()), [window.usage for window in windows], cores),
        rps={number: observation.rps for number, observation in seen.items()},
    )


def _wire(measured: Mapping[int, Measured]) -> Wire | None:
    """Return what most starts sent; of two that are as frequent, what the earlier round sent."""
    sent = Counter(wire for number in sorted(measured) if (wire := measured[number].wire))
    return max(sent, key=sent.__getitem__, default=None)


def _status_unread(cell: Cell, windows: Sequence[Window]) -> bool:
    # h2load misses the status of an HTTP/1.1 answer without a reason phrase; other generators never list statuses, or always.
    return cell.load.generator == "h2load" and cell.protocol not in HTTP2 and not all(one.stats.statuses for one in windows)


def _filled(bare: Summary, seen: Sequence[Observation], usages: Sequence[Usage], cores: int) -> Summary:
    p50 = estimate([one.p50_us for one in seen])
    pss = _median_of_known([one.pss_bytes for one in seen])
    share = _median_of_known([one.worker_share for one in seen])
    return replace(
        bare,
        rps=estimate([one.rps for one in seen]),
        cpu_us_per_request=estimate([one.cpu_us_per_request for one in seen]),
        p50_us=p50,
        p99_us=estimate([one.p99_us for one in seen]),
        pss_bytes=None if pss is None else round(pss),
        startup_s=median([one.startup_s for one in seen]),
        worker_share_max=share,
        flags=cell_flags(bare.planned.cell, usages, cores=cores, rounds=len(seen), p50_us=p50.value, share=share),
    )


def observe(sample: Measured) -> Observation:
    """Return what one start tells: medians over its windows, percentiles of all its answers, its largest memory."""
    windows = sample.windows
    histogram = sorted(chain.from_iterable(window.stats.histogram for window in windows))
    return Observation(
        rps=median([window.stats.requests * 1e6 / window.stats.duration_us for window in windows]),
        cpu_us_per_request=median([window.usage.server_cpu_us / window.stats.requests for window in windows]),
        p50_us=weighted_percentile(histogram, 50),
        p99_us=weighted_percentile(histogram, 99),
        pss_bytes=max((window.usage.pss_bytes for window in windows if window.usage.pss_bytes is not None), default=None),
        startup_s=sample.startup_s,
        worker_share=_median_of_known([_busiest_share(window.usage) for window in windows]),
    )


def _busiest_share(usage: Usage) -> float | None:
    total = sum(usage.worker_cpu_us)
    return max(usage.worker_cpu_us) / total if total > 0 else None


def _median_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
