"""Conducts a check: the sides that were typed -> a plan of pairs -> a stored run, its verdict, and what is kept of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from servermatrix import bisection, experiment, reports, shards, store
from servermatrix.analysis.moves import Needs
from servermatrix.analysis.regress import CONFIRM_ROUNDS, FIRST_ROUNDS
from servermatrix.errors import Exit, MatrixError, NothingSelected, NotInstalled, UsageProblem
from servermatrix.experiment import Finished, Listener
from servermatrix.keeping import Kept, Wanted, ended, exported, nothing_kept, remembered
from servermatrix.measure.bench import needs_of
from servermatrix.measure.environments import distributions
from servermatrix.model import (
    BASELINE,
    CANDIDATE,
    App,
    Cause,
    Cell,
    CellChange,
    Change,
    CheckReport,
    Failed,
    Plan,
    Run,
    Skipped,
    Trial,
)
from servermatrix.prepare import Prepared, Setup, Wishes, prepare, used_generators
from servermatrix.render import check_ahead
from servermatrix.reports import AnyReport
from servermatrix.shadows import check_shadows
from servermatrix.shards import Shard
from servermatrix.sides import by_servers_alone, double, read_side
from servermatrix.venues import needs_of_sides

EXAMPLES = (
    "name the two sides, such as: check --baseline requirements-good.txt --candidate requirements-new.txt, or "
    "--baseline 'uvicorn==0.52.0' --candidate 'uvicorn==0.54.0', or --app MODULE:ATTR --baseline-app-dir ../main"
)
# Fewer rounds could show nothing, for the p of n rounds that all go one way is 2^-n, and 0.01 is to be reached: in the first
# stage by the canary, whose test is two-sided, in the second by what was flagged.
FEWEST_FIRST, FEWEST_CONFIRM = 8, 7
PROBES = "bisect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was typed of a check besides which cells: its sides, the margin as a share, the rounds of its stages, its shard."""

    baseline: str | None = None
    candidate: str | None = None
    baseline_app_dir: str | None = None
    candidate_app_dir: str | None = None
    margin: float = 0.03
    first: int = FIRST_ROUNDS
    confirm: int = CONFIRM_ROUNDS
    shard: Shard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check left behind; `said` are sentences on what was made of it, and what was not."""

    folder: Path
    report: CheckReport
    exit_code: Exit
    said: tuple[str, ...]


def plan_check(wishes: Wishes, asked: Asked) -> Prepared:
    """Make the plan of a check.

    Raises NothingSelected when no baseline is named or no cell is left, UsageProblem for sides that are none.
    """
    trial = read_trial(asked, wishes.overrides.app)
    prepared = prepare(wishes)
    once = to_check(prepared, trial, wishes.keep, shards_wanted=1 if asked.shard is None else asked.shard.count)
    settings = () if asked.shard is None else (shards.setting(once, asked.shard),)
    if asked.shard is not None:
        once = shards.part(once, asked.shard.index, asked.shard.count)
    missing = [name for name, generator in prepared.generators.items() if generator.missing]
    made = double(once, trial, first=asked.first, confirm=asked.confirm, missing=missing)
    _check_app(prepared, made, wishes.overrides.app)
    settings = (*prepared.settings, *settings)
    return replace(prepared, plan=made, generators=used_generators(made, prepared.generators), settings=settings)


def to_check(prepared: Prepared, trial: Trial, keep: Sequence[str], *, shards_wanted: int = 1) -> Plan:
    """Return the cells that a check of these sides is about, before they are parted: the same for all shards as for none.

    Raises NothingSelected as by_servers_alone does.
    """
    if keep:
        return prepared.plan
    fewer = by_servers_alone(prepared.plan, trial, *_distributions(prepared))
    # `plan --shards` that was not told the sides has counted all cells: a shard must not turn out to be empty.
    closed = sum(not cell.load.rate_percent for cell in fewer.cells if not cell.duplicate)
    return fewer if closed >= shards_wanted else prepared.plan


def _check_app(prepared: Prepared, made: Plan, app: App | None) -> None:
    """Refuse an app in whose folder is what the servers of the plan need."""
    if app is None or made.trial is None:
        return
    folders = dict.fromkeys(side.app_dir or app.folder for side in (made.trial.baseline, made.trial.candidate))
    _, needed = _distributions(prepared)
    check_shadows(folders, {name for cell in made.cells for name in needed(cell)})


def _distributions(prepared: Prepared) -> tuple[frozenset[str], Callable[[Cell], Collection[str]]]:
    """Return the distributions that are servers, and those that a cell needs."""
    servers = prepared.servers
    named = distributions(each for server in servers.values() for each in server.requires)
    return frozenset(named), lambda cell: distributions(needs_of(cell, servers[cell.server]))


def read_trial(asked: Asked, app: App | None) -> Trial:
    """Read the two sides; where one of them has a folder for its app, the other's is that of the app itself."""
    dirs = (asked.baseline_app_dir, asked.candidate_app_dir)
    if asked.baseline is None and (asked.candidate is not None or dirs == (None, None)):
        raise NothingSelected("no baseline is named, and a check compares with one", EXAMPLES)
    if asked.candidate is None and asked.baseline is not None:
        raise UsageProblem("a baseline is named, but no candidate", EXAMPLES)
    if dirs != (None, None) and app is None:
        raise UsageProblem("a folder of an app is named, but no app", "name it with --app MODULE:ATTR")
    itself = app.folder if app is not None and dirs != (None, None) else None
    return Trial(
        baseline=read_side(BASELINE, asked.baseline, asked.baseline_app_dir or itself),
        candidate=read_side(CANDIDATE, asked.candidate, asked.candidate_app_dir or itself),
        margin=asked.margin,
    )


def conduct_check(
    prepared: Prepared, setup: Setup, listener: Listener, wanted: Wanted, run_folder: Path | None = None
) -> Checked:
    """Run a check, or go on with the one in `run_folder`, and make of it what is wanted, whose places were tried before."""
    if run_folder is None:
        finished = experiment.conduct(prepared, setup, listener)
    else:
        finished = experiment.go_on(prepared, setup, listener, run_folder)
    report = _of_check(finished.report)
    code = exit_code(report, (finished.run,), inconclusive_fails=wanted.inconclusive_fails)
    if finished.interrupted:
        kept = [*nothing_kept(wanted, "the check was interrupted")]
        return _checked(finished, report, Exit.INTERRUPTED, kept)
    kept = [*remembered(report, code, wanted)]
    if wanted.bisect and report.of(Change.REGRESSION):
        again = f"make it again: check --resume {finished.run.header.id} --bisect"
        try:
            report = _attributed(prepared, setup, listener, finished)
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
            kept.append(Kept(sentence=f"the attribution was interrupted; {again}"))
        except MatrixError as failure:
            kept.append(Kept(sentence=f"the attribution came to no end: {failure.message}; {again}"))
    return _checked(finished, report, code, [*kept, *exported(report, wanted)])


def _checked(finished: Finished, report: CheckReport, code: Exit, kept: Sequence[Kept]) -> Checked:
    """Return what a check left behind."""
    said = tuple(one.sentence for one in kept)
    return Checked(folder=finished.folder, report=report, exit_code=ended(code, kept), said=said)


def exit_code(report: CheckReport, runs: Sequence[Run], *, inconclusive_fails: bool) -> Exit:
    """Say how a check went: an unfit machine before a failed cell before a regression before what is open, if that is to fail.

    A check that stopped before its end, or has no figure of any cell, is never fine: it could not have seen a regression.
    """
    if any(experiment.exit_code(run, report) is Exit.UNFIT for run in runs):
        return Exit.UNFIT
    if report.of(Change.FAILED) or (not report.complete and any(map(_has_failure, runs))):
        return Exit.CELL_FAILED
    if report.of(Change.REGRESSION):
        return Exit.REGRESSION
    if all(map(_says_nothing, report.cells)):
        samples = [sample for run in runs for sample in run.samples]
        return Exit.UNFIT if samples and all(isinstance(sample, Skipped) for sample in samples) else Exit.INCONCLUSIVE
    if not report.complete:
        return Exit.INCONCLUSIVE
    return Exit.INCONCLUSIVE if inconclusive_fails and report.of(Change.INCONCLUSIVE) else Exit.OK


def _has_failure(run: Run) -> bool:
    return any(isinstance(sample, Failed) and sample.cause is not Cause.NOISE for sample in run.samples)


def _says_nothing(cell: CellChange) -> bool:
    return cell.change is Change.INCONCLUSIVE and all(shift.ratio is None for shift in cell.shifts)


def _of_check(report: AnyReport) -> CheckReport:
    if isinstance(report, CheckReport):
        return report
    raise UsageProblem("that run is no check", "go on with it with: python3 run_matrix.py run --resume RUN")


def _attributed(prepared: Prepared, setup: Setup, listener: Listener, finished: Finished) -> CheckReport:
    """Find out which package a regression is owed to, by checks whose runs lie below that of this one."""
    below = replace(setup, out=finished.folder / PROBES)

    def ask(trial: Trial, pairs: Sequence[str]) -> Run | str:
        probing = _probing(prepared, trial, pairs)
        listener.preparing(check_ahead.probe(probing.plan))
        try:
            probe = experiment.conduct(probing, below, listener)
        except NotInstalled as failure:
            return failure.message
        if probe.interrupted:
            raise KeyboardInterrupt
        return probe.run

    # Another run must not begin meanwhile; a probe itself locks its own folder alone.
    with contextlib.nullcontext() if prepared.simulation else store.locked(setup.out):
        found = bisection.attribute(_of_check(finished.report), ask, _needs(prepared, setup))
    store.write_attribution(finished.folder, found)
    report = _of_check(reports.derive(finished.folder))
    store.publish(setup.out, finished.folder)
    return report


def _needs(prepared: Prepared, setup: Setup) -> tuple[Needs, Needs]:
    return ({}, {}) if prepared.simulation else needs_of_sides(prepared.servers, prepared.plan.cells, setup.python)


def _probing(prepared: Prepared, trial: Trial, pairs: Sequence[str]) -> Prepared:
    """Return the plan of a probe: some of the pairs, between other sides, in one stage."""
    cells = (cell for cell in prepared.plan.cells if cell.side == BASELINE and not cell.duplicate and cell.pair in pairs)
    once = replace(prepared.plan, cells=tuple(replace(cell, side="", requires=()) for cell in cells), excluded=(), trial=None)
    plan = replace(double(once, trial, first=bisection.ROUNDS, confirm=0), looks=())
    return replace(prepared, plan=plan, generators=used_generators(plan, prepared.generators))
