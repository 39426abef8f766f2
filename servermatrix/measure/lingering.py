"""Reads how many connections to one port have ended of late, which tells a server's from those of other programs."""

from __future__ import annotations

import contextlib
from pathlib import Path

PROC = Path("/proc")
ALIVE = frozenset({"01", "0A"})  # established and listening: Linux, include/net/tcp_states.h
REMEMBERED_US = 50_000_000  # ended connections are told for 60 s, and the two looks are a little apart from the window
RELIABLE = 20_000  # of 28,000 ports; beyond, an ended connection more often takes the place of another than one of its own


def read_lingering(port: int, proc: Path = PROC) -> int | None:
    """Count what is left of ended connections from or to a port of IPv4, for a minute; None where that is not told."""
    wanted = f":{port:04X}"
    with contextlib.suppress(OSError), (proc / "net" / "tcp").open() as lines:
        next(lines, None)
        fields = (line.split(maxsplit=4) for line in lines)
        return sum(each[3] not in ALIVE and (each[1].endswith(wanted) or each[2].endswith(wanted)) for each in fields)
    return None


def opened(opens: int | None, before: int | None, after: int | None, *, asked: int, wall_us: int = 0) -> int | None:
    """Return how many connections to a port were opened in a window of so long, at most; None where it is not told.

    `opens` counts those of the whole host, `before` and `after` the ended ones of the port. A connection of the window has
    ended with it, so what has not ended at this port was opened by others; but for the `asked` ones of the generator, which
    may break them off at its end and so leave nothing behind.
    """
    if opens is None or before is None or after is None or after > RELIABLE or wall_us > REMEMBERED_US:
        return opens
    return min(opens, asked + max(0, after - before))
