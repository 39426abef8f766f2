"""The first record of a run file: what was planned, with which commands, on which machine, with which versions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from servermatrix import __version__, store
from servermatrix.contracts import Launch, LoadGenerator, Shot
from servermatrix.errors import Unfit
from servermatrix.measure.bench import HOST
from servermatrix.measure.environments import distributions, installed
from servermatrix.measure.host import fingerprint, git_state, layout, usable_cores
from servermatrix.measure.window import TIMEOUT_SPARE_S
from servermatrix.model import App, Load, PlannedCell, RunHeader
from servermatrix.prepare import Prepared, Setup

SHOWN_PORT = 8000

Options = tuple[tuple[str, str], ...]


def versions_needed(prepared: Prepared, setup: Setup) -> dict[str, str | None]:
    """Read the versions of everything that the plan's servers are made of, in the servers' interpreter."""
    if prepared.generator.plugin.simulate is not None:
        return {}
    names: set[str] = set()
    for cell in prepared.plan.cells:
        server = prepared.servers[cell.server]
        launch = _shown_launch(setup.python, prepared.apps[cell.app], cell.options, cell.protocol, cell.workers)
        names.update(distributions((*server.requires, *server.needs(launch))))
    return installed(setup.python, names)


def describe(prepared: Prepared, setup: Setup, versions: Mapping[str, str | None], now: datetime) -> RunHeader:
    """Make the first record of the run file."""
    plan = prepared.plan
    threads = max(cell.load.threads for cell in plan.cells)
    return RunHeader(
        id=store.new_run_id(now, secrets.token_hex(2)),
        started_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        argv=setup.argv,
        seed=plan.seed,
        rounds=plan.rounds,
        noise=plan.noise,
        generator=prepared.generator.name,
        generator_version=prepared.generator.version,
        host=fingerprint(layout(setup.pin, usable_cores(), threads)),
        versions=tuple(sorted([("servermatrix", __version__), *((name, each) for name, each in versions.items() if each)])),
        git=git_state(Path.cwd()),
        cells=planned_cells(prepared, setup),
        excluded=plan.excluded,
        apps=plan.apps,
        settings=setup.stored(),
    )


def planned_cells(prepared: Prepared, setup: Setup) -> tuple[PlannedCell, ...]:
    """Say with which commands each cell is started and driven, on a port chosen for show.

    Cells that differ in their load only share the command of the server, and the other way round.
    """
    python = setup.shown_python()

    @cache
    def argv(server: str, options: Options, protocol: str, workers: int, app: str) -> tuple[str, ...]:
        launch = _shown_launch(python, prepared.apps[app], options, protocol, workers)
        return tuple(prepared.servers[server].argv(launch))

    @cache
    def load_argv(load: Load, app: str) -> tuple[str, ...]:
        plugin = prepared.generator.plugin
        return tuple(plugin.argv(_shown_shot(plugin, load, prepared.apps[app])))

    return tuple(
        PlannedCell(
            cell=cell,
            argv=argv(cell.server, cell.options, cell.protocol, cell.workers, cell.app),
            load_argv=load_argv(cell.load, cell.app),
            unequal=prepared.servers[cell.server].unequal,
        )
        for cell in prepared.plan.cells
    )


def _shown_launch(python: str, app: App, options: Options, protocol: str, workers: int) -> Launch:
    return Launch(
        python=python,
        target=app.target,
        host=HOST,
        port=SHOWN_PORT,
        workers=workers,
        protocol=protocol,
        options=dict(options),
        folder=".",
    )


def _shown_shot(plugin: LoadGenerator, load: Load, app: App) -> Shot:
    return Shot(
        program=plugin.program,
        url=f"http://{HOST}:{SHOWN_PORT}{app.request.path}",
        request=app.request,
        connections=load.connections,
        threads=load.threads,
        duration_s=load.duration_s,
        timeout_s=load.duration_s + TIMEOUT_SPARE_S,
        folder=".",
        result="result.json",
    )


def check_same(stored: RunHeader, now: RunHeader) -> None:
    """Refuse to mix machines, versions or generators in one run; Unfit names what differs."""
    pairs = (
        ("machine", stored.host, now.host),
        ("installed versions", stored.versions, now.versions),
        ("generator", (stored.generator, stored.generator_version), (now.generator, now.generator_version)),
    )
    for what, before, after in pairs:
        if before != after:
            raise Unfit(f"the {what} changed since run {stored.id} began", "start a new run: leave --resume out")
