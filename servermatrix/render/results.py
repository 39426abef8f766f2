"""The columns of a table of results, once for report.md and the terminal; sentences come from notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from servermatrix.model import Summary, Table
from servermatrix.render import notes
from servermatrix.render.table import Column, Grid, amount, mebibytes, milliseconds, percent, rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A column: its header, what stands under it, whether a terminal shows it, and its header in report.md if that says more."""

    header: str
    value: Callable[[Summary, Table], str]
    right: bool = True
    brief: bool = True
    in_full: Callable[[Table], str] | None = None


def _cpu(row: Summary, _: Table) -> str:
    return amount(None if row.cpu_us_per_request is None else row.cpu_us_per_request.value, 1)


MEASURES: Sequence[Measure] = (
    Measure(header="rank", value=lambda row, _: notes.rank(row)),
    Measure(header="group", value=lambda row, _: notes.group(row), right=False),
    Measure(header="server", value=lambda row, _: row.name, right=False),
    Measure(header="requests/s", value=lambda row, _: rate(row.rps), in_full=lambda _: "requests/s [95 %]"),
    Measure(header="ratio", value=notes.against, in_full=lambda table: f"vs {notes.reference(table)}"),
    Measure(header="CPU us/request", value=_cpu),
    Measure(header="p50 ms", value=lambda row, _: milliseconds(row.p50_us)),
    Measure(header="p99 ms", value=lambda row, _: milliseconds(row.p99_us)),
    Measure(header="PSS MiB", value=lambda row, _: mebibytes(row.pss_bytes), brief=False),
    Measure(header="start-up s", value=lambda row, _: amount(row.startup_s, 2), brief=False),
    Measure(header="busiest worker", value=lambda row, _: percent(row.worker_share_max), brief=False),
    Measure(header="flags", value=lambda row, _: notes.flags(row), right=False),
    Measure(header="rounds ok", value=lambda row, _: f"{row.rounds_ok} of {row.rounds_ok + row.rounds_failed}", brief=False),
)


def results(table: Table, *, full: bool) -> Grid:
    """Lay out the measured rows of a table, with the columns of report.md or with those of a terminal."""
    measures = [measure for measure in MEASURES if full or measure.brief]
    rows = [row for row in table.rows if notes.is_measured(row)]
    return Grid(
        columns=tuple(_column(measure, table, full=full) for measure in measures),
        rows=tuple(tuple(measure.value(row, table) for measure in measures) for row in rows),
    )


def _column(measure: Measure, table: Table, *, full: bool) -> Column:
    return Column(header=measure.in_full(table) if full and measure.in_full else measure.header, right=measure.right)
