"""A row as report.json has it: what it is made of, its numbers, and what must be known of it."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite

from servermatrix.model import Estimate, Percentile, Report, Summary
from servermatrix.render.looks import alpha
from servermatrix.render.notes import is_measured

Json = dict[str, object]


def cell(row: Summary, report: Report) -> Json:
    """Bring a row into the shape of report.json."""
    found = row.planned.cell
    return {
        "id": found.id,
        "name": row.name,
        "server": found.server,
        "options": dict(found.options),
        "python": found.python,
        "requires": list(found.requires),
        "interface": found.interface,
        "protocol": found.protocol,
        "workers": found.workers,
        "app": found.app,
        "connections": found.load.connections,
        "streams": found.load.streams,
        "requests_per_connection": found.load.requests_per_connection,
        "load": asdict(found.load),
        "status": row.status,
        "reason": "" if is_measured(row) else row.reason,
        "rounds_ok": row.rounds_ok,
        "rounds_failed": row.rounds_failed,
        "windows_repeated": row.windows_repeated,
        "confidence": round(1 - alpha(report, found), 6),
        **_numbers(row),
        "wire": None if row.wire is None else asdict(row.wire),
        "status_unread": row.status_unread,
        "limited_by": _verdict(row),
        "flags": [flag.value for flag in row.flags],
        "remarks": [{**asdict(each), "flag": each.flag.value} for each in row.remarks],
        "argv": list(row.planned.argv),
        "load_argv": list(row.planned.load_argv),
        "unequal": list(row.planned.unequal),
    }


def _numbers(row: Summary) -> Json:
    ranking = row.ranking
    numbers: Json = {
        "rps": estimate(row.rps),
        "cpu_us_per_request": estimate(row.cpu_us_per_request),
        "p50_us": _percentile(row.p50_us),
        "p99_us": _percentile(row.p99_us),
        "p999_us": _percentile(row.p999_us),
        "ratio": estimate(row.ratio),
        "pss_bytes": row.pss_bytes,
        "startup_s": finite(row.startup_s),
        "balance": None if row.balance is None else asdict(row.balance),
        "due_per_s": finite(row.due_per_s),
        "rank": None if ranking is None else list(ranking.rank),
        "group": None if ranking is None else ranking.group,
    }
    return numbers if is_measured(row) else dict.fromkeys(numbers)


def _verdict(row: Summary) -> Json | None:
    if row.verdict is None:
        return None
    return {"bottleneck": row.verdict.bottleneck.value, "evidence": row.verdict.evidence}


def _percentile(found: Percentile | None) -> Json | None:
    return None if found is None or not isfinite(found.value_us) else asdict(found)


def estimate(found: Estimate | None) -> Json | None:
    """Bring an estimate into the shape of report.json, null where its value is no number."""
    if found is None or not isfinite(found.value):
        return None
    return {"value": found.value, "low": finite(found.low), "high": finite(found.high), "n": found.n}


def finite(value: float | None) -> float | None:
    """Return a number that is one, else null."""
    return value if value is not None and isfinite(value) else None
