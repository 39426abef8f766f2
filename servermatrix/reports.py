"""Stored facts -> reports in all their forms: of a run, of a check, of a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from servermatrix import store
from servermatrix.analysis import picks
from servermatrix.analysis.analyse import analyse
from servermatrix.analysis.regress import judge
from servermatrix.model import CheckReport, PickReport, Report, Run
from servermatrix.render import check_document, check_markdown, document, markdown, pick_document, pick_markdown
from servermatrix.render.deploy import deployed

AnyReport = Report | CheckReport | PickReport
REHEARSED = "rehearsal"  # the setting of a header that has what was seen before a race, a sentence per line
DEPLOY = "deploy"  # the folder, below that of the run, of the files that start what was picked


def derive(run_folder: Path) -> AnyReport:
    """Make the reports of a run, or of a check, from its stored facts: the same facts give the same bytes."""
    report = read_report(run_folder)
    for name, text in _forms(report):
        place = run_folder / name
        if not place.exists() or place.read_text(encoding="utf-8") != text:
            store.write_report(run_folder, name, text)
    return report


def read_report(path: Path, reference: str | None = None) -> AnyReport:
    """Make the report of a stored run, seen from a `reference` if there is one, or of a check with what it was put down to."""
    run = store.read_run(path)
    if run.header.trial is not None:
        return replace(judge((run,)), attribution=store.read_attribution(path))
    if run.header.race is not None:
        return _ready_to_use(picks.judge(run), run)
    return analyse(run, reference)


def _ready_to_use(report: PickReport, run: Run) -> PickReport:
    """Add what was seen at the rehearsal, and of what was picked how it is started elsewhere, as it was proven."""
    seen = dict(report.header.settings).get(REHEARSED, "")
    report = replace(report, warnings=(*report.warnings, *seen.splitlines()))
    if report.picked is None:
        return report
    planned = report.picked.summary.planned
    proof = next((one for one in run.proofs if one.key == planned.cell.start), None)
    return replace(report, deployed=deployed(report.header, planned, proof=proof))


def to_json(report: AnyReport) -> str:
    """Write a report for programs."""
    match report:
        case PickReport():
            return pick_document.to_json(report)
        case CheckReport():
            return check_document.to_json(report)
        case Report():
            return document.to_json(report)


def to_markdown(report: AnyReport) -> str:
    """Write a report in markdown."""
    match report:
        case PickReport():
            return pick_markdown.to_markdown(report)
        case CheckReport():
            return check_markdown.to_markdown(report)
        case Report():
            return markdown.to_markdown(report)


def _forms(report: AnyReport) -> tuple[tuple[str, str], ...]:
    """Return the files of a report; of a search also those that start what was picked."""
    ready = report.deployed if isinstance(report, PickReport) else None
    written = () if ready is None else tuple((f"{DEPLOY}/{name}", text) for name, text, _ in ready.files)
    return ("report.md", to_markdown(report)), ("report.json", to_json(report)), *written
