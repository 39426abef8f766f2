"""Reads what processes and the host used: CPU, memory, context switches, steal and throttling; it starts nothing."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from servermatrix.measure import interrupts, quota

PROC = Path("/proc")
TICKS_MAY_ADD_US = 50_000  # user and system time are rounded to 10 ms each, at both readings
CLOCK_MAY_DRIFT = 0.005  # of the time between two readings; time servers slew a clock by a tenth of that
PORTS_FULL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessCpu:
    """CPU time of one process so far: in clock ticks of the kernel, and per thread in nanoseconds where that is told."""

    ticks_us: int
    thread_ns: Mapping[int, int]

    def since(self, before: ProcessCpu) -> int:
        """Return the microseconds used since `before`.

        Thread times are a thousand times finer than ticks, but a thread that ended took its time along: then ticks count.
        So they do where threads came and went between the readings, which shows in ticks that tell clearly more, and where
        the kernel shows thread times without keeping them: all are 0 there.
        """
        by_ticks = self.ticks_us - before.ticks_us
        if not any(self.thread_ns.values()) or not before.thread_ns.keys() <= self.thread_ns.keys():
            return by_ticks
        by_threads = (sum(self.thread_ns.values()) - sum(before.thread_ns.values())) // 1000
        return by_ticks if by_ticks > by_threads + TICKS_MAY_ADD_US else by_threads


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCpu:
    """CPU time of the whole host so far, in microseconds over all cores; `busy_us` is what processes were charged with."""

    at_us: int
    busy_us: int
    steal_us: int
    cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at a process tree and its host.

    `active_opens` counts the TCP connections opened on the host so far, None where that is not told. `clock_us` is the time of
    day, which generators go by, less the time since the start of the machine.
    """

    host: HostCpu
    processes: Mapping[int, ProcessCpu]
    own_us: int
    throttled_us: int
    involuntary_switches: int
    active_opens: int | None = None
    clock_us: int = 0

    def clock_step_us(self, before: Reading) -> int:
        """Return by how much the clock of the machine was set since `before`, 0 for what it may drift."""
        step_us = self.clock_us - before.clock_us
        return step_us if abs(step_us) > CLOCK_MAY_DRIFT * (self.host.at_us - before.host.at_us) else 0


def read_host() -> HostCpu:
    """Read the host's CPU times."""
    charged = interrupts.are_charged()  # an experiment the first time, which is no part of a reading
    times = psutil.cpu_times()
    return HostCpu(
        at_us=time.monotonic_ns() // 1000,
        busy_us=round(busy_s(times, with_interrupts=charged) * 1e6),
        steal_us=round(getattr(times, "steal", 0.0) * 1e6),
        cores=psutil.cpu_count() or 1,
    )


def busy_s(times: object, *, with_interrupts: bool) -> float:
    """Add up the CPU time that processes are charged with.

    Loopback traffic is delivered in soft interrupts. Where processes are not charged with them, they would be taken for somebody
    else's work; where they are, leaving them out would hide that much of it.
    """
    names = ("user", "system", "nice", *(("irq", "softirq") if with_interrupts else ()))
    return float(sum(getattr(times, name, 0.0) for name in names))


def read(pids: Iterable[int]) -> Reading:
    """Read the given processes and the host."""
    pids = tuple(pids)
    interrupts.are_charged()  # an experiment the first time, which is no part of a reading
    return Reading(
        processes={pid: cpu for pid in pids if (cpu := read_process(pid)) is not None},
        own_us=time.process_time_ns() // 1000,
        throttled_us=quota.throttled_us(quota.groups()),
        involuntary_switches=sum(map(_involuntary_switches, pids)),
        active_opens=read_active_opens(),
        clock_us=read_clock_us(),
        host=read_host(),
    )


def read_clock_us() -> int:
    """Read by how much the time of day is ahead of the time that nobody sets, the most exact of a few readings."""
    looks = [(time.monotonic_ns(), time.time_ns(), time.monotonic_ns()) for _ in range(3)]
    begin, now, end = min(looks, key=lambda look: look[2] - look[0])
    return (now - (begin + end) // 2) // 1000


def read_process(pid: int) -> ProcessCpu | None:
    """Read one process's CPU time; None when it has ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return ProcessCpu(ticks_us=round((times.user + times.system) * 1e6), thread_ns=_thread_ns(pid))


def _thread_ns(pid: int) -> dict[int, int]:
    """Read /proc/PID/task/TID/schedstat, whose first field is the time on a CPU in ns (kernel: sched-stats.rst)."""
    found: dict[int, int] = {}
    with contextlib.suppress(OSError, ValueError):
        for thread in (PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                found[int(thread.name)] = int((thread / "schedstat").read_text().split(maxsplit=1)[0])
    return found


def _involuntary_switches(pid: int) -> int:
    try:
        return int(psutil.Process(pid).num_ctx_switches().involuntary)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def read_connections(pids: Iterable[int], proc: Path = PROC) -> dict[int, int]:
    """Count the open sockets of each process; empty where one of them does not show them, or has ended."""
    try:
        return {pid: _sockets(proc / str(pid) / "fd") for pid in pids}
    except OSError:
        return {}


def _sockets(folder: Path) -> int:
    """Count the descriptors in /proc/PID/fd that are sockets; one that is closed meanwhile is none."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                count += os.readlink(entry.path).startswith("socket:")  # noqa: PTH115 - pathlib takes three times as long
    return count


def read_active_opens(proc: Path = PROC) -> int | None:
    """Read how many TCP connections were opened from here so far (RFC 4022, tcpActiveOpens); None where that is not told."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        names, values = (line.split() for line in (proc / "net" / "snmp").read_text().splitlines() if line.startswith("Tcp:"))
        return int(dict(zip(names, values, strict=True))["ActiveOpens"])
    return None


def ports_in_use(proc: Path = PROC) -> tuple[int, int] | None:
    """Return how many ports TCP connections hold, open or lingering, and how many there are; None where that is not told.

    Both ends of a connection are on this machine, and one of them holds a port.
    """
    with contextlib.suppress(OSError, ValueError, StopIteration):
        low, high = map(int, (proc / "sys" / "net" / "ipv4" / "ip_local_port_range").read_text().split())
        fields = next(line.split() for line in (proc / "net" / "sockstat").read_text().splitlines() if line.startswith("TCP:"))
        used = dict(zip(fields[1::2], map(int, fields[2::2]), strict=True))
        return used.get("inuse", 0) // 2 + used.get("tw", 0), high - low + 1
    return None


def ports_exhausted(used: tuple[int, int] | None, *, refused: bool) -> str:
    """Say that there are no ports to connect from, and what to do; empty where there are. `refused`: one was just asked for."""
    if not refused and (used is None or used[0] < PORTS_FULL * used[1]):
        return ""
    count = f" ({used[0]} of {used[1]} are taken)" if used else ""
    todo = "wait a minute, use fewer connections, or widen net.ipv4.ip_local_port_range"
    return f"this machine has no ports left to connect from{count}: {todo}"


def read_pss(pids: Iterable[int]) -> int | None:
    """Sum the proportional set size in bytes: resident size would count pages shared by workers once per worker."""
    total = 0
    for pid in pids:
        try:
            total += int(psutil.Process(pid).memory_full_info().pss)
        except psutil.NoSuchProcess:
            continue
        except (psutil.AccessDenied, AttributeError):
            return None
    return total


def foreign_share(before: HostCpu, after: HostCpu, ours_us: int) -> float:
    """Return how much of one core others used between two readings (0 and up)."""
    wall_us = max(1, after.at_us - before.at_us)
    return max(0.0, (after.busy_us - before.busy_us - ours_us) / wall_us)


def steal_share(before: HostCpu, after: HostCpu) -> float:
    """Return the share of all CPU time that the hypervisor gave to others between two readings (0 to 1)."""
    wall_us = max(1, after.at_us - before.at_us)
    return min(1.0, max(0.0, (after.steal_us - before.steal_us) / (wall_us * after.cores)))


def wait_until_quiet(limit: float, *, patience_s: float = 10.0, sample_s: float = 0.25) -> float:
    """Wait, bounded, until others use less than `limit` of a core; return what they used last."""
    deadline = time.monotonic() + patience_s
    while True:
        before, own = read_host(), time.process_time_ns()
        time.sleep(sample_s)
        share = foreign_share(before, read_host(), (time.process_time_ns() - own) // 1000)
        if share < limit or time.monotonic() >= deadline:
            return share
