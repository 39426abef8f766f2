"""The steps of the action as GitHub runs them, job by job, each in its own folder, with simulated servers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.github_stand_in import REPOSITORY, TOKEN, GitHub, bare_repository, on_branch, serving

STEPS = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text())
MATRIX = """\
servers:
  uvicorn: {loop: [uvloop], http: [h11, httptools]}
  granian: {loop: [asyncio, uvloop]}
load: {duration: 1s, warmup: 0s, windows: 1}
"""
MODEL = 'noise: {sd: 0.01}\ncells: {"*": {rps: 20000, cpu_us: 45}}\n'
SLOWER = 'sides: {candidate: {"uvicorn*h11*": {rps: x0.8, cpu_us: x1.25}}}\n'
CELLS = "--matrix matrix.yaml --load fake"
OPTIONS = "--fake 'model of servers.yaml' --baseline 'uvicorn==0.52.0' --candidate 'uvicorn==0.54.0 h11==0.16.0' -q"


@dataclass(frozen=True)
class Runner:
    """A machine of GitHub's: runs the steps of the action for one job after the other."""

    folder: Path
    github: GitHub

    def step(self, job: str, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run one step with the inputs of the action, as `shell: bash` does, in the checkout of the job."""
        step = next(one for one in STEPS["runs"]["steps"] if one.get("id") == name)
        temporary = self.folder / job
        temporary.mkdir(exist_ok=True)
        given = {key: value.get("default", "") for key, value in STEPS["inputs"].items()}
        given |= {"token": TOKEN, **{key.replace("_", "-"): value for key, value in inputs.items()}}
        known = {"runner.temp": str(temporary), **{f"inputs.{key}": value for key, value in given.items()}}
        env = {key: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: known[found[1]], text) for key, text in step["env"].items()}
        settings = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RUN_MATRIX_NO_BOOTSTRAP": "1",
            "PYTHONPATH": str(ROOT),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.github.address,
            "GITHUB_SERVER_URL": self.github.address,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "7",
            "GITHUB_EVENT_NAME": "schedule",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_OUTPUT": str(temporary / f"{name}-output"),
            "GITHUB_STEP_SUMMARY": str(temporary / f"{name}-summary"),
            **env,
        }
        argv = ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(argv, capture_output=True, text=True, cwd=self.folder / "checkout", env=settings, check=False)

    def carry(self, number: int, source: str) -> None:
        """Upload the runs of one job and download them in the one that reports."""
        target = self.folder / "report" / "servermatrix" / "nightly" / "runs" / f"servermatrix-nightly-runs-{number}"
        shutil.copytree(self.folder / source / "servermatrix" / "nightly" / "runs", target)

    def night(self, model: str) -> subprocess.CompletedProcess[str]:
        """Run all jobs of the example workflow but for what it checks out; return how the report ended."""
        for job in ("plan", "report", *(f"check-{number}" for number in range(2))):
            shutil.rmtree(self.folder / job, ignore_errors=True)
        (self.folder / "checkout" / "model of servers.yaml").write_text(model)
        planned = self.step("plan", "plan", cells=CELLS, shards="2")
        assert planned.returncode == 0, planned.stderr
        matrix = (self.folder / "plan" / "plan-output").read_text().removeprefix("matrix=")
        for number, shard in enumerate(json.loads(matrix)["include"]):
            self.step(f"check-{number}", "check", cells=CELLS, options=OPTIONS, shard=shard["name"])
            self.carry(number, f"check-{number}")
        return self.step("report", "report")


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "matrix.yaml").write_text(MATRIX)
    bare_repository(tmp_path / "server")
    with serving() as github:
        github.repositories = tmp_path / "server"
        yield Runner(folder=tmp_path, github=github)


def test_two_nights_in_shards_open_the_issue_and_close_it_and_grow_the_history(runner: Runner) -> None:
    bad = runner.night(MODEL + SLOWER)
    assert bad.returncode == 1, bad.stderr
    assert bad.stdout.startswith("check: 1 regressed, 0 improved, 3 unchanged, 0 inconclusive, 0 failed (")
    assert [line for line in bad.stdout.splitlines()[1:] if not line.startswith("::")] == []
    place = runner.folder / "report"
    assert (place / "report-summary").read_text().count("uvicorn[http=h11,loop=uvloop]/h1/w1/c64/plaintext") >= 1
    assert "verdict=regression\n" in (place / "report-output").read_text()
    assert {"junit.xml", "bench.json", "trend.md"} <= {
        file.name for file in (place / "servermatrix" / "nightly" / "report").iterdir()
    }
    good = runner.night(MODEL)
    assert good.returncode == 0, good.stderr
    assert [issue["state"] for issue in runner.github.issues] == ["closed"]
    assert len(on_branch(runner.folder / "server" / f"{REPOSITORY}.git", "servermatrix-history")) == 2
    assert len(list((runner.folder / "report" / "servermatrix" / "nightly" / "history").iterdir())) == 2
    for text in (bad.stdout, bad.stderr, good.stdout, good.stderr):
        assert TOKEN not in text


def test_a_check_that_never_began_is_told_by_the_report(runner: Runner) -> None:
    failed = runner.step("report", "check", cells=CELLS, options="--candidate 'uvicorn==0.54.0'")
    assert failed.returncode == 5
    told = runner.step("report", "report")
    assert told.returncode == 5
    assert "no verdict" in (runner.folder / "report" / "report-summary").read_text()
    assert runner.github.issues == []


def test_a_check_in_one_job_needs_no_shards(runner: Runner) -> None:
    (runner.folder / "checkout" / "model of servers.yaml").write_text(MODEL)
    assert runner.step("report", "check", cells=CELLS, options=OPTIONS).returncode == 0
    told = runner.step("report", "report", history_branch="", issue="false", inconclusive="fail")
    assert told.returncode == 0, told.stderr
    assert runner.github.asked == []
