"""Starts the best cells of a race at fixed rates, one attempt after the other, until it is known what each of them holds.

An attempt is one step of the cell as it was raced - its server, options, workers, connections and windows - with another load:
the generator that the race names, which must have an open loop, sends at the rate of the attempt, whatever the cell serves. For
that the load gets `rate_percent` 1, which marks it as an open loop and says nothing of the rate; the sample that comes of it is
filed under the id of the cell that was raced. What to try next is for analysis.holding to say, from what is stored by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from servermatrix.analysis.durations import seconds_per_step
from servermatrix.analysis.holding import capacities, finalists, following, reserves
from servermatrix.contracts import LoadGenerator
from servermatrix.measure.bench import Bench
from servermatrix.measure.run import SIMULATED_AT, measure_step, simulate_step
from servermatrix.model import Attempt, Cause, Cell, Failed, Measured, Plan, Run, Step

# (cell, rate in requests/s, number of the attempt) -> what came of it.
Try = Callable[[Cell, float, int], Measured | Failed]


def attempts(
    bench: Bench, plan: Plan, run: Run, before: Callable[[Step], None], *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Attempt]:
    """Yield the attempts that are not stored yet, each to be stored before the next is asked for; none without a generator.

    `before` is told each cell, under the id that it was raced with, and which of its starts at that rate comes.
    """
    if plan.race is None or not plan.race.generator:
        return
    name, began_s, stored_s = plan.race.generator, clock(), _estimated_s(plan, run.attempts)

    def spent_s(_: Sequence[Attempt]) -> float:
        return stored_s + clock() - began_s

    def attempt(cell: Cell, rate_per_s: float, number: int) -> Measured | Failed:
        return measure_step(bench, Step(cell=at_rates(cell, name), round=number), rate_per_s)

    yield from _tries(plan, run, before, spent_s=spent_s, attempt=attempt, objection=partial(_objection, bench, name))


def simulate(
    generator: LoadGenerator, plan: Plan, run: Run, model: Mapping[str, object], before: Callable[[Step], None]
) -> Iterator[Attempt]:
    """Yield what `attempts` would, of a generator that starts no server; time passes as it is estimated."""
    if plan.race is None or not plan.race.generator:
        return

    def attempt(cell: Cell, rate_per_s: float, number: int) -> Measured | Failed:
        step = Step(cell=cell, round=plan.rounds + number)  # no round of the race, whose noise is that of its own starts
        return simulate_step(generator, step, rate_per_s, plan.seed, model)

    spent_s = partial(_estimated_s, plan)
    yield from _tries(plan, run, before, spent_s=spent_s, attempt=attempt, objection=lambda _: "")


def at_rates(cell: Cell, generator: str) -> Cell:
    """Return the cell as it is driven at a fixed rate; see the head of this file."""
    return replace(cell, load=replace(cell.load, generator=generator, rate_percent=1))


def _tries(
    plan: Plan,
    run: Run,
    before: Callable[[Step], None],
    *,
    spent_s: Callable[[Sequence[Attempt]], float],
    attempt: Try,
    objection: Callable[[Cell], str],
) -> Iterator[Attempt]:
    race = plan.race
    if race is None:
        return
    cells, further, capacity, known = finalists(run), reserves(run), capacities(run), list(run.attempts)
    each_s = max((seconds_per_step(cell.load) for cell in (*cells, *further)), default=0.0)
    while found := following(race, cells, capacity, known, spent_s(known), each_s=each_s, reserves=further):
        cell, rate_per_s, number = found
        if reason := objection(cell):
            refused = Failed(cell_id=cell.id, round=1, started_at=_then(known, run), cause=Cause.GENERATOR, reason=reason)
            made = Attempt(number=len(known) + 1, rate_per_s=0.0, sample=refused)
        else:
            before(Step(cell=cell, round=number))
            sample = replace(attempt(cell, rate_per_s, len(known) + 1), cell_id=cell.id, round=number)
            made = Attempt(number=len(known) + 1, rate_per_s=rate_per_s, sample=sample)
        known.append(made)
        yield made


def _then(known: Sequence[Attempt], run: Run) -> str:
    """Return when the last start was, for what starts nothing."""
    last = known[-1].sample if known else next(iter(run.samples[-1:]), None)
    return last.started_at if last else SIMULATED_AT


def _objection(bench: Bench, name: str, cell: Cell) -> str:
    """Say why a cell cannot be driven at a fixed rate, empty when it can."""
    driver, app = bench.drivers[name], bench.app(cell)
    if driver.missing:
        return f"it was not tried at a fixed rate: {driver.missing}"
    if cell.protocol not in driver.plugin.protocols:
        return f"it was not tried at a fixed rate: {name} sends at a fixed rate in {', '.join(driver.plugin.protocols)} only"
    if cell.load.requests_per_connection:
        return f"it was not tried at a fixed rate: {name} keeps its connections at a fixed rate"
    if app.mix and not driver.plugin.mixes:
        return f"it was not tried at a fixed rate: {name} cannot send a mix of requests"
    return ""


def _estimated_s(plan: Plan, known: Sequence[Attempt]) -> float:
    """Return how long attempts take, in seconds, by the loads of their cells; what started nothing takes none."""
    each_s = {cell.id: seconds_per_step(cell.load) for cell in plan.cells}
    return sum(each_s.get(one.sample.cell_id, 0.0) for one in known if one.rate_per_s)
