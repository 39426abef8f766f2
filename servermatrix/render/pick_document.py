"""PickReport -> JSON: the same facts for machines, in stored units and as docs/pick.schema.json describes them."""

from __future__ import annotations

import json
from dataclasses import asdict

from servermatrix.model import (
    PICK_SCHEMA,
    Candidate,
    Capacity,
    Decision,
    Deployed,
    Effect,
    Held,
    Percentile,
    PickReport,
    Race,
    Scaling,
    Share,
    Standing,
    Summary,
)
from servermatrix.render.document_cells import Json, estimate, finite
from servermatrix.render.document_header import begun, listed_versions, surroundings
from servermatrix.render.notes import is_measured
from servermatrix.render.pick_lines import warnings


def to_json(report: PickReport) -> str:
    """Write the document of a search as JSON text."""
    return json.dumps(to_document(report), indent=2, allow_nan=False) + "\n"


def to_document(report: PickReport) -> Json:
    """Bring a search into the shape of docs/pick.schema.json; what is not known is null, never 0 and never NaN."""
    done, planned = report.steps
    return {
        "schema": PICK_SCHEMA,
        "line": report.line,
        "answer": report.answer,
        "picked": report.picked.summary.planned.cell.id if report.picked else None,
        "met": report.met,
        "counts": {standing.value: len(report.of(standing)) for standing in Standing},
        "complete": report.complete,
        "steps": planned,
        "steps_done": done,
        "warnings": warnings(report),
        "race": _race(report.race),
        "deployed": None if report.deployed is None else _deployed(report.deployed),
        "candidates": [_candidate(each) for each in report.candidates],
        "share": None if report.share is None else _share(report.share),
        "capacity": None if report.capacity is None else _capacity(report.capacity),
        "effects": [_effect(each) for each in report.effects],
        "decisions": [_decision(each) for each in report.decisions],
        "excluded": [asdict(each) for each in report.header.excluded],
        "run": _run(report),
    }


def _race(race: Race) -> Json:
    return {
        "prefer": race.prefer,
        "limits": [
            {"text": each.text, "metric": each.metric, "percent": each.percent or None, "bound": each.bound}
            for each in race.limits
        ],
        "rate_per_s": race.rate_per_s or None,
        "references": list(race.references),
        "cores": race.cores or None,
        "pool": race.pool or None,
        "finalists": race.finalists,
        "holding_s": race.holding_s,
    }


def _deployed(found: Deployed) -> Json:
    files = [{"name": name, "text": text, "comment": comment} for name, text, comment in found.files]
    return {"cell_id": found.cell_id, "argv": list(found.argv), "env": list(found.env), "files": files}


def _candidate(one: Candidate) -> Json:
    cell, row = one.summary.planned.cell, one.summary
    return {
        "id": cell.id,
        "name": cell.start,
        "server": cell.server,
        "options": dict(cell.options),
        "protocol": cell.protocol,
        "workers": cell.workers,
        "connections": cell.load.connections,
        "standing": one.standing.value,
        "reason": one.reason,
        "rounds": one.rounds,
        "score": estimate(one.score),
        "pareto": one.pareto,
        "held": None if one.held is None else _held(one.held),
        "rounds_failed": row.rounds_failed,
        "windows_repeated": row.windows_repeated,
        **_numbers(row),
        "flags": [flag.value for flag in row.flags],
        "remarks": [{**asdict(each), "flag": each.flag.value} for each in row.remarks],
        "argv": list(row.planned.argv),
        "load_argv": list(row.planned.load_argv),
        "unequal": list(row.planned.unequal),
    }


def _numbers(row: Summary) -> Json:
    numbers: Json = {
        "rps": estimate(row.rps),
        "cpu_us_per_request": estimate(row.cpu_us_per_request),
        "p50_us": _percentile(row.p50_us),
        "p99_us": _percentile(row.p99_us),
        "pss_bytes": row.pss_bytes,
        "startup_s": finite(row.startup_s),
    }
    return numbers if is_measured(row) else dict.fromkeys(numbers)


def _percentile(found: Percentile | None) -> Json | None:
    return None if found is None or finite(found.value_us) is None else asdict(found)


def _held(found: Held) -> Json:
    return {
        "low_per_s": found.low_per_s or None,
        "high_per_s": found.high_per_s or None,
        "latency_us": estimate(found.latency_us),
        "starts": found.starts,
        "sentence": found.sentence,
    }


def _share(found: Share) -> Json:
    told = {"matters": found.matters, "sentence": found.sentence}
    return {**told, "spread": estimate(found.spread), "app_share": estimate(found.app_share)}


def _capacity(found: Capacity) -> Json:
    return {
        "per_core_per_s": estimate(found.per_core_per_s),
        "worker_bytes": found.worker_bytes,
        "workers_fit": found.workers_fit,
        "connections": found.connections,
        "scaling": None if found.scaling is None else _scaling(found.scaling),
        "sentences": list(found.sentences),
    }


def _scaling(found: Scaling) -> Json:
    fitted = ("rate_per_s", "contention", "coherency")
    return {**asdict(found), **{key: finite(getattr(found, key)) for key in fitted}}


def _effect(effect: Effect) -> Json:
    seen = [{"where": one.where, "ratio": estimate(one.ratio), "shown": one.shown} for one in effect.seen]
    told = {"option": effect.option, "value": effect.value, "instead_of": effect.instead_of}
    return {**told, "seen": seen, "differs": [list(pair) for pair in effect.differs]}


def _decision(decision: Decision) -> Json:
    dropped = [{"cell": cell_id, "reason": reason} for cell_id, reason in decision.dropped]
    return {"round": decision.round, "alpha": decision.alpha, "dropped": dropped, "stopped": decision.stopped or None}


def _run(report: PickReport) -> Json:
    header = report.header
    return {
        **begun(header),
        "looks": [asdict(each) for each in header.looks],
        "budget_s": header.budget_s,
        **surroundings(header, listed_versions(header)),
        "equalised": list(header.equalised),
    }
