"""`plan`: say what would run."""

from __future__ import annotations

import sys

import click

from servermatrix.cli.selectors import selecting
from servermatrix.cli.show import AS_JSON
from servermatrix.header import planned_cells
from servermatrix.outlook import outlook
from servermatrix.prepare import Wishes, prepare
from servermatrix.render import planned
from servermatrix.venues import foreseen


@click.command()
@selecting
@AS_JSON
def plan(wishes: Wishes, *, as_json: bool) -> None:
    """Print every cell with its command, what is excluded and why, and how long it will take."""
    prepared = prepare(wishes, find_tools=False)
    cells = planned_cells(prepared, foreseen(prepared.servers, prepared.plan.cells, sys.executable))
    form = planned.to_json if as_json else planned.to_text
    click.echo(form(prepared.plan, cells, outlook(prepared.plan)), nl=False)
