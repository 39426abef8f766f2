"""Tells two states of a folder of code apart, also where no version control does: by what its Python files hold."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

MOST_FILES = 2_000
MOST_BYTES = 50 * 2**20
DIGITS = 8
SKIPPED = frozenset({"__pycache__", "node_modules"})


def code_state(folder: Path) -> str:
    """Return `files 1a2b3c4d`, which other names or contents of the Python files below a folder change, and nothing else does.

    Hidden folders and virtual environments are left out. After MOST_FILES or MOST_BYTES no more is read: then only a change of
    what comes first, by name, is seen.
    """
    seen, size = hashlib.sha256(), 0
    for number, file in enumerate(_python_files(folder)):
        data = _content(file)
        size += len(data)
        if number >= MOST_FILES or size > MOST_BYTES:
            break
        name = os.fsencode(file.relative_to(folder))
        seen.update(f"{len(name)} {len(data)}\n".encode() + name + data)
    return f"files {seen.hexdigest()[:DIGITS]}"


def _python_files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_left_out(Path(parent, name)))
        for name in sorted(names):
            if name.endswith(".py") and not name.startswith("."):
                yield Path(parent, name)


def _is_left_out(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in SKIPPED or (folder / "pyvenv.cfg").exists()


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError:
        return b""
