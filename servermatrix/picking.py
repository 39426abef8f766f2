"""Conducts a search for settings: the app looked at and rehearsed -> a race of all cells that suit it -> what was picked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from servermatrix import experiment, store
from servermatrix.analysis import race
from servermatrix.errors import Exit, Unfit, UsageProblem
from servermatrix.experiment import Finished, Listener
from servermatrix.generators import Generator, choose_generators
from servermatrix.lanes import OPEN_LOOP
from servermatrix.measure.host import read_topology
from servermatrix.model import HTTP2, LATENCY, PickReport, Race, Standing
from servermatrix.prepare import Ingredients, Prepared, Setup, Wishes, gather, prepare
from servermatrix.racing import HOLDING_SHARE, check_budget, with_references
from servermatrix.rehearsing import rehearsed

EVERY_LEVEL = 4  # workers up to which each number is tried; beyond it they double
DEFAULT_BUDGET_S = 15 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """What was typed of a search besides which cells: see Race; `budget_s` is for all of it."""

    race: Race
    budget_s: int = DEFAULT_BUDGET_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What a search left behind: its folder, what it says, and the exit code."""

    folder: Path
    report: PickReport
    exit_code: Exit


def plan_pick(wishes: Wishes, wished: Wished) -> Prepared:
    """Make the plan of a race between all cells that were selected.

    Raises UsageProblem for a budget in which not even two rounds fit, and for what does not belong into a search.
    """
    cores, rate = wished.race.cores or read_topology().cpus, wished.race.rate_per_s
    if rate and not wished.race.latency_limits and wished.race.prefer != LATENCY:
        raise UsageProblem(f"nothing is to be judged at {rate:g} requests/s", "add a limit such as --slo 'p99<50ms'")
    wishes = _with_defaults(wishes, cores)
    found = gather(wishes)
    _check_axes(found)
    prepared = prepare(wishes)
    app = wishes.overrides.app
    if app is None:
        raise UsageProblem("no app is named, and a search is for one", "name it with --app MODULE:ATTR")
    cells = tuple(cell for cell in prepared.plan.cells if not cell.duplicate)
    if wished.race.cores and (most := max((cell.workers for cell in cells), default=0)) > cores:
        raise UsageProblem(f"{most} workers are more than {cores} cores", "name fewer workers, or leave --cores out")
    wanted = wished.race
    at_rates = _at_rates(found) if wanted.latency_limits or wanted.prefer == LATENCY else None
    holding_s = int(HOLDING_SHARE * wished.budget_s) if at_rates else 0
    racing = replace(wanted, holding_s=holding_s, generator=at_rates.name if at_rates else "")
    plan = replace(
        with_references(prepared.plan, racing),
        rounds=race.ROUNDS if len(cells) > 1 else race.ENOUGH,
        looks=race.looks(race.ROUNDS, len(cells)),
        budget_s=wished.budget_s - holding_s,
    )
    check_budget(plan, wished.budget_s)
    known = prepared.generators if at_rates is None else {**prepared.generators, at_rates.name: at_rates}
    return replace(prepared, plan=plan, generators=known)


def _with_defaults(wishes: Wishes, cores: int) -> Wishes:
    """Try every number of workers, unless some were typed, and drive with one generator what is to be compared."""
    overrides = wishes.overrides
    typed = dict(overrides.sets)
    sets = overrides.sets if "workers" in typed else (("workers", tuple(map(str, levels(cores)))), *overrides.sets)
    both = not HTTP2.isdisjoint(typed.get("protocol", ())) and not HTTP2.issuperset(typed.get("protocol", ()))
    generator = overrides.generator or ("h2load" if both else None)
    return replace(wishes, overrides=replace(overrides, sets=sets, generator=generator, rounds=None, budget_s=None))


def levels(cores: int) -> tuple[int, ...]:
    """Return the numbers of workers that are tried on so many cores: each of the first four, then twice as many, then all."""
    doubled = (EVERY_LEVEL * 2**power for power in range(1, 12))
    found = [*range(1, min(cores, EVERY_LEVEL) + 1), *(number for number in doubled if number < cores)]
    return tuple(found) if cores <= EVERY_LEVEL else (*found, cores)


def _check_axes(found: Ingredients) -> None:
    axes = found.matrix.axes
    if axes.rate:
        raise UsageProblem("a search takes no axis rate", "say the rate that you expect with --rate N")
    if len(axes.connections) > 1 or len(axes.requests_per_connection) > 1:
        raise UsageProblem("a search is for one load", "name one number of connections")


def _at_rates(found: Ingredients) -> Generator:
    """Return what sends at fixed rates; Unfit when it is not to be had."""
    search = replace(found.search, tools=True)
    generator = choose_generators(search, found.matrix.load.generator, (OPEN_LOOP,))[OPEN_LOOP]
    if generator.missing:
        raise Unfit(f"{generator.missing}, and without it no limit of latency can be judged", generator.tip)
    return generator


def conduct_pick(prepared: Prepared, setup: Setup, listener: Listener) -> Picked:
    """Look at the app and rehearse it, then run the race; raises AppUnfit when nothing of it answers rightly.

    Raises Unfit where another run is going on.
    """
    if prepared.simulation is None:
        with store.locked(setup.out):
            pass  # a rehearsal beside another run would spoil what that measures
        prepared = rehearsed(prepared, setup, listener)
    return _picked(experiment.conduct(prepared, setup, listener))


def go_on(prepared: Prepared, setup: Setup, listener: Listener, run_folder: Path) -> Picked:
    """Go on with a stored search."""
    return _picked(experiment.go_on(prepared, setup, listener, run_folder))


def _picked(finished: Finished) -> Picked:
    if not isinstance(finished.report, PickReport):
        raise UsageProblem("that run is no search", "go on with it with: python3 run_matrix.py run --resume RUN")
    code = Exit.INTERRUPTED if finished.interrupted else exit_code(finished)
    return Picked(folder=finished.folder, report=finished.report, exit_code=code)


def exit_code(finished: Finished) -> Exit:
    """Say how a search went: fine where something was picked; else the machine, the limits or the app are to blame, or time."""
    report = finished.report
    # What the plaintext app fails by, or one server, is no reason to refuse what was found.
    if isinstance(report, PickReport) and report.picked is not None:
        return Exit.OK
    if experiment.exit_code(finished.run, report) is Exit.UNFIT:
        return Exit.UNFIT
    if isinstance(report, PickReport) and report.of(Standing.OVER_LIMIT):
        return Exit.REGRESSION
    return Exit.CELL_FAILED if isinstance(report, PickReport) and report.of(Standing.FAILED) else Exit.INCONCLUSIVE
