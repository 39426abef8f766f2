"""The first record of a run file: what was planned, with which commands, on which machine, with which versions."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from servermatrix import __version__, pins, plugins, store
from servermatrix.contracts import BACKLOG, GRACEFUL_S, KEEP_ALIVE_S, Launch, LoadGenerator, Shot
from servermatrix.errors import Unfit
from servermatrix.measure.bench import HOST, Wanted, wanted
from servermatrix.measure.code import code_state
from servermatrix.measure.host import fingerprint, git_state, layout_of
from servermatrix.measure.window import TIMEOUT_SPARE_S
from servermatrix.model import ENCRYPTED, HTTP2, App, Cell, Host, Load, Plan, PlannedCell, RunHeader, Side, Trial
from servermatrix.prepare import Prepared, Setup
from servermatrix.secret_headers import without_header_values
from servermatrix.venues import Venues

SHOWN_PORT = 8000
CODE = "code of "
CHANGED = re.compile(r"\+(?=,|$)")


def describe(prepared: Prepared, setup: Setup, venues: Venues, now: datetime) -> RunHeader:
    """Make the first record of the run file."""
    plan = prepared.plan
    return RunHeader(
        id=store.new_run_id(now, secrets.token_hex(2)),
        started_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        argv=setup.argv,
        seed=plan.seed,
        rounds=plan.rounds,
        noise=plan.noise,
        generators=tuple((each.name, each.version) for each in prepared.generators.values()),
        host=fingerprint(layout_of(setup.pin, plan.cells)),
        versions=tuple(sorted([("servermatrix", __version__), *venues.versions()])),
        git=git_state(Path.cwd()),
        cells=planned_cells(prepared, venues),
        excluded=plan.excluded,
        apps=tuple(map(without_values, plan.apps)),
        settings=(*setup.stored(), *prepared.settings, *code_of(plan)),
        equalised=() if prepared.simulation else tuple(equalised(plan)),
        looks=plan.looks,
        budget_s=plan.budget_s,
        trial=None if plan.trial is None else tried(plan.trial, venues),
        race=plan.race,
    )


def without_values(app: App) -> App:
    """Return an app with the names of its environment variables alone: their values may be secrets."""
    return replace(app, env=tuple((name, "") for name, _ in app.env))


def tried(trial: Trial, venues: Venues) -> Trial:
    """Return what a check tries with what was found of both sides: all that is installed, and the state of its app's folder."""

    def found(side: Side) -> Side:
        venue = venues.of_side(side.name)
        # In a simulation nothing is installed: what is pinned stands for it.
        versions = tuple(pins.pinned(side.requires)) if venue is None else venue.contents
        return replace(side, versions=versions, git=_state(Path(side.app_dir)) if side.app_dir else "")

    return replace(trial, baseline=found(trial.baseline), candidate=found(trial.candidate))


def _state(folder: Path) -> str:
    """Tell a state of a folder of an app from others: by its commit, where there is one, and by what its files hold."""
    return ", ".join(filter(None, (git_state(folder), code_state(folder))))


def code_of(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the state of the folder of every app that is the user's, as it is stored for those who want to go on.

    In a check whose sides have folders of their own nothing is imported from there.
    """
    apps = () if plan.trial is not None and plan.trial.baseline.app_dir else plan.apps
    for app in apps:
        if app.folder != str(plugins.builtin_root()):
            yield f"{CODE}{app.name}", code_state(Path(app.folder))


def equalised(plan: Plan) -> Iterator[str]:
    """Say what was asked of every server alike, a sentence each."""
    yield (
        f"every server that lets one choose was asked for a backlog of {BACKLOG}, an idle keep-alive time of {KEEP_ALIVE_S} s, "
        f"{GRACEFUL_S} s to end in, and no log below warnings"
    )
    logging = any(("access_log", "on") in cell.options for cell in plan.cells)
    yield "access logs are off" + (" but where a row says that its is on, which then goes to a file" if logging else "")
    yield "every start is in an empty folder, with the same few environment variables, on a free port of 127.0.0.1"
    if any(cell.protocol in ENCRYPTED for cell in plan.cells):
        yield "all servers present the same certificate, made for this run, with a key on P-256"
    if any(cell.protocol in HTTP2 - ENCRYPTED for cell in plan.cells):
        yield "HTTP/2 in the clear is spoken from the first byte on (prior knowledge), without an upgrade from HTTP/1.1"


def planned_cells(prepared: Prepared, venues: Venues) -> tuple[PlannedCell, ...]:
    """Say with which commands each cell is started and driven, on a port chosen for show.

    Cells that differ in their load only share the command of the server, and the other way round.
    """

    @cache
    def launched(key: LaunchKey) -> PlannedCell:
        server, python = prepared.servers[key.server], venues.shown_python(key.venue)
        launch = _shown_launch(python, prepared.apps[key.app], key)
        to_paste = prepared.plan.race is not None
        return PlannedCell(
            cell=prepared.plan.cells[0],
            argv=tuple(server.argv(launch)),
            load_argv=(),
            unequal=server.unequal(launch),
            settings=tuple(server.settings(launch).items()) if to_paste else (),
            settings_argv=server.settings_argv(launch) if to_paste else (),
        )

    @cache
    def load_argv(load: Load, app: str, protocol: str) -> tuple[str, ...]:
        plugin = prepared.generators[load.generator].plugin
        return without_header_values(plugin.argv(_shown_shot(plugin, load, prepared.apps[app], protocol)))

    def planned(cell: Cell) -> PlannedCell:
        key = LaunchKey(cell.server, cell.options, cell.protocol, cell.workers, cell.app, cell.interface, wanted(cell))
        return replace(launched(key), cell=cell, load_argv=load_argv(cell.load, cell.app, cell.protocol))

    return tuple(map(planned, prepared.plan.cells))


class LaunchKey(NamedTuple):
    """What a server's command line depends on, besides port and folder."""

    server: str
    options: tuple[tuple[str, str], ...]
    protocol: str
    workers: int
    app: str
    interface: str
    venue: Wanted


def _shown_launch(python: str, app: App, key: LaunchKey) -> Launch:
    return Launch(
        python=python,
        target=app.target_for(key.interface) or app.target,
        host=HOST,
        port=SHOWN_PORT,
        workers=key.workers,
        protocol=key.protocol,
        options=dict(key.options),
        folder=".",
        factory=app.factory,
        lifespan=app.lifespan,
    )


def _shown_shot(plugin: LoadGenerator, load: Load, app: App, protocol: str) -> Shot:
    return Shot(
        program=plugin.program,
        url=f"{'https' if protocol in ENCRYPTED else 'http'}://{HOST}:{SHOWN_PORT}{app.request.path}",
        protocol=protocol,
        streams=load.streams,
        requests_per_connection=load.requests_per_connection,
        request=app.request,
        connections=load.connections,
        threads=load.threads,
        duration_s=load.duration_s,
        timeout_s=load.duration_s + TIMEOUT_SPARE_S,
        folder=".",
        result="result",
        mix=app.mix,
    )


def check_same(stored: RunHeader, now: RunHeader) -> None:
    """Refuse to mix machines, versions or generators in one run; Unfit names what differs."""
    pairs = (
        ("the machine", replace(stored.host, pinned=""), replace(now.host, pinned="")),
        ("how the cores are split", _split(stored.host), _split(now.host)),
        ("the installed versions", stored.versions, now.versions),
        ("what one of the sides has installed, or the code of its app,", _settled(stored.trial), _settled(now.trial)),
        ("the code of the app", _code(stored), _code(now) if _code(stored) else {}),
        ("the load generators", stored.generators, now.generators),
    )
    for what, before, after in pairs:
        if before != after:
            raise Unfit(f"{what} changed since run {stored.id} began", "start a new run: leave --resume out")


def _settled(trial: Trial | None) -> Trial | None:
    """Return what may not change of a trial: not that a folder has changes beside its commit: reports may be written there."""
    if trial is None:
        return None
    baseline, candidate = (replace(side, git=CHANGED.sub("", side.git)) for side in (trial.baseline, trial.candidate))
    return replace(trial, baseline=baseline, candidate=candidate)


def _code(header: RunHeader) -> dict[str, str]:
    """Return what a header says of the code of the apps; nothing in a run that was stored before that was looked at."""
    return {name: state for name, state in header.settings if name.startswith(CODE)}


def _split(host: Host) -> str:
    """Return which cores are whose, without the reason, which is told in other words from version to version."""
    return host.pinned.partition(": ")[0]
