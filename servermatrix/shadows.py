"""Finds what in the folder of an app would be imported in the place of what is installed, the server under test first of all."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from packaging.utils import canonicalize_name

from servermatrix.errors import Unfit, UsageProblem
from servermatrix.suggest import listed

OF_MODULES = (".py", ".so", ".pyd")


def check_shadows(folders: Collection[str], needed: Collection[str]) -> None:
    """Refuse folders that hold what a server needs, by canonical name: it would run instead of what the report says ran.

    Raises UsageProblem with what is in the way, Unfit for a folder that cannot be read.
    """
    for folder in folders:
        found = [name for name in _importable(Path(folder)) if canonicalize_name(name) in needed]
        if found:
            raise UsageProblem(
                f"{folder} holds {listed(sorted(set(found)))}, which servers would import from there instead of what is "
                "installed: the versions in the report would not be those that ran",
                "move the app into a folder of its own, or compare releases with --baseline and --candidate",
            )


def _importable(folder: Path) -> Iterator[str]:
    """Yield the names that an import finds in a folder before what is installed: modules, and folders with an __init__.py."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise Unfit(f"the folder {folder} of the app cannot be read: {error.strerror}", "name another one") from error
    for entry in entries:
        if (entry / "__init__.py").is_file() or (entry.suffix in OF_MODULES and entry.is_file()):
            yield entry.name.partition(".")[0]
