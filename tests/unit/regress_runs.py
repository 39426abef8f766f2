"""Runs of checks by value: what the starts of each side give is a function of the cell and the round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import exp
from random import Random

from servermatrix.analysis.regress import CONFIRM_ROUNDS, FIRST_ROUNDS, decide
from servermatrix.model import (
    BASELINE,
    CANDIDATE,
    Cause,
    Cell,
    CellChange,
    CheckReport,
    Look,
    Run,
    Sample,
    Side,
    Trial,
)
from tests.unit.analyse_runs import cell, failed, measured, run, window

TRIAL = Trial(baseline=Side(name=BASELINE), candidate=Side(name=CANDIDATE))
LOOKS = (Look(round=FIRST_ROUNDS, alpha=0.10), Look(round=FIRST_ROUNDS + CONFIRM_ROUNDS, alpha=0.01))
RPS, CPU_US = 10_000.0, 100.0  # a core: what limits requests per second is the server
SD = 0.01

Give = Callable[[Cell, int], Sample]


def both(server: str) -> tuple[Cell, Cell]:
    return cell(server, side=BASELINE), cell(server, side=CANDIDATE)


def again(server: str) -> Cell:
    return cell(server, side=BASELINE, duplicate=True)


def plan_of(*servers: str, canary: str = "canary") -> list[Cell]:
    """List both sides of each server and of one more, whose baseline is there twice."""
    named = [*both(canary)[:1], again(canary), *both(canary)[1:]] if canary else []
    return [*named, *(side for server in servers for side in both(server))]


def start(of: Cell, number: int, rps: float = 1.0, cpu: float = 1.0, sd: float = SD) -> Sample:
    """One start whose rates are so many times the usual ones, with noise of its own that is always the same."""
    noise = Random(f"C{of.id}/{number}")  # noqa: S311 - reproducible, not secret
    rate, per_request = RPS * rps * exp(sd * noise.gauss()), CPU_US * cpu * exp(sd * noise.gauss())
    requests = round(2 * rate)
    return measured(of, number, window(rate, server_cpu_us=round(per_request * requests)))


def broken(of: Cell, number: int, cause: Cause = Cause.SERVER, reason: str = "it broke") -> Sample:
    return failed(of, number, cause, reason)


def candidate(server: str, rps: float = 1.0, cpu: float = 1.0, *, since: int = 1, sd: float = SD) -> Give:
    """Change the candidate of one server from a round on; `sd` is that of both of its sides."""

    def give(of: Cell, number: int) -> Sample:
        if of.server != server:
            return start(of, number)
        changed = of.side == CANDIDATE and number >= since
        return start(of, number, rps if changed else 1.0, cpu if changed else 1.0, sd)

    return give


def fails(server: str, side: str, rounds: Iterable[int], cause: Cause = Cause.SERVER) -> Give:
    """Let one side of one server fail in these rounds."""
    these = set(rounds)

    def give(of: Cell, number: int) -> Sample:
        fails_now = (of.server, of.side, of.duplicate) == (server, side, False) and number in these
        return broken(of, number, cause) if fails_now else start(of, number)

    return give


def together(*gives: tuple[str, Give]) -> Give:
    """Let each server have its own way."""
    ways = dict(gives)
    return lambda cell, number: ways.get(cell.server, start)(cell, number)


def conducted(cells: Sequence[Cell], give: Give, trial: Trial = TRIAL, *, until: int = LOOKS[1].round) -> Run:
    """Go through both stages, with what is decided between them, up to a round."""
    plain = replace(run(cells, (), LOOKS[1].round, looks=LOOKS))
    going = replace(plain, header=replace(plain.header, trial=trial))
    for number in range(1, until + 1):
        left = [one for one in cells if going.rounds_of(one) >= number]
        going = replace(going, samples=(*going.samples, *(give(one, number) for one in left)))
        for look in LOOKS:
            if look.round == number and left:
                going = replace(going, decisions=(*going.decisions, decide(going, look)))
    return going


def of(report: CheckReport, server: str) -> CellChange:
    (found,) = [one for one in report.cells if one.pair.startswith(f"{server}/")]
    return found
