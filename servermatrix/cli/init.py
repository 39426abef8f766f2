"""`init`: begin a configuration."""

from __future__ import annotations

from pathlib import Path

import click

from servermatrix import plugins
from servermatrix.config import applications
from servermatrix.config.schema import schema_text
from servermatrix.errors import Unfit, UsageProblem

CONFIGURATION, SCHEMA = "matrix.yaml", "matrix.schema.json"


@click.command()
@click.option("--force", is_flag=True, help="Write over files that are there.")
def init(*, force: bool) -> None:
    """Write a commented matrix.yaml, and its schema for editors, into the current folder."""
    there = [name for name in (CONFIGURATION, SCHEMA) if Path(name).exists()]
    if there and not force:
        raise UsageProblem(f"{' and '.join(there)} is here already", "write over it with --force")
    shipped = (plugins.builtin_root() / CONFIGURATION).read_text(encoding="utf-8")
    schema = schema_text(plugins.load_servers(), plugins.load_generators(), applications.app_names())
    try:
        Path(CONFIGURATION).write_text(shipped, encoding="utf-8")
        Path(SCHEMA).write_text(schema, encoding="utf-8")
    except OSError as error:
        raise Unfit(f"cannot write here: {error.strerror}", "go to a folder that you can write to") from error
    click.echo(f"wrote {CONFIGURATION} and {SCHEMA}; see what it would run: python3 run_matrix.py plan")
