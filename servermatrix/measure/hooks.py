"""The user's own commands before and after a run: a shell, in the folder of the app."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from servermatrix.errors import Unfit
from servermatrix.measure.command import plain

LIMIT_S = 600.0
SHOWN_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Shell commands before and after a run, empty where there is none; `env` are the variables of the app.

    Each may take `limit_s` seconds.
    """

    folder: Path
    prepare: str = ""
    cleanup: str = ""
    env: tuple[tuple[str, str], ...] = ()
    limit_s: float = LIMIT_S


@contextlib.contextmanager
def around(hooks: Hooks, tell: Callable[[str], None]) -> Iterator[None]:
    """Run the one command on entering and the other on leaving, however that comes about.

    Raises Unfit with its output where the first fails, after which the second is run too: half of the first may have happened.
    That the second fails is told, for what was measured is none the worse.
    """
    try:
        if hooks.prepare and (failure := _run(hooks.prepare, hooks)):
            raise Unfit(f"the command of --prepare {failure}", "nothing was measured: mend the command")
        yield
    finally:
        if hooks.cleanup and (failure := _run(hooks.cleanup, hooks)):
            tell(f"warning: the command of --cleanup {failure}")


def _run(command: str, hooks: Hooks) -> str:
    """Run a command and say how it failed, with the end of what it printed; empty when it did not."""
    # Not a pipe: what the command leaves running, a database for example, would keep it open.
    with tempfile.TemporaryFile() as out:
        try:
            code = _to_its_end(command, hooks.folder, {**plain(os.environ), **dict(hooks.env)}, out, hooks.limit_s)
        except OSError as error:
            return f"could not be started: {error}"
        if code == 0:
            return ""
        end = f"did not end within {hooks.limit_s:.0f} s" if code is None else f"ended with code {code}"
        return f"{end}: {command}{_shown(out)}"


def _to_its_end(command: str, folder: Path, env: Mapping[str, str], out: IO[bytes], limit_s: float) -> int | None:
    """Return the exit code; None over the limit, where all that it started is ended, as it is on Ctrl-C."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=dict(env),
        start_new_session=True,
    )
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _shown(out: IO[bytes]) -> str:
    out.seek(0)
    lines = out.read().decode(errors="replace").strip().splitlines()
    left_out = [f"... {len(lines) - SHOWN_LINES} lines before"] if len(lines) > SHOWN_LINES else []
    shown = [*left_out, *lines[-SHOWN_LINES:]] or ["it printed nothing"]
    return "".join(f"\n    {line}" for line in shown)
