"""`schema`: the JSON Schema of the configuration, for editors."""

from __future__ import annotations

import click

from servermatrix import plugins
from servermatrix.config import applications
from servermatrix.config.schema import schema_text


@click.command()
def schema() -> None:
    """Print the JSON Schema of matrix.yaml."""
    text = schema_text(plugins.load_servers(), plugins.load_generators(), applications.app_names())
    click.echo(text, nl=False)
