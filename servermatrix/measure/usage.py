"""Reads what processes and the host used: CPU, memory, context switches, steal and throttling; it starts nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

PROC = Path("/proc")
TICKS_MAY_ADD_US = 50_000  # user and system time are rounded to 10 ms each, at both readings
CGROUP_STAT = (Path("/sys/fs/cgroup/cpu.stat"), Path("/sys/fs/cgroup/cpu/cpu.stat"), Path("/sys/fs/cgroup/cpu,cpuacct/cpu.stat"))


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
    """CPU time of the whole host so far, in microseconds over all cores; `busy_us` is without interrupts and steal."""

    at_us: int
    busy_us: int
    steal_us: int
    cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at a process tree and its host."""

    host: HostCpu
    processes: Mapping[int, ProcessCpu]
    own_us: int
    throttled_us: int
    involuntary_switches: int


def read_host() -> HostCpu:
    """Read the host's CPU times.

    Interrupt time is left out of `busy_us`: loopback traffic is delivered in soft interrupts that no process is charged for,
    so it would be taken for somebody else's work.
    """
    times = psutil.cpu_times()
    busy_s = times.user + times.system + getattr(times, "nice", 0.0)
    return HostCpu(
        at_us=time.monotonic_ns() // 1000,
        busy_us=round(busy_s * 1e6),
        steal_us=round(getattr(times, "steal", 0.0) * 1e6),
        cores=psutil.cpu_count() or 1,
    )


def read(pids: Iterable[int]) -> Reading:
    """Read the given processes and the host."""
    pids = tuple(pids)
    return Reading(
        processes={pid: cpu for pid in pids if (cpu := read_process(pid)) is not None},
        own_us=time.process_time_ns() // 1000,
        throttled_us=read_throttled_us(),
        involuntary_switches=sum(map(_involuntary_switches, pids)),
        host=read_host(),
    )


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


def read_throttled_us() -> int:
    """Read how long the control group has been held back by a CPU quota, in microseconds; 0 where there is none."""
    for path in CGROUP_STAT:
        with contextlib.suppress(OSError, ValueError):
            fields = dict(line.split() for line in path.read_text().splitlines())
            if "throttled_usec" in fields:
                return int(fields["throttled_usec"])
            return int(fields.get("throttled_time", "0")) // 1000
    return 0


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
