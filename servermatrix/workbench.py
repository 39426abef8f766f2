"""Puts together what all starts of a plan share: venues, generators, certificate, ports and the split of the cores."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from servermatrix import store
from servermatrix.errors import Unfit
from servermatrix.generators import Generator
from servermatrix.measure.bench import Bench, Driver
from servermatrix.measure.certificate import make_certificate
from servermatrix.measure.hooks import Hooks, around
from servermatrix.measure.host import layout_of
from servermatrix.measure.probe import Patience, free_port, port_is_free
from servermatrix.measure.process import Guard
from servermatrix.measure.quiet import nobody
from servermatrix.model import ENCRYPTED, Trial
from servermatrix.prepare import CLEANUP, PREPARE, Prepared, Setup
from servermatrix.venues import Venues


def make_bench(
    prepared: Prepared, setup: Setup, venues: Venues, guard: Guard, logs: Path, *, tell: Callable[[str], None] = nobody
) -> Bench:
    """Put together what all starts of a plan share; `tell` says a sentence to whoever watches."""
    plan = prepared.plan
    encrypted = any(cell.protocol in ENCRYPTED for cell in plan.cells)
    return Bench(
        venues=venues.by_want,
        servers=prepared.servers,
        apps={app.name: app for app in plan.apps},
        witness=prepared.witness,
        drivers={name: _driver(generator) for name, generator in prepared.generators.items()},
        guard=guard,
        logs=logs.resolve(),
        noise=plan.noise,
        certificate=make_certificate() if encrypted else None,
        app_dirs=app_dirs(plan.trial),
        layout=layout_of(setup.pin, plan.cells),
        patience=Patience(ready_s=setup.ready_s),
        tell=tell,
        pick_port=fixed_port(setup.port) if setup.port else free_port,
    )


@contextlib.contextmanager
def readied(prepared: Prepared, setup: Setup, tell: Callable[[str], None]) -> Iterator[None]:
    """Run the user's command before all starts, and the other one after them; a simulation starts nothing and needs neither.

    Raises Unfit where the first fails, or another run is measuring: what readies a database must not disturb who uses it.
    """
    commands = dict(prepared.settings)
    before, after = commands.get(PREPARE, ""), commands.get(CLEANUP, "")
    if prepared.simulation is not None or not (before or after):
        yield
        return
    with store.locked(setup.out):
        pass
    named = [app for app in prepared.plan.apps if app.name == app.target]  # as the user's own are, and no other
    app = (named or prepared.plan.apps)[0]
    with around(Hooks(folder=Path(app.folder), prepare=before, cleanup=after, env=app.env), tell):
        yield


def app_dirs(trial: Trial | None) -> dict[str, str]:
    """Return by side the folder of its app, for the sides that have one of their own."""
    sides = () if trial is None else (trial.baseline, trial.candidate)
    return {side.name: side.app_dir for side in sides if side.app_dir}


def _driver(generator: Generator) -> Driver:
    missing = f"{generator.missing}; {generator.tip}" if generator.missing else ""
    return Driver(plugin=generator.plugin, program=generator.program, env=generator.env, missing=missing)


def fixed_port(port: int) -> Callable[[str], int]:
    """Return a chooser that always chooses this port; Unfit when somebody has it."""

    def choose(host: str) -> int:
        if not port_is_free(host, port):
            raise Unfit(f"port {port} is taken by another program", "end that program, or leave --port out")
        return port

    return choose
