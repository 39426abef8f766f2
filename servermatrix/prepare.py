"""From what the user typed to what will run: reads plug-ins and matrix.yaml, applies the selectors, makes the plan."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from servermatrix import plan, plugins
from servermatrix.config import applications
from servermatrix.config.matrix import read_matrix
from servermatrix.config.overrides import Overrides, override
from servermatrix.contracts import LoadGenerator, Server
from servermatrix.errors import Unfit, UsageProblem
from servermatrix.measure import tools
from servermatrix.model import App, Plan, RunHeader
from servermatrix.suggest import did_you_mean, listed

PREFERRED, FALLBACK = "wrk", "builtin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The selectors of the command line; None or empty: as matrix.yaml says."""

    matrix: Path | None = None
    profile: str = "quick"
    keep: tuple[str, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)
    plugin_folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a run is conducted, whatever it measures; `model` is what a simulation answers from."""

    out: Path
    argv: tuple[str, ...]
    python: str = sys.executable
    pin: str = "auto"
    port: int = 0
    ready_s: int = 20
    fail_fast: bool = False
    model: Mapping[str, object] = field(default_factory=dict)

    def stored(self) -> tuple[tuple[str, str], ...]:
        """Return what a resumed run needs of it, as texts."""
        model = json.dumps(self.model, default=str)  # in its own order, for later entries override earlier ones
        return (
            ("model", model),
            ("pin", self.pin),
            ("port", str(self.port)),
            ("python", self.python),
            ("ready_s", str(self.ready_s)),
        )

    def shown_python(self) -> str:
        """Name the interpreter as one would type it here."""
        here = os.path.relpath(self.python)
        return self.python if here.startswith("..") else here


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A load generator that was found: its plug-in, its program and its version; `notice` says why it is not another."""

    name: str
    plugin: LoadGenerator
    program: str = ""
    env: tuple[tuple[str, str], ...] = ()
    version: str = ""
    notice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan with all that it needs."""

    plan: Plan
    servers: Mapping[str, Server]
    apps: Mapping[str, App]
    witness: App
    generator: Generator


def matrix_path(wished: Path | None) -> Path:
    """Choose the configuration: the wished one, else matrix.yaml here, else the shipped one."""
    here = Path("matrix.yaml")
    return wished or (here if here.exists() else plugins.builtin_root() / "matrix.yaml")


def tools_folder() -> Path:
    """Say where fetched programs are kept: SERVERMATRIX_TOOLS, else in the checkout, else in the user's cache."""
    if named := os.environ.get("SERVERMATRIX_TOOLS"):
        return Path(named)
    root = plugins.builtin_root()
    if (root / "pyproject.toml").exists():
        return root / ".tools"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "servermatrix" / "tools"


def prepare(wishes: Wishes, *, find_tools: bool = True) -> Prepared:
    """Make the plan that was wished for; without `find_tools` the generator is taken as it is named."""
    servers = plugins.load_servers(wishes.plugin_folders)
    generators = plugins.load_generators(wishes.plugin_folders)
    names = applications.app_names()
    matrix = read_matrix(matrix_path(wishes.matrix), wishes.profile, servers, generators, names)
    matrix = override(matrix, wishes.overrides, servers)
    generator = choose_generator(matrix.load.generator, generators, find_tools=find_tools)
    apps = {name: applications.builtin_app(name) for name in names}
    if wishes.overrides.app is not None:
        apps[wishes.overrides.app.name] = wishes.overrides.app
    seed = wishes.overrides.seed
    seed = secrets.randbelow(2**31) if seed is None else seed
    spoken = generator.plugin.protocols
    made = plan.make_plan(matrix, servers, apps, generator.name, seed, keep=wishes.keep, spoken=spoken)
    if wishes.overrides.budget_s is not None:
        made = plan.fit_rounds(made, wishes.overrides.budget_s)
    return Prepared(plan=made, servers=servers, apps=apps, witness=applications.builtin_app("witness"), generator=generator)


def prepare_stored(header: RunHeader, plugin_folders: tuple[Path, ...]) -> Prepared:
    """Make the plan of a stored run again, from its header alone."""
    servers = plugins.load_servers(plugin_folders)
    generators = plugins.load_generators(plugin_folders)
    stored = Plan(
        cells=tuple(planned.cell for planned in header.cells),
        excluded=header.excluded,
        apps=header.apps,
        rounds=header.rounds,
        seed=header.seed,
        noise=header.noise,
    )
    for cell in stored.cells:
        if cell.server not in servers:
            raise Unfit(f"the plug-in of server {cell.server} is not there any more", "name its folder with --runners DIR")
    return Prepared(
        plan=stored,
        servers=servers,
        apps={app.name: app for app in header.apps},
        witness=applications.builtin_app("witness"),
        generator=choose_generator(header.generator, generators),
    )


def stored_setup(header: RunHeader, setup: Setup) -> Setup:
    """Take over from a stored run what it was conducted with."""
    stored = dict(header.settings)
    return replace(
        setup,
        python=stored.get("python", setup.python),
        pin=stored.get("pin", setup.pin),
        port=int(stored.get("port", "0")),
        ready_s=int(stored.get("ready_s", setup.ready_s)),
        model=json.loads(stored.get("model", "{}")),
    )


def choose_generator(
    wished: str | None,
    generators: Mapping[str, LoadGenerator],
    *,
    find_tools: bool = True,
    tools_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator:
    """Find the wished generator, Unfit when its program is not to be had; unwished, fall back to the built-in one."""
    name = wished or PREFERRED
    if name not in generators:
        raise UsageProblem(f"there is no load generator {name!r}; there are {listed(generators)}{did_you_mean(name, generators)}")
    plugin = generators[name]
    if not plugin.program or not find_tools:
        version = "" if plugin.program else plugin.version("")
        return Generator(name=name, plugin=plugin, program=plugin.program, version=version)
    found = tools.find(plugin.program, plugin.packages, tools_dir or tools_folder(), environment=environment)
    if isinstance(found, tools.Tool):
        version = tools.check(found, plugin, environment=environment)
        return Generator(name=name, plugin=plugin, program=found.path, env=found.env, version=version)
    if wished:
        raise Unfit(f"{found.program} is not here and could not be fetched: {found.why}", f"type: {found.command}")
    fallback = generators[FALLBACK]
    notice = f"{found.program} could not be had ({found.why}); going on with the built-in generator. For {name}: {found.command}"
    return Generator(name=FALLBACK, plugin=fallback, version=fallback.version(""), notice=notice)
