"""A helper program is bounded in time and ends as a whole, whatever interrupts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from servermatrix.measure.command import _deferred, plain, run
from tests.room import alive, until

# Says who it is, leaves a child in a group of its own, and stays.
FAMILY = """
import os, subprocess, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
subprocess.Popen([sys.executable, "-c", "import os, time; os.setpgid(0, 0); time.sleep(60)"])
time.sleep(60)
"""


class Heard:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int]] = []

    def tell(self, sign: str, session: int) -> None:
        self.lines.append((sign, session))


def python(script: str, *words: str) -> Sequence[str]:
    return [sys.executable, "-I", "-c", script, *words]


def test_it_returns_the_code_and_all_that_was_printed(tmp_path: Path) -> None:
    script = "import os, sys; print(os.getcwd(), os.environ['WORD'], flush=True); print('no', file=sys.stderr); sys.exit(3)"
    assert run(python(script), {"WORD": "said"}, 20, tmp_path) == (3, f"{tmp_path} said\nno\n")


def test_what_is_no_text_is_no_failure(tmp_path: Path) -> None:
    assert run(python("import sys; sys.stdout.buffer.write(b'a\\xffb')"), {}, 20, tmp_path) == (0, "a\N{REPLACEMENT CHARACTER}b")


def test_it_has_a_session_of_its_own(tmp_path: Path) -> None:
    assert run(python("import os; print(os.getsid(0) == os.getpid())"), {}, 20, tmp_path) == (0, "True\n")


def test_a_program_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run([str(tmp_path / "nothing")], {}, 20, tmp_path)


def test_over_its_time_it_ends_with_everything_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        run(python(FAMILY, str(pid)), os.environ, 1.5, tmp_path)
    assert until(lambda: not alive(int(pid.read_text())))


def test_an_interruption_ends_it_with_everything_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt_it() -> None:
        until(lambda: pid.exists() and pid.read_text())
        os.kill(os.getpid(), signal.SIGINT)

    interrupt = threading.Thread(target=interrupt_it)
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        run(python(FAMILY, str(pid)), os.environ, 20, tmp_path)
    interrupt.join()
    assert until(lambda: not alive(int(pid.read_text())))


def test_an_interruption_waits_until_what_is_being_started_is_known() -> None:
    handler, known = signal.getsignal(signal.SIGINT), list[bool]()

    def start() -> None:
        with _deferred():
            os.kill(os.getpid(), signal.SIGINT)
            known.append(True)

    with pytest.raises(KeyboardInterrupt):
        start()
    assert known
    assert signal.getsignal(signal.SIGINT) is handler


def test_what_ignored_an_interruption_ignores_it_still(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _deferred():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        script = "import signal as s; print(s.getsignal(s.SIGHUP) == s.SIG_IGN)"
        assert run(python(script), {}, 20, tmp_path) == (0, "True\n")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_program_that_is_started_has_no_signal_blocked(tmp_path: Path) -> None:
    script = "import signal as s; print(len(s.pthread_sigmask(s.SIG_BLOCK, ())), s.getsignal(s.SIGTERM) == s.SIG_DFL)"
    assert run(python(script), {}, 20, tmp_path) == (0, "0 True\n")


@pytest.mark.parametrize(("script", "limit_s"), [("print(1)", 20.0), ("import time; time.sleep(60)", 0.3)])
def test_a_watcher_is_told_of_its_beginning_and_its_end(tmp_path: Path, script: str, limit_s: float) -> None:
    heard = Heard()
    try:
        run(python(script), {}, limit_s, tmp_path, watcher=heard)
    except subprocess.TimeoutExpired:
        assert limit_s < 1
    assert [sign for sign, _ in heard.lines] == ["+", "-"]
    assert len({session for _, session in heard.lines}) == 1


class Interrupting(Heard):
    """A watcher that is interrupted while it is told of a beginning."""

    def tell(self, sign: str, session: int) -> None:
        if sign == "+":
            os.kill(os.getpid(), signal.SIGINT)
        super().tell(sign, session)


def test_no_interruption_comes_between_the_beginning_and_the_watcher(tmp_path: Path) -> None:
    heard = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        run(python("import time; time.sleep(60)"), {}, 20, tmp_path, watcher=heard)
    assert [sign for sign, _ in heard.lines] == ["+", "-"]
    assert not alive(heard.lines[0][1])


def test_it_keeps_the_descriptors_that_it_is_to_hold_and_no_others(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfor word in sys.argv[1:]:\n  try: os.fstat(int(word)); print('open')\n  except OSError: print('shut')"
    )
    with (tmp_path / "held").open("w") as held, (tmp_path / "other").open("w") as other:
        words = (str(held.fileno()), str(other.fileno()))
        assert run(python(script, *words), {}, 20, tmp_path, held=(held.fileno(),)) == (0, "open\nshut\n")


def test_interpreters_and_installers_keep_the_settings_of_the_machine_but_none_of_our_python() -> None:
    ours = {"PYTHONPATH": "x", "PYTHONHOME": "x", "PYTHONDONTWRITEBYTECODE": "1", "VIRTUAL_ENV": "x", "FORCE_COLOR": "1"}
    machine = {
        "PATH": "/bin",
        "HOME": "/h",
        "PIP_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "HTTPS_PROXY": "p",
        "PYENV_VERSION": "3.13.0",
    }
    assert plain({**ours, **machine}) == {**machine, "NO_COLOR": "1"}


def test_nothing_that_is_started_learns_of_the_job_of_github_that_it_runs_in() -> None:
    job = {"GITHUB_TOKEN": "t", "GITHUB_ENV": "f", "ACTIONS_RUNTIME_TOKEN": "t", "RUNNER_TEMP": "d", "INPUT_TOKEN": "t"}
    kept = {"PATH": "/bin", "PIP_INDEX_URL": "https://index.example", "UV_INDEX": "x", "RUNNERS": "y"}
    assert plain({**job, **kept}) == {**kept, "NO_COLOR": "1"}
