"""Made-up worlds: matrices whose truth is known, gone through from the plan to the report without any load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import cache
from math import exp
from random import Random
from zlib import crc32

from servermatrix.analysis.analyse import analyse
from servermatrix.config.applications import builtin_app
from servermatrix.config.axes import Axes
from servermatrix.config.matrix import LoadSettings, Matrix
from servermatrix.contracts import LoadGenerator, Server
from servermatrix.effort import fit_budget, preparation_s, steps_s
from servermatrix.experiment import rehearse
from servermatrix.model import App, Host, Noise, Plan, PlannedCell, Report, Run, RunHeader
from servermatrix.plan import make_plan
from servermatrix.plugins import load_generators, load_servers

Servers = tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]

LOOPS = ("loop", ("asyncio", "uvloop"))
PARSERS = ("http", ("h11", "httptools"))
WIDE: Servers = (("granian", (LOOPS,)), ("hypercorn", (LOOPS,)), ("uvicorn", (PARSERS, LOOPS)))
NARROW: Servers = (("uvicorn", (PARSERS, LOOPS)),)
THREE: Servers = (("granian", (("loop", ("uvloop",)),)), ("uvicorn", (("http", ("h11",)), LOOPS)))
TWO: Servers = (("uvicorn", (("http", ("h11",)), LOOPS)),)
MANY: Servers = (
    ("granian", (("loop", ("asyncio", "rloop", "uvloop")), ("runtime-mode", ("mt", "st")))),
    ("hypercorn", (LOOPS,)),
    ("uvicorn", (PARSERS, LOOPS)),
)

RPS, CPU_US = 20_000.0, 40.0
KINDS: Mapping[str, Mapping[str, object]] = {
    "normal": {"kind": "normal"},
    "contaminated": {"kind": "contaminated"},
    "one-sided": {"kind": "one-sided"},
    "drift": {"kind": "drift", "shared": 0.5},
    "periodic": {"kind": "periodic", "shared": 0.5},
    "20 % invalid": {"kind": "normal", "invalid": 0.2},
}
# The median start is slower by so many sd: the median of what start and window lose, exponential of mean 1 and 0.2.
SLOWER = {"one-sided": 0.9112}
# Of MANY two are equal, and the others slower, each clearly slower than the one before.
SLOW = (
    "granian[loop=uvloop]/",
    "granian[loop=asyncio,runtime",
    "granian[loop=rloop,runtime",
    "granian[loop=uvloop,runtime",
    "hypercorn[loop=asyncio",
    "hypercorn[loop=uvloop",
    "uvicorn[http=h11,loop=asyncio",
    "uvicorn[http=h11,loop=uvloop",
    "uvicorn[http=httptools,loop=asyncio",
    "uvicorn[http=httptools,loop=uvloop",
)
FAR = tuple((part, 1.4**-place) for place, part in enumerate(SLOW, 1))
AGAIN = "the server is not to be had a second time"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A matrix and what is true of it: `gains` are factors on requests per second by glob of cell ids, the last one counts.

    `floor` False loses the duplicate, so that nothing but the tests stands between noise and a claim. With a `budget_rounds`
    the run has looks, and a budget in which so many rounds of all cells fit. Each cell, the duplicate too, is faster or slower
    than its server for the whole run, by a factor whose logarithm has the standard deviation `offset`.
    """

    servers: Servers
    kind: str = "normal"
    sd: float = 0.05
    gains: tuple[tuple[str, float], ...] = ()
    rounds: int = 12
    budget_rounds: int = 0
    floor: bool = True
    offset: float = 0.0

    def gain(self, cell_id: str) -> float:
        """Return how many times as fast as the plainest a cell truly is."""
        return next((gain for part, gain in reversed(self.gains) if part in cell_id), 1.0)

    def median(self) -> float:
        """Return what noise leaves of requests per second in the median start, all that cells share left out."""
        return exp(-self.sd * SLOWER.get(self.kind, 0.0))

    def model(self, ids: Iterable[str] = (), seed: int = 0) -> Mapping[str, object]:
        """Describe the world to the fake generator: the cells of these ids, as they are with this seed.

        No two worlds have the same draws: what is counted in one tells nothing of what is counted in another.
        """
        cells: dict[str, object] = {"*": {"rps": RPS, "cpu_us": CPU_US}}
        cells |= {f"*{part}*": {"rps": RPS * gain} for part, gain in self.gains}
        if self.offset:
            cells |= {name: {"rps": RPS * self.gain(name) * exp(self.offset * _draw(f"{seed}/{name}"))} for name in ids}
        lost = {} if self.floor else {"*/again": AGAIN}
        draws = crc32(repr(astuple(self)).encode())
        return {"seed": draws, "noise": {"sd": self.sd, **KINDS[self.kind]}, "cells": cells, "fail": lost}


def _draw(of: str) -> float:
    return Random(of).gauss(0, 1)  # noqa: S311 - reproducible, not secret


@cache
def fake() -> LoadGenerator:
    """Return the fake generator as the tool finds it."""
    return load_generators()["fake"]


@cache
def _matrix(servers: Servers, rounds: int) -> Matrix:
    return Matrix(
        servers=servers,
        axes=Axes(protocol=("h1",), workers=(1,), app=("plaintext",), connections=(64,)),
        load=LoadSettings(generator="fake", threads=1, duration_s=2, warmup_s=1, windows=1),
        rounds=rounds,
        noise=Noise(),
    )


@cache
def _plugins() -> Mapping[str, Server]:
    return load_servers()


@cache
def _apps() -> Mapping[str, App]:
    return {"plaintext": builtin_app("plaintext")}


def run_of(world: World, seed: int) -> Run:
    """Go through a world from its plan to its last sample; all that is left to chance comes from the seed."""
    drivers = {"h1": ("fake", fake())}
    plan = make_plan(_matrix(world.servers, world.rounds), _plugins(), _apps(), drivers, seed)
    if world.budget_rounds:
        plan = fit_budget(plan, preparation_s(plan) + steps_s(plan.cells, world.budget_rounds) + 1)
    return rehearse(header_of(plan), plan, fake(), world.model((cell.id for cell in plan.cells), seed))


def report_of(world: World, seed: int) -> Report:
    """Report on a world."""
    return analyse(run_of(world, seed))


def header_of(plan: Plan) -> RunHeader:
    """Return the header of a made-up run of a plan."""
    return RunHeader(
        id="2026-01-01T00-00-00Z-0000",
        started_at="2026-01-01T00:00:00Z",
        argv=(),
        seed=plan.seed,
        rounds=plan.rounds,
        noise=plan.noise,
        generators=(("fake", "1"),),
        host=Host(system="Linux", cpu="made up", cores=4, memory_bytes=2**33, python="3.11"),
        versions=(),
        git="",
        cells=tuple(PlannedCell(cell=cell, argv=(), load_argv=()) for cell in plan.cells),
        excluded=(),
        apps=plan.apps,
        looks=plan.looks,
        budget_s=plan.budget_s,
        trial=plan.trial,
    )
