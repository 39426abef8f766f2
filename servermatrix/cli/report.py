"""`report`: make reports again from stored runs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from servermatrix import reports, store
from servermatrix.cli.show import AS_JSON, show
from servermatrix.errors import UsageProblem
from servermatrix.model import CheckReport, PickReport
from servermatrix.reports import AnyReport, to_json


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
    made = [_made_again(store.find_run(name, out), reference) for name in runs or ("latest",)]
    if as_json and len(made) > 1:
        click.echo(json.dumps([json.loads(to_json(each)) for each in made], indent=2, allow_nan=False))
        return
    for each in made:
        show(each, as_json=as_json, as_markdown=as_markdown)


def _made_again(folder: Path, reference: str | None) -> AnyReport:
    """Make a report from stored facts, and its files too unless it is seen from another reference."""
    if reference is None and folder.is_dir():
        return reports.derive(folder)
    report = reports.read_report(folder, reference)
    if reference is not None and isinstance(report, CheckReport):
        raise UsageProblem(f"{folder} is a check, whose ratios are those of its two sides", "leave --reference out")
    if reference is not None and isinstance(report, PickReport):
        raise UsageProblem(f"{folder} is a search, whose ratios are those to what was picked", "leave --reference out")
    return report
