"""Made-up nights: checks whose truth is known, as rounds of numbers or gone through from the plan to the judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cache
from math import pi
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from runners.loads.fake import CPU_NOISE, PERIOD, WITHIN
from servermatrix.analysis.regress import CONFIRM_ROUNDS, FIRST_ROUNDS
from servermatrix.analysis.regress.duels import Duel, Starts
from servermatrix.analysis.regress.findings import goes_on
from servermatrix.analysis.regress.stages import Stages
from servermatrix.config.applications import builtin_app
from servermatrix.config.axes import Axes
from servermatrix.config.matrix import LoadSettings, Matrix
from servermatrix.experiment import rehearse
from servermatrix.model import (
    BASELINE,
    CANDIDATE,
    Cause,
    Failed,
    Metric,
    Noise,
    Plan,
    Run,
    Side,
    Trial,
)
from servermatrix.plan import make_plan
from servermatrix.plugins import load_servers
from servermatrix.sides import double
from tests.truth.worlds import KINDS, NARROW, WIDE, fake, header_of

ROUNDS = FIRST_ROUNDS + CONFIRM_ROUNDS
PLANS = {4: (NARROW, (64,)), 8: (WIDE, (64,)), 24: (WIDE, (8, 64, 256))}
RPS, CPU_US = 20_000.0, 40.0
SHARED = 0.5  # how far what all cells share moves, in ln requests per second
CONTAMINATED, TIMES = 0.15, 4  # the share of starts that are so many times as noisy
Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """Nights of a kind: so many cells, all of which are worse by the factor `every`, but one by the factor `one` (None: as all).

    1.03: 3 % more CPU time per request, and requests per second divided by that; under 1 it is better. With `cpu` False the CPU
    time is the same on both sides, and with `rps` False the requests per second are. `failing` is the share (0-1) of the starts
    of either side that fail. In the rounds of the first stage alone all are worse by the factor `at_first`, as by very bad
    luck. What is measured twice has so many times the requests per second of its original, `canary`.
    `sd` is the standard deviation of the logarithm of a round's ratio of requests per second.
    """

    cells: int
    kind: str = "normal"
    sd: float = 0.03
    every: float = 1.0
    one: float | None = None
    cpu: bool = True
    margin: float = 0.03
    at_first: float = 1.0
    canary: float = 1.0
    rps: bool = True
    failing: float = 0.0

    def worse(self, place: int) -> float:
        """Return by which factor a cell is truly worse."""
        return self.every if self.one is None or place else self.one

    @property
    def stages(self) -> Stages:
        """Return the stages of such a night."""
        return Stages(first=FIRST_ROUNDS, margin=self.margin)

    @property
    def draws(self) -> int:
        """Return a number that no other kind of nights has, for the draws of each to be its own."""
        return crc32(repr(astuple(self)).encode())


def duels_at_night(world: Nights, seed: int) -> list[Duel]:
    """Return what the pairs of a night gave, those that the first stage flags with the rounds of the second."""
    source = np.random.default_rng([seed, world.draws])
    rps, cpu = _noise(world, source), _noise(replace(world, sd=world.sd * CPU_NOISE), source)
    logs = {Metric.RPS: rps + _shared(world, source), Metric.CPU: -cpu}
    lost = source.random(rps.shape) < float(str(KINDS[world.kind].get("invalid", 0)))
    failing = source.random(rps.shape) < world.failing
    return [
        _duel(world, place, {metric: one[:, place] for metric, one in logs.items()}, (lost[:, place], failing[:, place]))
        for place in range(world.cells)
    ]


def _noise(world: Nights, source: np.random.Generator) -> Array:
    """Draw logarithms: sides x cells x rounds."""
    shape, sd = (2, world.cells, ROUNDS), world.sd / 2**0.5
    if world.kind == "one-sided":
        return -sd * source.exponential(size=shape)
    spread = np.where(source.random(shape) < CONTAMINATED, TIMES, 1) if world.kind == "contaminated" else 1
    return sd * source.normal(size=shape) * spread


def _shared(world: Nights, source: np.random.Generator) -> Array:
    """Return what the machine does meanwhile: the sides of a pair are started one after the other, in an order of its own."""
    if world.kind not in {"drift", "periodic"}:
        return np.zeros((2, world.cells, ROUNDS))
    order = source.permuted(np.tile(np.arange(world.cells)[:, None], (1, ROUNDS)), axis=0)
    first = source.integers(0, 2, size=(world.cells, ROUNDS))
    moments = np.arange(ROUNDS) + np.stack([2 * order + first, 2 * order + 1 - first]) / (2 * world.cells)
    phase = 2 * pi * source.random()
    if world.kind == "periodic":
        return SHARED * np.sin(phase + 2 * pi * moments / PERIOD)
    drift: Array = SHARED * np.tanh(moments / 10) * np.copysign(1, np.sin(phase))
    return drift


def _duel(world: Nights, place: int, logs: Mapping[Metric, Array], without: tuple[Flags, Flags]) -> Duel:
    """Return a pair; `without` says which rounds of each side are lost, and which fail."""
    worse = np.array([world.worse(place) * (world.at_first if number < FIRST_ROUNDS else 1) for number in range(ROUNDS)])
    truth = {Metric.RPS: (RPS, RPS / (worse if world.rps else 1.0)), Metric.CPU: (CPU_US, CPU_US * (worse if world.cpu else 1.0))}
    values = {metric: [(np.exp(one[side]) * truth[metric][side]).tolist() for side in (0, 1)] for metric, one in logs.items()}
    base, new = (
        _starts({metric: both[side] for metric, both in values.items()}, *(one[side].tolist() for one in without))
        for side in (0, 1)
    )
    whole = Duel(pair=str(place), baseline=base, candidate=new)
    early = whole.until(FIRST_ROUNDS)
    return whole if goes_on(early, world.stages) else early


def _starts(values: Mapping[Metric, Sequence[float]], lost: Sequence[bool], failing: Sequence[bool]) -> Starts:
    """Return what one side gave, which is not started again after two failures running."""
    running = [number + 1 for number in range(1, ROUNDS) if failing[number] and failing[number - 1]]
    last = min(running, default=ROUNDS)
    failed = {number for number in range(1, last + 1) if failing[number - 1]}
    gone = {number for number in range(1, last + 1) if lost[number - 1]} - failed
    kept = [number for number in range(1, last + 1) if number not in failed | gone]
    return Starts(
        values={metric: {number: of[number - 1] for number in kept} for metric, of in values.items()},
        failures=tuple(
            Failed(cell_id="", round=one, started_at="", cause=Cause.SERVER, reason="it broke") for one in sorted(failed)
        ),
        lost=frozenset(gone),
        rounds=ROUNDS,
        stored=ROUNDS,
        given_up=last + 1 if last < ROUNDS else 0,
    )


def conducted(world: Nights, seed: int) -> Run:
    """Go through a night from its plan to its last sample, with the decision between its stages and the canary."""
    plan = replace(_plan(world.cells, world.margin), seed=seed)
    return rehearse(header_of(plan), plan, fake(), _model(world))


def _model(world: Nights) -> Mapping[str, object]:
    """Describe a night to the fake generator, whose windows differ a little besides its starts."""
    changes = {"rps": f"x{1 / world.every:.15f}", "cpu_us": f"x{world.every if world.cpu else 1.0:.15f}"}
    return {
        "seed": world.draws,
        "noise": {"sd": world.sd / (2 * (1 + WITHIN**2)) ** 0.5, **KINDS[world.kind]},
        "cells": {"*": {"rps": RPS, "cpu_us": CPU_US}, "*/again": {"rps": RPS * world.canary}},
        "sides": {CANDIDATE: {"*": changes}},
    }


@cache
def _plan(cells: int, margin: float) -> Plan:
    servers, connections = PLANS[cells]
    matrix = Matrix(
        servers=servers,
        axes=Axes(protocol=("h1",), workers=(1,), app=("plaintext",), connections=connections),
        load=LoadSettings(generator="fake", threads=1, duration_s=2, warmup_s=1, windows=1),
        rounds=1,
        noise=Noise(),
    )
    plan = make_plan(matrix, load_servers(), {"plaintext": builtin_app("plaintext")}, {"h1": ("fake", fake())}, 0)
    return double(plan, Trial(baseline=Side(name=BASELINE), candidate=Side(name=CANDIDATE), margin=margin))
