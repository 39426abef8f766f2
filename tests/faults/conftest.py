"""A bench whose processes are marked; none may be left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from servermatrix import plugins
from servermatrix.config import applications
from servermatrix.measure import tools
from servermatrix.measure.bench import Bench, Driver, Venue
from servermatrix.measure.certificate import Certificate, make_certificate
from servermatrix.measure.probe import Patience
from servermatrix.measure.process import Guard, adopt_orphans
from tests.conftest import none_left
from tests.faults.real_servers import ANY_NOISE, OK


@pytest.fixture(scope="session")
def certificate() -> Certificate:
    """One certificate for all tests."""
    return make_certificate()


@pytest.fixture
def bench(wrk: tools.Tool, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench with real wrk and no server yet, and little patience."""
    marker = tmp_path / "marker"
    marker.mkdir()
    monkeypatch.setenv("TMPDIR", str(marker))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "logs").mkdir()
    adopt_orphans()
    guard = Guard()
    yield Bench(
        venues={("stub", "", ()): Venue(path=sys.executable)},
        servers={},
        apps={"ok": OK},
        witness=applications.builtin_app("witness"),
        drivers={"wrk": Driver(plugin=plugins.load_generators()["wrk"], program=wrk.path, env=wrk.env)},
        guard=guard,
        logs=tmp_path / "logs",
        noise=ANY_NOISE,
        certificate=certificate,
        patience=Patience(answer_s=1.0, ready_s=4.0, wrong_s=0.5),
    )
    guard.close()
    assert none_left(marker) == []
    assert list(marker.iterdir()) == [], "a work folder was left behind"
