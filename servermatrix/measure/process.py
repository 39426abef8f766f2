"""Starts programs in sessions of their own, stops them, and proves that nothing of them is left."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LINUX = sys.platform == "linux"
_LIBC = ctypes.CDLL(None, use_errno=True) if LINUX else None

# What a server may read of its surroundings: nothing that changes its settings (WEB_CONCURRENCY, UVICORN_*, GUNICORN_CMD_ARGS,
# GRANIAN_* ...), only what a program needs in order to run at all.
KEPT_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TMPDIR", "TZ", "USER")


def scrubbed_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment a server starts with: the kept names and `extra`."""
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **extra}


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while a process is between being started and being known, or being stopped."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def adopt_orphans() -> None:
    """Become the reaper of grandchildren, so that killed workers do not linger as zombies (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to start: argv, environment, folder, log file, open-file limit, and the cores it may use (empty: any)."""

    argv: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    log: Path
    open_files: int = 1024
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A started program and the session that all its processes belong to."""

    process: subprocess.Popen[bytes]
    session: int
    log: Path

    def members(self) -> tuple[int, ...]:
        """List the live processes of the session, ascending; zombies do not count."""
        return tuple(pid for pid in session_members(self.session) if not _is_zombie(pid))

    def exit_code(self) -> int | None:
        """Return the exit code of the first process, None while it runs."""
        return self.process.poll()


class Guard:
    """The watcher process: whatever is registered with it ends when this process ends, however it ends."""

    def __init__(self) -> None:
        """Start the watcher, in a session of its own so that a Ctrl-C at the terminal does not reach it."""
        script = Path(__file__).with_name("guard.py")
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", str(script)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def tell(self, sign: str, session: int) -> None:
        """Register (+) or forget (-) a session."""
        stream = self._process.stdin
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.write(f"{sign}{session}\n".encode())
                stream.flush()

    def close(self) -> None:
        """End the watcher, which ends whatever is still registered."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)


def start(command: Command, guard: Guard) -> Running:
    """Start a command in a new session with its output in the log file; OSError when it cannot be started."""
    with shielded(), command.log.open("ab") as log:
        process = _spawn(command, log, log)
        guard.tell("+", process.pid)
    return Running(process=process, session=process.pid, log=command.log)


def run_to_end(command: Command, errors: Path, limit_s: float, watch: Callable[[], None]) -> tuple[int, str]:
    """Run a command until it ends and return its exit code with what it wrote to its log; TimeoutError over the limit.

    `watch` is called about five times a second. A generator may have forked processes: it is killed with its whole group.
    """
    process: subprocess.Popen[bytes] | None = None
    with command.log.open("wb") as out, errors.open("wb") as err:
        try:
            with shielded():
                process = _spawn(command, out, err)
            deadline = time.monotonic() + limit_s
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
                watch()
            if process.poll() is None:
                raise TimeoutError(f"it did not end within {limit_s:.0f} s")
        finally:
            with shielded():
                _kill(process)
    return process.returncode, command.log.read_text(errors="replace")


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    """End a program with its whole group, also where only the others of it still run; None: a Ctrl-C came before there was one.

    The number of a group is given to no other process while one of the group is left, so that nobody else is hit.
    """
    if process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-process.pid, 0)


def _spawn(command: Command, out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
    parent = os.getpid()
    return subprocess.Popen(
        list(command.argv),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        cwd=command.folder,
        env=dict(command.env),
        start_new_session=True,
        preexec_fn=lambda: _prepare_child(command, parent),  # noqa: PLW1509 - this process has no threads while it measures
    )


def _prepare_child(command: Command, parent: int) -> None:
    """Between fork and exec: die with the parent, normal signals, enough files, the chosen cores."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before we could say so
            os.kill(os.getpid(), signal.SIGKILL)
    for number in (*INTERRUPTS, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else command.open_files
    if soft not in (hard, resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(command.open_files, most)), hard))
    if command.cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, command.cpus)


def session_members(session: int) -> list[int]:
    """List the processes of a session, zombies included."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == session:
                found.append(pid)
    return sorted(found)


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def stop(running: Running, guard: Guard, *, patience_s: float = 10.0) -> tuple[int, ...]:
    """Stop a program and everything in its session; return the processes that could not be ended (normally none).

    SIGTERM to the parent first, since a group signal makes some supervisors restart the workers it ended.
    """
    with shielded():
        if running.process.poll() is None:
            running.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(patience_s)
        for number, wait_s in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0)):
            if _gone(running, 0.5 if number == signal.SIGTERM else 0.0):
                break
            for pid in session_members(running.session):
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
            _gone(running, wait_s)
        left = running.members()
        if not left:
            guard.tell("-", running.session)
    return left


def _gone(running: Running, wait_s: float) -> bool:
    """Wait, bounded, until the session has no live process; reap what has ended."""
    deadline = time.monotonic() + wait_s
    while True:
        running.process.poll()
        _reap(running)
        if not running.members():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


def _reap(running: Running) -> None:
    """Collect adopted grandchildren by pid: waiting for any child would take the exit codes of others."""
    for pid in session_members(running.session):
        if pid != running.process.pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
