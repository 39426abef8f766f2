"""Searches by value for the tests of what is picked: raced as a run is, by the fake generator's model; no call of picks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from servermatrix.analysis import race
from servermatrix.model import Attempt, Cause, Cell, Decision, Failed, Host, LoadStats, Measured, Race, Run, Sample, Window
from tests.unit.analyse_runs import HOST, cell, failed, measured, run, simulated, window

ROOMY = replace(HOST, cores=8)
Cells = Mapping[str, Mapping[str, float]]


def of(server: str, workers: int = 1, app: str = "items", **options: str) -> Cell:
    """Make a cell whose id shows all of its options."""
    label = ",".join(f"{name}={value}" for name, value in sorted(options.items()))
    return cell(server, app, options=tuple(sorted(options.items())), label=label, workers=workers)


def raced(
    cells: Sequence[Cell],
    numbers: Cells,
    sought: Race | None = None,
    *,
    references: Sequence[Cell] = (),
    rounds: int = 24,
    until: int = 24,
    stopped: str = "",
    broken: Mapping[str, int] | None = None,
    host: Host = ROOMY,
    sd: float = 0.02,
) -> Run:
    """Race cells up to a round, where it is `stopped` if that is said; `broken` has by id the round from which a cell fails."""
    plan, wanted = [*cells, *references], replace(sought or Race(), references=tuple(one.id for one in references))
    model = {"noise": {"sd": sd}, "cells": {"*": {"rps": 1000, "cpu_us": 400, "pss_mib": 40}, **numbers}}
    bare = run(plan, (), rounds, host, looks=race.looks(rounds, len(cells)))
    bare = replace(bare, header=replace(bare.header, race=wanted))
    found = {(one.cell_id, one.round): one for one in simulated(plan, until, model).samples}
    samples: list[Sample] = []
    decisions: list[Decision] = []
    for number in range(1, until + 1):
        out = {own for one in decisions for own, _ in one.dropped}
        for one in (each for each in plan if each.id not in out):
            fails = (broken or {}).get(one.id, until + 1) <= number
            samples.append(failed(one, number, Cause.SERVER) if fails else found[one.id, number])
        look = next((look for look in bare.header.looks if look.round == number), None)
        if look:
            seen = replace(bare, samples=tuple(samples), decisions=tuple(decisions))
            decisions.append(race.decide(seen, look))
        if decisions and decisions[-1].stopped:
            break
    if stopped:
        decisions = [*(one for one in decisions if one.round < until), Decision(round=until, alpha=0.01, stopped=stopped)]
    return replace(bare, samples=tuple(samples), decisions=tuple(decisions))


def with_attempts(of_run: Run, tried: Mapping[tuple[str, float], Sequence[float | None]]) -> Run:
    """Add starts at fixed rates: by cell id and rate how many ms every answer of each took, None where it failed."""
    attempts: list[Attempt] = []
    for (own, rate), latencies in tried.items():
        for latency_ms in latencies:
            number = len(attempts) + 1
            attempts.append(Attempt(number=number, rate_per_s=rate, sample=_start(own, number, rate, latency_ms)))
    return replace(of_run, attempts=tuple(attempts))


def _start(own: str, number: int, rate: float, latency_ms: float | None) -> Measured | Failed:
    bare = replace(measured(of("any"), number), cell_id=own)
    if latency_ms is None:
        return Failed(cell_id=own, round=number, started_at=bare.started_at, cause=Cause.SERVER, reason="it broke")
    due = round(2 * rate)
    stats = LoadStats(requests=due, duration_us=2_000_000, histogram=((round(latency_ms * 1000), due),), due=due)
    return replace(bare, windows=(Window(stats=stats, usage=window(rate).usage),))
