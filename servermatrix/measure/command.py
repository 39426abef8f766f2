"""Runs a helper program, an installer or an interpreter, to its end: bounded in time, and ended as a whole."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from servermatrix.measure import guard

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# They are of the job of GitHub's that we may run in: tokens, and files by which a step changes the steps after it.
OF_A_JOB = ("GITHUB_", "ACTIONS_", "RUNNER_", "INPUT_")
# They change which modules a Python sees, which environment uv works on, or the colours of a text that is read.
LEFT_OUT = frozenset({"VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "FORCE_COLOR", "CLICOLOR_FORCE"})


class Watcher(Protocol):
    """Ends the sessions it was told of (+) and not to forget (-) when this process ends, however it ends."""

    def tell(self, sign: str, session: int) -> None:
        """Register (+) or forget (-) a session."""


def plain(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for interpreters and installers; the machine's own settings of pip and uv stay."""
    left_out = ("PYTHON", *OF_A_JOB)
    kept = {name: value for name, value in environ.items() if not name.startswith(left_out) and name not in LEFT_OUT}
    return {**kept, "NO_COLOR": "1"}


def run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    limit_s: float,
    folder: Path,
    *,
    watcher: Watcher | None = None,
    held: tuple[int, ...] = (),
) -> tuple[int, str]:
    """Run a command in a session of its own; return its exit code and all that it printed.

    The session ends as a whole, for children would keep the pipe open. `held` are file descriptors that it keeps open, locks
    for example. Raises OSError when it cannot be started and subprocess.TimeoutExpired over the limit.
    """
    process: subprocess.Popen[str] | None = None
    try:
        with _deferred():
            process = _spawn(argv, environ, folder, held)
            if watcher is not None:
                watcher.tell("+", process.pid)
        text, _ = process.communicate(timeout=limit_s)
    except BaseException:
        if process is not None:
            with process:
                guard.kill(process.pid)
        raise
    finally:
        if process is not None and watcher is not None:
            watcher.tell("-", process.pid)
    return process.returncode, text


def _spawn(argv: Sequence[str], environ: Mapping[str, str], folder: Path, held: tuple[int, ...]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environ),
        cwd=folder,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        pass_fds=held,
    )


@contextlib.contextmanager
def _deferred() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM while a process is between being started and being known.

    A blocked signal would stay blocked in the program that is started, and apt-get ends its own children with SIGINT.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []
    ours = [number for number in INTERRUPTS if callable(signal.getsignal(number))]
    before = {number: signal.signal(number, lambda number, _: seen.append(number)) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for which in seen:
            signal.raise_signal(which)
