"""Report -> markdown: the order and the headings of report.md; sentences come from notes, cells of tables from table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from servermatrix.model import Proof, Report, RunHeader, Summary, Table
from servermatrix.render import controls, effects, looks, machine, notes, parity, remarks, reproduce
from servermatrix.render.points import to_markdown_list
from servermatrix.render.results import results
from servermatrix.render.table import Column, Grid, escaped, to_markdown_table


def to_markdown(report: Report) -> str:
    """Write a report as markdown; the same report gives the same text."""
    blocks = [
        _top(report),
        *(_table(table, report) for table in report.tables),
        _controls(report),
        _stopped(report),
        _not_measured(report),
        _excluded(report.header),
        _equal(report.header),
        _unequal(report),
        _wire(report),
        _proof(report),
        _section("How it was run", ("what", "value"), machine.facts(report).items()),
        reproduce.lines(report),
    ]
    return "\n".join("\n".join([*block, ""]) for block in blocks if block)


def _top(report: Report) -> list[str]:
    """Begin with what makes all of the rest worthless, then the answer, then what it is worth."""
    alarms = (controls.alarm(report.checks),)
    warnings = (notes.substitute(report.header), notes.incomplete(report))
    told = (looks.noise_floor(report), notes.apart(report))
    paragraphs = [*map(_strong, filter(None, alarms)), escaped(report.answer), *map(_strong, filter(None, warnings))]
    return _spaced([f"# servermatrix: {escaped(report.header.id)}", *paragraphs, *map(escaped, filter(None, told))])


def _strong(text: str) -> str:
    return f"**{escaped(text)}**"


def _spaced(paragraphs: Iterable[str]) -> list[str]:
    return [line for paragraph in paragraphs for line in ("", paragraph)][1:]


def _table(table: Table, report: Report) -> list[str]:
    answer, grid, rows = notes.own_answer(table, report), results(table, report, full=True), notes.shown(table)
    below = (_limits(rows, report), _effects(table))
    return [
        f"## {escaped(notes.title(table, report))}",
        "",
        *([escaped(answer), ""] if answer else []),
        *([*to_markdown_table(grid), ""] if grid.rows else []),
        *to_markdown_list(
            [*notes.under_table(table, report), *notes.columns(table), *remarks.remarks(rows, ranks=not table.rate_percent)]
        ),
        *(line for block in below if block for line in ("", *block)),
    ]


def _limits(rows: Sequence[Summary], report: Report) -> list[str]:
    grid = remarks.limits(rows, report.ceilings, report.header.host.cores)
    return ["### What limited each row", "", *to_markdown_table(grid)] if grid.rows else []


def _effects(table: Table) -> list[str]:
    grid, sentences = effects.grid(table), to_markdown_list(effects.sentences(table))
    head = [f"### {effects.HEADING}", "", escaped(effects.introduction(table)), "", *to_markdown_table(grid)]
    return [*head, *(["", *sentences] if sentences else [])] if grid.rows else []


def _controls(report: Report) -> list[str]:
    checks = report.checks
    return _grid(controls.HEADING, controls.grid(checks), controls.outcome(checks)) if checks else []


def _stopped(report: Report) -> list[str]:
    texts = (looks.plan(report.header, report.decisions), looks.intervals(report))
    return _grid(looks.HEADING, looks.decided(report), " ".join(filter(None, texts)))


def _section(heading: str, headers: Sequence[str | Column], rows: Iterable[tuple[str, ...]], text: str = "") -> list[str]:
    columns = tuple(Column(header=header) if isinstance(header, str) else header for header in headers)
    return _grid(heading, Grid(columns=columns, rows=tuple(rows)), text)


def _grid(heading: str, grid: Grid, text: str) -> list[str]:
    return [f"## {heading}", "", *([escaped(text), ""] if text else []), *to_markdown_table(grid)] if grid.rows else []


def _not_measured(report: Report) -> list[str]:
    rows = [(row.planned.cell.id, row.status, row.reason) for row in notes.without_numbers(report)]
    return _section("Not measured", ("cell", "status", "reason"), rows)


def _excluded(header: RunHeader) -> list[str]:
    return _section("Excluded", ("cell", "reason"), ((each.id, each.reason) for each in header.excluded))


def _equal(header: RunHeader) -> list[str]:
    sentences = [f"- {escaped(sentence)}" for sentence in header.equalised]
    return ["## What was made equal", "", *sentences] if sentences else []


def _unequal(report: Report) -> list[str]:
    rows = parity.unequal(notes.settled_rows(report))
    return _section("What could not be made equal", ("server", "difference"), rows)


def _wire(report: Report) -> list[str]:
    rows = notes.settled_rows(report)
    head, body = (Column(header=header, right=True) for header in ("header bytes", "body bytes"))
    headers = ("app", "server", "protocol", head, body, "framing")
    return _section("On the wire", headers, parity.on_the_wire(rows), parity.introduction(rows))


def _proof(report: Report) -> list[str]:
    headers = ("setting", "interface", "loop", "http", "http version", "TLS", "workers", "python")
    return _section("Proof", headers, map(_proven, report.proofs))


def _proven(proof: Proof) -> tuple[str, ...]:
    tls = proof.tls or "none"
    return proof.key, proof.interface, proof.loop, proof.http, proof.http_version, tls, str(proof.workers), proof.python
