"""What is said while a run goes on: one line per step, the time left, a live table; pure texts and layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table as Layout
from rich.text import Text

from servermatrix.model import Ceiling, Decision, Failed, LoadStats, Measured, Pace, RunHeader, Sample, Skipped
from servermatrix.render.table import ABSENT, amount, counted, plain

_MINUTE = 60
_HOUR = 60 * _MINUTE


def human_seconds(seconds: float) -> str:
    """Write a span of time in its two largest units, `3 min 10 s`."""
    if not isfinite(seconds):
        return "unknown time"
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{amount(whole // _HOUR)} h {whole % _HOUR // _MINUTE} min"


def eta(done: int, total: int, elapsed_s: float) -> float:
    """Tell the seconds left when the steps to come take as long as those done; infinite before the first."""
    return inf if done <= 0 else max(0, total - done) * elapsed_s / done


def step_line(done: int, total: int, sample: Sample, eta_s: float) -> str:
    """Say in one line what a step gave, and how long the rest will take."""
    place = f"[{str(done).rjust(len(str(total)))}/{total}] round {sample.round}  {plain(sample.cell_id)}"
    return f"{place}  {_outcome(sample)}  ({human_seconds(eta_s)} left)"


def ceiling_line(ceiling: Ceiling) -> str:
    """Say in one line what a generator reached on this host; the responder takes its part of the machine, too."""
    threads = f"{counted(ceiling.threads, 'thread')} of {plain(ceiling.generator)}"
    rate = f"{amount(ceiling.requests_per_s)} req/s in {ceiling.protocol}"
    return f"calibrated: {threads} reached {rate} against a responder that does nothing but answer"


def decision_lines(decision: Decision, header: RunHeader) -> Iterator[str]:
    """Say what was decided after a round of a run: a line per cell that is left out, and whether the run ends.

    After the last round there is nothing to be left out of.
    """
    if decision.round >= header.rounds:
        return
    if header.trial is not None:
        yield _second_stage(decision, header)
        return
    planned = any(look.round == decision.round for look in header.looks)
    when = f"{'look ' if planned else ''}after round {decision.round}"
    for cell_id, reason in decision.dropped:
        yield f"{when}: {plain(cell_id)} is left out: {plain(reason)}"
    if decision.stopped:
        yield f"{when}: the run ends: {plain(decision.stopped)}"
    elif not decision.dropped:
        yield f"{when}: all cells go on"


def _second_stage(decision: Decision, header: RunHeader) -> str:
    """Say how many pairs of a check go on, and for how long; the many that do not are told by the report."""
    left_out = dict(decision.dropped)
    going = {one.cell.pair for one in header.cells if one.cell.id not in left_out and not decision.stopped}
    if not going:
        return f"after the first stage, round {decision.round}: no cell needs fresh rounds"
    fresh = counted(header.rounds - decision.round, "fresh round")
    who = f"{counted(len(going), 'cell')} of {amount(len({one.cell.pair for one in header.cells}))}"
    return f"after the first stage, round {decision.round}: {who} will have {fresh}"


def pace_line(pace: Pace) -> str:
    """Say in one line at which rate the cells of an open loop are sent requests, and what set it."""
    return f"open loop: {amount(pace.rate_per_s)} req/s are sent, set by what {plain(pace.slowest)} serves"


def _outcome(sample: Sample) -> str:
    match sample:
        case Measured():
            return f"{amount(_requests_per_s(sample))} req/s  {amount(_median_ms(sample), 2)} ms p50"
        case Failed():
            return f"FAILED: {plain(sample.reason)}"
        case Skipped():
            return f"skipped: {plain(sample.reason)}"


def _requests_per_s(sample: Measured) -> float | None:
    rates = [window.stats.requests * 1e6 / window.stats.duration_us for window in sample.windows if window.stats.duration_us]
    return median(rates) if rates else None


def _median_ms(sample: Measured) -> float | None:
    found = [value for window in sample.windows if (value := _middle_us(window.stats)) is not None]
    return median(found) / 1_000 if found else None


def _middle_us(stats: LoadStats) -> int | None:
    left = sum(count for _, count in stats.histogram) / 2
    for value_us, count in stats.histogram:
        left -= count
        if left <= 0:
            return value_us
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is kept of a sample while a run goes on: a run of hours must not keep every histogram in memory."""

    cell_id: str
    requests_per_s: float | None


def seen(sample: Sample) -> Seen:
    """Keep of a sample what the live table shows; no rate when it gave no result."""
    rate = _requests_per_s(sample) if isinstance(sample, Measured) else None
    return Seen(cell_id=sample.cell_id, requests_per_s=rate)


def live_table(
    cell_ids: Sequence[str],
    samples: Sequence[Seen],
    *,
    total: int,
    elapsed_s: float,
    left_s: float,
    now: str,
    left_out: Collection[str] = (),
) -> RenderableType:
    """Lay out the state of a run: how far it is, then per cell the rounds, those without a result, requests per second.

    A cell that is measured twice has two rows; those of cells that are `left_out` from now on say so.
    """
    layout = Layout(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    layout.add_column("cell", overflow="fold")
    for header in ("rounds ok", "no result", "latest req/s", "median req/s"):
        layout.add_column(header, justify="right")
    for cell_id, *row in _live_rows(cell_ids, samples):
        layout.add_row(*map(Text, (plain(cell_id) + (" (left out)" if cell_id in left_out else ""), *row)))
    done = f"{amount(len(samples))} of {counted(total, 'step')} in {human_seconds(elapsed_s)}, {human_seconds(left_s)} left"
    return Group(Text(done, style="bold"), Text(f"now: {plain(now)}" if now else ""), layout)


def _live_rows(cell_ids: Sequence[str], samples: Sequence[Seen]) -> list[tuple[str, ...]]:
    rates: Mapping[str, list[float]] = {cell_id: [] for cell_id in cell_ids}
    bad = Counter(sample.cell_id for sample in samples if sample.requests_per_s is None)
    for sample in samples:
        if sample.requests_per_s is not None and sample.cell_id in rates:
            rates[sample.cell_id].append(sample.requests_per_s)
    return [(cell_id, amount(len(found)), amount(bad[cell_id]), *_latest_and_median(found)) for cell_id, found in rates.items()]


def _latest_and_median(rates: Sequence[float]) -> tuple[str, str]:
    return (amount(rates[-1]), amount(median(rates))) if rates else (ABSENT, ABSENT)
