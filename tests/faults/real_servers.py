"""The shipped servers on a bench of the fault tests: what is started, and what comes of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

from servermatrix import plugins
from servermatrix.config import applications
from servermatrix.measure import run
from servermatrix.measure.bench import Bench, Venue, wanted
from servermatrix.measure.course import Course, Found
from servermatrix.measure.environments import distributions, installed
from servermatrix.measure.probe import Patience
from servermatrix.model import App, Ceiling, Cell, Decision, Expect, Host, Load, Noise, Plan, Request, Run, RunHeader

LOAD = Load(generator="wrk", connections=8, threads=1, duration_s=1, warmup_s=0, windows=1)
ANY_NOISE = Noise(foreign_cpu=1e9, steal=1.0)
OK = App(name="ok", target="ok:app", folder=".", request=Request(), expect=Expect(body="ok"))


def cell(
    server: str = "stub", workers: int = 1, protocol: str = "h1", options: Mapping[str, str] | None = None, **more: str
) -> Cell:
    """Describe a cell under the app `ok`; its label names every option."""
    pairs = tuple(sorted({**(options or {}), **more}.items()))
    label = ",".join(f"{name}={value}" for name, value in pairs)
    return Cell(server=server, options=pairs, label=label, protocol=protocol, workers=workers, app="ok", load=LOAD)


def real(bench: Bench, wish: Cell, versions: Mapping[str, str | None] | None = None) -> Bench:
    """A bench with the shipped servers in this interpreter, whose packages are those given or the real ones."""
    servers = plugins.load_servers()
    names = distributions(text for server in servers.values() for text in server.requires)
    more = ("uvicorn-worker", "uvloop", "httptools", "h11", "h2", "zttp", "rloop", "trio")
    venue = Venue(path=sys.executable, versions=versions or installed(sys.executable, (*names, *more)))
    plain = applications.builtin_app("plaintext")
    return replace(bench, servers=servers, venues={wanted(wish): venue}, apps={wish.app: plain}, patience=Patience())


def records(bench: Bench, plan: Plan) -> Iterator[Found]:
    """Measure a plan that has neither looks nor open loops."""
    header = RunHeader(
        id="faults",
        started_at="2026-01-01T00:00:00Z",
        argv=(),
        seed=plan.seed,
        rounds=plan.rounds,
        noise=plan.noise,
        generators=(),
        host=Host(system="Linux", cpu="any", cores=2, memory_bytes=2**30, python="3"),
        versions=(),
        git="",
        cells=(),
        excluded=(),
    )
    course = Course(decide=lambda look: Decision(round=look.round, alpha=look.alpha), paces=tuple)
    return run.measure(bench, plan, Run(header=header, proofs=(), samples=()), lambda _: None, course)


def first(bench: Bench, wish: Cell) -> Found:
    """Return what comes first of a plan of one cell, besides what its generator can do."""
    plan = Plan(cells=(wish,), excluded=(), apps=(), rounds=1, seed=1, noise=ANY_NOISE)
    return next(record for record in records(bench, plan) if not isinstance(record, Ceiling))
