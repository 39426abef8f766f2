"""Comparison -> JSON: the same facts for machines, in stored units; what is not known is null, never 0 and never NaN."""

from __future__ import annotations

import json

from servermatrix.model import COMPARE_SCHEMA, Change, ComparedCell, ComparedRun, Comparison, Metric, Shift, Summary, Unlike
from servermatrix.render import compared
from servermatrix.render.document_cells import Json, estimate, finite
from servermatrix.render.document_header import begun, listed_versions, surroundings
from servermatrix.render.notes import is_measured

_KEYS = {Metric.RPS: "rps", Metric.CPU: "cpu_us_per_request"}


def to_json(found: Comparison) -> str:
    """Write the document of a comparison as JSON text."""
    return json.dumps(to_document(found), indent=2, allow_nan=False) + "\n"


def to_document(found: Comparison) -> Json:
    """Bring a comparison into the shape of its document."""
    return {
        "schema": COMPARE_SCHEMA,
        "line": compared.first_line(found),
        "counts": {change.value: found.counts[change] for change in Change},
        "detectable": finite(found.detectable),
        "margin": found.margin,
        "tests": found.hypotheses,
        "rounds_needed": found.rounds_needed,
        "by_force": bool(found.unlike),
        "warnings": [*compared.warnings(found), compared.TWO_TIMES],
        "overall": {key: finite(dict(found.overall).get(metric)) for metric, key in _KEYS.items()},
        "unlike": [_unlike(one) for one in found.unlike],
        "changed": [_unlike(one) for one in found.changed],
        "cells": [_cell(cell) for cell in found.cells],
        "left_out": list(found.left_out),
        "base": _run(found.base),
        "head": _run(found.head),
    }


def _unlike(one: Unlike) -> Json:
    return {"what": one.what, "base": one.base, "head": one.head, "cells": sorted(one.cells) or None}


def _cell(cell: ComparedCell) -> Json:
    return {
        "id": cell.id,
        "change": cell.change.value,
        "sentence": cell.sentence,
        "unlike": list(cell.unlike),
        "worse": [_KEYS[metric] for metric in cell.worse],
        "better": [_KEYS[metric] for metric in cell.better],
        "beyond": finite(cell.beyond),
        **{key: _shift(cell.shift(metric)) for metric, key in _KEYS.items()},
        "base": _row(cell.base),
        "head": _row(cell.head),
    }


def _shift(shift: Shift | None) -> Json | None:
    if shift is None or shift.ratio is None:
        return None
    return {"ratio": estimate(shift.ratio), "p": finite(shift.p), "beyond": finite(shift.beyond)}


def _row(row: Summary | None) -> Json | None:
    if row is None:
        return None
    measured = is_measured(row)
    return {
        "status": row.status,
        "reason": "" if measured else row.reason,
        "rounds_ok": row.rounds_ok,
        "rounds_failed": row.rounds_failed,
        "rps": estimate(row.rps) if measured else None,
        "cpu_us_per_request": estimate(row.cpu_us_per_request) if measured else None,
        "flags": [flag.value for flag in row.flags],
    }


def _run(run: ComparedRun) -> Json:
    header = run.header
    return {
        **begun(header),
        "looks": run.looks,
        "complete": run.complete,
        "steps_done": run.steps[0],
        "steps": run.steps[1],
        "noise_floor": finite(run.noise_floor),
        **surroundings(header, listed_versions(header)),
    }
