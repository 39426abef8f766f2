"""`github`: tell GitHub what a check found, and end as the check does, whatever happens to the telling."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import click

from servermatrix import merging
from servermatrix.cli.histories import Telling
from servermatrix.cli.merge import BENCH_JSON, HISTORY, INCONCLUSIVE, JUNIT, OUT, ended
from servermatrix.cli.telling import tell_failure, tell_night
from servermatrix.cli.trend import Moment
from servermatrix.errors import MatrixError, UsageProblem
from servermatrix.keeping import Wanted
from servermatrix.publish.surroundings import Surroundings, read


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@OUT
@HISTORY
@click.option("--push", is_flag=True, help="Push the night to a branch of its own; fetch the nights that are there.")
@click.option("--branch", default="servermatrix-history", metavar="NAME", show_default=True, help="That branch; empty: no push.")
@click.option("--issue", default=True, type=bool, metavar="BOOLEAN", show_default=True, help="Open, update and close an issue.")
@click.option("--name", default="nightly", metavar="TEXT", show_default=True, help="Tells the checks of one repository apart.")
@click.option("--since", type=Moment(), help="Nights before it count for nothing: say it where a cell was renamed or removed.")
@click.option("--draw", "drawn", type=click.Path(path_type=Path), metavar="DIR", help="Write trend.md and its images there.")
@JUNIT
@BENCH_JSON
@INCONCLUSIVE
def github(
    runs: tuple[str, ...],
    *,
    out: Path,
    history: Path | None,
    push: bool,
    branch: str,
    issue: bool,
    name: str,
    since: datetime | None,
    drawn: Path | None,
    junit_file: Path | None,
    bench_file: Path | None,
    inconclusive: str,
) -> None:
    """Tell GitHub what a check found, as one step of a workflow: of the latest run, or of runs and shards as for merge.

    Writes the summary, the annotations and the outputs of the step, keeps one issue, adds the night to a history, and ends as the
    check does, or with 1 when a cell of the history stopped reporting. GitHub's variables are read from the environment; history
    and issue are for jobs on the default branch, and not for pull requests.
    """
    if push and history is None:
        raise UsageProblem("--push has nothing to push", "name the folder of the history with --history DIR")
    place = read(os.environ)
    night = _judged(runs or ("latest",), out, place)
    code = ended(night, inconclusive)
    wanted = Telling(history=history, branch=branch if push else "", issue=issue, name=name, since=since, drawn=drawn)
    sys.exit(tell_night(night, code, wanted, place, Wanted(junit=junit_file, bench_json=bench_file)))


def _judged(runs: tuple[str, ...], out: Path, place: Surroundings) -> merging.Merged:
    """Judge the runs; where that cannot be done the summary says so, too."""
    try:
        return merging.merge(merging.find(runs, out))
    except MatrixError as failure:
        tell_failure(failure, place)
        raise
