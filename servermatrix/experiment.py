"""Conducts a run: samples into the run file one by one, and the report at the end or at the interruption."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from collections.abc import Generator as Records
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from servermatrix import store
from servermatrix.contracts import LoadGenerator
from servermatrix.errors import Exit, MatrixError, Unfit
from servermatrix.header import check_same, describe
from servermatrix.measure import holding
from servermatrix.measure import run as measuring
from servermatrix.measure.course import Course, Found
from servermatrix.measure.process import Guard, adopt_orphans
from servermatrix.model import Cause, Failed, Passed, Plan, Report, Run, RunHeader, Step
from servermatrix.prepare import Prepared, Setup
from servermatrix.reports import AnyReport, derive
from servermatrix.steering import steer, stored_s
from servermatrix.store.codec import Resumed
from servermatrix.venues import Venues, built
from servermatrix.workbench import make_bench

BYTES_PER_WINDOW = 40_000
THREADS_OF_NUMPY = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who wants to know how far a run is."""

    preparing: Callable[[str], None]
    opened: Callable[[Run], None]
    started: Callable[[Step], None]
    recorded: Callable[[Found], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a run left behind; what a check or a search found is in a report of its own kind."""

    folder: Path
    run: Run
    report: AnyReport
    interrupted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A run that can take samples: its plan, its file, and what is stored already."""

    stored: Run
    plan: Plan
    writer: store.RunWriter
    venues: Venues


def conduct(prepared: Prepared, setup: Setup, listener: Listener) -> Finished:
    """Run a plan from its first step, into a new run folder."""
    plan = prepared.plan
    with _claimed(prepared, setup):
        venues = _venues(prepared, setup, listener)
        header = describe(prepared, setup, venues, _now())
        store.check_room(setup.out, plan.rounds * sum(BYTES_PER_WINDOW * cell.load.windows for cell in plan.cells))
        with store.open_run(setup.out, header) as writer:
            opened = Opened(stored=store.assemble(header, ()), plan=plan, writer=writer, venues=venues)
            return _fill(prepared, setup, listener, opened)


def go_on(prepared: Prepared, setup: Setup, listener: Listener, run_folder: Path) -> Finished:
    """Go on with a stored run: its plan minus its stored steps; Unfit on another machine or with other versions."""
    with _claimed(prepared, setup):
        run = store.read_run(run_folder)
        venues = _venues(prepared, setup, listener)
        check_same(run.header, describe(prepared, setup, venues, _now()))
        with store.reopen_run(run_folder) as writer:
            writer.append(Resumed(started_at=_now().isoformat(), argv=setup.argv))
            opened = Opened(stored=run, plan=prepared.plan, writer=writer, venues=venues)
            return _fill(prepared, setup, listener, opened)


def _claimed(prepared: Prepared, setup: Setup) -> contextlib.AbstractContextManager[None]:
    """Keep a second run away; a simulation disturbs nobody."""
    return contextlib.nullcontext() if prepared.simulation else store.locked(setup.out)


def _fill(prepared: Prepared, setup: Setup, listener: Listener, opened: Opened) -> Finished:
    """Store what comes until the plan is done, somebody interrupts, or a cell fails and that was to end it."""
    interrupted = False
    listener.opened(opened.stored)
    try:
        with contextlib.closing(_records(prepared, setup, listener, opened)) as records:
            for record in records:
                opened.writer.append(record)
                listener.recorded(record)
                if setup.fail_fast and isinstance(record, Failed) and record.cause is not Cause.NOISE:
                    break
    except KeyboardInterrupt:
        interrupted = True
    except Unfit as failure:
        with contextlib.suppress(MatrixError):
            _publish(setup.out, opened.writer.folder)
        command = "check" if prepared.plan.trial is not None else "pick" if prepared.plan.race is not None else "run"
        go_on = f"then go on with: python3 run_matrix.py {command} --resume {opened.stored.header.id}"
        raise Unfit(failure.message, f"{failure.tip}; {go_on}") from failure
    report = _publish(setup.out, opened.writer.folder)
    return Finished(folder=opened.writer.folder, run=store.read_run(opened.writer.folder), report=report, interrupted=interrupted)


def _publish(out: Path, run_folder: Path) -> AnyReport:
    report = derive(run_folder)
    store.publish(out, run_folder)
    return report


def exit_code(run: Run, report: AnyReport) -> Exit:
    """Say how a run went: an unfit environment before a failed cell before a failed control; lost rounds alone are nothing.

    What else a check found is for checking.exit_code to say, of a search for picking.exit_code.
    """
    causes = {sample.cause for sample in run.samples if isinstance(sample, Failed)}
    if Cause.ENVIRONMENT in causes:
        return Exit.UNFIT
    if not isinstance(report, Report):
        return Exit.OK
    if any(cell.status == "failed" for cell in report.not_measured):
        return Exit.CELL_FAILED
    return Exit.REGRESSION if any(check.passed is Passed.NO for check in report.checks) else Exit.OK


def _records(prepared: Prepared, setup: Setup, listener: Listener, opened: Opened) -> Records[Found]:
    course = _course(prepared, opened)
    if prepared.simulation is not None:
        simulation, before = prepared.simulation, listener.started
        yield from measuring.simulate(simulation, opened.plan, opened.stored, setup.model, before, course=course)
        if opened.plan.race is not None:
            yield from holding.simulate(simulation, opened.plan, _stored(opened), setup.model, before)
        return
    one_thread()
    adopt_orphans()
    guard = Guard()
    try:
        logs = opened.writer.folder / "logs"
        logs.mkdir(exist_ok=True)
        bench = make_bench(prepared, setup, opened.venues, guard, logs, tell=listener.preparing)
        yield from measuring.measure(bench, opened.plan, opened.stored, listener.started, course)
        if opened.plan.race is not None:
            yield from holding.attempts(bench, opened.plan, _stored(opened), listener.started)
    finally:
        guard.close()


def one_thread() -> None:
    """Keep numpy, which comes at the first look, from starting threads: servers are forked off a process that has none."""
    os.environ.update(dict.fromkeys(THREADS_OF_NUMPY, "1"))


def _course(prepared: Prepared, opened: Opened) -> Course:
    """Settle what comes next from the run file, so that a resumed run decides from the same facts."""
    plan, began_s = opened.plan, time.monotonic()
    before_s = stored_s(plan, opened.stored)

    def spent_s(estimated_s: float) -> float:
        return estimated_s if prepared.simulation else before_s + time.monotonic() - began_s

    return steer(plan, lambda: _stored(opened), spent_s)


def _stored(opened: Opened) -> Run:
    return store.read_run(opened.writer.folder)


def rehearse(header: RunHeader, plan: Plan, generator: LoadGenerator, model: Mapping[str, object], *, slower: float = 1.0) -> Run:
    """Return the run that a simulation of a plan gives, decisions and paces included, without a file.

    It is of a machine on which everything takes so many times as long as is estimated.
    """
    records: list[Found] = []
    course = steer(plan, lambda: store.assemble(header, records), lambda estimated_s: slower * estimated_s)
    for record in measuring.simulate(generator, plan, store.assemble(header, ()), model, lambda _: None, course=course):
        records.append(record)  # noqa: PERF402 - the course reads them meanwhile, and an extended list is not one until the end
    return store.assemble(header, records)


def _venues(prepared: Prepared, setup: Setup, listener: Listener) -> Venues:
    """Find or make the interpreters; a simulation needs none. Raises NotInstalled where a side of a check has none."""
    if prepared.simulation is not None:
        return Venues(by_want={})
    venues = built(prepared.servers, prepared.plan.cells, setup.python, listener.preparing, overlay=setup.overlay)
    venues.check_sides()
    return venues


def _now() -> datetime:
    return datetime.now(UTC)
