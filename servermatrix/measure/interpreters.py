"""Finds Python interpreters on this machine, by path or by version; every one is run before it is believed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from servermatrix.errors import Unfit
from servermatrix.measure.command import plain, run
from servermatrix.measure.failure import RAISED, TELLING
from servermatrix.suggest import listed

LIMIT_S = 10.0
OLDEST = (3, 10)  # what the newest uvicorn, gunicorn, hypercorn and granian need
SYSTEM_FOLDERS = ("/usr/bin", "/usr/local/bin")
NAME = re.compile(r"/python3\.(\d+)$")
VERSION = re.compile(r"(\d+)\.(\d+)(\.\d+\w*)?", re.ASCII)
# Not -I: Python 2, whose version is to be told too, has no such option.
ASK = """\
import json, os, platform, sys
base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
print(json.dumps({"version": platform.python_version(), "path": sys.executable, "real": base}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that was run: how it is started, its version, and the real file behind it, whatever links and shims lead there.

    For the Python of a virtual environment, `real` is the one that the environment was made with.
    """

    path: str
    version: str
    real: str


def find_python(wanted: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the path of the interpreter that is wanted, a path or a version such as 3.13 or 3.13.0, as find does."""
    return find(wanted, environment).path


def find(wanted: str, environment: Mapping[str, str] | None = None) -> Interpreter:
    """Find an interpreter by path (absolute, with ~, or relative with a slash) or by version.

    Versions are looked for on PATH, among pyenv's and the system's, then uv's; nothing is downloaded. `environment` stands in
    for os.environ. Raises Unfit with a sentence that names what was found instead.
    """
    environ = os.environ if environment is None else environment
    if "/" in wanted or wanted.startswith("~"):
        return _at(_whole(wanted, environ), environ)
    version = VERSION.fullmatch(wanted)
    if version is None:
        tip = "write a version such as 3.13, or a path with a slash"
        raise Unfit(f"{wanted!r} is neither a version of Python nor a path", tip)
    name = (int(version[1]), int(version[2]))
    if name < OLDEST:
        raise Unfit(f"Python {wanted} is too old: the servers need {_dotted(OLDEST)} or newer", _quotes(wanted))
    for candidate in _candidates(f"python{_dotted(name)}", environ):
        found = ask(candidate, environ)
        if isinstance(found, Interpreter) and _is(found.version, wanted):
            return Interpreter(path=found.real, version=found.version, real=found.real)
    raise Unfit(f"there is no Python {wanted} here; found {listed(_others(wanted, environ))}", _tip(wanted, environ))


def ask(path: str, environment: Mapping[str, str] | None = None) -> Interpreter | str:
    """Run what may be an interpreter; return what it says of itself, or why it is of no use, as `does not run: ...`."""
    environ = plain(os.environ if environment is None else environment)
    try:
        code, text = run([path, "-E", "-s", "-B", "-c", ASK], environ, LIMIT_S, Path("/"))
    except OSError as failure:
        return f"does not run: {failure.strerror}"
    except subprocess.TimeoutExpired:
        return f"does not run: it did not answer within {LIMIT_S:.0f} s"
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [f"it ended with code {code}"]
    try:
        told = json.loads(lines[-1])
        return Interpreter(path=str(told["path"]), version=str(told["version"]), real=str(told["real"]))
    except (ValueError, KeyError, TypeError):
        return f"does not run: {_telling(lines)}" if code else "is no Python interpreter"


def _telling(lines: list[str]) -> str:
    """Pick the line that says most: the last one of a traceback, the first one of a shell script that explains itself."""
    raised = [line for line in lines if RAISED.search(line)]
    return (raised[-1:] or [line for line in lines if TELLING.search(line)] or lines)[0]


def _at(path: Path, environ: Mapping[str, str]) -> Interpreter:
    """Return the interpreter at a path, by that path: a virtual environment's own must stay in its environment."""
    tip = "name an interpreter, or a version such as 3.13"
    if not path.exists():
        raise Unfit(f"there is no file {path}", tip)
    if path.is_dir():
        inside = path / "bin" / "python"
        raise Unfit(f"{path} is a folder and no interpreter", f"name {inside}" if inside.exists() else tip)
    found = ask(str(path), environ)
    if isinstance(found, str):
        raise Unfit(f"{path} {found}", tip)
    if Version(found.version).release < OLDEST:
        raise Unfit(f"{path} is Python {found.version}: the servers need {_dotted(OLDEST)} or newer", tip)
    return Interpreter(path=str(path), version=found.version, real=found.real)


def _whole(wanted: str, environ: Mapping[str, str]) -> Path:
    """Make a path absolute, but follow no links."""
    home = environ.get("HOME")
    path = f"{home}{wanted[1:]}" if home and wanted.startswith("~/") else os.path.expanduser(wanted)  # noqa: PTH111 - for ~user
    return Path(os.path.abspath(path))  # noqa: PTH100 - keeps the links


def _candidates(name: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what may be an interpreter of this name, each once; a shim of pyenv is there whether its version is chosen or not."""
    seen: set[str] = set()
    for candidate in _places(name, environ):
        if candidate not in seen and os.access(candidate, os.X_OK) and not Path(candidate).is_dir():
            seen.add(candidate)
            yield candidate


def _places(name: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the files that a name (or a pattern of names) leads to, in order; uv is asked only when it comes to that."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        yield from sorted(map(str, Path(folder).absolute().glob(name)))
    root = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME") or Path.home()) / ".pyenv")
    plain_versions = [each for each in root.glob("versions/*") if re.fullmatch(r"\d+\.\d+\.\d+", each.name)]
    for version in sorted(plain_versions, key=lambda each: Version(each.name), reverse=True):
        yield from sorted(map(str, version.glob(f"bin/{name}")))
    for folder in SYSTEM_FOLDERS:
        yield from sorted(map(str, Path(folder).glob(name)))
    yield from (path for path in _of_uv(environ) if Path(path).match(name))


def _of_uv(environ: Mapping[str, str]) -> list[str]:
    """List the interpreters that uv keeps; those it would find elsewhere were looked at already."""
    uv = shutil.which("uv", path=environ.get("PATH", os.defpath))
    if uv is None:
        return []
    argv = [uv, "python", "list", "--only-installed", "--managed-python", "--no-python-downloads", "--output-format", "json"]
    try:
        _, text = run(argv, plain(environ), LIMIT_S, Path("/"))
        # Its warnings come first, and paths are relative to where it runs.
        listing = json.loads(text[text.index("[{") :])
        return [str(Path("/") / str(each["path"])) for each in listing if each.get("variant", "default") == "default"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _is(version: str, wanted: str) -> bool:
    """Tell whether 3.13.0 is the wanted 3.13 or 3.13.0."""
    return version == wanted or (wanted.count(".") == 1 and version.startswith(f"{wanted}."))


def _others(wanted: str, environ: Mapping[str, str]) -> list[str]:
    """List the versions that are here, old ones left out: as 3.12, or as 3.12.1 when such a one was wanted."""
    named = ((candidate, NAME.search(candidate)) for candidate in _candidates("python3.[0-9]*", environ))
    answers = [ask(candidate, environ) for candidate, name in named if name and int(name[1]) >= OLDEST[1]]
    versions = {Version(found.version) for found in answers if isinstance(found, Interpreter)}
    return list(dict.fromkeys(str(each) if wanted.count(".") > 1 else _dotted(each.release) for each in sorted(versions)))


def _dotted(release: tuple[int, ...]) -> str:
    return f"{release[0]}.{release[1]}"


def _quotes(wanted: str) -> str:
    return f"write '{wanted}0' in quotes if you mean that one" if wanted == "3.1" else "name a newer one"


def _tip(wanted: str, environ: Mapping[str, str]) -> str:
    uv = shutil.which("uv", path=environ.get("PATH", os.defpath))
    return f"install it{f' (uv python install {wanted})' if uv else ''}, or name the path of an interpreter"
