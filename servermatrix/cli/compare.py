"""`compare`: say what changed from one stored run to another."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from servermatrix import store
from servermatrix.analysis.compare_runs import compare_runs
from servermatrix.cli.show import AS_JSON, tell, wants_escapes
from servermatrix.cli.values import Share
from servermatrix.errors import Exit
from servermatrix.model import Change, Comparison
from servermatrix.render import compared_document, compared_markdown, compared_terminal
from servermatrix.render.table import counted

_CODES = ((Change.FAILED, Exit.CELL_FAILED), (Change.REGRESSION, Exit.REGRESSION), (Change.GONE, Exit.REGRESSION))


@click.command()
@click.argument("base", metavar="BASE")
@click.argument("head", metavar="HEAD")
@click.option("--out", default="reports", type=click.Path(path_type=Path), metavar="DIR", show_default=True)
@click.option("--margin", default="3%", show_default=True, type=Share(), help="Changes up to this do not matter.")
@click.option("--force", is_flag=True, help="Compare runs that were not measured alike too, and label every line.")
@click.option(
    "--inconclusive",
    default="warn",
    show_default=True,
    type=click.Choice(["warn", "fail"]),
    help="What an inconclusive cell is: a warning, or exit code 6.",
)
@AS_JSON
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the whole page as markdown.")
def compare(
    base: str, head: str, *, out: Path, margin: float, force: bool, inconclusive: str, as_json: bool, as_markdown: bool
) -> None:
    """Compare two stored runs, cell by cell: ids, folders, or latest. The first line printed is for machines.

    Two runs at two times cannot tell a change of the code from one of the machine: `check` can.

    Ends with 3 where a machine was not fit for a start, 4 for a failed cell, 1 for a regression or for a cell that stopped being
    measured (in BASE and no longer in HEAD), else 0, or 6 where inconclusive cells are asked to fail.
    """
    before, after = (store.read_run(store.find_run(name, out)) for name in (base, head))
    found = compare_runs(before, after, margin, force=force)
    _show(found, as_json=as_json, as_markdown=as_markdown)
    code = exit_code(found, inconclusive_fails=inconclusive == "fail")
    if found.of(Change.INCONCLUSIVE) and code is Exit.OK:
        tell(f"warning: {counted(found.counts[Change.INCONCLUSIVE], 'cell')} could not be told to be changed or unchanged")
    for cell in found.of(Change.GONE):
        tell(f"{cell.id}: {cell.sentence}")
    sys.exit(code)


def _show(found: Comparison, *, as_json: bool, as_markdown: bool) -> None:
    if as_json:
        click.echo(compared_document.to_json(found), nl=False)
    elif as_markdown:
        click.echo(compared_markdown.to_markdown(found), nl=False)
    else:
        width = shutil.get_terminal_size((120, 24)).columns
        click.echo(compared_terminal.to_terminal(found, width=width, colour=wants_escapes(sys.stdout)), nl=False)


def exit_code(found: Comparison, *, inconclusive_fails: bool) -> Exit:
    """Say how it came out: an unfit environment before a failed cell, a regression, a gone cell and what is inconclusive."""
    if found.base.environment or found.head.environment:
        return Exit.UNFIT
    for change, code in _CODES:
        if found.of(change):
            return code
    return Exit.INCONCLUSIVE if inconclusive_fails and found.of(Change.INCONCLUSIVE) else Exit.OK
