"""Matrix -> Plan: every cell once, with what is excluded and why, and the choice of cells by id."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice

from servermatrix.config.axes import DEFAULT
from servermatrix.config.matrix import Matrix
from servermatrix.contracts import Server
from servermatrix.duplicate import with_duplicate
from servermatrix.errors import ConfigProblems, NothingSelected, UsageProblem
from servermatrix.expand import Draft, Pairs, effective, expand
from servermatrix.globs import any_matches
from servermatrix.lanes import NO_CAPACITY, Drivers, closed_twin, lane, without_capacity
from servermatrix.model import App, Cell, Excluded, Load, Plan
from servermatrix.objections import objector, server_objector, some_launch
from servermatrix.suggest import did_you_mean, listed

EXCLUDED_BY_USER = "excluded by matrix.yaml"


def make_plan(
    matrix: Matrix,
    servers: Mapping[str, Server],
    apps: Mapping[str, App],
    drivers: Drivers,
    seed: int,
    *,
    keep: tuple[str, ...] = (),
    missing: Collection[str] = (),
) -> Plan:
    """Combine the matrix into cells, one of which is measured twice.

    `keep` selects ids by glob; a cell of an open loop brings the closed loop that its rate is a part of. `missing` are the
    generators known not to be here.

    Raises ConfigProblems when the matrix leaves no cell, NothingSelected when `keep` does not, UsageProblem for an app
    that is not in `apps`.
    """
    _check_apps(matrix, apps)
    found = _sorted_out(matrix, servers, _builder(matrix, servers, drivers), objector(servers, apps, drivers))
    cells, excluded = _with_capacity(*found)
    if not cells:
        raise ConfigProblems((_no_cells(excluded),))
    if keep:
        cells, excluded = _selected(cells, excluded, keep)
    chosen = Plan(
        cells=tuple(cells.values()),
        excluded=tuple(excluded.values()),
        apps=tuple(apps[name] for name in dict.fromkeys(cell.app for cell in cells.values())),
        rounds=matrix.rounds,
        seed=seed,
        noise=matrix.noise,
    )
    return with_duplicate(chosen, missing)


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


def _with_capacity(cells: dict[str, Cell], excluded: dict[str, Excluded]) -> tuple[dict[str, Cell], dict[str, Excluded]]:
    """Exclude the cells of an open loop whose rate nothing would set."""
    lost = without_capacity(cells)
    if not lost:
        return cells, excluded
    kept = {cell_id: cell for cell_id, cell in cells.items() if cell_id not in lost}
    return kept, excluded | {cell_id: Excluded(id=cell_id, reason=NO_CAPACITY) for cell_id in cells if cell_id in lost}


def impossible(
    matrix: Matrix, servers: Mapping[str, Server], drivers: Drivers, keep: tuple[str, ...] = ()
) -> tuple[tuple[Cell, str], ...]:
    """Return the cells that their server cannot run, each with the sentence.

    What the user excluded is not among them, nor what only the generator or the app cannot do.
    """
    object_to = server_objector(servers)
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
    return _Setting(options, ",".join(shown), server.interface(some_launch(options, protocol, 1)))


def _builder(matrix: Matrix, servers: Mapping[str, Server], drivers: Drivers) -> Callable[[Draft], Cell]:
    """Return the function that makes a cell of a draft; what many cells share is made once."""

    @cache
    def setting(server: str, chosen: Pairs, protocol: str) -> _Setting:
        return _setting(servers[server], chosen, protocol)

    @cache
    def load(protocol: str, connections: int, streams: int, requests_per_connection: int, rate: int) -> Load:
        return Load(
            generator=drivers[lane(protocol, rate)][0],
            connections=connections,
            threads=matrix.load.threads,
            duration_s=matrix.load.duration_s,
            warmup_s=matrix.load.warmup_s,
            windows=matrix.load.windows,
            streams=max(1, streams),
            requests_per_connection=requests_per_connection,
            rate_percent=rate,
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
            load=load(draft.protocol, draft.connections, draft.streams, draft.requests_per_connection, draft.rate),
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


def _no_cells(excluded: Mapping[str, Excluded]) -> str:
    reasons = dict.fromkeys(item.reason for item in excluded.values())
    return f"matrix.yaml leaves no cell to run: {len(excluded)} excluded ({listed(reasons)})"


def _selected(
    cells: dict[str, Cell], excluded: dict[str, Excluded], keep: tuple[str, ...]
) -> tuple[dict[str, Cell], dict[str, Excluded]]:
    wanted = {cell_id: cell for cell_id, cell in cells.items() if any_matches(cell_id, keep)}
    twins = {closed_twin(cell).id for cell in wanted.values() if cell.load.rate_percent}
    selected = {cell_id: cell for cell_id, cell in cells.items() if cell_id in wanted or cell_id in twins}
    left_out = {cell_id: item for cell_id, item in excluded.items() if any_matches(cell_id, keep)}
    chosen, left_out = _with_capacity(selected, left_out)
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
