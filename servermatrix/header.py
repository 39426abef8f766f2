"""The first record of a run file: what was planned, with which commands, on which machine, with which versions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from servermatrix import store
from servermatrix.contracts import Launch, LoadGenerator, Shot
from servermatrix.errors import Unfit
from servermatrix.measure.bench import launch_of
from servermatrix.measure.environments import distributions, installed
from servermatrix.measure.host import fingerprint, git_state, layout, usable_cores
from servermatrix.model import App, Cell, PlannedCell, RunHeader
from servermatrix.prepare import Prepared, Setup

SHOWN_PORT = 8000


def versions_needed(prepared: Prepared, setup: Setup) -> dict[str, str | None]:
    """Read the versions of everything that the plan's servers are made of, in the servers' interpreter."""
    if prepared.generator.plugin.simulate is not None:
        return {}
    names: set[str] = set()
    for cell in prepared.plan.cells:
        server = prepared.servers[cell.server]
        names.update(distributions((*server.requires, *server.needs(_shown_launch(cell, prepared, setup)))))
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
        versions=tuple(sorted((name, version) for name, version in versions.items() if version is not None)),
        git=git_state(Path.cwd()),
        cells=tuple(planned_cell(cell, prepared, setup) for cell in plan.cells),
        excluded=plan.excluded,
        apps=plan.apps,
        settings=setup.stored(),
    )


def planned_cell(cell: Cell, prepared: Prepared, setup: Setup) -> PlannedCell:
    """Say with which commands a cell is started and driven, on a port chosen for show."""
    server, app = prepared.servers[cell.server], prepared.apps[cell.app]
    return PlannedCell(
        cell=cell,
        argv=tuple(server.argv(_shown_launch(cell, prepared, setup))),
        load_argv=tuple(prepared.generator.plugin.argv(_shown_shot(cell, app, prepared.generator.plugin))),
        unequal=server.unequal,
    )


def _shown_launch(cell: Cell, prepared: Prepared, setup: Setup) -> Launch:
    target = prepared.apps[cell.app].target
    return launch_of(cell, python=setup.shown_python(), target=target, port=SHOWN_PORT, folder=".")


def _shown_shot(cell: Cell, app: App, load: LoadGenerator) -> Shot:
    return Shot(
        program=load.program,
        url=f"http://127.0.0.1:{SHOWN_PORT}{app.request.path}",
        request=app.request,
        connections=cell.load.connections,
        threads=cell.load.threads,
        duration_s=cell.load.duration_s,
        timeout_s=cell.load.duration_s + 5,
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
