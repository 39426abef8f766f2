"""Report -> markdown: the order and the headings of report.md; sentences come from notes, cells of tables from table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from servermatrix.model import PlannedCell, Proof, Report, RunHeader, Table
from servermatrix.render import notes, parity
from servermatrix.render.results import results
from servermatrix.render.table import Column, Grid, amount, counted, escaped, fenced, shell_line, to_markdown_table

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
        _equal(report.header),
        _unequal(report),
        _wire(report),
        _proof(report),
        _how(report),
        _reproduce(report),
    ]
    return "\n".join("\n".join([*block, ""]) for block in blocks if block)


def _top(report: Report) -> list[str]:
    remarks = [text for text in (notes.substitute(report.header), notes.incomplete(report)) if text]
    apart = [escaped(text) for text in (notes.apart(report),) if text]
    return _spaced([f"# servermatrix: {escaped(report.header.id)}", escaped(report.answer), *map(_strong, remarks), *apart])


def _strong(text: str) -> str:
    return f"**{escaped(text)}**"


def _spaced(paragraphs: Iterable[str]) -> list[str]:
    return [line for paragraph in paragraphs for line in ("", paragraph)][1:]


def _table(table: Table, report: Report) -> list[str]:
    answer = notes.own_answer(table, report)
    grid = results(table, full=True)
    return [
        f"## {escaped(notes.title(table, report))}",
        "",
        *([escaped(answer), ""] if answer else []),
        *([*to_markdown_table(grid), ""] if grid.rows else []),
        *(f"- {escaped(note)}" for note in notes.under_table(table, report)),
    ]


def _section(heading: str, headers: Sequence[str | Column], rows: Iterable[tuple[str, ...]], text: str = "") -> list[str]:
    columns = tuple(Column(header=header) if isinstance(header, str) else header for header in headers)
    grid = Grid(columns=columns, rows=tuple(rows))
    return [f"## {heading}", "", *([text, ""] if text else []), *to_markdown_table(grid)] if grid.rows else []


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
        "generator": notes.generators(header),
        "cpu": host.cpu,
        "cores": f"{host.cores} ({host.pinned})" if host.pinned else f"{host.cores} (not pinned)",
        "memory MiB": amount(host.memory_bytes / 2**20),
        "system": host.system,
        "python": host.python,
        "versions": ", ".join(dict.fromkeys(f"{name} {version}" for name, version in header.versions)),
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
