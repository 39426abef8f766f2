"""Asks a Python interpreter, from outside, what the packages that are installed in it require."""

from __future__ import annotations

import json
import subprocess

from packaging.utils import canonicalize_name

SCRIPT = """\
import json
from importlib.metadata import distributions
found = {each.metadata["Name"]: each.requires or [] for each in distributions() if each.metadata and each.metadata["Name"]}
print(json.dumps(found))
"""


def dependencies(python: str) -> dict[str, tuple[str, ...]]:
    """Return the requirements of every package of that interpreter, by canonical name; none where it does not tell.

    They only make an attribution shorter, so that one that cannot be had is no failure.
    """
    argv = [python, "-I", "-c", SCRIPT]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True)
        told = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return {canonicalize_name(name): tuple(map(str, needs)) for name, needs in sorted(told.items())}
