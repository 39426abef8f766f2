"""Matrix -> Plan: every cell once, with what is excluded and why, how long it takes, and the choice of cells by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

from servermatrix.config.axes import DEFAULT
from servermatrix.config.matrix import Matrix
from servermatrix.contracts import Launch, LoadGenerator, Server
from servermatrix.errors import ConfigProblems, NothingSelected, UsageProblem
from servermatrix.expand import Draft, Pairs, effective, expand
from servermatrix.globs import any_matches
from servermatrix.model import App, Cell, Excluded, Load, Plan
from servermatrix.suggest import did_you_mean, listed

# Protocol -> the generator that drives it: its name and its plug-in.
Drivers = Mapping[str, tuple[str, LoadGenerator]]

EXCLUDED_BY_USER = "excluded by matrix.yaml"
STEP_OVERHEAD_S = 0.9
PROOF_S = 1.0


def make_plan(
    matrix: Matrix,
    servers: Mapping[str, Server],
    apps: Mapping[str, App],
    drivers: Drivers,
    seed: int,
    *,
    keep: tuple[str, ...] = (),
) -> Plan:
    """Combine the matrix into cells; `keep` selects ids by glob.

    Raises ConfigProblems when the matrix leaves no cell, NothingSelected when `keep` does not, UsageProblem for an app
    that is not in `apps`.
    """
    _check_apps(matrix, apps)
    cells, excluded = _sorted_out(matrix, servers, _builder(matrix, servers, drivers), _objector(servers, apps, drivers))
    if not cells:
        raise ConfigProblems((_no_cells(excluded),))
    if keep:
        cells, excluded = _selected(cells, excluded, keep)
    return Plan(
        cells=tuple(cells.values()),
        excluded=tuple(excluded.values()),
        apps=tuple(apps[name] for name in dict.fromkeys(cell.app for cell in cells.values())),
        rounds=matrix.rounds,
        seed=seed,
        noise=matrix.noise,
    )


def _sorted_out(
    matrix: Matrix,
    servers: Mapping[str, Server],
    build: Callable[[Draft], Cell],
    object_to: Callable[[Cell], str | None],
) -> tuple[dict[str, Cell], dict[str, Excluded]]:
    """Return by id what runs and what does not: first what the user excluded, then what cannot run."""
    kept, removed = expand(matrix, servers)
    found = dict(_by_id(map(build, kept)))
    reasons = {cell_id: object_to(cell) for cell_id, cell in found.items()}
    excluded = {
        cell_id: Excluded(id=cell_id, reason=EXCLUDED_BY_USER)
        for cell_id, _ in _by_id(map(build, removed))
        if cell_id not in found
    }
    excluded |= {cell_id: Excluded(id=cell_id, reason=reason) for cell_id, reason in reasons.items() if reason is not None}
    return {cell_id: cell for cell_id, cell in found.items() if reasons[cell_id] is None}, excluded


def impossible(
    matrix: Matrix, servers: Mapping[str, Server], drivers: Drivers, keep: tuple[str, ...] = ()
) -> tuple[tuple[Cell, str], ...]:
    """Return the cells that their server cannot run, each with the sentence.

    What the user excluded is not among them, nor what only the generator or the app cannot do.
    """
    object_to = _server_objector(servers)
    kept, _ = expand(matrix, servers)
    cells = _by_id(map(_builder(matrix, servers, drivers), kept))
    said = ((cell, object_to(cell)) for cell_id, cell in cells if not keep or any_matches(cell_id, keep))
    return tuple((cell, reason) for cell, reason in said if reason is not None)


@dataclass(frozen=True, slots=True)
class _Setting:
    options: Pairs
    label: str
    interface: str


def _setting(server: Server, chosen: Pairs, protocol: str) -> _Setting:
    options = effective(server, chosen, protocol)
    shown = (f"{name}={value}" for name, value in options if server.options[name].in_id or value != server.options[name].default)
    return _Setting(options, ",".join(shown), server.interface(_some_launch(options, protocol, 1)))


def _builder(matrix: Matrix, servers: Mapping[str, Server], drivers: Drivers) -> Callable[[Draft], Cell]:
    """Return the function that makes a cell of a draft; what many cells share is made once."""

    @cache
    def setting(server: str, chosen: Pairs, protocol: str) -> _Setting:
        return _setting(servers[server], chosen, protocol)

    @cache
    def load(protocol: str, connections: int, streams: int, requests_per_connection: int) -> Load:
        return Load(
            generator=drivers[protocol][0],
            connections=connections,
            threads=matrix.load.threads,
            duration_s=matrix.load.duration_s,
            warmup_s=matrix.load.warmup_s,
            windows=matrix.load.windows,
            streams=max(1, streams),
            requests_per_connection=requests_per_connection,
        )

    def build(draft: Draft) -> Cell:
        found = setting(draft.server, draft.options + draft.added, draft.protocol)
        return Cell(
            server=draft.server,
            options=found.options,
            label=found.label,
            protocol=draft.protocol,
            workers=draft.workers,
            app=draft.app,
            load=load(draft.protocol, draft.connections, draft.streams, draft.requests_per_connection),
            interface=found.interface,
            python="" if draft.python == DEFAULT else draft.python,
            requires=() if draft.requires == DEFAULT else tuple(draft.requires.split()),
        )

    return build


def _by_id(cells: Iterable[Cell]) -> Iterator[tuple[str, Cell]]:
    """Yield the first cell of each id: combinations that differ only in options that do not apply are one."""
    seen: set[str] = set()
    for cell in cells:
        cell_id = cell.id
        if cell_id not in seen:
            seen.add(cell_id)
            yield cell_id, cell


def _objector(servers: Mapping[str, Server], apps: Mapping[str, App], drivers: Drivers) -> Callable[[Cell], str | None]:
    """Return the function that says why a cell cannot run: for its server, its generator or its app."""
    of_server = _server_objector(servers)

    def object_to(cell: Cell) -> str | None:
        said, (generator, plugin), load = of_server(cell), drivers[cell.protocol], cell.load
        if said is not None:
            return said
        if cell.protocol not in plugin.protocols:
            return f"{generator} does not speak {cell.protocol}"
        if load.requests_per_connection and not plugin.reconnects:
            return f"{generator} keeps its connections: it cannot open a new one per {load.requests_per_connection} requests"
        if apps[cell.app].target_for(cell.interface) is None:
            return f"the app {cell.app} is not written for {cell.interface.upper()}"
        return None

    return object_to


def _server_objector(servers: Mapping[str, Server]) -> Callable[[Cell], str | None]:
    """Return the function that says why a server cannot run a cell; it asks the plug-in once, whatever the apps and loads."""

    @cache
    def objection(server: str, options: Pairs, protocol: str, workers: int) -> str | None:
        if protocol not in servers[server].protocols:
            return f"{server} does not speak {protocol}"
        return servers[server].objection(_some_launch(options, protocol, workers))

    return lambda cell: objection(cell.server, cell.options, cell.protocol, cell.workers)


def _some_launch(options: Pairs, protocol: str, workers: int) -> Launch:
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


def _no_cells(excluded: Mapping[str, Excluded]) -> str:
    reasons = dict.fromkeys(item.reason for item in excluded.values())
    return f"matrix.yaml leaves no cell to run: {len(excluded)} excluded ({listed(reasons)})"


def _selected(
    cells: dict[str, Cell], excluded: dict[str, Excluded], keep: tuple[str, ...]
) -> tuple[dict[str, Cell], dict[str, Excluded]]:
    chosen = {cell_id: cell for cell_id, cell in cells.items() if any_matches(cell_id, keep)}
    left_out = {cell_id: item for cell_id, item in excluded.items() if any_matches(cell_id, keep)}
    if chosen:
        return chosen, left_out
    for item in left_out.values():
        raise NothingSelected(f"{listed(keep)} selects only what is excluded", f"{item.id}: {item.reason}")
    some = listed(islice(cells, 3))
    raise NothingSelected(
        f"no cell matches {listed(keep)}",
        f"there are {len(cells)} cells, such as {some}; see them all with: python3 run_matrix.py plan",
    )


def _check_apps(matrix: Matrix, apps: Mapping[str, App]) -> None:
    for name in matrix.axes.app:
        if name not in apps:
            raise UsageProblem(f"there is no app {name!r}; there are {listed(apps)}{did_you_mean(name, apps)}")


def seconds_per_step(load: Load) -> float:
    """Return how long a start of a server takes, in seconds: its load and what goes on around it."""
    return load.warmup_s + load.windows * load.duration_s + STEP_OVERHEAD_S


def estimate_s(plan: Plan) -> float:
    """Return how long the run takes, in seconds, if nothing has to be repeated."""
    return _proofs_s(plan) + plan.rounds * _round_s(plan)


def fit_rounds(plan: Plan, budget_s: float) -> Plan:
    """Return the plan with as many rounds as fit into the seconds; UsageProblem when not even one does."""
    rounds = int((budget_s - _proofs_s(plan)) / _round_s(plan))
    if rounds < 1:
        need_s = _proofs_s(plan) + _round_s(plan)
        raise UsageProblem(
            f"{budget_s:.0f} s are too short: one round of {len(plan.cells)} cells takes {need_s:.0f} s",
            "choose fewer cells with -k, or a shorter --duration",
        )
    return replace(plan, rounds=rounds)


def _round_s(plan: Plan) -> float:
    return sum(seconds_per_step(cell.load) for cell in plan.cells)


def _proofs_s(plan: Plan) -> float:
    return PROOF_S * len({(cell.setting, cell.protocol, cell.workers) for cell in plan.cells})
