"""From what the user typed to what will run: reads plug-ins and matrix.yaml, applies the selectors, makes the plan."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from servermatrix import plan, plugins
from servermatrix.config import applications
from servermatrix.config.environment import Variables, given_again
from servermatrix.config.matrix import Matrix, read_matrix
from servermatrix.config.overrides import Overrides, override
from servermatrix.contracts import LoadGenerator, Server
from servermatrix.effort import fit_budget
from servermatrix.errors import Unfit
from servermatrix.generators import Generator, Search, choose_generators, find_generator
from servermatrix.lanes import OPEN_LOOP, Drivers, lanes
from servermatrix.model import App, Cell, Plan, RunHeader
from servermatrix.places import matrix_path, tools_folder

PREPARE, CLEANUP = "prepare", "cleanup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The selectors of the command line; None or empty: as matrix.yaml says.

    `env` are the environment variables given for an app, also for that of a stored run; `prepare` and `cleanup` are shell
    commands before and after all starts.
    """

    matrix: Path | None = None
    profile: str = "quick"
    keep: tuple[str, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)
    plugin_folders: tuple[Path, ...] = ()
    env: Variables = ()
    prepare: str = ""
    cleanup: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a run is conducted, whatever it measures; `model` is what a simulation answers from.

    With `overlay` servers that the interpreter does not have get environments of their own beside it.
    """

    out: Path
    argv: tuple[str, ...]
    python: str = sys.executable
    pin: str = "auto"
    port: int = 0
    ready_s: int = 20
    fail_fast: bool = False
    overlay: bool = False
    model: Mapping[str, object] = field(default_factory=dict)

    def stored(self) -> tuple[tuple[str, str], ...]:
        """Return what a resumed run needs of it, as texts."""
        model = json.dumps(self.model, default=str)  # in its own order, for later entries override earlier ones
        return (
            ("model", model),
            ("overlay", "on" if self.overlay else "off"),
            ("pin", self.pin),
            ("port", str(self.port)),
            ("python", self.python),
            ("ready_s", str(self.ready_s)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan with all that it needs; `generators` are those that drive its cells, by name.

    `settings` are stored besides; the shell commands before and after all starts are among them, where there are some.
    """

    plan: Plan
    servers: Mapping[str, Server]
    apps: Mapping[str, App]
    witness: App
    generators: Mapping[str, Generator]
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def simulation(self) -> LoadGenerator | None:
        """Return the generator that answers without starting a server, None when the plan is measured."""
        return next((each.plugin for each in self.generators.values() if each.plugin.simulate is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """What a plan is made from; `chosen` says by lane which generator drives it, `search` where they are looked for."""

    matrix: Matrix
    servers: Mapping[str, Server]
    apps: Mapping[str, App]
    search: Search
    chosen: Mapping[str, Generator]

    @property
    def drivers(self) -> Drivers:
        """Return by lane the generator's name and plug-in."""
        return {lane: (generator.name, generator.plugin) for lane, generator in self.chosen.items()}

    @property
    def missing(self) -> frozenset[str]:
        """Name the generators that were looked for and are not here."""
        return frozenset(generator.name for generator in self.chosen.values() if generator.missing)


def gather(wishes: Wishes) -> Ingredients:
    """Read plug-ins and matrix and lay the wishes over them; generators are taken as they are named."""
    servers = plugins.load_servers(wishes.plugin_folders)
    generators = plugins.load_generators(wishes.plugin_folders)
    names = applications.app_names()
    matrix = read_matrix(matrix_path(wishes.matrix), wishes.profile, servers, generators, names)
    matrix = override(matrix, wishes.overrides, servers)
    apps = {name: applications.builtin_app(name) for name in names}
    if wishes.overrides.app is not None:
        apps[wishes.overrides.app.name] = wishes.overrides.app
    search = Search(plugins=generators, tools_dir=tools_folder(), tools=False)
    chosen = choose_generators(search, matrix.load.generator, (*matrix.protocols(), OPEN_LOOP))
    return Ingredients(matrix=matrix, servers=servers, apps=apps, search=search, chosen=chosen)


def prepare(wishes: Wishes, *, find_tools: bool = True) -> Prepared:
    """Make the plan that was wished for; with `find_tools`, raises Unfit when no cell of it could be driven."""
    found = gather(wishes)
    seed = wishes.overrides.seed
    seed = secrets.randbelow(2**31) if seed is None else seed
    made = _planned(found, wishes, seed)
    if find_tools:
        named, found = found, _with_tools(found, made)
        if found.drivers != named.drivers or found.missing:
            made = _planned(found, wishes, seed)
    if wishes.overrides.budget_s is not None:
        made = fit_budget(made, wishes.overrides.budget_s, found.missing)
    return Prepared(
        plan=made,
        servers=found.servers,
        apps=found.apps,
        witness=applications.builtin_app("witness"),
        generators=used_generators(made, _by_name(found, made)),
        settings=tuple((name, command) for name, command in ((PREPARE, wishes.prepare), (CLEANUP, wishes.cleanup)) if command),
    )


def _planned(found: Ingredients, wishes: Wishes, seed: int) -> Plan:
    return plan.make_plan(found.matrix, found.servers, found.apps, found.drivers, seed, keep=wishes.keep, missing=found.missing)


def _with_tools(found: Ingredients, made: Plan) -> Ingredients:
    """Look for the generators of the cells that were selected; what only the others would need may be missing."""
    chosen = choose_generators(replace(found.search, tools=True), found.matrix.load.generator, lanes(made.cells))
    return replace(found, chosen={**found.chosen, **chosen})


def _by_name(found: Ingredients, made: Plan) -> dict[str, Generator]:
    """Return the generators of a plan by name; one that stands in for another says so, whatever else it drives."""
    used = sorted((found.chosen[lane] for lane in lanes(made.cells)), key=lambda generator: bool(generator.notice))
    return {generator.name: generator for generator in used}


def impossible(wishes: Wishes) -> tuple[tuple[Cell, str], ...]:
    """Return the cells of the wishes that their server cannot run, each with the reason."""
    found = gather(wishes)
    return plan.impossible(found.matrix, found.servers, found.drivers, wishes.keep)


def used_generators(made: Plan, generators: Mapping[str, Generator]) -> dict[str, Generator]:
    """Keep the generators that some cell is driven by, and that of a race; Unfit when all of the former are missing."""
    used = {name: generators[name] for name in dict.fromkeys(cell.load.generator for cell in made.cells)}
    if all(generator.missing for generator in used.values()):
        one = next(iter(used.values()))
        raise Unfit(f"{one.missing}, and every cell that was selected needs it", one.tip)
    at_rates = made.race.generator if made.race is not None else ""
    return {**used, at_rates: generators[at_rates]} if at_rates else used


def prepare_stored(header: RunHeader, plugin_folders: tuple[Path, ...], env: Variables = ()) -> Prepared:
    """Make the plan of a stored run again, from its header alone, but for the values of `env`, which it does not hold.

    Raises UsageProblem where these are not given.
    """
    apps = with_values(header.apps, env)
    servers = plugins.load_servers(plugin_folders)
    search = Search(plugins=plugins.load_generators(plugin_folders), tools_dir=tools_folder())
    stored = Plan(
        cells=tuple(planned.cell for planned in header.cells),
        excluded=header.excluded,
        apps=apps,
        rounds=header.rounds,
        seed=header.seed,
        noise=header.noise,
        looks=header.looks,
        budget_s=header.budget_s,
        trial=header.trial,
        race=header.race,
    )
    for cell in stored.cells:
        if cell.server not in servers:
            raise Unfit(f"the plug-in of server {cell.server} is not there any more", "name its folder with --runners DIR")
    return Prepared(
        plan=stored,
        servers=servers,
        apps={app.name: app for app in apps},
        witness=applications.builtin_app("witness"),
        generators=used_generators(stored, {name: find_generator(search, name) for name, _ in header.generators}),
        settings=tuple((name, command) for name, command in header.settings if name in (PREPARE, CLEANUP)),
    )


def with_values(apps: Sequence[App], env: Variables) -> tuple[App, ...]:
    """Give stored apps the values of their environment variables again; UsageProblem when some are missing, or are others."""
    values = dict(given_again(dict.fromkeys(name for app in apps for name, _ in app.env), env))
    return tuple(replace(app, env=tuple((name, values[name]) for name, _ in app.env)) for app in apps)


def stored_setup(header: RunHeader, setup: Setup) -> Setup:
    """Take over from a stored run what it was conducted with."""
    stored = dict(header.settings)
    return replace(
        setup,
        python=stored.get("python", setup.python),
        pin=stored.get("pin", setup.pin),
        port=int(stored.get("port", "0")),
        ready_s=int(stored.get("ready_s", setup.ready_s)),
        overlay=stored.get("overlay") == "on",
        model=json.loads(stored.get("model", "{}")),
    )
