"""Looks at what is installed and how quiet the machine is; it measures no server."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from servermatrix.contracts import Choice, Launch, LoadGenerator, Server
from servermatrix.errors import Unfit
from servermatrix.measure import tools, usage
from servermatrix.measure.environments import distributions, installed, unmet
from servermatrix.measure.host import layout, usable_cores
from servermatrix.model import Finding

SAMPLE_S = 1.0
QUIET_CORE_SHARE = 0.08


def examine(
    servers: Mapping[str, Server], generators: Mapping[str, LoadGenerator], python: str, tools_dir: Path
) -> Iterator[Finding]:
    """Yield what was found, one thing after the other."""
    needed = {name: tuple(_requirements(server)) for name, server in servers.items()}
    versions = installed(python, distributions(itertools.chain.from_iterable(needed.values())))
    yield Finding(subject="Python of the servers", fit=True, found=f"{versions['python']} ({python})")
    for name, requirements in needed.items():
        yield from _server(name, requirements, versions, python)
    for name, generator in generators.items():
        yield _generator(name, generator, tools_dir)
    yield _cores()
    yield _quiet()


def _requirements(server: Server) -> list[str]:
    """List the requirements of every combination of a server's options, each once, the server's own first."""
    axes = [
        [(name, value) for value in (option.values if isinstance(option, Choice) else (option.default,))]
        for name, option in server.options.items()
    ]
    launches = (
        Launch(
            python="python", target="app:app", host="127.0.0.1", port=0, workers=1,
            protocol=server.protocols[0], options=dict(options), folder="."
        )
        for options in itertools.product(*axes)
    )  # fmt: skip
    needed = itertools.chain(server.requires, *(server.needs(launch) for launch in launches))
    return list(dict.fromkeys(needed))


def _server(name: str, requirements: tuple[str, ...], versions: Mapping[str, str | None], python: str) -> Iterator[Finding]:
    """Report a server's own package and each that one of its loops, parsers or workers needs."""
    for requirement in requirements:
        (package,) = distributions((requirement,))
        wrong = unmet((requirement,), versions, python)
        subject = f"server {name}" if package == name else f"server {name}: {package}"
        yield Finding(subject=subject, fit=wrong is None, found=versions[package] or "not installed", advice=wrong or "")


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
    cores = usable_cores()
    split = layout("auto", cores, 1)
    if split.server:
        return Finding(subject="cores", fit=True, found=f"{len(cores)}: {split}")
    return Finding(
        subject="cores",
        fit=True,
        found=f"{len(cores)}, not pinned: server and generator share them",
        advice="with fewer than 4 cores compare 1 worker with 1 generator thread; more is marked oversubscribed",
    )


def _quiet() -> Finding:
    before, own = usage.read_host(), time.process_time_ns()
    time.sleep(SAMPLE_S)
    after = usage.read_host()
    foreign = usage.foreign_share(before, after, (time.process_time_ns() - own) // 1000)
    found = f"other programs use {foreign:.0%} of a core, the host steals {usage.steal_share(before, after):.1%}"
    advice = "" if foreign < QUIET_CORE_SHARE else "end what else is running, or expect windows to be refused as noisy"
    return Finding(subject="quiet", fit=foreign < QUIET_CORE_SHARE, found=found, advice=advice)
