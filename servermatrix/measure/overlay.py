"""Environments that see the packages of another one as their own: what is missing there is installed here, never there."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from servermatrix import pins
from servermatrix.errors import Unfit
from servermatrix.measure import environment_cache
from servermatrix.measure.environment_cache import CONSTRAINTS, Made, Unmade, Wanted
from servermatrix.measure.environments import contents, distributions
from servermatrix.measure.installer import UNREACHABLE, Installer, InstallerFailed

SHARED = "shared.pth"
PIP = frozenset({"pip"})
# Settings of pip that send what it installs elsewhere: into the very environment that is to stay as it is, perhaps.
ELSEWHERE = frozenset({"PIP_PREFIX", "PIP_PYTHON", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PIP_FORCE_REINSTALL", "PIP_UPGRADE"})


def ensure(
    wanted: Wanted, required: Iterable[str], cache: Path, *, environment: Mapping[str, str] | None = None
) -> Made | Unmade:
    """Return an environment beside the packages of `wanted.beside`, made now unless it is there as they are.

    It cannot be had without what is `required`; of the other requirements it does without those that cannot be installed, and
    says why. All that it shares keeps its version. `environment` stands in for os.environ.
    """
    environ = {name: value for name, value in (environment or os.environ).items() if name not in ELSEWHERE}
    return environment_cache.ensure(wanted, cache, environment=environ, fill=partial(_fill, tuple(required)))


def _fill(required: tuple[str, ...], wanted: Wanted, folder: Path, installer: Installer) -> Mapping[str, str]:
    """Make the environment and return what it does without: why, by requirement."""
    _check_required(required, _contents(wanted.python.path))
    installer = replace(installer, beside=True)
    installer.make(wanted.python, folder)
    # What an environment begins with, setuptools for one, would take the place of theirs; pip is needed until all is installed.
    _remove(folder, _own(folder) - PIP)
    _site(folder).joinpath(SHARED).write_text(_sharing(wanted.beside), encoding="utf-8")
    theirs = _shared(wanted.python.path, folder)
    refused = _install(required, wanted, theirs, folder, installer)
    _remove(folder, PIP)
    _check_theirs(theirs, folder)
    return refused


def _sharing(folders: tuple[str, ...]) -> str:
    """Return what Python runs at its start; unlike mere paths it counts what those folders say of others: editable installs."""
    return "".join(f"import site; site.addsitedir({each!r})\n" for each in folders)


def _install(
    required: tuple[str, ...], wanted: Wanted, theirs: Mapping[str, str], folder: Path, installer: Installer
) -> dict[str, str]:
    """Install all that can be, at once where that goes; return why the others cannot be, by requirement."""
    refused = {text: said for text in wanted.requirements if (said := _unmet_by(theirs, text))}
    _check_required(required, theirs)
    asked = [text for text in wanted.requirements if text not in refused]
    attempt = partial(_attempt, wanted, theirs, folder, installer)
    if not attempt(asked):
        return refused
    if failure := attempt(required):
        raise InstallerFailed(failure)
    accepted = list(required)
    for text in (each for each in asked if each not in required):
        if failure := attempt([*accepted, text]):
            refused[text] = failure
        else:
            accepted.append(text)
    return refused


def _attempt(wanted: Wanted, theirs: Mapping[str, str], folder: Path, installer: Installer, requirements: Iterable[str]) -> str:
    """Install in the versions that are shipped, or else in any that goes with theirs; return why neither went, or nothing.

    Raises InstallerFailed where the index was not reached, for then nothing is known of the requirement.
    """
    fixed = tuple(pins.exact(name, version) for name, version in theirs.items())
    shipped = tuple(line for line in wanted.in_force if canonicalize_name(Requirement(line).name) not in theirs)
    said = ""
    for lines in ((*fixed, *shipped), fixed):
        (folder / CONSTRAINTS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        try:
            installer.install(folder, tuple(requirements), folder / CONSTRAINTS)
        except InstallerFailed as failure:
            said = str(failure)
            if said.endswith(UNREACHABLE):
                raise
        else:
            return ""
    return said


def _unmet_by(theirs: Mapping[str, str], text: str) -> str | None:
    """Say why a requirement cannot be met beside these packages: one of them is it, in another version."""
    (name,) = distributions((text,))
    if name not in theirs or pins.broken_pins((text,), theirs) is None:
        return None
    return f"{name} {theirs[name]} is installed beside the app and is left as it is, but {text} is needed"


def _check_required(required: tuple[str, ...], theirs: Mapping[str, str]) -> None:
    """Raise InstallerFailed when these packages leave no room for what is required."""
    for text in required:
        if said := _unmet_by(theirs, text):
            raise InstallerFailed(said)


def _contents(python: str) -> dict[str, str]:
    try:
        return contents(python)
    except Unfit as failure:
        raise InstallerFailed(failure.message) from failure


def _check_theirs(theirs: Mapping[str, str], folder: Path) -> None:
    """Raise InstallerFailed when a package that is shared would be another one in the new environment."""
    doubled = sorted(_own(folder) & set(theirs))
    if doubled:
        raise InstallerFailed(f"{doubled[0]} {theirs[doubled[0]]} is installed beside the app, and another would take its place")


def _shared(python: str, folder: Path) -> dict[str, str]:
    """Ask the new environment what it shares, by name; InstallerFailed when that is not all that is installed there."""
    there, here = _contents(python), _contents(str(folder / "bin" / "python"))
    lost = sorted(there.keys() - here.keys())
    if lost:
        raise InstallerFailed(f"{lost[0]} is installed for {python} and cannot be seen from another environment")
    return {name: version for name, version in here.items() if name not in PIP}


def _own(folder: Path) -> frozenset[str]:
    """Name what is installed in the environment itself."""
    found = importlib.metadata.distributions(path=[str(_site(folder))])
    return frozenset(canonicalize_name(each.metadata["Name"]) for each in found)


def _site(folder: Path) -> Path:
    """Return the folder of the environment's own packages; InstallerFailed when it has none."""
    found = next(iter(sorted(folder.glob("lib/python*/site-packages"))), None)
    if found is None:
        raise InstallerFailed(f"there is no folder for packages in {folder}")
    return found


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Take packages out of the environment's own folder, and out of no other, as pip might."""
    site = _site(folder)
    for each in list(importlib.metadata.distributions(path=[str(site)])):
        if canonicalize_name(each.metadata["Name"]) in names:
            for top in {file.parts[0] for file in each.files or ()} - {"..", "__pycache__"}:
                found = site / top
                shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
