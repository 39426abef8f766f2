"""The columns of a table of results, once for report.md and the terminal; sentences come from notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from servermatrix.model import Percentile, Report, Summary, Table
from servermatrix.render import looks, notes, remarks
from servermatrix.render.table import ABSENT, Column, Grid, amount, mebibytes, milliseconds, percent, rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A column: its header, what stands under it, in which of the two forms it stands and what its header is in report.md.

    A column that says nothing for a table is left out there: `needed` looks at the measured rows, `needed_in_brief` at the
    same for a terminal.
    """

    header: str
    value: Callable[[Summary, Table], str]
    right: bool = True
    brief: bool = True
    full: bool = True
    in_full: Callable[[Table, Report], str] | None = None
    needed: Callable[[Sequence[Summary]], bool] | None = None
    needed_in_brief: Callable[[Sequence[Summary]], bool] | None = None


def _cpu(row: Summary, _: Table) -> str:
    return amount(None if row.cpu_us_per_request is None else row.cpu_us_per_request.value, 1)


def _latency(found: Percentile | None) -> str:
    return milliseconds(None if found is None else found.value_us)


def _starts(row: Summary, _: Table) -> str:
    found = row.p99_us
    return ABSENT if found is None else f"{milliseconds(found.lowest_us)} to {milliseconds(found.highest_us)}"


def _rate_header(table: Table, report: Report) -> str:
    return f"requests/s [{looks.confidence(report, (row.planned.cell for row in notes.shown(table)))}]"


def _kept(row: Summary, table: Table) -> str:
    due = row.due_per_s or table.rate_per_s
    return ABSENT if row.rps is None or not due else percent(row.rps.value / due, 1)


def _spread_over_workers(rows: Sequence[Summary]) -> bool:
    return any(row.balance is not None for row in rows)


def _seen_connections(rows: Sequence[Summary]) -> bool:
    return any(row.balance is not None and row.balance.connections is not None for row in rows)


def _any_p999(rows: Sequence[Summary]) -> bool:
    return any(row.p999_us is not None for row in rows)


SERVER = Measure(header="server", value=lambda row, _: row.name, right=False)
CPU = Measure(header="CPU us", value=_cpu, in_full=lambda *_: "CPU us/request")
P50 = Measure(header="p50 ms", value=lambda row, _: _latency(row.p50_us))
P99 = Measure(header="p99 ms", value=lambda row, _: _latency(row.p99_us))
P999 = Measure(header="p99.9 ms", value=lambda row, _: _latency(row.p999_us), brief=False, needed=_any_p999)
STARTS = Measure(header="p99 ms by start", value=_starts, brief=False, needed=notes.starts_differ)
AROUND: Sequence[Measure] = (
    Measure(header="PSS MiB", value=lambda row, _: mebibytes(row.pss_bytes), brief=False),
    Measure(header="start-up s", value=lambda row, _: amount(row.startup_s, 2), brief=False),
    Measure(
        header="busiest worker",
        value=lambda row, _: percent(row.balance.share if row.balance else None),
        needed=_spread_over_workers,
    ),
    Measure(
        header="at worst",
        value=lambda row, _: percent(row.balance.worst if row.balance else None),
        brief=False,
        needed=_spread_over_workers,
    ),
    Measure(
        header="most connections",
        value=lambda row, _: percent(row.balance.connections if row.balance else None),
        brief=False,
        needed=_seen_connections,
    ),
    Measure(
        header="balance",
        value=lambda row, _: amount(row.balance.index if row.balance else None, 2),
        brief=False,
        needed=_spread_over_workers,
    ),
    Measure(header="flags", value=lambda row, _: remarks.flags(row), right=False, brief=False),
    Measure(header="flags", value=lambda row, _: remarks.flags_in_short(row), right=False, full=False),
    Measure(header="rounds ok", value=lambda row, _: f"{row.rounds_ok} of {row.rounds_ok + row.rounds_failed}", brief=False),
)
CLOSED: Sequence[Measure] = (
    Measure(header="rank", value=lambda row, _: notes.rank(row), brief=False),
    Measure(header="rank", value=lambda row, _: notes.rank(row) if row.ranking else ABSENT, full=False),
    Measure(header="group", value=lambda row, _: notes.group(row), right=False),
    SERVER,
    Measure(header="requests/s", value=lambda row, _: rate(row.rps), in_full=_rate_header),
    Measure(header="ratio", value=notes.against, in_full=lambda table, _: f"vs {notes.reference(table)}"),
    CPU,
    P50,
    P99,
    P999,
    STARTS,
    Measure(
        header="limited by",
        value=lambda row, _: remarks.limited_by(row),
        right=False,
        needed=lambda rows: any(row.verdict for row in rows),
        needed_in_brief=lambda rows: any(map(remarks.not_by_the_server, rows)),
    ),
    *AROUND,
)
OPEN: Sequence[Measure] = (
    SERVER,
    Measure(header="rate kept", value=_kept),
    P50,
    P99,
    Measure(header="p99.9 ms", value=lambda row, _: _latency(row.p999_us), needed=_any_p999),
    STARTS,
    CPU,
    *AROUND,
)


def results(table: Table, report: Report, *, full: bool) -> Grid:
    """Lay out the measured rows of a table, with the columns of report.md or with those of a terminal."""
    rows = notes.shown(table)
    measures = [measure for measure in (OPEN if table.rate_percent else CLOSED) if _stands(measure, rows, full=full)]
    return Grid(
        columns=tuple(_column(measure, table, report, full=full) for measure in measures),
        rows=tuple(tuple(measure.value(row, table) for measure in measures) for row in rows),
    )


def _stands(measure: Measure, rows: Sequence[Summary], *, full: bool) -> bool:
    asked = (measure.needed, None if full else measure.needed_in_brief)
    return (measure.full if full else measure.brief) and all(needed is None or needed(rows) for needed in asked)


def _column(measure: Measure, table: Table, report: Report, *, full: bool) -> Column:
    header = measure.in_full(table, report) if full and measure.in_full else measure.header
    return Column(header=header, right=measure.right)
