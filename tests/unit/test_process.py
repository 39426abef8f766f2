"""Programs are started in sessions of their own, with clean surroundings, and stopped with everything they started."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import UserDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from servermatrix.measure.process import Guard, run_to_end, scrubbed_environment, session_members, shielded, start, stop
from tests.conftest import ROOT
from tests.room import DEAF, FAMILY, SLEEPER, alive, command, guarded, program, said, until, zombie

SETTINGS = (
    "WEB_CONCURRENCY",
    "UVICORN_LOOP",
    "GUNICORN_CMD_ARGS",
    "GRANIAN_WORKERS",
    "PYTHONPATH",
    "FORWARDED_ALLOW_IPS",
    "PORT",
)
TELL = """
import json, os, resource, signal
print(json.dumps({
    "pid": os.getpid(), "session": os.getsid(0), "group": os.getpgid(0), "folder": os.getcwd(),
    "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0], "cpus": sorted(os.sched_getaffinity(0)),
    "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "default": [signal.getsignal(n) is signal.SIG_DFL for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "input": os.read(0, 10).decode(),
}), flush=True)
"""


@pytest.fixture
def guard() -> Iterator[Guard]:
    with guarded() as one:
        yield one


def told(tmp_path: Path, *, cpus: tuple[int, ...] = (), open_files: int = 1024) -> dict[str, object]:
    """Let a program describe itself."""
    errors = tmp_path / "errors"
    code, out = run_to_end(command(tmp_path, TELL, cpus=cpus, open_files=open_files), errors, 10, lambda: None)
    assert code == 0, errors.read_text()
    found: dict[str, object] = json.loads(out)
    return found


def test_a_server_sees_nothing_that_would_change_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(name, "4")
    monkeypatch.setenv("HOME", "/somewhere")
    seen = scrubbed_environment({"MINE": "1"})
    assert not set(SETTINGS) & set(seen)
    assert (seen["HOME"], seen["PATH"], seen["MINE"]) == ("/somewhere", os.environ["PATH"], "1")


def test_what_is_given_wins_over_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C")
    assert scrubbed_environment({"LANG": "C.UTF-8", "PYTHONUNBUFFERED": ""})["LANG"] == "C.UTF-8"
    assert scrubbed_environment({"PYTHONUNBUFFERED": ""})["PYTHONUNBUFFERED"] == ""


def test_a_program_leads_its_own_session_in_its_folder_without_input(tmp_path: Path) -> None:
    seen = told(tmp_path)
    assert seen["pid"] == seen["session"] == seen["group"]
    assert seen["session"] != os.getsid(0)
    assert seen["folder"] == str(tmp_path)
    assert seen["input"] == ""


def test_signals_that_are_ignored_or_blocked_here_are_not_so_in_the_program(tmp_path: Path) -> None:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)}
    try:
        seen = told(tmp_path)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert seen["sigint"] is True
    assert seen["default"] == [True, True, True]
    assert seen["blocked"] == []


def test_the_limit_of_open_files_is_raised_as_far_as_the_system_allows(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else 4096
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, most), hard))
    try:
        assert told(tmp_path, open_files=min(1000, most))["files"] == min(1000, most)
        assert told(tmp_path, open_files=64)["files"] == min(256, most)
        assert told(tmp_path, open_files=2**40)["files"] == (hard if hard != resource.RLIM_INFINITY else 2**40)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_can_be_kept_on_some_cores(tmp_path: Path) -> None:
    last = max(os.sched_getaffinity(0))
    assert told(tmp_path, cpus=(last,))["cpus"] == [last]
    assert told(tmp_path)["cpus"] == sorted(os.sched_getaffinity(0))


def test_output_and_errors_are_in_the_log(tmp_path: Path) -> None:
    with program(tmp_path, "import sys; print('out', flush=True); print('err', file=sys.stderr)") as running:
        assert running.process.wait(5) == 0
        assert running.exit_code() == 0
        assert running.log.read_text() == "out\nerr\n"


def test_what_cannot_be_started_raises_and_leaves_no_session(tmp_path: Path, guard: Guard) -> None:
    wrong = command(tmp_path, "")
    with pytest.raises(OSError, match="no-such-program"):
        start(type(wrong)(argv=["no-such-program"], env=wrong.env, folder=wrong.folder, log=wrong.log), guard)


def test_a_program_that_obeys_is_stopped_without_being_killed(tmp_path: Path, guard: Guard) -> None:
    running = start(command(tmp_path, SLEEPER), guard)
    assert said(running, "up")
    assert running.members() == (running.session,)
    assert stop(running, guard) == ()
    assert running.exit_code() == -signal.SIGTERM
    assert session_members(running.session) == []


def test_a_program_that_ignores_sigterm_is_killed_when_patience_ends(tmp_path: Path, guard: Guard) -> None:
    running = start(command(tmp_path, DEAF), guard)
    assert said(running, "up")
    begin = time.monotonic()
    assert stop(running, guard, patience_s=0.3) == ()
    assert time.monotonic() - begin < 8
    assert running.exit_code() == -signal.SIGKILL


def test_a_child_that_ignores_sigterm_does_not_outlive_its_parent(tmp_path: Path, guard: Guard) -> None:
    running = start(command(tmp_path, FAMILY, DEAF), guard)
    assert said(running, "up")
    assert len(running.members()) == 2
    assert stop(running, guard) == ()
    assert alive(running.session) == []


def test_a_child_that_made_a_process_group_of_its_own_is_stopped_too(tmp_path: Path, guard: Guard) -> None:
    running = start(command(tmp_path, FAMILY, f"import os; os.setpgid(0, 0); {SLEEPER}"), guard)
    assert said(running, "up")
    assert stop(running, guard) == ()
    assert alive(running.session) == []


def test_the_children_of_a_program_that_has_ended_are_stopped(tmp_path: Path, guard: Guard) -> None:
    source = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
    running = start(command(tmp_path, source, SLEEPER), guard)
    assert said(running, "up")
    assert until(lambda: running.exit_code() is not None)
    (orphan,) = running.members()
    assert stop(running, guard) == ()
    assert zombie(orphan)


def test_stopping_twice_is_harmless(tmp_path: Path, guard: Guard) -> None:
    running = start(command(tmp_path, SLEEPER), guard)
    assert stop(running, guard) == stop(running, guard) == ()


class Recording(Guard):
    """A real guard that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, int]] = []

    def tell(self, sign: str, session: int) -> None:
        self.told.append((sign, session))
        super().tell(sign, session)


def test_a_stopped_program_is_forgotten_by_the_guard_since_its_number_may_be_given_to_another(tmp_path: Path) -> None:
    guard = Recording()
    running = start(command(tmp_path, SLEEPER), guard)
    assert stop(running, guard) == ()
    guard.close()
    assert guard.told == [("+", running.session), ("-", running.session)]


def test_what_was_not_stopped_ends_with_the_guard(tmp_path: Path) -> None:
    with guarded() as guard:
        other = start(command(tmp_path, SLEEPER), guard)
    assert until(lambda: other.exit_code() is not None)
    assert other.exit_code() == -signal.SIGKILL


def test_zombies_are_members_of_the_session_but_do_not_count_as_left(tmp_path: Path) -> None:
    source = "import os, time\nif os.fork() == 0: os._exit(0)\nprint('up', flush=True); time.sleep(60)"
    with program(tmp_path, source) as running:
        assert said(running, "up")
        assert until(lambda: any(zombie(pid) for pid in session_members(running.session)))
        assert running.members() == (running.session,)
        assert len(session_members(running.session)) == 2


def test_a_signal_is_held_back_while_shielded_and_comes_afterwards() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with shielded():
            with shielded():
                os.kill(os.getpid(), signal.SIGTERM)
            assert came == []
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_command_runs_to_its_end_with_output_and_errors_apart(tmp_path: Path) -> None:
    source = "import sys; print('result'); print('trouble', file=sys.stderr); sys.exit(7)"
    errors = tmp_path / "errors"
    assert run_to_end(command(tmp_path, source), errors, 10, lambda: None) == (7, "result\n")
    assert errors.read_text() == "trouble\n"


def test_a_command_is_killed_at_its_limit(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match="did not end within 1 s"):
        run_to_end(command(tmp_path, SLEEPER), tmp_path / "errors", 0.6, lambda: None)
    assert (tmp_path / "program.log").read_text() == "up\n"
    assert time.monotonic() - begin < 5


def test_a_command_is_ended_with_its_children(tmp_path: Path) -> None:
    """Was a bug: the built-in generator forks one process per thread, and these went on loading."""
    source = f"import os; print(os.getpid(), flush=True); {FAMILY}"
    with pytest.raises(TimeoutError):
        run_to_end(command(tmp_path, source, SLEEPER), tmp_path / "errors", 0.8, lambda: None)
    session = int((tmp_path / "program.log").read_text().split()[0])
    assert until(lambda: alive(session) == [])


@pytest.mark.parametrize("left", ["sys.exit(3)", "os.kill(os.getpid(), 9)"])
def test_the_children_of_a_command_do_not_outlive_it_however_it_ends(tmp_path: Path, left: str) -> None:
    """Was a bug: only a command that still ran was ended with its children, and these loaded the next window."""
    child = "subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
    source = f"import os, subprocess, sys; print(os.getpid(), flush=True); {child}; {left}"
    run_to_end(command(tmp_path, source, SLEEPER), tmp_path / "errors", 10, lambda: None)
    session = int((tmp_path / "program.log").read_text().split()[0])
    assert until(lambda: alive(session) == [])


def test_whoever_watches_a_command_can_end_it(tmp_path: Path) -> None:
    calls: list[float] = []

    def watch() -> None:
        calls.append(time.monotonic())
        if len(calls) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run_to_end(command(tmp_path, "import os; print(os.getpid(), flush=True); " + SLEEPER), tmp_path / "errors", 30, watch)
    session = int((tmp_path / "program.log").read_text().split()[0])
    assert alive(session) == []
    assert calls[1] - calls[0] == pytest.approx(0.2, abs=0.15)


ADOPTS = """
import os, subprocess, sys, time
from servermatrix.measure.process import adopt_orphans
adopt_orphans()
sleeper = "[sys.executable, '-c', 'import time; time.sleep(60)'], stdout=-3, stderr=-3"
inner = f"import subprocess, sys; print(subprocess.Popen({sleeper}).pid)"
orphan = int(subprocess.run([sys.executable, "-c", inner], capture_output=True, text=True, check=True).stdout)
deadline = time.monotonic() + 5
parent = 0
while parent != os.getpid() and time.monotonic() < deadline:
    parent = int(open(f"/proc/{orphan}/stat").read().rpartition(")")[2].split()[1])
os.kill(orphan, 9)
print(parent == os.getpid() and os.waitpid(orphan, 0)[0] == orphan)
"""


def test_orphaned_grandchildren_are_adopted_and_can_be_collected() -> None:
    done = subprocess.run([sys.executable, "-c", ADOPTS], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "True\n"


class Interrupting(UserDict[str, str]):
    """An environment that is read while a program is being started, and brings a Ctrl-C at that moment."""

    def __iter__(self) -> Iterator[str]:
        os.kill(os.getpid(), signal.SIGINT)
        return super().__iter__()


def runs_sleeper(process: psutil.Process) -> bool:
    """Tell whether a process is a live sleeper; zombies that earlier tests adopted have no command line."""
    try:
        return SLEEPER in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def test_a_program_that_was_being_started_when_ctrl_c_came_is_ended(tmp_path: Path) -> None:
    interrupted = replace(command(tmp_path, SLEEPER), env=Interrupting(scrubbed_environment({})))
    with pytest.raises(KeyboardInterrupt):
        run_to_end(interrupted, tmp_path / "errors", 30, lambda: None)
    assert [child.pid for child in psutil.Process().children() if runs_sleeper(child)] == []
