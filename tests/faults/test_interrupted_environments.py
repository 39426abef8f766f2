"""An environment whose making is interrupted at any moment does not pass for whole, and nothing of it runs on."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.measure.environment_cache import Made, Wanted, ensure, known
from servermatrix.measure.interpreters import Interpreter
from tests.conftest import ROOT, none_left, started_below
from tests.installers import log, with_uv, without_uv
from tests.room import until

Tool = Callable[[Path], tuple[Interpreter, dict[str, str]]]
TOOL = """
import json, os, sys
from pathlib import Path
from servermatrix.cli import interrupts
from servermatrix.measure.environment_cache import Wanted, ensure
from servermatrix.measure.interpreters import Interpreter
interrupts.listen()
python, cache = json.loads(sys.argv[1]), Path(sys.argv[2])
wanted = Wanted(python=Interpreter(**python), requirements=("h11",), requires=("uvicorn==0.52.0",))
try:
    print(ensure(wanted, cache))
except KeyboardInterrupt:
    sys.exit(130)
"""
# Each stand-in says where it is, and stays there with a child of its own.
STAY = "sleep 60 & echo here >> $LOG; sleep 60"
STAY_IN_PYTHON = (
    "import subprocess; subprocess.Popen(['/bin/sleep', '60']); open(os.environ['LOG'], 'a').write('here'); time.sleep(60)"
)


@contextmanager
def making(wanted: Wanted, cache: Path, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run the making as a process of its own."""
    python = {"path": wanted.python.path, "version": wanted.python.version, "real": wanted.python.real}
    argv = [sys.executable, "-c", TOOL, json.dumps(python), str(cache)]
    process = subprocess.Popen(
        argv, cwd=ROOT, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        yield process
        process.kill()


@pytest.mark.parametrize("moment", [{"BEFORE": STAY}, {"FIRST": f"import time; {STAY_IN_PYTHON}"}], ids=["venv", "install"])
@pytest.mark.parametrize("tool", [with_uv, without_uv], ids=["uv", "pip"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_interrupts_it_nothing_runs_on_and_it_is_made_again(
    number: signal.Signals, tool: Tool, moment: dict[str, str], tmp_path: Path, marked: Path
) -> None:
    python, environ = tool(tmp_path)
    environ = {**environ, "TMPDIR": str(marked)}
    wanted, cache = Wanted(python=python, requirements=("h11",), requires=("uvicorn==0.52.0",)), tmp_path / "cache"
    with making(wanted, cache, {**environ, **moment}) as process:
        assert until(lambda: "here" in "".join(log(environ)))
        assert len(started_below(marked)) >= 4  # it, the watcher, the installer and its child
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130), err
    assert out == ""
    assert none_left(marked) == []
    assert known(wanted, cache) is None
    assert number == signal.SIGKILL or not (cache / wanted.key).exists()
    found = ensure(wanted, cache, environment=environ)
    assert isinstance(found, Made)
    assert found.new
    assert found.versions == (("h11", "1.0"), ("uvicorn", "0.52.0"))
    assert known(wanted, cache) == replace(found, new=False)


def test_while_the_installer_of_a_killed_run_still_runs_nobody_builds_in_the_same_place(tmp_path: Path, marked: Path) -> None:
    python, environ = with_uv(tmp_path)
    environ = {**environ, "TMPDIR": str(marked)}
    wanted, cache = Wanted(python=python, requirements=("h11",), requires=("uvicorn==0.52.0",)), tmp_path / "cache"
    with making(wanted, cache, {**environ, "BEFORE": STAY}) as process:
        assert until(lambda: "here" in log(environ))
        (watcher,) = [pid for pid in started_below(marked) if "guard.py" in Path(f"/proc/{pid}/cmdline").read_text()]
        os.kill(watcher, signal.SIGKILL)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
        left = started_below(marked)
        assert left
        with (cache / f"{wanted.key}.lock").open("w") as lock:
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            assert none_left(marked) == []
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
