"""What several test rooms need: the command line as a process, and proof that nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import pytest

from servermatrix import plugins
from servermatrix.measure import tools

ROOT = Path(__file__).resolve().parent.parent
RunCli = Callable[..., subprocess.CompletedProcess[str]]


# Modules of the standard library, and rooms of tests, by which a test has to do with processes or connections.
OF_THE_MACHINE = frozenset({"subprocess", "socket", "counting", "serving", "psutil"})
ROOMS_OF_THE_MACHINE = frozenset({"faults", "integration", "conformance"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try what real processes were to do in time once more: the closing line counts it, and a second failure is one."""
    for item in items:
        names = set(vars(getattr(item, "module", None) or object))
        if item.path.parent.name in ROOMS_OF_THE_MACHINE or names & OF_THE_MACHINE:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def wrk() -> tools.Tool:
    """wrk as the tool finds it; a machine without it fails the tests, it does not skip them."""
    found = tools.find("wrk", ("wrk",), plugins.builtin_root() / ".tools")
    assert isinstance(found, tools.Tool), f"the tests need wrk: {found}"
    return found


@pytest.fixture(scope="session")
def h2load() -> tools.Tool:
    """h2load as the tool finds it; a machine without it fails the tests, it does not skip them."""
    found = tools.find("h2load", ("nghttp2-client",), plugins.builtin_root() / ".tools")
    assert isinstance(found, tools.Tool), f"the tests need h2load: {found}"
    return found


def started_below(marker: Path) -> list[int]:
    """List the live processes whose environment names the folder: everything a run in it has started."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            named = str(marker) in process.environ().get("TMPDIR", "")
            if named and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                found.append(process.pid)
    return found


def none_left(marker: Path, limit_s: float = 8.0) -> list[int]:
    """Wait, bounded, until nothing below the marker runs; return what still does."""
    deadline = time.monotonic() + limit_s
    while (left := started_below(marker)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Path]:
    """A folder for temporary files that marks every process of a run; at the end none may be left."""
    marker = tmp_path / "marker"
    marker.mkdir()
    yield marker
    left = none_left(marker)
    for pid in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
    assert not left, f"processes {left} were left behind"
    assert not list(marker.glob("servermatrix-*")), "work folders were left behind"


def environment(marker: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment for the tool as a process, marked."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(marker), "COLUMNS": "160", **(extra or {})}


@pytest.fixture
def start_cli(marked: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line in an empty folder, without waiting for it; at the end it is killed if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "servermatrix", *words],
            cwd=cwd or tmp_path,
            env=environment(marked, env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def run_cli(start_cli: Callable[..., subprocess.Popen[str]]) -> RunCli:
    """Run the command line in an empty folder to its end."""

    def run(
        *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, limit_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        process = start_cli(*words, cwd=cwd, env=env)
        try:
            out, err = process.communicate(timeout=limit_s)
        finally:
            process.kill()
            process.wait()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run


def write_app(folder: Path, name: str, source: str) -> Path:
    """Write an app of a test into its own folder and return the folder."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    return folder


def without(lines: Sequence[str], start: str) -> list[str]:
    """Leave out the lines that begin in a certain way."""
    return [line for line in lines if not line.startswith(start)]
