"""CheckReport -> JSON: the same facts for machines, in stored units and as docs/check.schema.json describes them."""

from __future__ import annotations

import json
from dataclasses import asdict

from servermatrix.model import (
    CHECK_SCHEMA,
    Attribution,
    Canary,
    CellChange,
    Change,
    CheckReport,
    Excluded,
    Metric,
    Probe,
    RunHeader,
    Shift,
    Side,
    Summary,
    VersionChange,
)
from servermatrix.render.check_lines import first_line, server, warnings
from servermatrix.render.document_cells import Json, estimate, finite
from servermatrix.render.document_header import begun, listed_versions, surroundings
from servermatrix.render.notes import is_measured

_KEYS = {Metric.RPS: "rps", Metric.CPU: "cpu_us_per_request"}


def to_json(report: CheckReport) -> str:
    """Write the document of a check as JSON text."""
    return json.dumps(to_document(report), indent=2, allow_nan=False) + "\n"


def to_document(report: CheckReport) -> Json:
    """Bring a check into the shape of docs/check.schema.json; what is not known is null, never 0 and never NaN."""
    done, planned = report.steps
    excluded: dict[Excluded, None] = dict.fromkeys(each for header in report.headers for each in header.excluded)
    return {
        "schema": CHECK_SCHEMA,
        "line": first_line(report),
        "counts": {change.value: report.counts[change] for change in Change},
        "detectable": finite(report.detectable),
        "margin": report.trial.margin,
        "complete": report.complete,
        "steps": planned,
        "steps_done": done,
        "warnings": warnings(report),
        "baseline": _side(report.trial.baseline),
        "candidate": _side(report.trial.candidate),
        "differing": [_differing(each) for each in report.differing],
        "cells": [_cell(each) for each in report.cells],
        "canaries": [_canary(each) for each in report.canaries],
        "attribution": None if report.attribution is None else _attribution(report.attribution),
        "excluded": [asdict(each) for each in excluded],
        "runs": [_run(each) for each in report.headers],
    }


def _side(side: Side) -> Json:
    return {
        "requires": list(side.requires),
        "app_dir": side.app_dir or None,
        "git": side.git or None,
        "versions": dict(side.versions),
    }


def _differing(found: VersionChange) -> Json:
    return {"name": found.name, "baseline": found.baseline or None, "candidate": found.candidate or None}


def _cell(cell: CellChange) -> Json:
    return {
        "pair": cell.pair,
        "server": server(cell),
        "change": cell.change.value,
        "sentence": cell.sentence,
        "flagged": cell.flagged,
        "beyond": finite(cell.beyond),
        **_shifts(cell.shifts),
        "baseline": None if cell.baseline is None else _row(cell.baseline),
        "candidate": None if cell.candidate is None else _row(cell.candidate),
    }


def _shifts(found: tuple[Shift, ...]) -> Json:
    by = {shift.metric: _shift(shift) for shift in found}
    return {key: by.get(metric) for metric, key in _KEYS.items()}


def _shift(shift: Shift) -> Json:
    return {"ratio": estimate(shift.ratio), "stage": shift.stage, "p": finite(shift.p), "beyond": finite(shift.beyond)}


def _row(row: Summary) -> Json:
    measured = is_measured(row)
    return {
        "id": row.planned.cell.id,
        "status": row.status,
        "reason": "" if measured else row.reason,
        "rounds_ok": row.rounds_ok,
        "rounds_failed": row.rounds_failed,
        "windows_repeated": row.windows_repeated,
        "rps": estimate(row.rps) if measured else None,
        "cpu_us_per_request": estimate(row.cpu_us_per_request) if measured else None,
        "flags": [flag.value for flag in row.flags],
        "remarks": [{**asdict(each), "flag": each.flag.value} for each in row.remarks],
        "argv": list(row.planned.argv),
        "load_argv": list(row.planned.load_argv),
    }


def _canary(canary: Canary) -> Json:
    told = {"pair": canary.pair, "fit": canary.fit, "alarmed": canary.alarmed, "sentence": canary.sentence}
    return {**told, **_shifts(canary.shifts)}


def _attribution(found: Attribution) -> Json:
    return {"packages": list(found.packages), "sentence": found.sentence, "probes": [_probe(each) for each in found.probes]}


def _probe(probe: Probe) -> Json:
    return {"upgraded": list(probe.upgraded), "worse": probe.worse, "sentence": probe.sentence, "run": probe.run or None}


def _run(header: RunHeader) -> Json:
    return {
        **begun(header),
        "looks": [asdict(each) for each in header.looks],
        **surroundings(header, listed_versions(header)),
        "equalised": list(header.equalised),
    }
