"""Asks a Python interpreter, from outside, what is installed in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from servermatrix.errors import Unfit

SCRIPT = """\
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
def read(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None
print(json.dumps({"python": platform.python_version(), "found": {name: read(name) for name in sys.argv[1:]}}))
"""


EVERYTHING = """\
import json, platform
from importlib.metadata import distributions
named = [each for each in distributions() if each.metadata and each.metadata["Name"]]
found = {each.metadata["Name"]: each.version for each in reversed(named)}
print(json.dumps({"python": platform.python_version(), "found": found}))
"""


NEEDS = """\
import json, platform
from importlib.metadata import distributions
named = [each for each in distributions() if each.metadata and each.metadata["Name"]]
found = {each.metadata["Name"]: "\\n".join(each.requires or ()) for each in named}
print(json.dumps({"python": platform.python_version(), "found": found}))
"""


# Isolated, an interpreter leaves out the folder of the user's own packages, which servers do see.
SITES = """\
import json, os, platform, site, sys
own = [site.getusersitepackages()] if sys.base_prefix in site.PREFIXES else []
folders = [each for each in [*own, *site.getsitepackages()] if os.path.isdir(each)]
print(json.dumps({"python": platform.python_version(), "found": dict.fromkeys(folders)}))
"""


def installed(python: str, names: Iterable[str]) -> dict[str, str | None]:
    """Return the version of each distribution in that interpreter, None where missing, and its own as `python`.

    Raises Unfit when the interpreter does not run.
    """
    version, found = _told(python, SCRIPT, *sorted(set(names)))
    return {"python": version, **found}


def contents(python: str) -> dict[str, str]:
    """Return the version of everything that is installed in that interpreter, by canonical name.

    Raises Unfit when the interpreter does not run.
    """
    _, found = _told(python, EVERYTHING)
    return dict(sorted((canonicalize_name(name), version) for name, version in found.items() if version))


def site_folders(python: str) -> tuple[str, ...]:
    """Return the folders that this interpreter finds installed packages in, in its order.

    Raises Unfit when the interpreter does not run.
    """
    _, found = _told(python, SITES)
    return tuple(found)


def requirements_of(python: str) -> dict[str, tuple[str, ...]]:
    """Return what everything that is installed in that interpreter requires, as its metadata spells it, by canonical name.

    Raises Unfit when the interpreter does not run.
    """
    _, found = _told(python, NEEDS)
    lines = {canonicalize_name(name): (text or "").splitlines() for name, text in found.items()}
    return {name: tuple(texts) for name, texts in lines.items() if texts}


def _told(python: str, script: str, *words: str) -> tuple[str, dict[str, str | None]]:
    """Run a script of ours in that interpreter, apart from what is on our module path; return its version and its answer.

    Without bytecode, for what is installed there may be imported at its start, and nothing is to be written there.
    """
    argv = [python, "-I", "-B", "-c", script, *words]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True)
        told = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as failure:
        message = f"the Python interpreter {python} does not run: {_why(failure)}"
        raise Unfit(message, "name one that does with --python PATH") from failure
    return str(told["python"]), {str(name): version for name, version in told["found"].items()}


def _why(failure: Exception) -> str:
    """Say why in one line: its own last one where there is any, for ours would be the whole script."""
    match failure:
        case subprocess.CalledProcessError():
            said = str(failure.stderr).strip().splitlines()
            return said[-1] if said else f"it ended with code {failure.returncode}"
        case subprocess.TimeoutExpired():
            return f"it did not answer within {failure.timeout:.0f} s"
        case ValueError():
            return "it answered like no Python"
        case _:
            return str(failure)


def distributions(requirements: Iterable[str]) -> tuple[str, ...]:
    """Return the canonical names of requirements, sorted, each once however it is spelt."""
    return tuple(sorted({canonicalize_name(Requirement(text).name) for text in requirements}))


def unmet(requirements: Iterable[str], versions: Mapping[str, str | None], python: str) -> str | None:
    """Say in one sentence which requirement the interpreter does not meet, None when it meets all."""
    told = {canonicalize_name(name): version for name, version in versions.items()}
    for text in requirements:
        wanted = Requirement(text)
        found = told.get(canonicalize_name(wanted.name))
        if found is None:
            return f"{wanted.name} is not installed; type: {python} -m pip install '{text}'"
        if not wanted.specifier.contains(found, prereleases=True):
            return f"{wanted.name} {found} is installed but {text} is needed; type: {python} -m pip install '{text}'"
    return None
