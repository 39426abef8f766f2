"""Prints a report in the form that was asked for, and what is said beside it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import IO

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
        click.echo(terminal.to_terminal(report, width=width, colour=wants_escapes(sys.stdout)), nl=False)


def tell(text: str) -> None:
    """Say something on standard error; that nobody listens any more is no reason to end a run."""
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def wants_escapes(stream: IO[str]) -> bool:
    """Tell whether escape sequences may go there: a terminal that knows them, whose user has not refused them."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
