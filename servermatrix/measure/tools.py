"""Finds the program of a load generator, or unpacks the distribution's packages of it; never installs into the system."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from servermatrix.contracts import LoadFailure, LoadGenerator
from servermatrix.errors import Unfit
from servermatrix.measure.command import run

LIMIT_S = 60.0
VERSION_LIMIT_S = 10.0
LIBRARIES = ("usr/lib/*-linux-gnu*", "usr/lib", "lib/*-linux-gnu*", "lib")
# The running loader works with the C library it came with only.
NOT_UNPACKED = re.compile(r"libc6\b|libc-bin\b")
INSTALL_COMMANDS = {"apt-get": "apt install", "dnf": "dnf install", "apk": "apk add", "pacman": "pacman -S"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that can be started: its path, the environment it needs besides, and where it was found."""

    path: str
    env: tuple[tuple[str, str], ...]
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A program that is not there: the one command to type, and why it could not be fetched."""

    program: str
    command: str
    why: str


class _Failed(Exception):
    """A command of the package manager failed; the text says which and why."""


def find(
    program: str,
    packages: tuple[str, ...],
    tools_dir: Path,
    *,
    fetch: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Tool | Missing:
    """Look for a program on PATH, then in `tools_dir`, then, on Debian and its kin, unpack its packages into there.

    It works without root and leaves the system alone. `environment` stands in for os.environ.
    """
    environ = os.environ if environment is None else environment
    there = _installed(program, tools_dir, environ)
    if there:
        return there
    why = _fetch(program, packages, tools_dir, environ) if fetch else "fetching is off"
    fetched = _unpacked(program, tools_dir, environ)
    return fetched or Missing(program=program, command=install_command(packages, environ), why=why)


def check(tool: Tool, generator: LoadGenerator, *, environment: Mapping[str, str] | None = None) -> str:
    """Start the program once and return its version; Unfit when it does not start or the generator finds it too old."""
    environ = {**(os.environ if environment is None else environment), **dict(tool.env), "LC_ALL": "C"}
    command, tip = [tool.path, *generator.version_args], install_command(generator.packages, environ)
    try:
        code, text = run(command, environ, VERSION_LIMIT_S, Path.cwd())
    except OSError as error:
        raise Unfit(f"{tool.path} cannot be started: {error.strerror}", tip) from error
    except subprocess.TimeoutExpired as error:
        raise Unfit(f"{tool.path} did not print its version within {VERSION_LIMIT_S:.0f} s", tip) from error
    if not text.strip():
        raise Unfit(f"{' '.join(command)} printed nothing (exit code {code})", tip)
    try:
        return generator.version(text)
    except LoadFailure as failure:
        raise Unfit(f"{failure} ({tool.path}: {_reason(text)})" if code else f"{failure} ({tool.path})", tip) from failure


def install_command(packages: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """Return the one line to type that installs the packages here; names are Debian's, others leave `-client` off."""
    short = " ".join(package.removesuffix("-client") for package in packages)
    if sys.platform == "darwin":
        return f"brew install {short}"
    sudo = "sudo " if os.geteuid() else ""
    for manager, command in INSTALL_COMMANDS.items():
        if shutil.which(manager, path=environ.get("PATH")):
            return f"{sudo}{command} {' '.join(packages) if manager == 'apt-get' else short}"
    return f"install {short} with the package manager of this system, so that it is on PATH"


def _installed(program: str, tools_dir: Path, environ: Mapping[str, str]) -> Tool | None:
    path = shutil.which(program, path=environ.get("PATH", os.defpath))
    return Tool(path=path, env=(), origin="PATH") if path else _unpacked(program, tools_dir, environ)


def _unpacked(program: str, tools_dir: Path, environ: Mapping[str, str]) -> Tool | None:
    """Each program has its own folder in `tools_dir`, so that one rename makes all of it appear at once."""
    root = (tools_dir / program).absolute()
    path = root / "usr" / "bin" / program
    if not (path.is_file() and os.access(path, os.X_OK)):
        return None
    folders = [str(folder) for pattern in LIBRARIES for folder in sorted(root.glob(pattern)) if folder.is_dir()]
    known = [environ["LD_LIBRARY_PATH"]] if environ.get("LD_LIBRARY_PATH") else []
    return Tool(path=str(path), env=(("LD_LIBRARY_PATH", ":".join([*folders, *known])),), origin=str(tools_dir))


def _fetch(program: str, packages: tuple[str, ...], tools_dir: Path, environ: Mapping[str, str]) -> str:
    """Unpack the packages into `tools_dir/program`; return why that could not be done, or nothing."""
    lacking = [name for name in ("apt-get", "dpkg-deb") if not shutil.which(name, path=environ.get("PATH"))]
    if lacking:
        return f"there is no {lacking[0]} here to fetch it with"
    try:
        with _staging(tools_dir) as staging:
            _download(packages, staging, environ)
            _unpack(staging, environ)
            (staging / "root").rename(tools_dir / program)
    except OSError as error:  # also where another run was faster: what it put there is found next
        return f"cannot write {error.filename2 or error.filename or tools_dir}: {error.strerror}"
    except _Failed as failure:
        return str(failure)
    return f"{tools_dir / program} holds no program {program}"


@contextlib.contextmanager
def _staging(tools_dir: Path) -> Iterator[Path]:
    """Make a folder beside the final one: two runs at once never see each other's half-unpacked files."""
    tools_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=tools_dir, ignore_cleanup_errors=True) as name:
        for part in ("debs", "root", "lists/partial", "cache/archives/partial"):
            (Path(name) / part).mkdir(parents=True)
        yield Path(name)


def _download(packages: tuple[str, ...], staging: Path, environ: Mapping[str, str]) -> None:
    """Download the packages with what they need; with package lists of our own where the system's are missing or stale."""
    try:
        _download_with([], packages, staging, environ)
    except _Failed:
        own = [
            *("-o", f"Dir::State::lists={staging / 'lists'}", "-o", f"Dir::Cache={staging / 'cache'}"),
            *("-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=", "-o", "APT::Update::Error-Mode=any"),
        ]
        offline = _failure_of(["apt-get", *own, "update"], environ, staging)
        try:
            _download_with(own, packages, staging, environ)
        except _Failed as failure:
            raise offline or failure from None


def _failure_of(argv: list[str], environ: Mapping[str, str], folder: Path) -> _Failed | None:
    """Run a command that may fail: one broken source of several does not matter when the package is in another."""
    try:
        _command(argv, environ, folder)
    except _Failed as failure:
        return failure
    return None


def _download_with(options: Sequence[str], packages: tuple[str, ...], staging: Path, environ: Mapping[str, str]) -> None:
    plan = _command(["apt-get", *options, "-s", "install", "--no-install-recommends", *packages], environ, staging)
    needed = [name for name in re.findall(r"^Inst (\S+)", plan, re.MULTILINE) if not NOT_UNPACKED.match(name)]
    _command(["apt-get", *options, "download", *dict.fromkeys([*packages, *needed])], environ, staging / "debs")


def _unpack(staging: Path, environ: Mapping[str, str]) -> None:
    for package in sorted((staging / "debs").glob("*.deb")):
        _command(["dpkg-deb", "-x", str(package), str(staging / "root")], environ, staging)


def _command(argv: list[str], environ: Mapping[str, str], folder: Path) -> str:
    """Run one command of the package manager and return what it printed; _Failed when it fails."""
    shown = f"{argv[0]} {next(word for word in argv[1:] if word in {'update', 'install', 'download', '-x'})}"
    program = shutil.which(argv[0], path=environ.get("PATH"))
    try:
        code, text = run([program or argv[0], *argv[1:]], {**environ, "LC_ALL": "C"}, LIMIT_S, folder)
    except subprocess.TimeoutExpired as error:
        raise _Failed(f"{shown} took more than {LIMIT_S:.0f} s") from error
    if code:
        raise _Failed(f"{shown} failed: {_reason(text)}")
    return text


def _reason(text: str) -> str:
    """Pick the line that says most: apt's first error, which its later ones only sum up, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it printed nothing"]
    errors = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    return (errors or lines[-1:])[0]
