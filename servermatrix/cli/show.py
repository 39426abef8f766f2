"""Prints a report in the form that was asked for, and what is said beside it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import IO

import click

from servermatrix.errors import UsageProblem
from servermatrix.model import CheckReport, PickReport, Report
from servermatrix.prepare import Prepared, Setup
from servermatrix.render import check_terminal, pick_terminal, terminal
from servermatrix.reports import AnyReport, to_json, to_markdown
from servermatrix.suggest import listed

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def show(report: AnyReport, *, as_json: bool, as_markdown: bool, where: str = "") -> None:
    """Print it to standard output; no escape sequence goes anywhere but to a terminal that wants colour.

    `where` is the folder of a search, where there is more of it.
    """
    if as_json or as_markdown:
        click.echo(to_json(report) if as_json else to_markdown(report), nl=False)
        return
    width, colour = shutil.get_terminal_size((120, 24)).columns, wants_escapes(sys.stdout)
    match report:
        case PickReport():
            text = pick_terminal.to_terminal(report, width=width, colour=colour, where=where)
        case CheckReport():
            text = check_terminal.to_terminal(report, width=width, colour=colour)
        case Report():
            text = terminal.to_terminal(report, width=width, colour=colour)
    click.echo(text, nl=False)


def announce(prepared: Prepared, setup: Setup) -> None:
    """Say what is to be known of the generators before a run; UsageProblem where a model is missing or in the way."""
    simulated = prepared.simulation is not None
    if simulated != bool(setup.model):
        lacking = "needs a model to answer from" if simulated else "measures and takes no model"
        raise UsageProblem(
            f"the generator {listed(prepared.generators)} {lacking}", "give both or neither: --load fake --fake FILE"
        )
    for generator in prepared.generators.values():
        for notice in filter(None, (generator.notice, generator.missing and f"{generator.missing}; {generator.tip}")):
            tell(notice)


def tell(text: str) -> None:
    """Say something on standard error; that nobody listens any more is no reason to end a run."""
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def wants_escapes(stream: IO[str]) -> bool:
    """Tell whether escape sequences may go there: a terminal that knows them, whose user has not refused them."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
