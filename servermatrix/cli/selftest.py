"""`selftest`: the project's own checks."""

from __future__ import annotations

import os
import sys

import click

from servermatrix import plugins
from servermatrix.measure.selftest import run_checks
from servermatrix.prepare import tools_folder


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def selftest(pytest_args: tuple[str, ...]) -> None:
    """Run lint, types and every test of this project; further words go to pytest."""
    failed = run_checks(plugins.builtin_root(), tools_folder(), pytest_args, os.environ)
    if failed:
        click.echo(f"selftest failed: {', '.join(failed)}", err=True)
    sys.exit(1 if failed else 0)
