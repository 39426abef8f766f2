"""A job of GitHub's to tell nights in: its variables, its stand-in, and one simulated night of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from servermatrix import cli, store
from tests.github_stand_in import REPOSITORY, TOKEN, GitHub, bare_repository, serving

MATRIX = """\
servers: {uvicorn: {loop: [uvloop], http: [h11, httptools]}}
load: {duration: 1s, warmup: 0s, windows: 1}
"""
CELLS = 'cells: {"*": {rps: 20000, cpu_us: 45}}\n'
WORLDS = {
    "bad": f'noise: {{sd: 0.01}}\n{CELLS}sides: {{candidate: {{"*h11*": {{rps: x0.8, cpu_us: x1.25}}}}}}\n',
    "good": f"noise: {{sd: 0.01}}\n{CELLS}",
    "noisy": f"noise: {{sd: 0.3}}\n{CELLS}",
}
VARIABLES = (
    "ACTIONS",
    "STEP_SUMMARY",
    "OUTPUT",
    "REPOSITORY",
    "TOKEN",
    "API_URL",
    "SERVER_URL",
    "RUN_ID",
    "EVENT_NAME",
    "REF",
    "EVENT_PATH",
)


@pytest.fixture(scope="session", name="nights")
def some_nights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Simulate a night in each world."""
    found = {}
    for name, world in WORLDS.items():
        place = tmp_path_factory.mktemp(name)
        (place / "matrix.yaml").write_text(MATRIX)
        (place / "model.yaml").write_text(world)
        files = ("--matrix", str(place / "matrix.yaml"), "--load", "fake", "--fake", str(place / "model.yaml"))
        sides = ("--baseline", "uvicorn==0.52.0", "--candidate", "uvicorn==0.54.0")
        cli.guarded(["check", *files, *sides, "--seed", "5", "-q", "--out", str(place / "reports")])
        found[name] = store.find_run("latest", place / "reports")
    return found


@dataclass(frozen=True)
class Job:
    """A job of GitHub's: where it writes, what is asked of the API, and the repository that it pushes to."""

    folder: Path
    github: GitHub
    repository: Path

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text()

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.folder / "output").read_text().splitlines())


@pytest.fixture(name="job")
def a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    repository = bare_repository(tmp_path / "server")
    with serving() as github:
        github.repositories = tmp_path / "server"
        values = {
            "ACTIONS": "true",
            "STEP_SUMMARY": str(tmp_path / "summary"),
            "OUTPUT": str(tmp_path / "output"),
            "REPOSITORY": REPOSITORY,
            "TOKEN": TOKEN,
            "API_URL": github.address,
            "SERVER_URL": github.address,
            "RUN_ID": "7",
            "EVENT_NAME": "workflow_dispatch",
            "REF": "refs/heads/main",
            "EVENT_PATH": str(tmp_path / "event.json"),
        }
        (tmp_path / "event.json").write_text('{"repository": {"default_branch": "main"}}')
        for name in VARIABLES:
            monkeypatch.setenv(f"GITHUB_{name}", values[name])
        yield Job(folder=tmp_path, github=github, repository=repository)


def told(run: Path, *words: str) -> int:
    return cli.guarded(["github", str(run), *words])


def pushing(job: Job) -> tuple[str, ...]:
    return ("--history", str(job.folder / "history"), "--push")
