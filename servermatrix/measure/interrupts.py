"""Finds out whom the kernel charges with the time of interrupts: without that, other programs' work cannot be told from ours."""

from __future__ import annotations

import contextlib
import socket
import time
from functools import cache
from pathlib import Path

SCHEDSTAT = Path("/proc/thread-self/schedstat")
PROBES, PROBE_NS = 5, 5_000_000
# Sending to oneself is interrupts for a fifth of the time; a kernel that keeps their time apart charges that much less.
CHARGED = 0.93


@cache
def are_charged() -> bool:
    """Tell whether processes are charged with the interrupts that come while they run, by sending to ourselves for 25 ms.

    They are on kernels without CONFIG_IRQ_TIME_ACCOUNTING. Where no time of threads is told, they count as not charged. A host
    or a quota that takes time away makes it look as if interrupts had, and never the other way: one whole probe is enough.
    """
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loop:
        loop.bind(("127.0.0.1", 0))
        loop.connect(loop.getsockname())
        return any(accounts_for(*_probe(loop)) for _ in range(PROBES))
    return False


def _probe(loop: socket.socket) -> tuple[int, int]:
    """Send to ourselves for 5 ms; return the time this thread ran or waited for a CPU, and all the time that passed, in ns."""
    begin, before = time.monotonic_ns(), _ran_or_waited_ns()
    while time.monotonic_ns() - begin < PROBE_NS:
        loop.send(bytes(64))
        loop.recv(64)
    return _ran_or_waited_ns() - before, time.monotonic_ns() - begin


def accounts_for(ran_or_waited_ns: int, wall_ns: int) -> bool:
    """Tell whether the time a thread ran or waited for a CPU is all the time that passed, as far as can be told."""
    return ran_or_waited_ns >= CHARGED * wall_ns


def _ran_or_waited_ns() -> int:
    """Read the time on a CPU and the time waiting for one, in ns (kernel: sched-stats.rst)."""
    ran, waited, *_ = map(int, SCHEDSTAT.read_text().split())
    return ran + waited
