"""Virtual environments for cells with a Python or a requirement set of their own: each made once, whole, and found again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from servermatrix import pins
from servermatrix.errors import Unfit
from servermatrix.measure.environments import contents
from servermatrix.measure.installer import Installer, InstallerFailed
from servermatrix.measure.interpreters import Interpreter
from servermatrix.measure.process import Guard

FORMAT = 1
STAMP = "environment.json"
CONSTRAINTS = "constraints.txt"
MOST_NAMED = 8  # of a requirement set: that of a check may be a hundred
WAIT_S = 1300.0  # for another run that makes the same one: its two commands and some more


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an environment is made of.

    `requirements` are what the servers of the plan need (`uvicorn>=0.30`), `requires` the requirement set of the cell, in the
    spelling of pins.read_set; `constraints` is the text of a constraints file, which the set overrides. `beside` are the folders
    of installed packages of another environment, which it sees as its own.
    """

    python: Interpreter
    requirements: tuple[str, ...]
    requires: tuple[str, ...] = ()
    constraints: str = ""
    beside: tuple[str, ...] = ()

    @property
    def in_force(self) -> tuple[str, ...]:
        """Return the lines of the constraints that the requirement set leaves in force."""
        return pins.in_force(self.constraints, self.requires)

    @property
    def key(self) -> str:
        """Name the environment by all that decides about what is in it."""
        parts = [FORMAT, self.python.version, self.python.real, _sorted(self.requirements), _sorted(self.requires), self.in_force]
        return hashlib.sha256(json.dumps([*parts, self.beside] if self.beside else parts).encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """Name what was asked for: the requirement set where there is one, else what the servers need; the first few of many."""
        asked = self.requires or _sorted(self.requirements)
        more = f" and {len(asked) - MOST_NAMED} more" if len(asked) > MOST_NAMED else ""
        beside = f", beside the packages of {self.python.path}," if self.beside else ""
        return f"{' '.join(asked[:MOST_NAMED]) or 'an empty environment'}{more} on Python {self.python.version}{beside}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An environment that is whole: its interpreter, and everything installed in it by canonical name.

    `refused` are requirements that it does without, (requirement, why).
    """

    python: str
    versions: tuple[tuple[str, str], ...]
    new: bool
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmade:
    """Why there is no environment: one sentence, with the installer's own words."""

    sentence: str


# Makes the environment in a folder that is not there yet, and returns what it does without: why, by requirement.
Fill = Callable[[Wanted, Path, Installer], Mapping[str, str]]


def _sorted(requirements: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({pins.canonical(each) for each in requirements}))


def python_of(wanted: Wanted, cache: Path) -> str:
    """Return the path of the environment's interpreter, made or not."""
    return str(cache.absolute() / wanted.key / "bin" / "python")


def known(wanted: Wanted, cache: Path) -> Made | None:
    """Return the environment when it is there, whole, and still holds what was installed into it; nothing is changed."""
    try:
        stamp = json.loads((cache / wanted.key / STAMP).read_text(encoding="utf-8"))
        now = contents(python_of(wanted, cache))
    except (OSError, ValueError, Unfit):
        return None
    if not isinstance(stamp, dict) or stamp.get("versions") != now:
        return None
    refused = tuple((str(name), str(why)) for name, why in stamp.get("refused", {}).items())
    return Made(python=python_of(wanted, cache), versions=tuple(now.items()), new=False, refused=refused)


def fill(wanted: Wanted, folder: Path, installer: Installer) -> Mapping[str, str]:
    """Make an environment that shares nothing with any other; it does without nothing. Raises InstallerFailed."""
    installer.make(wanted.python, folder)
    constraints = folder / CONSTRAINTS
    constraints.write_text("".join(f"{line}\n" for line in wanted.in_force), encoding="utf-8")
    installer.install(folder, (*_sorted(wanted.requirements), *_sorted(wanted.requires)), constraints)
    return {}


def ensure(wanted: Wanted, cache: Path, *, environment: Mapping[str, str] | None = None, fill: Fill = fill) -> Made | Unmade:
    """Return the environment, made now unless it is there; what is interrupted half-way is made again the next time.

    `environment` stands in for os.environ: uv is looked for on its PATH, and it holds the settings of pip and uv. At most
    about 20 minutes, for two commands.
    """
    there = known(wanted, cache)
    if there is not None:
        return there
    environ = os.environ if environment is None else environment
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache.absolute() / f"{wanted.key}.lock") as lock, contextlib.closing(Guard()) as guard:
            installer = Installer(environ=environ, watcher=guard, held=(lock,))
            return known(wanted, cache) or _make(wanted, cache.absolute() / wanted.key, installer, fill)
    except OSError as failure:
        return Unmade(sentence=f"{wanted.label}: cannot write {failure.filename or cache}: {failure.strerror or failure}")
    except InstallerFailed as failure:
        return Unmade(sentence=f"{wanted.label} cannot be installed: {failure}")


def _make(wanted: Wanted, folder: Path, installer: Installer, fill: Fill) -> Made:
    """Make it in its final place, for environments cannot be moved; the stamp comes last and says that it is whole."""
    (folder / STAMP).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
    with _removed_unless_stamped(folder):
        refused = fill(wanted, folder, installer)
        versions = _checked(wanted, folder, refused)
        _stamp(wanted, folder, versions, refused)
    told = tuple(versions.items())
    return Made(python=str(folder / "bin" / "python"), versions=told, new=True, refused=tuple(refused.items()))


def _checked(wanted: Wanted, folder: Path, refused: Mapping[str, str]) -> dict[str, str]:
    """Ask the new interpreter what is in it; InstallerFailed when that is not what was asked for."""
    try:
        versions = contents(str(folder / "bin" / "python"))
    except Unfit as failure:
        raise InstallerFailed(failure.message) from failure
    base = [text for text in _sorted(set(wanted.requirements) - set(refused)) if Requirement(text).marker is None]
    fixed = () if wanted.beside else wanted.in_force  # what is shared has whatever version it has
    broken = pins.broken_pins((*wanted.requires, *base), versions, constraints=fixed, where="in the new environment")
    if broken is not None:
        raise InstallerFailed(broken)
    return versions


def _stamp(wanted: Wanted, folder: Path, versions: Mapping[str, str], refused: Mapping[str, str]) -> None:
    """Write down what was asked for and what came of it, at once or not at all."""
    stamp = {
        "format": FORMAT,
        "python": {"version": wanted.python.version, "path": wanted.python.real},
        "requirements": _sorted(wanted.requirements),
        "requires": _sorted(wanted.requires),
        "constraints": wanted.in_force,
        "versions": dict(versions),
        **({"beside": wanted.beside, "refused": dict(refused)} if wanted.beside else {}),
    }
    unfinished = folder / f".{STAMP}"
    unfinished.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(folder / STAMP)


@contextlib.contextmanager
def _removed_unless_stamped(folder: Path) -> Iterator[None]:
    """Clear away what was not finished; only the stamp decides, should this be interrupted too."""
    try:
        yield
    finally:
        if not (folder / STAMP).exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold the lock of one environment; another run's is waited for, InstallerFailed when that takes too long.

    The installers inherit the lock: should this process be killed, nobody builds in the same place before they have ended.
    """
    import fcntl  # noqa: PLC0415 - plans are also made where there is no fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        deadline = time.monotonic() + WAIT_S
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise InstallerFailed(f"another run has been making the same environment for {WAIT_S:.0f} s (it holds {path})")
            time.sleep(0.1)
        yield descriptor
    finally:
        os.close(descriptor)
