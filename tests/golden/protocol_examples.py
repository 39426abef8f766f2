"""Reports by value of cells that differ in protocol, interface, environment or in what they send; nothing here analyses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from servermatrix.model import Cell, Load, PlannedCell, Proof, Ranking, Report, Summary, Table, Wire
from tests.golden.report_examples import HEADER, LOAD, PROOF, RANKED, ROUNDS, TABLE, about, summary

H2LOAD = replace(LOAD, generator="h2load")
EIGHT_STREAMS = replace(H2LOAD, connections=8, streams=8)
WITH_LENGTH = Wire(head_bytes=119, body_bytes=13, framing="content-length")
COMPRESSED = Wire(head_bytes=58, body_bytes=13, framing="content-length")
CHUNKED = Wire(head_bytes=128, body_bytes=13, framing="chunked")
EQUALISED = (
    "every server was asked for a backlog of 2048 and an idle keep-alive time of 75 s",
    "every start is in an empty folder, with the same few environment variables, on a free port of 127.0.0.1",
)
AES_128, AES_256 = "TLSv1.3 TLS_AES_128_GCM_SHA256", "TLSv1.3 TLS_AES_256_GCM_SHA384"


def planned(
    server: str, protocol: str = "h1", load: Load = LOAD, *, unequal: tuple[str, ...] = (), **other: object
) -> PlannedCell:
    """Plan a cell of a server without options; `other` fields of the cell as they are given."""
    plain = Cell(server=server, options=(), label="", protocol=protocol, workers=1, app="plaintext", load=load)
    cell = replace(plain, **other)  # type: ignore[arg-type]
    argv = ("python3", "-m", server, f"{cell.app}:app")
    return PlannedCell(cell=cell, argv=argv, load_argv=(load.generator, "http://127.0.0.1:8000/"), unequal=unequal)


def row(of: PlannedCell, rps: float, place: int, wire: Wire | None = None, name: str = "") -> Summary:
    """Make a row that is told apart from every other, 1.5 times as fast per letter."""
    ranking = Ranking(rank=(place, place), group="abcdefgh"[place - 1])
    found = summary(of, rps, ranking)
    return replace(found, name=name or of.cell.setting, wire=wire)


def table(*rows: Summary, answer: str = "") -> Table:
    """Put rows into the table that the first of them belongs to; ratios are against the first."""
    cell = rows[0].planned.cell
    fastest = rows[0].rps
    assert fastest is not None
    return replace(
        TABLE,
        app=cell.app,
        interface=cell.interface,
        protocols=tuple(dict.fromkeys(sorted((each.planned.cell.protocol for each in rows), key="h1 h1s h2c h2".index))),
        in_flight=cell.load.in_flight,
        requests_per_connection=cell.load.requests_per_connection,
        generator=cell.load.generator,
        rows=tuple(
            replace(each, ratio=about(each.rps.value / fastest.value), status_unread=each.status_unread)
            for each in rows
            if each.rps is not None
        ),
        reference=cell.id,
        answer=answer or f"{rows[0].name} serves {cell.app} best",
    )


def report(
    tables: Sequence[Table],
    *,
    generators: tuple[tuple[str, str], ...] = (("wrk", "4.1.0"),),
    proofs: tuple[Proof, ...] = (),
    missing: tuple[Summary, ...] = (),
) -> Report:
    cells = [each.planned for table in tables for each in table.rows] + [each.planned for each in missing]
    header = replace(HEADER, cells=tuple(cells), generators=generators, equalised=EQUALISED)
    return replace(
        RANKED,
        header=header,
        proofs=proofs,
        tables=tuple(tables),
        not_measured=missing,
        steps_done=len(cells) * ROUNDS,
        answer=tables[0].answer,
    )


def proof(of: PlannedCell, tls: str, http_version: str) -> Proof:
    key = f"{of.cell.setting}/{of.cell.protocol}/w{of.cell.workers}"
    return replace(PROOF, key=key, tls=tls, http_version=http_version, interface=of.cell.interface)


GRANIAN_H1, GRANIAN_H2C = planned("granian", "h1", H2LOAD), planned("granian", "h2c", EIGHT_STREAMS)
HYPERCORN_H1, HYPERCORN_H2C = planned("hypercorn", "h1", H2LOAD), planned("hypercorn", "h2c", EIGHT_STREAMS)
SIDE_BY_SIDE = report(
    (
        table(
            row(GRANIAN_H2C, 60_000, 1, COMPRESSED, "granian h2c c8m8"),
            row(GRANIAN_H1, 40_000, 2, WITH_LENGTH, "granian h1 c64"),
            replace(row(HYPERCORN_H1, 4_000, 3, WITH_LENGTH, "hypercorn h1 c64"), status_unread=True),
            row(HYPERCORN_H2C, 3_000, 4, COMPRESSED, "hypercorn h2c c8m8"),
        ),
    ),
    generators=(("h2load", "1.52.0"),),
)

BOTH_GENERATORS = report(
    (
        table(row(planned("granian"), 44_000, 1, WITH_LENGTH), row(planned("hypercorn"), 4_000, 2, WITH_LENGTH)),
        table(row(GRANIAN_H2C, 60_000, 1, COMPRESSED), row(HYPERCORN_H2C, 3_000, 2, COMPRESSED)),
    ),
    generators=(("wrk", "4.1.0"), ("h2load", "1.52.0")),
)

ONE_LENGTH = "gunicorn's worker {} has no event loop: an app that waits holds one of its threads"
GTHREAD = planned("gunicorn", interface="wsgi", label="worker=gthread", unequal=(ONE_LENGTH.format("gthread"),))
SYNC = planned("gunicorn", interface="wsgi", label="worker=sync", unequal=("gunicorn's sync worker closes every connection",))
INTERFACES = report(
    (
        table(row(planned("gunicorn", label="worker=asgi"), 18_000, 1), row(planned("uvicorn"), 12_000, 2)),
        table(row(GTHREAD, 9_000, 1), row(SYNC, 3_000, 2)),
    ),
    proofs=(proof(GTHREAD, "", "1.1"),),
)

ENCRYPTED = [planned(server, "h2", EIGHT_STREAMS) for server in ("granian", "hypercorn", "uvicorn", "gunicorn")]
DIFFERING_TLS = report(
    (table(*(row(each, 40_000 / 2**at, at + 1, COMPRESSED) for at, each in enumerate(ENCRYPTED))),),
    generators=(("h2load", "1.52.0"),),
    proofs=tuple(proof(each, tls, "2") for each, tls in zip(ENCRYPTED, (AES_128, AES_128, AES_256, AES_256), strict=True)),
)

STREAMED = [planned(f"server{number}", app="stream") for number in range(1, 8)]
DIFFERING_FRAMING = report(
    (
        table(
            row(STREAMED[0], 40_000, 1, CHUNKED),
            row(STREAMED[1], 30_000, 2, replace(WITH_LENGTH, head_bytes=80)),
            *(row(each, 20_000 - 1_000 * at, at + 3, WITH_LENGTH) for at, each in enumerate(STREAMED[2:])),
        ),
    ),
)

H2LOAD_MISSING = report(
    (table(row(planned("granian"), 44_000, 1), row(planned("hypercorn"), 4_000, 2)),),
    generators=(("wrk", "4.1.0"), ("h2load", "")),
    missing=tuple(
        Summary(
            planned=each,
            name=f"{each.cell.setting} h2c",
            status="skipped",
            reason="h2load missing",
            rounds_ok=0,
            rounds_failed=0,
        )
        for each in (GRANIAN_H2C, HYPERCORN_H2C)
    ),
)

NEW_EACH_TIME = replace(LOAD, requests_per_connection=1)
ENVIRONMENTS = report(
    (
        table(
            row(planned("uvicorn", "h1", NEW_EACH_TIME, python="3.13"), 9_000, 1),
            row(planned("uvicorn", "h1", NEW_EACH_TIME, requires=("uvicorn==0.52.0", "h11<1")), 8_000, 2),
            row(planned("uvicorn", "h1", NEW_EACH_TIME, label="access_log=on", options=(("access_log", "on"),)), 4_000, 3),
        ),
    ),
)

PROTOCOL_EXAMPLES = {
    "h1 beside h2c": SIDE_BY_SIDE,
    "both generators": BOTH_GENERATORS,
    "wsgi beside asgi": INTERFACES,
    "differing tls": DIFFERING_TLS,
    "differing framing": DIFFERING_FRAMING,
    "h2load missing": H2LOAD_MISSING,
    "environments": ENVIRONMENTS,
}
