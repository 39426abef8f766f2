"""Prints a report in the form that was asked for."""

from __future__ import annotations

import os
import shutil
import sys

import click

from servermatrix.model import Report
from servermatrix.render import document, markdown, terminal

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def show(report: Report, *, as_json: bool, as_markdown: bool) -> None:
    """Print it to standard output; no escape sequence goes anywhere but to a terminal that wants colour."""
    if as_json:
        click.echo(document.to_json(report), nl=False)
    elif as_markdown:
        click.echo(markdown.to_markdown(report), nl=False)
    else:
        width = shutil.get_terminal_size((120, 24)).columns
        click.echo(terminal.to_terminal(report, width=width, colour=_colour()), nl=False)


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
