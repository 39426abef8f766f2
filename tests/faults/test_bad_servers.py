"""Servers that misbehave give a failed step with its reason, never a number, and nothing of them is left."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from servermatrix.contracts import Launch, Server, Shot
from servermatrix.measure import run
from servermatrix.measure.bench import Bench, Driver
from servermatrix.measure.probe import Patience, free_port
from servermatrix.model import Cause, Ceiling, Failed, Measured, Noise, Plan, Sample, Step
from tests.faults.real_servers import ANY_NOISE, LOAD, OK, cell, first, real, records
from tests.faults.stub_server import listen

pytestmark = pytest.mark.servers

STUB = Path(__file__).with_name("stub_server.py")


def stub(*words: str) -> Server:
    """Describe a server that runs the stub in one of its modes."""

    def argv(launch: Launch) -> list[str]:
        return [launch.python, str(STUB), str(launch.port), *words]

    return Server(requires=(), options={}, protocols=("h1",), argv=argv, proof=lambda _: {})


def step_with(bench: Bench, *words: str) -> Sample:
    """Measure one step of the stub in a mode."""
    return run.measure_step(replace(bench, servers={"stub": stub(*words)}), Step(cell=cell(), round=1))


def failure_with(bench: Bench, *words: str) -> Failed:
    """Demand that the step fails, with one line of reason."""
    sample = step_with(bench, *words)
    assert isinstance(sample, Failed), sample
    assert "\n" not in sample.reason
    return sample


def test_a_stub_that_behaves_is_measured(bench: Bench) -> None:
    sample = step_with(bench, "works")
    assert isinstance(sample, Measured)
    assert sample.windows[0].stats.requests > 0


@pytest.mark.parametrize("code", ["0", "3"])
def test_a_server_that_exits_without_serving_fails_whatever_its_code(bench: Bench, code: str) -> None:
    assert f"exited with code {code} before it answered" in failure_with(bench, "exits", code).reason


def test_a_server_that_respawns_for_ever_is_given_up_early(bench: Bench) -> None:
    begin = time.monotonic()
    assert "starts its workers again and again" in failure_with(bench, "respawns").reason
    assert time.monotonic() - begin < bench.patience.ready_s + 8


def test_a_server_that_dies_during_the_load_fails(bench: Bench) -> None:
    assert "ended with code 0 during the load" in failure_with(bench, "dies", "0.7").reason


def test_a_server_that_loses_one_worker_during_the_load_fails(bench: Bench) -> None:
    assert "processes changed during the load" in failure_with(bench, "worker-dies", "0.7").reason


def test_answers_that_turn_into_errors_under_load_fail(bench: Bench) -> None:
    assert failure_with(bench, "errors-later", "0.2").cause in {Cause.SERVER, Cause.GENERATOR}


def test_connections_closed_without_a_word_fail(bench: Bench) -> None:
    assert "read" in failure_with(bench, "read-close").reason


def test_a_server_that_floods_its_log_fails_and_the_log_is_cut(bench: Bench) -> None:
    sample = failure_with(bench, "floods")
    assert "MiB of log" in sample.reason
    assert sum(log.stat().st_size for log in bench.logs.iterdir()) <= 2 * 2**20


def test_a_port_held_by_another_program_fails_the_step(bench: Bench) -> None:
    with listen(free_port("127.0.0.1")) as holder:
        taken = replace(bench, pick_port=lambda _: int(holder.getsockname()[1]))
        assert "before it answered" in failure_with(taken, "works").reason


def test_a_port_shared_in_silence_is_noticed_although_the_answers_are_right(bench: Bench) -> None:
    port = free_port("127.0.0.1")
    other = subprocess.Popen([sys.executable, str(STUB), str(port), "shared"])
    try:
        time.sleep(0.5)
        sample = failure_with(replace(bench, pick_port=lambda _: port), "shared")
    finally:
        other.kill()
        other.wait()
    assert sample.cause is Cause.ENVIRONMENT
    assert f"port {port} is also listened on by another program (process {other.pid})" in sample.reason


def test_a_cell_that_failed_twice_is_not_started_a_third_time(bench: Bench) -> None:
    broken = replace(bench, servers={"stub": stub("exits", "1")}, witness=OK)
    plan = Plan(cells=(cell(),), excluded=(), apps=(OK,), rounds=4, seed=1, noise=ANY_NOISE)
    kinds = [type(record).__name__ for record in records(broken, plan) if not isinstance(record, Ceiling)]
    assert kinds == ["Failed"] * 4  # the proof fails first, and with it every step


def driven(bench: Bench, driver: Driver) -> Bench:
    """Have another generator in the place of wrk."""
    return replace(bench, drivers={"wrk": driver})


def test_a_server_missing_from_the_environment_fails_with_what_to_type(bench: Bench) -> None:
    wish = cell("granian", loop="uvloop")
    sample = first(real(bench, wish, {"granian": None}), wish)
    assert isinstance(sample, Failed)
    assert sample.cause is Cause.ENVIRONMENT
    assert "granian is not installed; type: " in sample.reason
    assert "-m pip install 'granian" in sample.reason


def test_a_server_of_a_wrong_version_fails_with_both_versions(bench: Bench) -> None:
    wish = cell("gunicorn", worker="asgi", loop="uvloop", parser="python")
    sample = first(real(bench, wish, {"gunicorn": "23.0.0", "uvloop": "0.23.0"}), wish)
    assert isinstance(sample, Failed)
    assert "gunicorn 23.0.0 is installed but gunicorn>=25.1 is needed" in sample.reason


def test_a_busy_program_beside_the_server_makes_the_round_noise_and_not_a_number(bench: Bench) -> None:
    wish = cell("uvicorn", loop="uvloop", http="httptools")
    strict = replace(real(bench, wish), noise=Noise(foreign_cpu=0.10, steal=1.0), patience=Patience(quiet_s=0.3))
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        sample = run.measure_step(strict, Step(cell=wish, round=1))
    finally:
        busy.kill()
        busy.wait()
    assert isinstance(sample, Failed), sample
    assert sample.cause is Cause.NOISE
    assert "other programs used" in sample.reason


def test_a_label_that_names_another_loop_than_runs_fails(bench: Bench) -> None:
    wish = cell("uvicorn", loop="uvloop", http="h11")
    shipped = real(bench, wish)
    lying = replace(shipped.servers["uvicorn"], proof=lambda _: {"loop": "asyncio.", "http": "uvicorn."})
    sample = first(replace(shipped, servers={"uvicorn": lying}), wish)
    assert isinstance(sample, Failed)
    assert sample.reason == "loop is uvloop.Loop, the label says asyncio"


def test_a_worker_killed_during_the_load_fails_although_the_supervisor_replaces_it(bench: Bench) -> None:
    wish = replace(cell("gunicorn", workers=2, worker="asgi", loop="uvloop", parser="python"), load=replace(LOAD, duration_s=2))
    shipped, wrk = real(bench, wish), bench.drivers["wrk"]

    def kill_one_worker() -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):  # one that has ended and is not collected yet has no command line
                if "gunicorn" in " ".join(process.cmdline()) and process.ppid() != psutil.Process().pid:
                    process.kill()
                    return

    def argv(shot: Shot) -> list[str]:
        kill_one_worker()
        return wrk.plugin.argv(shot)

    killing = replace(wrk, plugin=replace(wrk.plugin, argv=argv))
    sample = run.measure_step(driven(shipped, killing), Step(cell=wish, round=1))
    assert isinstance(sample, Failed)
    assert "processes changed during the load" in sample.reason


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -9 $$", "ended by signal 9"),
        ("exit 0", "wrote no result file"),
        ("echo broken >&2; exit 1", "broken"),
    ],
)
def test_a_generator_that_is_killed_or_says_nothing_gives_no_number(bench: Bench, tmp_path: Path, script: str, said: str) -> None:
    program = tmp_path / "wrk"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    sample = failure_with(driven(bench, replace(bench.drivers["wrk"], program=str(program), env=())), "works")
    assert sample.cause is Cause.GENERATOR
    assert said in sample.reason


def test_a_generator_that_vanished_gives_no_number(bench: Bench, tmp_path: Path) -> None:
    sample = failure_with(driven(bench, replace(bench.drivers["wrk"], program=str(tmp_path / "gone"))), "works")
    assert "the generator could not be started" in sample.reason
