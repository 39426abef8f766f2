"""Report -> report.json: the same facts for machines, in stored units and as docs/report.schema.json describes them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict

from servermatrix.model import REPORT_SCHEMA, Check, Decision, Effect, NoiseFloor, Proof, Report, Table
from servermatrix.render.document_cells import Json, cell, estimate, finite
from servermatrix.render.document_header import begun, surroundings
from servermatrix.render.notes import settled_rows, steps_planned, without_numbers


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
        "cells": [cell(row, report) for row in rows],
        "noise_floor": _noise_floor(report.noise_floor),
        "ceilings": [asdict(each) for each in report.ceilings],
        "decisions": [_decision(each) for each in report.decisions],
        "checks": [_check(each) for each in report.checks],
        "excluded": [asdict(each) for each in report.header.excluded],
        "proofs": [_proof(each) for each in report.proofs],
    }


def _run(report: Report) -> Json:
    header = report.header
    return {
        **begun(header),
        "looks": [asdict(each) for each in header.looks],
        "budget_s": header.budget_s,
        "steps": steps_planned(report),
        "steps_done": report.steps_done,
        "complete": report.complete,
        **surroundings(header, _versions(header.versions)),
        "equalised": list(header.equalised),
    }


def _versions(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give each name its version, and all of them where environments differ."""
    versions: dict[str, dict[str, None]] = defaultdict(dict)
    for name, version in found:
        versions[name][version] = None
    return {name: ", ".join(several) for name, several in versions.items()}


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
        "detectable_ratio": finite(table.detectable),
        "comparisons": table.comparisons,
        "rounds_needed": table.rounds_needed,
        "answer": table.answer,
        "effects": [_effect(each) for each in table.effects],
        "effect_comparisons": table.effect_comparisons,
        "rate_percent": table.rate_percent,
        "rate_per_s": finite(table.rate_per_s),
        "cells": [row.planned.cell.id for row in table.rows if not row.planned.cell.duplicate],
    }


def _effect(effect: Effect) -> Json:
    return {
        "option": effect.option,
        "value": effect.value,
        "instead_of": effect.instead_of,
        "seen": [{"where": one.where, "ratio": estimate(one.ratio), "shown": one.shown} for one in effect.seen],
        "differs": [list(pair) for pair in effect.differs],
    }


def _noise_floor(floor: NoiseFloor | None) -> Json | None:
    if floor is None:
        return None
    return {
        "cell_id": floor.cell_id,
        "name": floor.name,
        "ratio": estimate(floor.ratio),
        "factor": finite(floor.factor),
    }


def _decision(decision: Decision) -> Json:
    dropped = [{"cell": cell_id, "reason": reason} for cell_id, reason in decision.dropped]
    return {"round": decision.round, "alpha": decision.alpha, "dropped": dropped, "stopped": decision.stopped or None}


def _check(check: Check) -> Json:
    return {**asdict(check), "found": estimate(check.found), "passed": check.passed.value}


def _proof(proof: Proof) -> Json:
    return {**asdict(proof), "versions": dict(proof.versions)}
