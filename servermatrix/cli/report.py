"""`report`: make reports again from stored runs."""

from __future__ import annotations

from pathlib import Path

import click

from servermatrix import experiment, store
from servermatrix.analysis.analyse import analyse
from servermatrix.cli.show import AS_JSON, show


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN...")
@click.option("--out", default="reports", type=click.Path(path_type=Path), metavar="DIR", show_default=True)
@AS_JSON
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the markdown of report.md.")
@click.option("--reference", metavar="CELL-ID", help="Show ratios against this cell instead of the fastest.")
def report(runs: tuple[str, ...], *, out: Path, as_json: bool, as_markdown: bool, reference: str | None) -> None:
    """Make reports again from stored runs: ids, folders, or latest."""
    for name in runs or ("latest",):
        folder = store.find_run(name, out)
        if reference is None and folder.is_dir():
            experiment.derive(folder)
        show(analyse(store.read_run(folder), reference), as_json=as_json, as_markdown=as_markdown)
