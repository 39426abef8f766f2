"""Report -> report.json: the same facts for machines, in stored units and as docs/report.schema.json describes them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from math import isfinite

from servermatrix.model import REPORT_SCHEMA, Estimate, Proof, Report, Summary, Table
from servermatrix.render.notes import comparable, is_measured, settled_rows, without_numbers

Json = dict[str, object]


def to_json(report: Report) -> str:
    """Write the document of a report as JSON text."""
    return json.dumps(to_document(report), indent=2, allow_nan=False) + "\n"


def to_document(report: Report) -> Json:
    """Bring a report into the shape of report.json; what is not known is null, never 0 and never NaN."""
    rows = (*settled_rows(report), *without_numbers(report))
    return {
        "schema": REPORT_SCHEMA,
        "run": _run(report),
        "answer": report.answer,
        "tables": [_table(table) for table in report.tables],
        "cells": [_cell(row) for row in rows],
        "excluded": [asdict(each) for each in report.header.excluded],
        "proofs": [_proof(each) for each in report.proofs],
    }


def _run(report: Report) -> Json:
    header = report.header
    return {
        "id": header.id,
        "started_at": header.started_at,
        "argv": list(header.argv),
        "seed": header.seed,
        "rounds": header.rounds,
        "steps": len(header.cells) * header.rounds,
        "steps_done": report.steps_done,
        "complete": report.complete,
        "host": asdict(header.host),
        "versions": _versions(header.versions),
        "generators": [_generator(*each) for each in header.generators],
        "git": header.git,
        "noise": asdict(header.noise),
        "equalised": list(header.equalised),
    }


def _versions(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give each name its version, and all of them where environments differ."""
    versions: dict[str, dict[str, None]] = defaultdict(dict)
    for name, version in found:
        versions[name][version] = None
    return {name: ", ".join(several) for name, several in versions.items()}


def _generator(name: str, version: str) -> Json:
    return {"name": name, "version": version or None, "comparable": comparable(name)}


def _table(table: Table) -> Json:
    return {
        "app": table.app,
        "interface": table.interface,
        "protocols": list(table.protocols),
        "workers": table.workers,
        "in_flight": table.in_flight,
        "requests_per_connection": table.requests_per_connection,
        "generator": table.generator,
        "reference": table.reference,
        "detectable_ratio": _finite(table.detectable),
        "comparisons": table.comparisons,
        "rounds_needed": table.rounds_needed,
        "answer": table.answer,
        "cells": [row.planned.cell.id for row in table.rows],
    }


def _cell(row: Summary) -> Json:
    cell = row.planned.cell
    return {
        "id": cell.id,
        "name": row.name,
        "server": cell.server,
        "options": dict(cell.options),
        "python": cell.python,
        "requires": list(cell.requires),
        "interface": cell.interface,
        "protocol": cell.protocol,
        "workers": cell.workers,
        "app": cell.app,
        "connections": cell.load.connections,
        "streams": cell.load.streams,
        "requests_per_connection": cell.load.requests_per_connection,
        "load": asdict(cell.load),
        "status": row.status,
        "reason": "" if is_measured(row) else row.reason,
        "rounds_ok": row.rounds_ok,
        "rounds_failed": row.rounds_failed,
        "windows_repeated": row.windows_repeated,
        **_numbers(row),
        "wire": None if row.wire is None else asdict(row.wire),
        "status_unread": row.status_unread,
        "flags": [flag.value for flag in row.flags],
        "argv": list(row.planned.argv),
        "load_argv": list(row.planned.load_argv),
        "unequal": list(row.planned.unequal),
    }


def _numbers(row: Summary) -> Json:
    ranking = row.ranking
    numbers: Json = {
        "rps": _estimate(row.rps),
        "cpu_us_per_request": _estimate(row.cpu_us_per_request),
        "p50_us": _estimate(row.p50_us),
        "p99_us": _estimate(row.p99_us),
        "ratio": _estimate(row.ratio),
        "pss_bytes": row.pss_bytes,
        "startup_s": _finite(row.startup_s),
        "worker_share_max": _finite(row.worker_share_max),
        "rank": None if ranking is None else list(ranking.rank),
        "group": None if ranking is None else ranking.group,
    }
    return numbers if is_measured(row) else dict.fromkeys(numbers)


def _estimate(found: Estimate | None) -> Json | None:
    if found is None or not isfinite(found.value):
        return None
    return {"value": found.value, "low": _finite(found.low), "high": _finite(found.high), "n": found.n}


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _proof(proof: Proof) -> Json:
    return {**asdict(proof), "versions": dict(proof.versions)}
