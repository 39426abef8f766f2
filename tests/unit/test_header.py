"""The first record of a run: commands as one would type them, versions, and what may not change until it is resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from servermatrix import __version__
from servermatrix.config.overrides import Overrides
from servermatrix.errors import Exit, Unfit
from servermatrix.header import check_same, describe, planned_cells, versions_needed
from servermatrix.model import RunHeader
from servermatrix.prepare import Prepared, Setup, Wishes, prepare
from tests.conftest import ROOT

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(Wishes(matrix=ROOT / "matrix.yaml", profile="smoke", overrides=Overrides(seed=7)), find_tools=False)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(out=tmp_path, argv=("run_matrix.py", "--profile", "smoke"), port=8080, pin="off")


@pytest.fixture
def header(prepared: Prepared, setup: Setup) -> RunHeader:
    return describe(prepared, setup, {"python": "3.12.1", "uvloop": None, "uvicorn": "0.30"}, NOW)


def test_the_header_holds_all_that_a_report_or_a_resumed_run_needs(header: RunHeader, prepared: Prepared, setup: Setup) -> None:
    assert header.started_at == "2026-01-02T03:04:05Z"
    assert (header.seed, header.rounds, header.noise) == (7, prepared.plan.rounds, prepared.plan.noise)
    assert header.argv == setup.argv
    assert header.generator == prepared.generator.name
    assert tuple(planned.cell for planned in header.cells) == prepared.plan.cells
    assert (header.excluded, header.apps) == (prepared.plan.excluded, prepared.plan.apps)
    assert header.host.pinned == "not pinned"
    assert dict(header.settings)["port"] == "8080"


def test_only_versions_that_are_there_are_stored_sorted(header: RunHeader) -> None:
    assert header.versions == (("python", "3.12.1"), ("servermatrix", __version__), ("uvicorn", "0.30"))


def test_two_runs_of_one_second_have_different_ids(header: RunHeader, prepared: Prepared, setup: Setup) -> None:
    assert describe(prepared, setup, {}, NOW).id != header.id


def test_commands_are_stored_as_one_would_type_them(prepared: Prepared, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for planned in planned_cells(prepared, setup):
        cell = planned.cell
        assert any("8000" in word for word in planned.argv)
        assert prepared.apps[cell.app].target in planned.argv
        assert planned.unequal == prepared.servers[cell.server].unequal
        assert str(cell.load.connections) in planned.load_argv
        assert "http://127.0.0.1:8000/" in planned.load_argv


def test_versions_are_read_of_everything_the_plan_is_made_of(prepared: Prepared, setup: Setup) -> None:
    found = versions_needed(prepared, setup)
    assert {"python", "uvicorn", "uvicorn-worker", "gunicorn", "hypercorn", "granian", "uvloop", "httptools", "h11"} == set(found)
    assert found["uvicorn"] == version("uvicorn")


def test_a_simulation_needs_no_versions(setup: Setup) -> None:
    overrides = Overrides(seed=7, generator="fake")
    simulated = prepare(Wishes(matrix=ROOT / "matrix.yaml", profile="smoke", overrides=overrides))
    assert versions_needed(simulated, setup) == {}


def test_a_run_goes_on_where_nothing_has_changed(header: RunHeader, prepared: Prepared, setup: Setup) -> None:
    check_same(header, describe(prepared, setup, {"python": "3.12.1", "uvicorn": "0.30"}, NOW))
    check_same(header, replace(header, id="other", argv=(), seed=8, git="0+"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda header: replace(header, versions=(("uvicorn", "0.31"),)), "installed versions"),
        (lambda header: replace(header, generator_version="9"), "generator"),
        (lambda header: replace(header, generator="builtin"), "generator"),
        (lambda header: replace(header, host=replace(header.host, cpu="other")), "machine"),
        (lambda header: replace(header, host=replace(header.host, memory_bytes=1)), "machine"),
        (lambda header: replace(header, host=replace(header.host, python="3.0")), "machine"),
        (lambda header: replace(header, host=replace(header.host, pinned="server on 0")), "machine"),
    ],
)
def test_what_has_changed_since_is_named(header: RunHeader, change: Callable[[RunHeader], RunHeader], what: str) -> None:
    with pytest.raises(Unfit, match=f"the {what} changed since run {header.id} began") as caught:
        check_same(header, change(header))
    assert caught.value.exit_code == Exit.UNFIT
    assert "--resume" in caught.value.tip
