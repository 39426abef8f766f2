"""Made-up spaces of settings whose best is known, and races through them, by the functions that decide a real one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from functools import cache
from math import exp, pi
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from runners.loads.fake import PERIOD, WITHIN
from servermatrix.analysis import race
from servermatrix.config.applications import builtin_app
from servermatrix.experiment import rehearse
from servermatrix.model import (
    Cell,
    Host,
    Load,
    LoadStats,
    Measured,
    Noise,
    Plan,
    PlannedCell,
    Race,
    Run,
    RunHeader,
    Usage,
    Window,
)
from tests.truth.worlds import CPU_US, RPS, fake
from tests.truth.worlds import KINDS as OF_WORLDS

Array = NDArray[np.float64]

FEWEST, MOST = 40, 150  # cells of a space
WORKERS = ((1, 2), (1, 2, 4), (1, 2, 3, 4), (1, 2, 4, 6, 8))
CONTAMINATED, TIMES = 0.15, 4  # the share of starts that are so many times as noisy
SHARED = 0.5  # how far what all cells of a round share moves, in ln requests per second
LOST = 0.2
SHAPES: Mapping[str, tuple[float, float]] = {"wide": (0.1, 0.5), "narrow": (0.02, 0.08), "equal": (0.0, 0.0)}
KINDS = (  # of noise
    "normal",
    "contaminated",
    "one-sided",
    "drift",
    "periodic",
    "20 % lost",
    "each its own spread",
    "some four times as noisy",
    "two modes",
    "a slow mode at times",
    "two modes in some",
)
FAKES = {kind.replace("invalid", "lost"): noise for kind, noise in OF_WORLDS.items()}  # which it knows
BYTES = 2**25
APP = "plaintext"
LOAD = Load(generator="fake", connections=64, threads=1, duration_s=2, warmup_s=1, windows=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spaces:
    """Spaces of a kind of noise, whose standard deviation in ln requests/s from start to start is `sd`.

    How much servers differ is drawn per space: the standard deviation of ln requests/s lies between the two of its shape.
    """

    shape: str = "wide"
    kind: str = "normal"
    sd: float = 0.03

    @property
    def draws(self) -> int:
        """Return a number that no other kind of spaces has, for the draws of each to be its own."""
        return crc32(repr(astuple(self)).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A space: its cells, their true ln requests/s over the usual, and how noisy each is over the usual."""

    cells: tuple[Cell, ...]
    truth: Array
    noisy: Array

    @property
    def best(self) -> str:
        """Return the id of the best cell, the first of equal ones."""
        return self.cells[int(np.argmax(self.truth))].id


def space_of(world: Spaces, seed: int) -> Space:
    """Draw a space: servers with settings, each with several numbers of workers of which one is the right one."""
    source = np.random.default_rng([seed, world.draws])
    workers = np.array(WORKERS[source.integers(len(WORKERS))])
    servers, families = int(source.integers(3, 7)), int(source.integers(FEWEST, MOST + 1)) // len(workers)
    families = max(families, -(-FEWEST // len(workers)))
    spread = source.uniform(*SHAPES[world.shape])
    owners = np.sort(source.integers(0, servers, families))
    base = source.normal(0, spread, servers)[owners] + source.normal(0, spread / 3, families)
    right = source.uniform(workers[0] / 2, workers[-1] * 1.2)
    lost = source.uniform(0.3, 1.0, families)[:, None] * spread * np.abs(np.log(workers / right))
    cells = tuple(_cell(f"server{owner}", f"s{family}", int(count)) for family, owner in enumerate(owners) for count in workers)
    return Space(cells=cells, truth=(base[:, None] - lost).ravel(), noisy=_noisy(world.kind, len(cells), source))


def _cell(server: str, label: str, workers: int) -> Cell:
    options = (("setting", label),)
    return Cell(server=server, options=options, label=label, protocol="h1", workers=workers, app=APP, load=LOAD)


def _noisy(kind: str, cells: int, source: np.random.Generator) -> Array:
    if kind == "each its own spread":
        return np.asarray(np.exp(source.normal(0, 0.6, cells)))
    if kind == "some four times as noisy":
        return np.where(source.random(cells) < 0.1, 4.0, 1.0)
    return (source.random(cells) < 0.3).astype(np.float64) if kind == "two modes in some" else np.ones(cells)


def measured(world: Spaces, space: Space, seed: int, rounds: int) -> Array:
    """Draw ln requests/s over the usual as cells x rounds, NaN for what is lost to noise."""
    source = np.random.default_rng([seed, world.draws, 1])
    shape = (len(space.cells), rounds)
    start = _starts(world.kind, space.noisy[:, None], shape, source)
    window = -source.exponential(size=shape) if world.kind == "one-sided" else source.normal(size=shape)
    logs = space.truth[:, None] + world.sd * (start + WITHIN * window) + _shared(world.kind, rounds, source)
    if world.kind == "20 % lost":
        logs[source.random(shape) < LOST] = np.nan
    found: Array = logs
    return found


def _starts(kind: str, noisy: Array, shape: tuple[int, int], source: np.random.Generator) -> Array:
    """Draw what starts differ by, in standard deviations or so; modes lie further apart than that."""
    normal = source.normal(size=shape)
    either = np.where(source.random(shape) < 0.5, -1.0, 1.0)
    if kind == "contaminated":
        return np.where(source.random(shape) < CONTAMINATED, TIMES, 1) * normal
    if kind == "one-sided":
        return -source.exponential(size=shape)
    if kind == "two modes":
        return np.asarray(0.5 * normal + 2 * either)
    if kind == "two modes in some":
        return np.where(noisy > 0, 0.5 * normal + 3 * either, normal)
    if kind == "a slow mode at times":
        return np.where(source.random(shape) < 0.3, 0.5 * normal - 4, 0.5 * normal)
    return np.asarray(noisy * normal, dtype=np.float64)


def _shared(kind: str, rounds: int, source: np.random.Generator) -> Array:
    """Return what all cells of a round share."""
    numbers, phase = np.arange(1, rounds + 1), 2 * pi * source.random()
    if kind == "periodic":
        return np.asarray(SHARED * np.sin(phase + 2 * pi * numbers / PERIOD))
    if kind == "drift":
        return np.asarray(SHARED * np.tanh(numbers / 10) * np.copysign(1, np.sin(phase)))
    return np.zeros(rounds)


def raced(world: Spaces, seed: int, rounds: int = race.ROUNDS) -> tuple[Space, Run]:
    """Go through a race of a space to its end."""
    space = space_of(world, seed)
    logs = measured(world, space, seed, rounds)
    run = Run(header=_header(space, seed, rounds), proofs=(), samples=())
    before, left = 0, set(range(len(space.cells)))
    places = {cell.id: place for place, cell in enumerate(space.cells)}
    for look in run.header.looks:
        fresh = tuple(_samples(space, logs, sorted(left), range(before, look.round)))
        run = replace(run, samples=run.samples + fresh)
        decision = race.decide(run, look)
        run = replace(run, decisions=(*run.decisions, decision))
        left -= {places[own] for own, _ in decision.dropped}
        before = look.round
        if decision.stopped:
            break
    return space, run


def _samples(space: Space, logs: Array, left: list[int], rounds: range) -> Iterator[Measured]:
    for number in rounds:
        for place in left:
            if not np.isnan(logs[place, number]):
                yield _sample(space.cells[place].id, number + 1, exp(logs[place, number]) * RPS)


def _sample(cell_id: str, number: int, rps: float) -> Measured:
    requests = round(rps * 1000)
    stats = LoadStats(requests=requests, duration_us=1_000_000_000, histogram=((1000, requests),))
    return Measured(cell_id=cell_id, round=number, started_at="", startup_s=0.1, windows=(Window(stats=stats, usage=_usage()),))


@cache
def _usage() -> Usage:
    return Usage(
        wall_us=1_000_000,
        server_cpu_us=round(CPU_US * RPS),
        worker_cpu_us=(),
        generator_cpu_us=200_000,
        own_cpu_us=0,
        pss_bytes=BYTES,
        foreign_cpu=0.0,
        steal=0.0,
    )


def _header(space: Space, seed: int, rounds: int) -> RunHeader:
    return RunHeader(
        id="2026-01-01T00-00-00Z-0000",
        started_at="2026-01-01T00:00:00Z",
        argv=(),
        seed=seed,
        rounds=rounds,
        noise=Noise(),
        generators=(("fake", "1"),),
        host=Host(system="Linux", cpu="made up", cores=8, memory_bytes=2**33, python="3.11"),
        versions=(),
        git="",
        cells=tuple(PlannedCell(cell=cell, argv=(), load_argv=()) for cell in space.cells),
        excluded=(),
        looks=race.looks(rounds, len(space.cells)),
        race=Race(),
    )


def conducted(world: Spaces, seed: int) -> tuple[Space, Run]:
    """Go through a race as the command does, with the fake generator in place of servers and its own draws of the noise."""
    space = space_of(world, seed)
    header = _header(space, seed, race.ROUNDS)
    plan = Plan(
        cells=space.cells,
        excluded=(),
        apps=(builtin_app(APP),),
        rounds=header.rounds,
        seed=seed,
        looks=header.looks,
        race=header.race,
    )
    cells = {
        cell.id: {"rps": RPS * exp(logarithm), "cpu_us": CPU_US} for cell, logarithm in zip(space.cells, space.truth, strict=True)
    }
    noise = {"sd": world.sd, **FAKES[world.kind]}
    return space, rehearse(header, plan, fake(), {"seed": world.draws, "noise": noise, "cells": cells})
