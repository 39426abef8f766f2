"""Looks at what is installed and how quiet the machine is; it measures no server."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from servermatrix.config.options import named_values
from servermatrix.contracts import Launch, LoadGenerator, Option, Server
from servermatrix.errors import Unfit
from servermatrix.expand import effective
from servermatrix.measure import tools, usage
from servermatrix.measure.environments import distributions, installed, unmet
from servermatrix.measure.host import layout, read_topology
from servermatrix.model import Finding

SAMPLE_S = 1.0
QUIET_CORE_SHARE = 0.08
LOOKED_AT = 3_000  # choices of options of one server under one protocol


def examine(
    servers: Mapping[str, Server],
    generators: Mapping[str, LoadGenerator],
    python: str,
    tools_dir: Path,
    optional: Collection[str] = (),
) -> Iterator[Finding]:
    """Yield what was found, one thing after the other; `optional` are packages that may be missing whoever needs them."""
    needed = {name: _requirements(server) for name, server in servers.items()}
    versions = installed(python, distributions(text for needs in needed.values() for text in (*needs.always, *needs.sometimes)))
    yield Finding(subject="Python of the servers", fit=True, found=f"{versions['python']} ({python})")
    for name, needs in needed.items():
        yield from _server(name, needs, _There(versions=versions, python=python, optional=frozenset(optional)))
    for name, generator in generators.items():
        yield _generator(name, generator, tools_dir)
    yield _cores()
    yield _quiet()


def extras() -> frozenset[str]:
    """Name the packages that only an extra of this project brings, so that a usual set-up lacks them."""
    try:
        declared = [Requirement(text) for text in metadata.requires("servermatrix") or ()]
    except metadata.PackageNotFoundError:
        return frozenset()
    always = {each.name for each in declared if each.marker is None}
    return frozenset(canonicalize_name(each.name) for each in declared if each.name not in always)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needs:
    """What the default settings of a server need, and what only others do; the server's own package comes first."""

    always: tuple[str, ...]
    sometimes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _There:
    """What is installed, where, and what may be missing."""

    versions: Mapping[str, str | None]
    python: str
    optional: frozenset[str]


def _requirements(server: Server) -> _Needs:
    """Ask for the requirements of every combination that can run, of each requirement once."""
    launches = [launch for protocol in server.protocols for launch in _launches(server, protocol)]
    always = dict.fromkeys((*server.requires, *(text for launch in launches[:1] for text in server.needs(launch))))
    every = dict.fromkeys(text for launch in launches for text in server.needs(launch))
    return _Needs(always=tuple(always), sometimes=tuple(text for text in every if text not in always))


def _launches(server: Server, protocol: str) -> Iterator[Launch]:
    """Yield the starts that can be made, each once, the default settings first; at most LOOKED_AT are looked at."""
    chosen = itertools.islice(_choices(server.options), LOOKED_AT)
    for options in dict.fromkeys(effective(server, each, protocol) for each in chosen):
        launch = Launch(
            python="python",
            target="app:app",
            host="127.0.0.1",
            port=0,
            workers=1,
            protocol=protocol,
            options=dict(options),
            folder=".",
        )
        if server.objection(launch) is None:
            yield launch


def _choices(options: Mapping[str, Option]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield every choice of values, those that leave the fewest defaults first: what needs a package are few of them."""
    others = {
        name: [(name, value) for value in named_values(option) if value != option.default] for name, option in options.items()
    }
    for size in range(len(others) + 1):
        for names in itertools.combinations(others, size):
            yield from itertools.product(*(others[name] for name in names))


def _server(name: str, needs: _Needs, there: _There) -> Iterator[Finding]:
    """Report a server's own package and each that one of its loops, parsers, workers or protocols needs."""
    packages = dict.fromkeys(package for text in (*needs.always, *needs.sometimes) for package in distributions((text,)))
    for package in packages:
        subject = f"server {name}" if package == name else f"server {name}: {package}"
        lacking = _unmet(needs.always, package, there)
        fit = not lacking or package in there.optional
        if lacking:
            advice = f"only to compare {name}: {lacking}" if fit else lacking
        else:
            lacking = _unmet(needs.sometimes, package, there)
            advice = lacking and f"for some settings of {name}: {lacking}"
        yield Finding(subject=subject, fit=fit, found=there.versions[package] or "not installed", advice=advice)


def _unmet(requirements: tuple[str, ...], package: str, there: _There) -> str:
    """Say which of the requirements that are about this package is not met; empty when all are."""
    about = [text for text in requirements if distributions((text,)) == (package,)]
    return unmet(about, there.versions, there.python) or ""


def _generator(name: str, generator: LoadGenerator, tools_dir: Path) -> Finding:
    subject = f"generator {name}"
    if not generator.program:
        return Finding(subject=subject, fit=True, found=f"{generator.version('')}, part of this tool")
    found = tools.find(generator.program, generator.packages, tools_dir, fetch=False)
    if not isinstance(found, tools.Tool):
        return Finding(subject=subject, fit=False, found="not installed", advice=f"type: {found.command}")
    try:
        return Finding(subject=subject, fit=True, found=f"{tools.check(found, generator)} ({found.origin})")
    except Unfit as failure:
        return Finding(subject=subject, fit=False, found=failure.message, advice=failure.tip)


def _cores() -> Finding:
    topology = read_topology()
    split = layout("auto", topology, threads=1, workers=1)
    found = f"{topology.cpus}: {split}" if split.server else f"{topology.cpus}, not pinned"
    return Finding(subject="cores", fit=True, found=found, advice=split.reason)


def _quiet() -> Finding:
    before, own = usage.read_host(), time.process_time_ns()
    time.sleep(SAMPLE_S)
    after = usage.read_host()
    foreign = usage.foreign_share(before, after, (time.process_time_ns() - own) // 1000)
    found = f"other programs use {foreign:.0%} of a core, the host steals {usage.steal_share(before, after):.1%}"
    advice = "" if foreign < QUIET_CORE_SHARE else "end what else is running, or expect windows to be refused as noisy"
    return Finding(subject="quiet", fit=foreign < QUIET_CORE_SHARE, found=found, advice=advice)
