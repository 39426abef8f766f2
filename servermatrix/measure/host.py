"""Describes the machine: fingerprint, cores that can be used, how they are split between server and generator."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from servermatrix.errors import UsageProblem
from servermatrix.model import Host

PIN_FROM_CORES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which cores server and generator may use; both empty: any, the scheduler decides."""

    server: tuple[int, ...] = ()
    generator: tuple[int, ...] = ()

    def __str__(self) -> str:
        if not self.server:
            return "not pinned"
        return f"server on {_spans(self.server)}, generator on {_spans(self.generator)}"


def usable_cores() -> tuple[int, ...]:
    """List the cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(psutil.cpu_count() or 1))


def layout(pin: str, cores: tuple[int, ...], threads: int) -> Layout:
    """Split the cores: the generator gets one per thread, the server the rest.

    `auto` pins from four cores on: with fewer, a pinned process cannot dodge whatever else runs on its core.
    """
    if pin == "off" or (pin == "auto" and len(cores) < max(PIN_FROM_CORES, threads + 1)) or not hasattr(os, "sched_setaffinity"):
        return Layout()
    if len(cores) <= threads:
        message = f"--pin on needs more than {threads} cores, this process may use {len(cores)}"
        raise UsageProblem(message, "leave --pin at auto or off")
    return Layout(server=cores[:-threads], generator=cores[-threads:])


def fingerprint(pinned: Layout) -> Host:
    """Describe this machine."""
    return Host(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu_model(),
        cores=len(usable_cores()),
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
