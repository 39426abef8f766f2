"""Plan -> proofs and samples, one after the other: the one orchestrator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime

from servermatrix.contracts import LoadFailure, LoadGenerator, Question
from servermatrix.measure import probe, window
from servermatrix.measure.bench import Bench, check_alarms, serving
from servermatrix.measure.calibrate import calibrate
from servermatrix.measure.client import Answer
from servermatrix.measure.course import Course, Found, Take, walk
from servermatrix.measure.failure import StepFailure, refused
from servermatrix.measure.logs import log_name
from servermatrix.measure.witness import prove
from servermatrix.model import Cause, Cell, Failed, Measured, Plan, Proof, Run, Sample, Skipped, Step, Wire

GIVE_UP_AFTER = 2
SCHEMA_OF_CEILINGS = 3  # the first that has them
SIMULATED_AT = "1970-01-01T00:00:00.000Z"
GIVEN_UP = f"not started again after {GIVE_UP_AFTER} failures running"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def measure(bench: Bench, plan: Plan, stored: Run, before: Callable[[Step], None], course: Course) -> Iterator[Found]:
    """Yield exactly one sample for every step that is not stored, and the proof of a setting before its first step.

    A setting that fails its proof fails all its steps. A cell that failed twice running is not started again. What is yielded
    must be stored before the next is asked for. Ceilings of the generators come first; a decision comes after the round of its
    look, and the paces before the first step of an open loop.
    """
    yield from calibrate(bench, _without_ceiling(plan, stored))
    yield from walk(plan, stored, before, course, _taker(bench, stored.samples))


def _without_ceiling(plan: Plan, stored: Run) -> list[Cell]:
    """Return the closed-loop cells with steps to come whose generator has no ceiling yet."""
    if stored.header.schema < SCHEMA_OF_CEILINGS:
        return []  # the servermatrix that stored it could not read it any more
    known = {(one.generator, one.protocol, one.threads) for one in stored.ceilings}
    done = Counter(sample.cell_id for sample in stored.samples)
    return [
        cell
        for cell in plan.cells
        if not cell.load.rate_percent
        and (cell.load.generator, cell.protocol, cell.load.threads) not in known
        and done[cell.id] < stored.rounds_of(cell)
    ]


def _taker(bench: Bench, stored: Collection[Sample]) -> Take:
    """Return the function that measures steps one after the other, and remembers proofs and failures."""
    proven: dict[str, Failed | Proof] = {}
    failures: dict[str, int] = {}
    for sample in stored:
        _count(failures, sample)

    def take(step: Step, rate_per_s: float, why_not: str) -> Iterator[Proof | Sample]:
        cell = step.cell
        if reason := bench.driver(cell).missing or why_not:
            yield Skipped(cell_id=cell.id, round=step.round, started_at=_now(), reason=reason)
            return
        if cell.start not in proven:
            proven[cell.start] = verdict = _prove(bench, step)
            if isinstance(verdict, Proof):
                yield verdict
        found = _sample(bench, step, rate_per_s, proven[cell.start], failures.get(cell.id, 0))
        _count(failures, found)
        yield found

    return take


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


def _sample(bench: Bench, step: Step, rate_per_s: float, verdict: Failed | Proof, failures: int) -> Sample:
    cell_id, number = step.cell.id, step.round
    if isinstance(verdict, Failed):
        return Failed(
            cell_id=cell_id, round=number, started_at=_now(), cause=verdict.cause, reason=verdict.reason, log=verdict.log
        )
    if failures >= GIVE_UP_AFTER:
        return Skipped(cell_id=cell_id, round=number, started_at=_now(), reason=GIVEN_UP)
    return measure_step(bench, step, rate_per_s)


def measure_step(bench: Bench, step: Step, rate_per_s: float = 0.0) -> Measured | Failed:
    """Start the server, wait for the right answer, warm up, measure the windows, ask again, stop: one observation.

    With a `rate_per_s` that is an open loop.
    """
    cell, app, started_at = step.cell, bench.app(step.cell), _now()
    log = bench.logs / log_name(cell, f"round-{step.round}")
    try:
        window.wait_for_quiet(bench)
        with serving(bench, cell, app, log) as started:
            asked = probe.questions(started.address, app, bench.patience)
            ready = probe.wait_ready(started.running, asked[0], cell.workers)
            probe.check_each(started.running, asked[1:], "before the load")
            check_alarms(bench.servers[cell.server], started)
            if cell.workers > 1:
                probe.settle(started.running)
            shot = window.make_shot(bench, started, cell, app, ready.answer, rate_per_s=rate_per_s)
            window.warm_up(bench, started, cell, shot)
            windows = tuple(window.measure(bench, started, cell, shot) for _ in range(cell.load.windows))
            probe.check_each(started.running, asked, "after the load")
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
    generator: LoadGenerator,
    plan: Plan,
    stored: Run,
    model: Mapping[str, object],
    before: Callable[[Step], None],
    *,
    course: Course,
) -> Iterator[Found]:
    """Yield what `measure` would, of a generator that starts no server, takes no time and has no ceiling."""

    def take(step: Step, rate_per_s: float, why_not: str) -> Iterator[Sample]:
        if why_not:
            yield Skipped(cell_id=step.cell.id, round=step.round, started_at=SIMULATED_AT, reason=why_not)
        else:
            yield simulate_step(generator, step, rate_per_s, plan.seed, model)

    return walk(plan, stored, before, course, take)


def simulate_step(
    generator: LoadGenerator, step: Step, rate_per_s: float, seed: int, model: Mapping[str, object]
) -> Measured | Failed:
    """Answer one step from a model, in an open loop with a `rate_per_s`; TypeError of a generator that does not simulate."""
    cell = step.cell
    if generator.simulate is None:
        message = "not a generator that simulates"
        raise TypeError(message)
    try:
        windows = tuple(
            generator.simulate(_question(step, number, seed, model, rate_per_s)) for number in range(cell.load.windows)
        )
    except LoadFailure as failure:
        cause = Cause.NOISE if failure.noise else Cause.SERVER
        return Failed(cell_id=cell.id, round=step.round, started_at=SIMULATED_AT, cause=cause, reason=str(failure))
    return Measured(cell_id=cell.id, round=step.round, started_at=SIMULATED_AT, startup_s=0.0, windows=windows)


def _question(step: Step, window_number: int, seed: int, model: Mapping[str, object], rate_per_s: float) -> Question:
    return Question(
        cell_id=step.cell.id,
        round=step.round,
        window=window_number,
        workers=step.cell.workers,
        duration_s=step.cell.load.duration_s,
        seed=seed,
        model=model,
        rate_per_s=rate_per_s,
        side=step.cell.side,
        pair=step.cell.pair if step.cell.side else "",
        requires=step.cell.requires,
    )
