"""`verify` as a process: settings started for real, what is printed of them, how it ends, and that nothing is left."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from servermatrix import cli, store
from servermatrix.errors import Exit
from tests.conftest import ROOT, RunCli

pytestmark = pytest.mark.servers

StartCli = Callable[..., subprocess.Popen[str]]
GRANIAN = ("verify", "-k", "granian[loop=uvloop]*")
# Servers of a test: one that ends at once, one whose package nobody has, one that is said not to run and does.
BROKEN = """
from servermatrix.contracts import Server

SERVER = Server(
    requires=({requires}),
    options={{}},
    protocols=("h1",),
    argv=lambda launch: [launch.python, "-c", "import sys; sys.exit('broken: not today')"],
    proof=lambda launch: {{}},
)
"""
STUBBORN = """
from dataclasses import replace

SERVER = replace(SERVER, objection=lambda launch: "it is said not to run")
"""


@pytest.fixture
def runners(tmp_path: Path) -> tuple[str, ...]:
    """Write the servers of a test and a matrix of them, and return the words that choose both."""
    servers = tmp_path / "mine" / "servers"
    servers.mkdir(parents=True)
    (servers / "broken.py").write_text(BROKEN.format(requires=""))
    (servers / "lacking.py").write_text(BROKEN.format(requires="'no-such-package',"))
    (servers / "stubborn.py").write_text((ROOT / "runners" / "servers" / "granian.py").read_text() + STUBBORN)
    (tmp_path / "matrix.yaml").write_text("servers: {granian: , broken: , lacking: , stubborn: }\n")
    return ("verify", "--runners", "mine", "-s", "workers=1")


def results(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {each["server"]: each["result"] for each in json.loads(done.stdout)["starts"]}


def test_a_setting_is_started_with_one_worker_and_with_two_and_told_as_one_document(run_cli: RunCli) -> None:
    done = run_cli(*GRANIAN, "--json")
    assert done.returncode == 0, done.stderr
    one, two = json.loads(done.stdout)["starts"]
    for workers, seen in ((1, one), (2, two)):
        assert (seen["id"], seen["result"]) == (f"granian[loop=uvloop]/h1/w{workers}", "valid")
        assert (seen["proof"]["workers"], seen["proof"]["http_version"], seen["left"]) == (workers, "1.1", "")
        assert seen["proof"]["loop"].startswith("uvloop.")
        assert seen["ready_s"] > 0
        assert seen["stop_s"] is not None
    assert "[1/2] granian[loop=uvloop]/h1/w1  valid, ready after " in done.stderr
    assert "[2/2] granian[loop=uvloop]/h1/w2  valid, ready after " in done.stderr


def test_who_says_how_many_workers_gets_as_many_and_no_report_is_written(run_cli: RunCli, tmp_path: Path) -> None:
    done = run_cli(*GRANIAN, "-s", "workers=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# granian\n\n| setting ")
    assert done.stdout.endswith("\n1 start: 1 valid\n")
    assert "| granian[loop=uvloop] | h1       | valid  |" in done.stdout
    assert [file.name for file in (tmp_path / "reports").iterdir() if file.is_dir()] == ["verify"]
    assert list((tmp_path / "reports" / "verify").iterdir()) == []


def test_the_page_has_a_row_of_one_worker_and_of_two(run_cli: RunCli) -> None:
    done = run_cli(*GRANIAN, "--markdown")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# Servers: every combination, started\n")
    assert "\n\n2 starts: 2 valid. Python 3." in done.stdout
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("| granian"))
    assert row.count(" / ") == 3
    assert row.endswith("| nothing |")


def test_what_is_excluded_is_started_only_when_asked_for_and_its_failure_confirmed(run_cli: RunCli) -> None:
    words = (
        "verify",
        "-s",
        "protocol=h1,h2c",
        "-s",
        "http=h11",
        "-s",
        "loop=asyncio",
        "-s",
        "workers=1",
        "-k",
        "uvicorn*",
        "--json",
    )
    plain = run_cli(*words)
    assert plain.returncode == 0, plain.stderr
    assert [seen["id"] for seen in json.loads(plain.stdout)["starts"]] == ["uvicorn[http=h11,loop=asyncio]/h1/w1"]
    done = run_cli(*words, "--excluded")
    assert done.returncode == 0, done.stderr
    _, confirmed = json.loads(done.stdout)["starts"]
    assert (confirmed["id"], confirmed["result"]) == ("uvicorn[http=h11,loop=asyncio]/h2c/w1", "confirmed")
    assert "zttp" in confirmed["objection"]
    assert "exited with code" in confirmed["reason"]


def test_a_server_that_fails_is_exit_code_4_and_its_log_stays(run_cli: RunCli, runners: tuple[str, ...], tmp_path: Path) -> None:
    done = run_cli(*runners, "-k", "granian*", "-k", "broken*")
    assert done.returncode == 4, done.stderr
    assert "broken: not today" in done.stdout
    assert done.stdout.endswith("\n2 starts: 1 valid, 1 failed\n")
    (log,) = (tmp_path / "reports" / "verify").iterdir()
    assert "broken: not today" in log.read_text()


def test_a_package_that_is_missing_is_exit_code_3_before_any_failure(run_cli: RunCli, runners: tuple[str, ...]) -> None:
    done = run_cli(*runners, "--json")
    assert done.returncode == 3, done.stderr
    assert results(done) == {"granian": "valid", "broken": "failed", "lacking": "not installed"}
    (lacking,) = (seen for seen in json.loads(done.stdout)["starts"] if seen["server"] == "lacking")
    assert lacking["reason"].startswith("no-such-package is not installed; type: ")
    assert lacking["exit_code"] is None


def test_an_excluded_combination_that_runs_after_all_is_exit_code_4(run_cli: RunCli, runners: tuple[str, ...]) -> None:
    done = run_cli(*runners, "-k", "granian*", "-k", "stubborn*", "--excluded", "--json")
    assert done.returncode == 4, done.stderr
    assert results(done) == {"granian": "valid", "stubborn": "runs after all"}


def test_ctrl_c_ends_a_verification_and_all_that_it_started_and_what_was_seen_is_told(start_cli: StartCli) -> None:
    process = start_cli("verify", "-k", "granian*", "-k", "hypercorn*")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("[1/")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(r"\d starts?: \d valid", out.splitlines()[-1])
    assert err.endswith("interrupted\n")


def test_a_verification_waits_for_no_other_run(run_cli: RunCli, tmp_path: Path) -> None:
    with store.locked(tmp_path / "reports"):
        done = run_cli(*GRANIAN)
    assert done.returncode == 3
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [("--rounds", "3"), ("--duration", "1s"), ("--threads", "2"), ("--budget", "1m"), ("--app", "shop:app"), ("--seed", "1")],
)
def test_what_a_verification_would_not_heed_is_refused_by_its_name(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.guarded([*GRANIAN, *words]) == Exit.USAGE
    assert (
        f"error: verify starts the witness and puts no load on it; {words[0]} has no meaning for it\n" in capsys.readouterr().err
    )
