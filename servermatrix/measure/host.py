"""Describes the machine: fingerprint, cores that can be used, how they are split between server and generator."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from servermatrix.errors import UsageProblem
from servermatrix.measure import quota
from servermatrix.model import Cell, Host

PIN_FROM_CORES = 4
CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """What this process may compute on: `cores` by the numbers of their hardware threads, as the system counts CPUs.

    `quota` is how many CPUs' time its control groups allow, None: all. `can_pin` tells whether processes can be bound to CPUs.
    """

    cores: tuple[tuple[int, ...], ...]
    quota: float | None = None
    can_pin: bool = True

    @property
    def cpus(self) -> int:
        """Count the CPUs one really has: whole ones, since half a CPU under a quota is a CPU that is held back."""
        there = sum(map(len, self.cores))
        return there if self.quota is None else max(1, min(there, int(self.quota)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which CPUs server and generator may use; both empty: any, the scheduler decides, and the `reason` says why."""

    server: tuple[int, ...] = ()
    generator: tuple[int, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        where = f"server on {_spans(self.server)}, generator on {_spans(self.generator)}" if self.server else "not pinned"
        return f"{where}: {self.reason}" if self.reason else where


def usable_cores() -> tuple[int, ...]:
    """List the CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(psutil.cpu_count() or 1))


def read_topology(folder: Path = CPUS) -> Topology:
    """Look at what this process may compute on; a CPU of which no siblings are told is a core of its own."""
    allowed = usable_cores()
    cores = {tuple(cpu for cpu in _siblings(folder, number) if cpu in allowed) or (number,) for number in allowed}
    return Topology(
        cores=tuple(sorted(cores)), quota=quota.allowed_cores(quota.groups()), can_pin=hasattr(os, "sched_setaffinity")
    )


def _siblings(folder: Path, cpu: int) -> tuple[int, ...]:
    """Read the hardware threads that share a core, as `0,4` or `0-1` (kernel: ABI/stable/sysfs-devices-system-cpu)."""
    with contextlib.suppress(OSError, ValueError):
        text = (folder / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text()
        ends = [part.split("-") for part in text.strip().split(",")]
        return tuple(number for end in ends for number in range(int(end[0]), int(end[-1]) + 1))
    return (cpu,)


def layout_of(pin: str, cells: Sequence[Cell]) -> Layout:
    """Split this machine for a plan: every cell has the same cores, as many as the most workers of any of them."""
    threads, workers = max(cell.load.threads for cell in cells), max(cell.workers for cell in cells)
    return layout(pin, read_topology(), threads=threads, workers=workers)


def layout(pin: str, topology: Topology, *, threads: int, workers: int) -> Layout:
    """Give the server one CPU per worker and the generator one per thread, never two CPUs of one core to both.

    `auto` pins from four cores on where both fit: with fewer, a pinned process cannot dodge whatever else runs on its core.
    How quiet the machine is does not count: a run that is gone on with later must be split as it was.
    """
    cannot = limits(topology, threads=threads, workers=workers)
    if pin == "off":
        return Layout(reason=cannot)
    if not topology.can_pin:
        return Layout(reason=_joined("this system binds no process to a core", cannot))
    if pin == "on":
        return _forced(topology, threads, workers, cannot)
    if (cores := min(len(topology.cores), topology.cpus)) < PIN_FROM_CORES:
        return Layout(reason=_joined(f"with {_counted(cores, 'core')} nothing pinned could dodge what else runs", cannot))
    found = _split(topology, threads, workers)
    return found or Layout(reason=cannot or f"no cores for {workers} workers and {threads} generator threads apart")


def limits(topology: Topology, *, threads: int, workers: int) -> str:
    """Say what cannot be measured here for want of cores, empty when everything asked for can."""
    cpus, here = topology.cpus, f"with {_held(topology) or _counted(topology.cpus, 'core')}"
    if cpus == 1:
        return f"{here} server and generator take turns, and neither can be measured alone"
    if cpus - threads <= 1:
        return f"{here} more than one worker cannot be measured, nor a server undisturbed by the generator beside it"
    if workers + threads > cpus:
        return f"{here} more than {cpus - threads} workers beside the generator cannot be measured"
    return ""


def _held(topology: Topology) -> str:
    """Name the CPU quota where it allows less than the cores that are there, else nothing."""
    there = sum(map(len, topology.cores))
    return f"the CPU quota of {topology.quota:g} cores" if topology.quota and topology.cpus < there else ""


def _joined(*sentences: str) -> str:
    return "; ".join(filter(None, sentences))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _forced(topology: Topology, threads: int, workers: int, cannot: str) -> Layout:
    """Pin although nobody would: the server gets what the generator leaves; UsageProblem where that is nothing."""
    for fewer in range(workers, 0, -1):
        if found := _split(topology, threads, fewer):
            return replace(found, reason=cannot)
    held, cores = _held(topology), min(len(topology.cores), topology.cpus)
    message = (
        f"--pin on needs more than {_counted(threads, 'core')}, this process may use {f'{cores} under {held}' if held else cores}"
    )
    raise UsageProblem(message, "leave --pin at auto or off")


def _split(topology: Topology, threads: int, workers: int) -> Layout | None:
    """Take whole cores first for the server, then for the generator, with as few hardware threads of each as will do."""
    if workers + threads > topology.cpus:
        return None
    for width in range(1, 1 + max(map(len, topology.cores))):
        server, rest = _taken(topology.cores, workers, width)
        generator, _ = _taken(rest, threads, width)
        if len(server) == workers and len(generator) == threads:
            return Layout(server=server, generator=generator)
    return None


def _taken(cores: tuple[tuple[int, ...], ...], count: int, width: int) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Take so many CPUs, at most `width` of a core; return them and the cores of which none was taken."""
    taken: list[int] = []
    for index, core in enumerate(cores):
        if len(taken) >= count:
            return tuple(taken[:count]), cores[index:]
        taken += core[:width]
    return tuple(taken[:count]), ()


def fingerprint(pinned: Layout) -> Host:
    """Describe this machine."""
    return Host(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu_model(),
        cores=read_topology().cpus,
        memory_bytes=psutil.virtual_memory().total,
        python=platform.python_version(),
        pinned=str(pinned),
    )


def git_state(folder: Path) -> str:
    """Return the commit of a folder with `+` when it has changes; empty outside a checkout or without git."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return _git(folder, "rev-parse", "--short=12", "HEAD") + ("+" if _git(folder, "status", "--porcelain") else "")
    return ""


def _git(folder: Path, *words: str) -> str:
    argv = ["git", "-C", str(folder), *words]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _spans(cores: tuple[int, ...]) -> str:
    return ",".join(map(str, cores))
