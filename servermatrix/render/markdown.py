"""Report -> markdown: the order and the headings of report.md; sentences come from notes, cells of tables from table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from servermatrix.model import PlannedCell, Report, RunHeader, Summary, Table
from servermatrix.render import notes
from servermatrix.render.table import (
    Column,
    Grid,
    amount,
    counted,
    escaped,
    fenced,
    mebibytes,
    milliseconds,
    percent,
    rate,
    shell_line,
    to_markdown_table,
)

_REPLACED = ("-k", "--seed", "--resume", "--out", "--budget")
_REPLACED_GLUED = ("-k", "--seed=", "--resume=", "--out=", "--budget=")
_ABOUT_OUTPUT = ("run", "--json", "-q", "--quiet", "-v", "--verbose", "-x")
_PROGRAM = ("python3", "run_matrix.py")


def to_markdown(report: Report) -> str:
    """Write a report as markdown; the same report gives the same text."""
    blocks = [
        _top(report),
        *(_table(table, report) for table in report.tables),
        _not_measured(report),
        _excluded(report.header),
        _unequal(report),
        _proof(report),
        _how(report),
        _reproduce(report),
    ]
    return "\n".join("\n".join([*block, ""]) for block in blocks if block)


def _top(report: Report) -> list[str]:
    remarks = [text for text in (notes.substitute(report.header), notes.incomplete(report)) if text]
    return _spaced([f"# servermatrix: {escaped(report.header.id)}", escaped(report.answer), *map(_strong, remarks)])


def _strong(text: str) -> str:
    return f"**{escaped(text)}**"


def _spaced(paragraphs: Iterable[str]) -> list[str]:
    return [line for paragraph in paragraphs for line in ("", paragraph)][1:]


def _table(table: Table, report: Report) -> list[str]:
    answer = notes.own_answer(table, report)
    grid = _results(table)
    return [
        f"## {escaped(notes.title(table))}",
        "",
        *([escaped(answer), ""] if answer else []),
        *([*to_markdown_table(grid), ""] if grid.rows else []),
        *(f"- {escaped(note)}" for note in notes.under_table(table, report.header)),
    ]


def _results(table: Table) -> Grid:
    columns = (
        Column(header="rank", right=True),
        Column(header="group"),
        Column(header="server"),
        Column(header="requests/s [95 %]", right=True),
        Column(header=f"vs {notes.reference(table)}", right=True),
        Column(header="CPU us/request", right=True),
        Column(header="p50 ms", right=True),
        Column(header="p99 ms", right=True),
        Column(header="PSS MiB", right=True),
        Column(header="start-up s", right=True),
        Column(header="busiest worker", right=True),
        Column(header="flags"),
        Column(header="rounds ok", right=True),
    )
    return Grid(columns=columns, rows=tuple(_row(row, table) for row in table.rows if notes.is_measured(row)))


def _row(row: Summary, table: Table) -> tuple[str, ...]:
    cpu = row.cpu_us_per_request
    return (
        notes.rank(row),
        notes.group(row),
        row.planned.cell.setting,
        rate(row.rps),
        notes.against(row, table),
        amount(None if cpu is None else cpu.value, 1),
        milliseconds(row.p50_us),
        milliseconds(row.p99_us),
        mebibytes(row.pss_bytes),
        amount(row.startup_s, 2),
        percent(row.worker_share_max),
        notes.flags(row),
        f"{row.rounds_ok} of {row.rounds_ok + row.rounds_failed}",
    )


def _section(heading: str, headers: Sequence[str], rows: Iterable[tuple[str, ...]]) -> list[str]:
    grid = Grid(columns=tuple(Column(header=header) for header in headers), rows=tuple(rows))
    return [f"## {heading}", "", *to_markdown_table(grid)] if grid.rows else []


def _not_measured(report: Report) -> list[str]:
    rows = [(row.planned.cell.id, row.status, row.reason) for row in notes.without_numbers(report)]
    return _section("Not measured", ("cell", "status", "reason"), rows)


def _excluded(header: RunHeader) -> list[str]:
    return _section("Excluded", ("cell", "reason"), ((each.id, each.reason) for each in header.excluded))


def _unequal(report: Report) -> list[str]:
    return _section("What could not be made equal", ("server", "difference"), notes.unequal(report))


def _proof(report: Report) -> list[str]:
    headers = ("setting", "loop", "http", "http version", "workers", "python")
    rows = ((each.key, each.loop, each.http, each.http_version, str(each.workers), each.python) for each in report.proofs)
    return _section("Proof", headers, rows)


def _how(report: Report) -> list[str]:
    header, host = report.header, report.header.host
    planned = len(header.cells) * header.rounds
    rounds = report.steps_done // max(1, len(header.cells))
    facts = {
        "run": header.id,
        "started": header.started_at,
        "command": shell_line((*_PROGRAM, *header.argv)),
        "complete": "yes" if report.complete else notes.incomplete(report),
        "rounds": f"{rounds} of {header.rounds}",
        "steps": f"{amount(report.steps_done)} of {amount(planned)}",
        "seed": str(header.seed),
        "generator": f"{header.generator} {header.generator_version}",
        "cpu": host.cpu,
        "cores": f"{host.cores} ({host.pinned})" if host.pinned else f"{host.cores} (not pinned)",
        "memory MiB": amount(host.memory_bytes / 2**20),
        "system": host.system,
        "python": host.python,
        "versions": ", ".join(f"{name} {version}" for name, version in header.versions),
        "git": header.git,
        "noise allowed": notes.noise(header),
    }
    return _section("How it was run", ("what", "value"), facts.items())


def _reproduce(report: Report) -> list[str]:
    rows = notes.settled_rows(report)
    blocks = [[f"### {escaped(row.planned.cell.id)}", "", *_commands(row.planned, report.header), ""] for row in rows]
    return ["## Reproduce", "", *(line for block in blocks for line in block)][:-1] if rows else []


def _commands(planned: PlannedCell, header: RunHeader) -> list[str]:
    load = planned.cell.load
    # For one cell alone a budget would be more rounds, which take the place of what else was said about them.
    rounds = ("--rounds", str(header.rounds)) if any(word.startswith("--budget") for word in header.argv) else ()
    again = (*_PROGRAM, "run", *_selection(header.argv), *rounds, "-k", planned.cell.id, "--seed", str(header.seed))
    lines = (
        ("the server, as it was started; files it names are in the work folder of a start", planned.argv),
        (f"the load, {counted(load.windows, 'window')} in each round after a warm-up of {load.warmup_s} s", planned.load_argv),
        ("both, by this tool", again),
    )
    return fenced([line for comment, argv in lines if argv for line in (f"# {comment}", shell_line(argv))])


def _selection(argv: Sequence[str]) -> Iterator[str]:
    """Keep of a command line what shaped the cells: not which were kept, the seed, or how the report was shown."""
    words = iter(argv)
    for word in words:
        if word in _REPLACED:
            next(words, None)
        elif word not in _ABOUT_OUTPUT and not word.startswith(_REPLACED_GLUED):
            yield word
