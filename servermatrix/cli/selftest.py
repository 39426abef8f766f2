"""`selftest`: the project's own checks."""

from __future__ import annotations

import os
import sys

import click

from servermatrix import plugins
from servermatrix.errors import UsageProblem
from servermatrix.measure.selftest import run_checks, run_statistics
from servermatrix.places import tools_folder
from servermatrix.suggest import listed


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--statistics", is_flag=True, help="Prove the statistics on made-up truth, in minutes; writes pages of docs/.")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def selftest(*, statistics: bool, pytest_args: tuple[str, ...]) -> None:
    """Run lint, types and every test of this project; further words go to pytest."""
    if statistics and pytest_args:
        raise UsageProblem(f"--statistics runs no pytest that {listed(pytest_args)} could be for", "give one of the two")
    root = plugins.builtin_root()
    failed = run_statistics(root, os.environ) if statistics else run_checks(root, tools_folder(), pytest_args, os.environ)
    if failed:
        click.echo(f"selftest failed: {', '.join(failed)}", err=True)
    sys.exit(1 if failed else 0)
