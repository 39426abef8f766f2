"""`plan`: say what would run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from servermatrix import shards
from servermatrix.checking import Asked, read_trial, to_check
from servermatrix.cli.selectors import selecting
from servermatrix.cli.show import AS_JSON, tell
from servermatrix.errors import UsageProblem
from servermatrix.header import planned_cells
from servermatrix.model import BASELINE, CANDIDATE, Plan, Side, Trial
from servermatrix.outlook import outlook
from servermatrix.prepare import Wishes, prepare
from servermatrix.publish import files, surroundings
from servermatrix.publish.failure import NotPublished
from servermatrix.render import planned, planned_shards
from servermatrix.sides import double
from servermatrix.venues import foreseen

ANY = Trial(baseline=Side(name=BASELINE), candidate=Side(name=CANDIDATE))


@click.command()
@selecting
@click.option(
    "--shards",
    "most",
    type=click.IntRange(1, shards.MOST_SHARDS),
    metavar="N",
    help="Part a check of these cells for N machines; no more than there are cells.",
)
@click.option("--github-matrix", is_flag=True, help="Print the shards as a matrix of GitHub's, and set it as output `matrix`.")
@click.option("--baseline", metavar="FILE|SET", help="With --shards: of the check, which leaves out what its sides share.")
@click.option("--candidate", metavar="FILE|SET", help="With --shards: of the check, as --baseline.")
@AS_JSON
def plan(
    wishes: Wishes, *, most: int | None, github_matrix: bool, baseline: str | None, candidate: str | None, as_json: bool
) -> None:
    """Print every cell with its command, what is excluded and why, and how long it will take."""
    if most is not None:
        asked = Asked(baseline=baseline, candidate=candidate)
        _print_shards(wishes, most, asked, as_matrix=github_matrix or as_json, as_output=github_matrix)
        return
    if github_matrix:
        raise UsageProblem("--github-matrix is about shards, and there are none", "say how many with --shards N")
    if (baseline, candidate) != (None, None):
        raise UsageProblem("the sides of a check are only for its shards", "say how many with --shards N, or leave them out")
    prepared = prepare(wishes, find_tools=False)
    cells = planned_cells(prepared, foreseen(prepared.servers, prepared.plan.cells, sys.executable))
    form = planned.to_json if as_json else planned.to_text
    click.echo(form(prepared.plan, cells, outlook(prepared.plan)), nl=False)


def _print_shards(wishes: Wishes, most: int, asked: Asked, *, as_matrix: bool, as_output: bool) -> None:
    """Print the shards, whose cells are those that a check on a machine such as this one finds."""
    found = tuple(_shards(wishes, most, asked))
    if not as_matrix:
        click.echo(planned_shards.to_text(found), nl=False)
        return
    matrix = planned_shards.to_matrix(found)
    click.echo(matrix)
    if as_output:
        try:
            files.set_outputs(surroundings.read(os.environ).output, {"matrix": matrix})
        except NotPublished as failure:
            tell(f"note: {failure}")


def _shards(wishes: Wishes, most: int, asked: Asked) -> Iterator[planned_shards.Planned]:
    for shard, part in shards.parts(_to_check(wishes, asked), most):
        yield shard, [cell.id for cell in part.cells if not cell.load.rate_percent], outlook(double(part, ANY))


def _to_check(wishes: Wishes, asked: Asked) -> Plan:
    """Return the cells to part: all of them where the sides are not told."""
    prepared = prepare(wishes)
    if (asked.baseline, asked.candidate) == (None, None):
        return prepared.plan
    return to_check(prepared, read_trial(asked, wishes.overrides.app), wishes.keep)
