"""`report`: make reports again from stored runs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from servermatrix import experiment, store
from servermatrix.cli.show import AS_JSON, show
from servermatrix.errors import UsageProblem
from servermatrix.model import CheckReport, Report
from servermatrix.render import check_document, document


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN...")
@click.option("--out", default="reports", type=click.Path(path_type=Path), metavar="DIR", show_default=True)
@AS_JSON
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the markdown of report.md.")
@click.option(
    "--reference",
    metavar="ROW",
    help="Show ratios against this setting, row or cell id instead of the row that was planned first.",
)
def report(runs: tuple[str, ...], *, out: Path, as_json: bool, as_markdown: bool, reference: str | None) -> None:
    """Make reports again from stored runs: ids, folders, or latest. --json prints a list of documents for several."""
    reports = [_made_again(store.find_run(name, out), reference) for name in runs or ("latest",)]
    if as_json and len(reports) > 1:
        click.echo(json.dumps([json.loads(_document(each)) for each in reports], indent=2, allow_nan=False))
        return
    for each in reports:
        show(each, as_json=as_json, as_markdown=as_markdown)


def _document(report: Report | CheckReport) -> str:
    return check_document.to_json(report) if isinstance(report, CheckReport) else document.to_json(report)


def _made_again(folder: Path, reference: str | None) -> Report | CheckReport:
    """Make a report from stored facts, and its files too unless it is seen from another reference."""
    if reference is None and folder.is_dir():
        return experiment.derive(folder)
    report = experiment.read_report(folder, reference)
    if reference is not None and isinstance(report, CheckReport):
        raise UsageProblem(f"{folder} is a check, whose ratios are those of its two sides", "leave --reference out")
    return report
