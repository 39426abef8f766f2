"""Plan -> proofs and samples, one after the other: the one orchestrator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime

from servermatrix.contracts import LoadFailure, LoadGenerator, Question
from servermatrix.measure import probe, window
from servermatrix.measure.bench import Bench, check_alarms, log_name, serving
from servermatrix.measure.client import Answer
from servermatrix.measure.failure import StepFailure, refused
from servermatrix.measure.witness import prove
from servermatrix.model import Cause, Cell, Failed, Measured, Plan, Proof, Sample, Skipped, Step, Wire

GIVE_UP_AFTER = 2
GIVEN_UP = f"not started again after {GIVE_UP_AFTER} failures running"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def measure(bench: Bench, plan: Plan, stored: Collection[Sample], before: Callable[[Step], None]) -> Iterator[Proof | Sample]:
    """Yield exactly one sample for every step that is not stored, and the proof of a setting before its first step.

    A setting that fails its proof fails all its steps. A cell that failed twice running is not started again.
    """
    proven: dict[str, Failed | Proof] = {}
    failures: dict[str, int] = {}
    for sample in stored:
        _count(failures, sample)
    for step in _steps_left(plan, stored):
        cell = step.cell
        before(step)
        if missing := bench.driver(cell).missing:
            yield Skipped(cell_id=cell.id, round=step.round, started_at=_now(), reason=missing)
            continue
        key = cell.start
        if key not in proven:
            proven[key] = verdict = _prove(bench, step)
            if isinstance(verdict, Proof):
                yield verdict
        sample = _sample(bench, step, proven[key], failures.get(cell.id, 0))
        _count(failures, sample)
        yield sample


def _steps_left(plan: Plan, stored: Collection[Sample]) -> Iterator[Step]:
    done = {(sample.cell_id, sample.round) for sample in stored}
    return (step for step in plan.steps() if (step.cell.id, step.round) not in done)


def _count(failures: dict[str, int], sample: Sample) -> None:
    """Count what speaks against starting a cell again, one sample after the other: noise and a missing generator do not."""
    match sample:
        case Failed():
            against = sample.cause is not Cause.NOISE
        case Skipped():
            against = sample.reason == GIVEN_UP
        case Measured():
            against = False
    failures[sample.cell_id] = failures.get(sample.cell_id, 0) + 1 if against else 0


def _prove(bench: Bench, step: Step) -> Failed | Proof:
    try:
        return prove(bench, step.cell)
    except StepFailure as failure:
        return _failed(bench, step, _now(), failure, "witness")
    except OSError as error:
        return _failed(bench, step, _now(), refused(error), "witness")


def _sample(bench: Bench, step: Step, verdict: Failed | Proof, failures: int) -> Sample:
    cell_id, number = step.cell.id, step.round
    if isinstance(verdict, Failed):
        return Failed(
            cell_id=cell_id, round=number, started_at=_now(), cause=verdict.cause, reason=verdict.reason, log=verdict.log
        )
    if failures >= GIVE_UP_AFTER:
        return Skipped(cell_id=cell_id, round=number, started_at=_now(), reason=GIVEN_UP)
    return measure_step(bench, step)


def measure_step(bench: Bench, step: Step) -> Sample:
    """Start the server, wait for the right answer, warm up, measure the windows, ask again, stop: one observation."""
    cell, app, started_at = step.cell, bench.apps[step.cell.app], _now()
    log = bench.logs / log_name(cell, f"round-{step.round}")
    try:
        window.wait_for_quiet(bench)
        with serving(bench, cell, app, log) as started:
            question = probe.Question(address=started.address, request=app.request, expect=app.expect, patience=bench.patience)
            ready = probe.wait_ready(started.running, question, cell.workers)
            check_alarms(bench.servers[cell.server], started)
            if cell.workers > 1:
                probe.settle(started.running)
            shot = window.make_shot(bench, started, cell, app, ready.answer)
            window.warm_up(bench, started, cell, shot)
            windows = tuple(window.measure(bench, started, cell, shot) for _ in range(cell.load.windows))
            probe.check_once(started.running, question, "after the load")
        return Measured(
            cell_id=cell.id,
            round=step.round,
            started_at=started_at,
            startup_s=round(ready.after_s, 4),
            windows=windows,
            wire=wire_of(ready.answer),
        )
    except StepFailure as failure:
        return _failed(bench, step, started_at, failure, f"round-{step.round}")
    except OSError as error:
        return _failed(bench, step, started_at, refused(error), f"round-{step.round}")


def wire_of(answer: Answer) -> Wire:
    """Keep of an answer what it was on the wire."""
    return Wire(head_bytes=answer.head_bytes, body_bytes=len(answer.body), framing=answer.framing)


def _failed(bench: Bench, step: Step, started_at: str, failure: StepFailure, suffix: str) -> Failed:
    log = bench.logs / log_name(step.cell, suffix)
    return Failed(
        cell_id=step.cell.id,
        round=step.round,
        started_at=started_at,
        cause=failure.cause,
        reason=failure.reason,
        log=f"logs/{log.name}" if log.exists() else "",
    )


def simulate(
    generator: LoadGenerator, plan: Plan, stored: Collection[Sample], model: Mapping[str, object], before: Callable[[Step], None]
) -> Iterator[Sample]:
    """Yield the samples of a generator that starts no server and takes no time."""
    for step in _steps_left(plan, stored):
        before(step)
        yield _simulated(generator, step, plan.seed, model)


def _simulated(generator: LoadGenerator, step: Step, seed: int, model: Mapping[str, object]) -> Sample:
    cell, started_at = step.cell, "1970-01-01T00:00:00.000Z"
    if generator.simulate is None:
        message = "not a generator that simulates"
        raise TypeError(message)
    try:
        windows = tuple(
            generator.simulate(_question(cell, step.round, number, seed, model)) for number in range(cell.load.windows)
        )
    except LoadFailure as failure:
        return Failed(cell_id=cell.id, round=step.round, started_at=started_at, cause=Cause.SERVER, reason=str(failure))
    return Measured(cell_id=cell.id, round=step.round, started_at=started_at, startup_s=0.0, windows=windows)


def _question(cell: Cell, number: int, window_number: int, seed: int, model: Mapping[str, object]) -> Question:
    return Question(
        cell_id=cell.id,
        round=number,
        window=window_number,
        workers=cell.workers,
        duration_s=cell.load.duration_s,
        seed=seed,
        model=model,
    )
