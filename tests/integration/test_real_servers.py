"""Every server plug-in in every combination, started for real: it is what its label says, answers under load, and is gone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from servermatrix.config.applications import builtin_app
from servermatrix.measure.bench import Bench, log_name
from servermatrix.measure.environments import distributions, installed
from servermatrix.measure.probe import Patience
from servermatrix.measure.run import measure_step
from servermatrix.measure.tools import Tool
from servermatrix.measure.witness import prove
from servermatrix.model import Cell, Load, Measured, Noise, Step
from servermatrix.plugins import load_generators, load_servers
from tests.combinations import Combination, combinations
from tests.conftest import none_left
from tests.room import guarded

pytestmark = pytest.mark.servers

ALL = [one for one in combinations() if one.protocol == "h1"]
ONE_EACH = [*{one.name: one for one in ALL}.values(), *(one for one in ALL if str(one) == "uvicorn[http=h11,loop=asyncio]/h1")]
# Never to be fast or slow, only to be there: the machine that runs the tests may be busy.
ANY_NOISE = Noise(foreign_cpu=99, steal=1.0)


def cell_of(one: Combination, workers: int) -> Cell:
    return Cell(
        server=one.name,
        options=one.options,
        label=",".join(f"{name}={value}" for name, value in one.options),
        protocol=one.protocol,
        workers=workers,
        app="plaintext",
        load=Load(generator="wrk", connections=8, threads=1, duration_s=1, warmup_s=0, windows=1),
    )


@pytest.fixture(scope="module")
def versions() -> dict[str, str | None]:
    needed = [text for one in ALL for text in (*one.server.requires, *one.server.needs(one.launch()))]
    return installed(sys.executable, distributions(needed))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrk: Tool, versions: dict[str, str | None]) -> Iterator[Bench]:
    """A bench with real wrk; the folder for temporary files marks every process that is started on it."""
    marker, logs = tmp_path / "marker", tmp_path / "logs"
    marker.mkdir()
    logs.mkdir()
    monkeypatch.setenv("TMPDIR", str(marker))
    monkeypatch.setattr("tempfile.tempdir", str(marker))
    with guarded() as guard:
        yield Bench(
            python=sys.executable,
            servers=load_servers(),
            apps={"plaintext": builtin_app("plaintext")},
            witness=builtin_app("witness"),
            versions=versions,
            generator=load_generators()["wrk"],
            program=wrk.path,
            program_env=wrk.env,
            guard=guard,
            logs=logs,
            noise=ANY_NOISE,
            patience=Patience(answer_s=10.0, ready_s=40.0),
        )
    assert none_left(marker) == []
    assert list(marker.iterdir()) == [], "a work folder was left behind"


@pytest.mark.parametrize(
    ("one", "workers"),
    [*(pytest.param(one, 1, id=f"{one}/w1") for one in ALL), *(pytest.param(one, 2, id=f"{one}/w2") for one in ONE_EACH)],
)
def test_a_server_is_what_its_label_says_answers_under_load_and_is_gone(bench: Bench, one: Combination, workers: int) -> None:
    cell = cell_of(one, workers)
    proof = prove(bench, cell)
    expected = one.server.proof(one.launch())
    assert (proof.workers, proof.http_version) == (workers, "1.1")
    assert proof.loop.startswith(expected["loop"])
    assert proof.http.startswith(expected["http"])
    assert all(version != "None" for _, version in proof.versions)

    sample = measure_step(bench, Step(cell=cell, round=1))
    assert isinstance(sample, Measured), sample
    assert sample.startup_s > 0
    (window,) = sample.windows
    assert window.stats.requests > 0
    assert window.stats.errors.total == 0
    assert window.usage.server_cpu_us > 0
    assert (window.usage.pss_bytes or 0) > 2**20
    assert len(window.usage.worker_cpu_us) >= workers

    log = bench.logs / log_name(cell, "round-1")
    assert not log.exists() or log.stat().st_size < window.stats.requests, "it writes an access log"
