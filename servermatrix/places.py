"""Where things are: the configuration, the fetched programs, and a path as one would type it here."""

from __future__ import annotations

import os
from pathlib import Path

from servermatrix import plugins


def shown_path(path: str) -> str:
    """Name a program as one would type it here."""
    here = os.path.relpath(path)
    return path if here.startswith("..") else here


def matrix_path(wished: Path | None) -> Path:
    """Choose the configuration: the wished one, else matrix.yaml here, else the shipped one."""
    here = Path("matrix.yaml")
    return wished or (here if here.exists() else plugins.builtin_root() / "matrix.yaml")


def tools_folder() -> Path:
    """Say where fetched programs are kept: SERVERMATRIX_TOOLS, else in the checkout, else in the user's cache."""
    if named := os.environ.get("SERVERMATRIX_TOOLS"):
        return Path(named)
    root = plugins.builtin_root()
    if (root / "pyproject.toml").exists():
        return root / ".tools"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "servermatrix" / "tools"
