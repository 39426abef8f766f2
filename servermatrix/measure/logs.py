"""The logs of servers: how they are named, and cut to size."""

from __future__ import annotations

import contextlib
import re
import zlib
from pathlib import Path

from servermatrix.model import Cell

LONGEST_NAME = 180
KEPT_LOG_BYTES = 2**20


def log_name(cell: Cell, suffix: str) -> str:
    """Name a log file after its cell, in characters and a length that any file system takes."""
    name = re.sub(r"[^A-Za-z0-9=,_.-]+", "_", cell.id).strip("_")
    if len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}-{zlib.crc32(cell.id.encode()):08x}"
    return f"{name}-{suffix}.log"


def trim_log(log: Path) -> None:
    """Remove an empty log and cut a flooded one."""
    with contextlib.suppress(OSError):
        size = log.stat().st_size
        if size == 0:
            log.unlink()
        elif size > KEPT_LOG_BYTES:
            with log.open("r+b") as stream:
                stream.truncate(KEPT_LOG_BYTES)
