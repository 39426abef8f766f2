"""Why a combination cannot run: its server, its generator or its app says so; nothing is started here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

from servermatrix.contracts import Launch, LoadGenerator, Server
from servermatrix.expand import Pairs
from servermatrix.lanes import Drivers, lane
from servermatrix.model import App, Cell
from servermatrix.suggest import listed

ANY_APP = App(name="any", target="app:app", folder=".")


def objector(servers: Mapping[str, Server], apps: Mapping[str, App], drivers: Drivers) -> Callable[[Cell], str | None]:
    """Return the function that says why a cell cannot run: for its server, its generator or its app."""
    of_server = server_objector(servers, apps)

    def object_to(cell: Cell) -> str | None:
        if (said := of_server(cell)) is not None:
            return said
        if (
            said := _unable(cell, *drivers[lane(cell.protocol, cell.load.rate_percent)], mix=bool(apps[cell.app].mix))
        ) is not None:
            return said
        if apps[cell.app].target_for(cell.interface) is None:
            return f"the app {cell.app} is not written for {cell.interface.upper()}"
        return None

    return object_to


def _unable(cell: Cell, generator: str, plugin: LoadGenerator, *, mix: bool) -> str | None:
    """Say why a generator cannot drive a cell, of whose app it may be to ask a `mix` of requests."""
    reuse, at_a_rate = cell.load.requests_per_connection, cell.load.rate_percent > 0
    if cell.protocol not in plugin.protocols:
        spoken = f"sends at a fixed rate in {listed(plugin.protocols)} only, not in" if at_a_rate else "does not speak"
        return f"{generator} {spoken} {cell.protocol}"
    if reuse and (at_a_rate or not plugin.reconnects):
        keeps = "keeps its connections at a fixed rate" if at_a_rate else "keeps its connections"
        return f"{generator} {keeps}: it cannot open a new one per {reuse} requests"
    return f"{generator} sends one request over and over: it cannot send a mix" if mix and not plugin.mixes else None


def server_objector(servers: Mapping[str, Server], apps: Mapping[str, App] | None = None) -> Callable[[Cell], str | None]:
    """Return the function that says why a server cannot run a cell; it asks the plug-in once, whatever the loads.

    Without `apps` it is asked for any app.
    """
    named = apps or {}

    @cache
    def objection(server: str, options: Pairs, protocol: str, workers: int, app: tuple[bool, str]) -> str | None:
        if protocol not in servers[server].protocols:
            return f"{server} does not speak {protocol}"
        factory, lifespan = app
        launch = replace(some_launch(options, protocol, workers), factory=factory, lifespan=lifespan)
        return servers[server].objection(launch)

    def object_to(cell: Cell) -> str | None:
        app = named.get(cell.app, ANY_APP)
        return objection(cell.server, cell.options, cell.protocol, cell.workers, (app.factory, app.lifespan))

    return object_to


def some_launch(options: Pairs, protocol: str, workers: int) -> Launch:
    """Describe a start that will not happen: an objection depends on the combination, not on port or folder."""
    return Launch(
        python="python",
        target="app:app",
        host="127.0.0.1",
        port=8000,
        workers=workers,
        protocol=protocol,
        options=dict(options),
        folder=".",
    )
