"""`check`: compare two sides in one run and say what regressed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from servermatrix import store
from servermatrix.analysis.regress import CONFIRM_ROUNDS, FIRST_ROUNDS
from servermatrix.checking import FEWEST_CONFIRM, FEWEST_FIRST, Asked, Checked, conduct_check, plan_check
from servermatrix.cli.live import Progress
from servermatrix.cli.selectors import conducting, selecting_pairs, typed_besides
from servermatrix.cli.show import AS_JSON, announce, show, tell
from servermatrix.cli.values import OneOf, Share
from servermatrix.errors import Exit, UsageProblem
from servermatrix.keeping import Wanted, check_places
from servermatrix.model import Change
from servermatrix.outlook import outlook
from servermatrix.prepare import Prepared, Setup, Wishes, prepare_stored, stored_setup
from servermatrix.render import check_ahead
from servermatrix.shards import Shard, shard_of
from servermatrix.suggest import listed
from servermatrix.workbench import readied

AFTERWARDS = frozenset({"history", "junit", "bench_json", "inconclusive", "bisect", "as_json", "quiet", "verbose"})
WITH_RESUME = frozenset({"resume", "out", "runners", "fail_fast", "env", "env_file"}) | AFTERWARDS


@click.command()
@click.option("--baseline", metavar="FILE|SET", help="What is good: a requirements file, or a set such as 'uvicorn==0.52.0'.")
@click.option("--candidate", metavar="FILE|SET", help="What is new: a requirements file, or a set.")
@click.option("--baseline-app-dir", metavar="DIR", help="Where the baseline's app is imported from; default: --app-dir.")
@click.option("--candidate-app-dir", metavar="DIR", help="Where the candidate's app is imported from; default: --app-dir.")
@click.option("--margin", default="3%", show_default=True, type=Share(), help="Changes up to this do not matter.")
@click.option(
    "--rounds",
    "first",
    default=FIRST_ROUNDS,
    show_default=True,
    type=click.IntRange(min=FEWEST_FIRST),
    metavar="N",
    help="Starts of every cell on each side, in the first stage; of fewer than 8 the canary could not be told apart from itself.",
)
@click.option(
    "--confirm-rounds",
    "confirm",
    default=CONFIRM_ROUNDS,
    show_default=True,
    type=click.IntRange(min=FEWEST_CONFIRM),
    metavar="N",
    help="Further starts of the cells that look changed, in the second stage; fewer than 7 can confirm nothing.",
)
@click.option("--shard", type=OneOf(), help="Check one of N shards of the cells alone; judge them all with merge.")
@click.option(
    "--inconclusive",
    default="warn",
    show_default=True,
    type=click.Choice(["warn", "fail"]),
    help="What an inconclusive cell is: a warning, or exit code 6; without a figure of any cell it is always 6.",
)
@click.option("--bisect", is_flag=True, help="After a regression: measure which package did it.")
@click.option("--history", type=click.Path(path_type=Path), metavar="DIR", help="Add this night to a history.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write the verdicts as JUnit XML.")
@click.option("--bench-json", type=click.Path(path_type=Path), metavar="FILE", help="Write customBiggerIsBetter JSON.")
@click.option("--resume", metavar="RUN", help="Go on with a stored check: its id, its folder, or latest.")
@selecting_pairs
@conducting
@AS_JSON
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("-v", "--verbose", is_flag=True, help="Print the whole report.")
def check(
    wishes: Wishes,
    setup: Setup,
    *,
    baseline: str | None,
    candidate: str | None,
    baseline_app_dir: str | None,
    candidate_app_dir: str | None,
    margin: float,
    first: int,
    confirm: int,
    shard: Shard | None,
    inconclusive: str,
    bisect: bool,
    history: Path | None,
    junit: Path | None,
    bench_json: Path | None,
    resume: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Compare two sides in one run, interleaved on this machine, and say what regressed.

    All cells are measured on both sides; those that look changed are measured again, and only what these fresh rounds confirm is
    a regression. The first line printed is for machines.
    """
    asked = Asked(
        baseline=baseline,
        candidate=candidate,
        baseline_app_dir=baseline_app_dir,
        candidate_app_dir=candidate_app_dir,
        margin=margin,
        first=first,
        confirm=confirm,
        shard=shard,
    )
    fails = inconclusive == "fail"
    wanted = Wanted(history=history, junit=junit, bench_json=bench_json, bisect=bisect, inconclusive_fails=fails)
    folder = None if resume is None else store.find_run(resume, setup.out)
    with Progress(sys.stderr, quiet=quiet) as progress:
        if folder is None:
            prepared = _prepared(wishes, setup, asked, wanted)
        else:
            prepared, setup = _stored(wishes, setup, folder, wanted)
        with readied(prepared, setup, tell):
            checked = conduct_check(prepared, setup, progress.listener, wanted, folder)
    _print(checked, as_json=as_json, verbose=verbose)


def _prepared(wishes: Wishes, setup: Setup, asked: Asked, wanted: Wanted) -> Prepared:
    _check_shard(asked.shard, wanted)
    prepared = plan_check(wishes, asked)
    check_places(wanted)
    announce(prepared, setup)
    for sentence in check_ahead.sentences(prepared.plan, outlook(prepared.plan)):
        tell(sentence)
    return prepared


def _stored(wishes: Wishes, setup: Setup, folder: Path, wanted: Wanted) -> tuple[Prepared, Setup]:
    if refused := typed_besides(WITH_RESUME):
        raise UsageProblem(f"--resume goes on as the check began; it cannot be changed with {listed(refused)}", "leave that out")
    header = store.read_run(folder).header
    if header.trial is None:
        raise UsageProblem(f"run {header.id} is no check", f"go on with it with: python3 run_matrix.py run --resume {header.id}")
    _check_shard(shard_of(header), wanted)
    prepared = prepare_stored(header, wishes.plugin_folders, wishes.env)
    check_places(wanted)
    return prepared, stored_setup(header, setup)


def _check_shard(shard: Shard | None, wanted: Wanted) -> None:
    """Refuse to make of a part what only the whole can say: one verdict corrects for all that was flagged that night."""
    if shard is not None and (wanted.history is not None or wanted.bisect):
        option = "--history" if wanted.history is not None else "--bisect"
        raise UsageProblem(f"{option} is for a whole check, and this is shard {shard}", "give --history to merge instead")


def _print(checked: Checked, *, as_json: bool, verbose: bool) -> None:
    """Print the report, and what else is to be known; end with the exit code."""
    show(checked.report, as_json=as_json, as_markdown=verbose)
    open_cells = len(checked.report.of(Change.INCONCLUSIVE))
    if open_cells and checked.exit_code is Exit.OK:
        tell(f"warning: {open_cells} inconclusive; with --inconclusive=fail that would be exit code {Exit.INCONCLUSIVE:d}")
    for sentence in (*checked.said, f"report: {checked.folder / 'report.md'}"):
        tell(sentence)
    sys.exit(checked.exit_code)
