"""`doctor`: say what is installed and how quiet the machine is."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from servermatrix import plugins
from servermatrix.cli.selectors import PYTHON
from servermatrix.cli.show import AS_JSON
from servermatrix.errors import Exit
from servermatrix.measure.doctor import examine, extras
from servermatrix.places import tools_folder
from servermatrix.render import findings


@click.command()
@PYTHON
@click.option("--runners", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help="More plug-ins; repeatable.")
@AS_JSON
def doctor(python: str, runners: tuple[Path, ...], *, as_json: bool) -> None:
    """Say what is installed, what is missing and what to type, and whether this machine is quiet enough."""
    servers, generators = plugins.load_servers(runners), plugins.load_generators(runners)
    found = tuple(examine(servers, generators, python, tools_folder(), extras()))
    click.echo(findings.to_json(found) if as_json else findings.to_text(found), nl=False)
    sys.exit(Exit.OK if all(finding.fit for finding in found) else Exit.UNFIT)
