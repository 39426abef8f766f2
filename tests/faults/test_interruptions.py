"""Ctrl-C, SIGTERM and kill -9 at any moment leave no process, lose nothing that was measured, and can be resumed."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from servermatrix import store
from servermatrix.model import Measured
from tests.conftest import RunCli, none_left, started_below

pytestmark = pytest.mark.servers

StartCli = Callable[..., subprocess.Popen[str]]
WORDS = ("run", "--profile", "smoke", "-k", "uvicorn*uvloop*", "-k", "granian*uvloop*", "--warmup", "1s", "--rounds", "2", "-q")
MOMENTS = ("calibration", "start", "warm-up", "load", "stop")


def command_lines(marker: Path) -> dict[int, list[str]]:
    """Return the words of every process that runs below."""
    found = {}
    for pid in started_below(marker):
        with contextlib.suppress(psutil.Error):
            found[pid] = psutil.Process(pid).cmdline()
    return found


def driving(lines: dict[int, list[str]]) -> set[int]:
    """Return the generators that drive load; one that is only asked for its version does not."""
    return {pid for pid, words in lines.items() if any(word.startswith(("http://", "https://")) for word in words)}


def calibrating(lines: dict[int, list[str]]) -> bool:
    """Tell whether the responder runs, against which generators are calibrated before the first step."""
    return any(word.endswith("responder.py") for words in lines.values() for word in words)


def wait_for(moment: str, marker: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a run is at this moment: while it calibrates, or of its first measured step."""
    deadline, seen = time.monotonic() + 30, set[int]()
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
        lines = command_lines(marker)
        if calibrating(lines):
            if moment == "calibration" and driving(lines):
                return
            continue
        seen |= driving(lines)
        if moment == "start" and len(lines) >= 3:
            return
        if moment == "warm-up" and len(seen) == 1:
            return
        if moment == "load" and len(seen) == 2:
            time.sleep(0.3)
            return
        if moment == "stop" and len(seen) == 2 and not any(map(psutil.pid_exists, seen)):
            return
    process.kill()
    pytest.fail(f"the run never came to {moment}: {process.communicate()}")


def only_run(reports: Path) -> Path:
    (folder,) = (path for path in reports.iterdir() if path.is_dir())
    return folder


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interruption_at_any_moment_leaves_nothing_running_and_a_run_that_can_be_read(
    start_cli: StartCli, marked: Path, tmp_path: Path, moment: str, number: signal.Signals
) -> None:
    process = start_cli(*WORDS)
    wait_for(moment, marked, process)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130), err
    assert none_left(marked) == []
    for left in marked.glob("servermatrix-*"):  # a work folder may outlive kill -9, a process may not
        assert number == signal.SIGKILL
        shutil.rmtree(left)
    run = store.read_run(only_run(tmp_path / "reports"))
    assert len(run.samples) <= 1
    assert "Traceback" not in err
    if number != signal.SIGKILL:
        assert "INCOMPLETE" in (only_run(tmp_path / "reports") / "report.md").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_in_encrypted_http_2_leaves_nothing_running(
    start_cli: StartCli, marked: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start_cli("run", "--profile", "smoke", "-k", "granian*uvloop*", "-s", "protocol=h2", "--warmup", "1s", "-q")
    wait_for("load", marked, process)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130), err
    assert none_left(marked) == []
    for left in marked.glob("servermatrix-*"):
        assert number == signal.SIGKILL
        shutil.rmtree(left)
    assert store.read_run(only_run(tmp_path / "reports")).samples == ()
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_verification_leaves_nothing_running_and_no_lock(
    start_cli: StartCli, run_cli: RunCli, marked: Path, number: signal.Signals
) -> None:
    words = ("verify", "--profile", "smoke", "-k", "gunicorn*uvloop*")
    process = start_cli(*words)
    wait_for("start", marked, process)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130), err
    assert "Traceback" not in err
    assert none_left(marked) == []
    for left in marked.glob("servermatrix-*"):
        assert number == signal.SIGKILL
        shutil.rmtree(left)
    again = run_cli(*words, "-s", "workers=1")
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_killed_run_is_resumed_without_repeating_what_is_stored(
    start_cli: StartCli, run_cli: RunCli, marked: Path, tmp_path: Path
) -> None:
    process = start_cli(*WORDS)
    reports = tmp_path / "reports"
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if reports.exists() and any(file.read_text().count('"kind":"measured"') for file in reports.glob("*/run.jsonl")):
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert none_left(marked) == []
    for left in marked.glob("servermatrix-*"):
        shutil.rmtree(left)
    folder = only_run(reports)
    before = store.read_run(folder).samples
    assert before
    with (folder / "run.jsonl").open("a") as file:
        file.write('{"kind":"measured","cell_id":"uvi')  # as a crash would leave it
    done = run_cli("run", "--resume", "latest", "-q", "--json")
    assert done.returncode == 0, done.stderr
    after = store.read_run(folder)
    assert after.complete
    assert after.samples[: len(before)] == before
    assert len({(sample.cell_id, sample.round) for sample in after.samples}) == len(after.samples) == 4
    assert all(isinstance(sample, Measured) for sample in after.samples)
    assert json.loads(done.stdout)["run"]["complete"] is True


def test_a_second_run_in_the_same_folder_is_refused_in_one_sentence(start_cli: StartCli, run_cli: RunCli, marked: Path) -> None:
    first = start_cli(*WORDS)
    wait_for("start", marked, first)
    second = run_cli(*WORDS)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    assert second.returncode == 3
    assert "another run is measuring" in second.stderr
    assert "Traceback" not in second.stderr
    again = run_cli(*WORDS, "-k", "nothing*")
    assert again.returncode in {0, 5}, "the lock must be gone"


def test_a_reports_folder_that_cannot_be_made_is_found_out_before_any_load(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    begin = time.monotonic()
    done = run_cli(*WORDS, "--out", str(tmp_path / "file" / "reports"))
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) <= 3
    assert time.monotonic() - begin < 5


def test_a_full_disk_is_found_out_before_any_load(marked: Path, tmp_path: Path, start_cli: StartCli) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        process = start_cli(*WORDS)
        _, err = process.communicate(timeout=30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert process.returncode == 3, err
    assert started_below(marked) == []
    assert not list((tmp_path / "reports").glob("*/run.jsonl"))


def test_a_fixed_port_that_is_taken_ends_the_run_as_unfit(run_cli: RunCli) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        done = run_cli(*WORDS, "--port", str(holder.getsockname()[1]))
    assert done.returncode == 3
    assert "is taken by another program" in done.stderr
