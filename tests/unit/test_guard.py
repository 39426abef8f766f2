"""The watcher: whatever is still on its list ends when its input ends, even when the tool was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servermatrix.measure import guard
from servermatrix.measure.guard import kill, members, sessions_left
from tests.conftest import ROOT
from tests.room import DEAF, SLEEPER, alive, program, said, until

TOOL = """
import sys, time
from pathlib import Path
from servermatrix.measure.process import Command, Guard, scrubbed_environment, start
folder, family, deaf = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
command = Command(argv=[sys.executable, "-c", family, deaf], env=scrubbed_environment({}), folder=folder, log=folder / "log")
print(start(command, Guard()).session, flush=True)
time.sleep(60)
"""
FAMILY = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); time.sleep(60)"


@contextmanager
def watcher() -> Iterator[subprocess.Popen[str]]:
    """Run the guard by itself."""
    process = subprocess.Popen([sys.executable, "-S", "-E", guard.__file__], stdin=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ([], set()),
        (["+1\n", "+2\n"], {1, 2}),
        (["+1\n", "+2\n", "-1\n"], {2}),
        (["+1\n", "+1\n", "-1\n"], set()),
        (["-7\n", "+3\n"], {3}),
        (["+1\n", "-1\n", "+1\n"], {1}),
    ],
)
def test_what_was_put_on_the_list_and_not_taken_off_is_left(lines: list[str], left: set[int]) -> None:
    assert sessions_left(lines) == left


def test_the_members_of_a_session_are_found_also_in_groups_of_their_own(tmp_path: Path) -> None:
    with program(tmp_path, FAMILY, "import os; os.setpgid(0, 0); " + SLEEPER) as running:
        assert said(running, "up")
        assert sorted(members(running.session)) == list(running.members())
        assert len(members(running.session)) == 2


def test_killing_ends_the_whole_session(tmp_path: Path) -> None:
    with program(tmp_path, FAMILY, "import os; os.setpgid(0, 0); " + DEAF) as running:
        assert said(running, "up")
        kill(running.session)
        assert until(lambda: running.exit_code() is not None)
        assert until(lambda: alive(running.session) == [])


def test_killing_a_session_that_is_gone_is_harmless(tmp_path: Path) -> None:
    with program(tmp_path, "pass") as running:
        running.process.wait(5)
    kill(running.session)
    assert members(running.session) == []


def test_a_session_on_the_list_ends_when_the_input_ends(tmp_path: Path) -> None:
    with program(tmp_path, FAMILY, DEAF) as running, watcher() as process:
        assert said(running, "up")
        process.communicate(f"+{running.session}\n", timeout=10)
        assert process.returncode == 0
        assert until(lambda: running.exit_code() is not None)
        assert until(lambda: alive(running.session) == [])


def test_a_session_taken_off_the_list_is_left_alone(tmp_path: Path) -> None:
    with program(tmp_path, SLEEPER) as running, watcher() as process:
        assert said(running, "up")
        process.communicate(f"+{running.session}\n-{running.session}\n", timeout=10)
        assert running.exit_code() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_watcher_outlasts_signals_meant_for_the_tool(tmp_path: Path, number: signal.Signals) -> None:
    with program(tmp_path, SLEEPER) as running, watcher() as process:
        assert process.stdin is not None
        process.stdin.write(f"+{running.session}\n")
        process.stdin.flush()
        assert until(lambda: _ignores(process.pid, number))
        process.send_signal(number)
        process.communicate(timeout=10)
        assert process.returncode == 0
        assert until(lambda: running.exit_code() is not None)


def _ignores(pid: int, number: signal.Signals) -> bool:
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return bool(int(fields["SigIgn"], 16) >> (number - 1) & 1)


def test_servers_end_with_all_their_processes_when_the_tool_is_killed(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", TOOL, str(tmp_path), FAMILY, DEAF]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as tool:
        assert tool.stdout is not None
        session = int(tool.stdout.readline())
        assert until(lambda: "up" in (tmp_path / "log").read_text())
        assert len(alive(session)) == 2
        os.kill(tool.pid, signal.SIGKILL)
    assert until(lambda: alive(session) == [])
    assert alive(session) == []
