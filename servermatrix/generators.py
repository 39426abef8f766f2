"""Which load generator drives which lane: the wished one, else the best for it, else its substitute or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from servermatrix.contracts import LoadGenerator
from servermatrix.errors import Unfit, UsageProblem
from servermatrix.lanes import OPEN_LOOP
from servermatrix.measure import tools
from servermatrix.suggest import did_you_mean, listed

PREFERRED: Mapping[str, str] = {"h1": "wrk", "h1s": "wrk", "h2c": "h2load", "h2": "h2load", OPEN_LOOP: "builtin"}
LAST = "h2load"  # for what a plug-in calls otherwise: it does not speak that, and says so
FALLBACK: Mapping[str, str] = {"h1": "builtin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A load generator: its plug-in, its program and its version; `notice` says why it is not another.

    `missing` is a sentence where it is not here, `tip` what to type then; it has no program and no version.
    """

    name: str
    plugin: LoadGenerator
    program: str = ""
    env: tuple[tuple[str, str], ...] = ()
    version: str = ""
    notice: str = ""
    missing: str = ""
    tip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Where generators are looked for; without `tools` they are taken as they are named."""

    plugins: Mapping[str, LoadGenerator]
    tools_dir: Path
    tools: bool = True
    environment: Mapping[str, str] | None = None


def choose_generators(search: Search, wished: str | None, lanes: Iterable[str]) -> dict[str, Generator]:
    """Return by lane what drives it; Unfit when the wished one is not to be had.

    A wished generator that cannot send at a fixed rate leaves the open loop to the one that can.
    """
    names = {lane: wished if wished and _suits(search, wished, lane) else PREFERRED.get(lane, LAST) for lane in lanes}
    found = {name: find_generator(search, name) for name in dict.fromkeys(names.values())}
    for generator in found.values():
        if generator.name == wished and generator.missing:
            raise Unfit(generator.missing, generator.tip)
    return {lane: _or_fallback(search, found[name], lane) for lane, name in names.items()}


def _suits(search: Search, wished: str, lane: str) -> bool:
    """Tell whether the wish is about this lane; what does not exist is refused where it is looked for."""
    plugin = search.plugins.get(wished)
    return lane != OPEN_LOOP or plugin is None or plugin.open_loop or plugin.simulate is not None


def find_generator(search: Search, name: str) -> Generator:
    """Find one by name; UsageProblem when there is no such plug-in, Unfit when its program is there and does not work."""
    known = search.plugins
    if name not in known:
        raise UsageProblem(f"there is no load generator {name!r}; there are {listed(known)}{did_you_mean(name, known)}")
    plugin = known[name]
    if not plugin.program or not search.tools:
        return Generator(name=name, plugin=plugin, program=plugin.program, version="" if plugin.program else plugin.version(""))
    found = tools.find(plugin.program, plugin.packages, search.tools_dir, environment=search.environment)
    if isinstance(found, tools.Missing):
        missing = f"{found.program} missing: it is not here and could not be fetched ({found.why})"
        return Generator(name=name, plugin=plugin, missing=missing, tip=f"type: {found.command}")
    version = tools.check(found, plugin, environment=search.environment)
    return Generator(name=name, plugin=plugin, program=found.path, env=found.env, version=version)


def _or_fallback(search: Search, generator: Generator, lane: str) -> Generator:
    """Go on with the substitute for this lane where there is one, and say so."""
    if not generator.missing or lane not in FALLBACK:
        return generator
    name = FALLBACK[lane]
    plugin = search.plugins[name]
    notice = f"{generator.missing}; going on with the built-in generator. For {generator.name}, {generator.tip}"
    return Generator(name=name, plugin=plugin, version=plugin.version(""), notice=notice)
