"""Finds and loads plug-ins: a file is a server or a load generator, and its name is the file's; nothing is started here."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from servermatrix.contracts import LoadGenerator, Server
from servermatrix.errors import UsageProblem

Value = TypeVar("Value", Server, LoadGenerator)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind(Generic[Value]):
    """A kind of plug-in: its folder (and the tail of its entry-point group), the name in the file, and the type."""

    folder: str
    variable: str
    type: type[Value]


_SERVERS = _Kind(folder="servers", variable="SERVER", type=Server)
_LOADS = _Kind(folder="loads", variable="LOAD", type=LoadGenerator)


def builtin_root() -> Path:
    """Return the folder that holds runners/ and apps/: the place in an installed package, else the checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "builtin"
    return installed if installed.is_dir() else package.parent


def load_servers(folders: tuple[Path, ...] = ()) -> dict[str, Server]:
    """Load every server plug-in, sorted by name; UsageProblem names the file and the cause when one cannot be loaded.

    Where two have the same name, an installed one wins over a built-in one, and a folder over both, the last one first.
    """
    return _load(_SERVERS, folders)


def load_generators(folders: tuple[Path, ...] = ()) -> dict[str, LoadGenerator]:
    """Load every load plug-in, sorted by name; see load_servers for the rest."""
    return _load(_LOADS, folders)


def _load(kind: _Kind[Value], folders: tuple[Path, ...]) -> dict[str, Value]:
    """Load the winners only: what is hidden by another of its name is not imported."""
    found: dict[str, Path | EntryPoint] = {}
    found |= _files(builtin_root() / "runners" / kind.folder)
    found |= {point.name: point for point in entry_points(group=f"servermatrix.{kind.folder}")}
    for folder in folders:
        found |= _extra_files(folder, kind.folder)
    return {name: _value(kind, found[name]) for name in sorted(found)}


def _extra_files(folder: Path, kind: str) -> Mapping[str, Path]:
    if not any((folder / name).is_dir() for name in (_SERVERS.folder, _LOADS.folder)):
        raise UsageProblem(
            f"{folder} has no plug-ins: there is neither {folder / 'servers'} nor {folder / 'loads'}",
            "put each plug-in into a file of its own, DIR/servers/NAME.py or DIR/loads/NAME.py",
        )
    return _files(folder / kind)


def _files(folder: Path) -> Mapping[str, Path]:
    return {file.stem: file for file in folder.glob("*.py") if not file.name.startswith("_")}


def _value(kind: _Kind[Value], source: Path | EntryPoint) -> Value:
    if isinstance(source, EntryPoint):
        value, name = _from_entry_point(source), f"entry point {source.name} = {source.value}"
    else:
        value, name = getattr(_module(kind.folder, source), kind.variable, None), str(source)
    if not isinstance(value, kind.type):
        raise UsageProblem(
            f"{name} is no plug-in: it has no {kind.variable} that is a {kind.type.__name__}",
            f"end the file with {kind.variable} = {kind.type.__name__}(...); files that begin with _ are left alone",
        )
    return value


def _from_entry_point(point: EntryPoint) -> object:
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise UsageProblem(f"entry point {point.name} = {point.value} cannot be loaded: {_cause(error)}") from error


def _module(kind: str, file: Path) -> ModuleType:
    """Import by file under a name of our own: with its folder on the path, uvicorn.py would hide the real uvicorn."""
    name = f"servermatrix_plugin_{kind}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageProblem(f"{file} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look their module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UsageProblem(f"{file} cannot be loaded: {_cause(error)}") from error
    return module


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
