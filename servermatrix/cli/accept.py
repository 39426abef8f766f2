"""`accept`: make the candidate of a check the baseline."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from servermatrix import accepting, merging
from servermatrix.accepting import ACCEPTED_SCHEMA, Accepted
from servermatrix.cli.show import AS_JSON, tell
from servermatrix.render.table import counted, plain


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN...]")
@click.option("--to", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Requirements file of the baseline.")
@click.option("--out", default="reports", type=click.Path(path_type=Path), metavar="DIR", show_default=True)
@click.option("--force", is_flag=True, help="Accept what regressed, failed, is incomplete or simulated, and overwrite any file.")
@AS_JSON
def accept(runs: tuple[str, ...], *, to: Path, out: Path, force: bool, as_json: bool) -> None:
    """Write all that the candidate of a check had installed into FILE, as name==version lines.

    Without a name it is the latest run; several are the shards of one check: ids, folders of runs, or folders in which runs are,
    such as a workflow's artifacts. Inconclusive cells are noted, and no reason to refuse. Unless forced, leaves FILE as it is and
    exits with 1 for a check that regressed, 4 for one that failed, 3 for one that is incomplete, of which a shard is missing, or
    that was simulated.
    """
    night = merging.merge(merging.find(runs or ("latest",), out))
    accepted = accepting.accept(night, to, force=force)
    for note in accepted.notes:
        tell(f"note: {note}")
    click.echo(json.dumps({"schema": ACCEPTED_SCHEMA, **asdict(accepted)}, indent=2) if as_json else _text(accepted))


def _text(accepted: Accepted) -> str:
    changed = [
        f"  {plain(one.name)}: {plain(one.baseline or 'not there')} -> {plain(one.candidate or 'not there')}"
        for one in accepted.changes
    ]
    what = counted(len(accepted.changes), "change") if accepted.changes else "nothing to change"
    return "\n".join([f"accept: {accepted.file} holds {counted(accepted.packages, 'package')}, {what}", *changed])
