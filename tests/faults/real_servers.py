"""The shipped servers on a bench of the fault tests: what is started, and what comes of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

from servermatrix import plugins
from servermatrix.config import applications
from servermatrix.measure import run
from servermatrix.measure.bench import Bench, Venue, wanted
from servermatrix.measure.environments import distributions, installed
from servermatrix.measure.probe import Patience
from servermatrix.model import App, Cell, Expect, Load, Noise, Plan, Proof, Request, Sample

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


def first(bench: Bench, wish: Cell) -> Proof | Sample:
    """Return the first record of a plan of one cell."""
    plan = Plan(cells=(wish,), excluded=(), apps=(), rounds=1, seed=1, noise=ANY_NOISE)
    return next(iter(run.measure(bench, plan, frozenset(), lambda _: None)))
