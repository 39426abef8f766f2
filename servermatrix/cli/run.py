"""`run`: measure and print the tables."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from servermatrix import store
from servermatrix.cli.live import Progress
from servermatrix.cli.selectors import conducting, selecting, typed_besides
from servermatrix.cli.show import AS_JSON, announce, show, tell
from servermatrix.errors import Exit, UsageProblem
from servermatrix.experiment import Finished, Listener, conduct, exit_code, go_on
from servermatrix.outlook import outlook
from servermatrix.prepare import Prepared, Setup, Wishes, prepare, prepare_stored, stored_setup
from servermatrix.render import planned
from servermatrix.suggest import listed
from servermatrix.workbench import readied

WITH_RESUME = frozenset({"resume", "out", "runners", "fail_fast", "env", "env_file", "as_json", "quiet", "verbose"})


@click.command()
@selecting
@conducting
@click.option("--resume", metavar="RUN", help="Go on with a stored run: its id, its folder, or latest.")
@AS_JSON
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("-v", "--verbose", is_flag=True, help="Print the whole report.")
def run(wishes: Wishes, setup: Setup, *, resume: str | None, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Measure the cells of the matrix and print the tables."""
    with Progress(sys.stderr, quiet=quiet) as progress:
        if resume is None:
            prepared, folder = _prepared(wishes, setup), None
        else:
            prepared, setup, folder = _stored(wishes, setup, resume)
        with readied(prepared, setup, tell):
            finished = _conducted(prepared, setup, progress.listener, folder)
    show(finished.report, as_json=as_json, as_markdown=verbose)
    tell(f"report: {finished.folder / 'report.md'}")
    sys.exit(Exit.INTERRUPTED if finished.interrupted else exit_code(finished.run, finished.report))


def _prepared(wishes: Wishes, setup: Setup) -> Prepared:
    prepared = prepare(wishes)
    announce(prepared, setup)
    tell(planned.announcement(outlook(prepared.plan), prepared.plan.rounds))
    return prepared


def _stored(wishes: Wishes, setup: Setup, resume: str) -> tuple[Prepared, Setup, Path]:
    if refused := typed_besides(WITH_RESUME):
        raise UsageProblem(f"--resume goes on as the run began; it cannot be changed with {listed(refused)}", "leave that out")
    folder = store.find_run(resume, setup.out)
    header = store.read_run(folder).header
    if header.trial is not None:
        raise UsageProblem(f"run {header.id} is a check", f"go on with: python3 run_matrix.py check --resume {header.id}")
    if header.race is not None:
        raise UsageProblem(f"run {header.id} is a search", f"go on with: python3 run_matrix.py pick --resume {header.id}")
    return prepare_stored(header, wishes.plugin_folders, wishes.env), stored_setup(header, setup), folder


def _conducted(prepared: Prepared, setup: Setup, listener: Listener, folder: Path | None) -> Finished:
    return conduct(prepared, setup, listener) if folder is None else go_on(prepared, setup, listener, folder)
