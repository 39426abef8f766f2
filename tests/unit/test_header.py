"""The first record of a run: commands as one would type them, versions, and what may not change until it is resumed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servermatrix import __version__
from servermatrix.config.overrides import Overrides
from servermatrix.errors import Exit, Unfit
from servermatrix.header import check_same, describe, equalised, planned_cells
from servermatrix.measure.bench import Venue
from servermatrix.model import RUN_SCHEMA, Cell, Load, Look, Plan, PlannedCell, RunHeader
from servermatrix.prepare import Prepared, Setup, Wishes, prepare
from servermatrix.venues import Venues, foreseen
from tests.conftest import ROOT

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SERVERS = ("uvicorn", "gunicorn", "hypercorn", "granian")
VENUES = Venues(
    by_want={
        (name, "", ()): Venue(path=str(ROOT / "env" / "python"), versions={"python": "3.12.1", "uvloop": None, "uvicorn": "0.30"})
        for name in SERVERS
    }
)


def prepared_with(
    *sets: tuple[str, tuple[str, ...]], profile: str = "smoke", keep: tuple[str, ...] = (), load: str = ""
) -> Prepared:
    overrides = Overrides(seed=7, sets=sets, generator=load or None)
    return prepare(Wishes(matrix=ROOT / "matrix.yaml", profile=profile, keep=keep, overrides=overrides), find_tools=False)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepared_with()


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(out=tmp_path, argv=("run_matrix.py", "--profile", "smoke"), port=8080, pin="off")


@pytest.fixture
def header(prepared: Prepared, setup: Setup) -> RunHeader:
    return describe(prepared, setup, VENUES, NOW)


def test_the_header_holds_all_that_a_report_or_a_resumed_run_needs(header: RunHeader, prepared: Prepared, setup: Setup) -> None:
    assert header.started_at == "2026-01-02T03:04:05Z"
    assert (header.seed, header.rounds, header.noise) == (7, prepared.plan.rounds, prepared.plan.noise)
    assert header.argv == setup.argv
    assert header.generators == (("wrk", ""),)
    assert tuple(planned.cell for planned in header.cells) == prepared.plan.cells
    assert (header.excluded, header.apps) == (prepared.plan.excluded, prepared.plan.apps)
    assert header.host.pinned.startswith("not pinned")
    assert dict(header.settings)["port"] == "8080"
    assert header.equalised == tuple(equalised(prepared.plan))


def test_the_looks_and_the_budget_of_a_plan_are_stored(prepared: Prepared, setup: Setup) -> None:
    looks = (Look(round=7, alpha=0.01), Look(round=14, alpha=0.04))
    stored = describe(replace(prepared, plan=replace(prepared.plan, looks=looks, budget_s=1200)), setup, VENUES, NOW)
    assert (stored.looks, stored.budget_s) == (looks, 1200)
    plain = describe(prepared, setup, VENUES, NOW)
    assert (plain.looks, plain.budget_s, plain.schema) == ((), 0, RUN_SCHEMA)


def test_every_generator_that_drives_a_cell_is_stored_with_its_version_a_missing_one_without(setup: Setup) -> None:
    both = prepared_with(("protocol", ("h1", "h2")), keep=("granian*",))
    found = {
        "wrk": replace(both.generators["wrk"], version="4.1.0"),
        "h2load": replace(both.generators["h2load"], missing="h2load missing: it is not here", tip="type: apt install it"),
    }
    assert describe(replace(both, generators=found), setup, VENUES, NOW).generators == (("wrk", "4.1.0"), ("h2load", ""))


def test_only_versions_that_are_there_are_stored_sorted_and_once(header: RunHeader) -> None:
    assert header.versions == (("python", "3.12.1"), ("servermatrix", __version__), ("uvicorn", "0.30"))


def test_two_runs_of_one_second_have_different_ids(header: RunHeader, prepared: Prepared, setup: Setup) -> None:
    assert describe(prepared, setup, VENUES, NOW).id != header.id


def test_commands_are_stored_as_one_would_type_them(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for planned in planned_cells(prepared, VENUES):
        cell = planned.cell
        assert planned.argv[0] == "env/python"
        assert any("8000" in word for word in planned.argv)
        assert prepared.apps[cell.app].target in planned.argv
        assert str(cell.load.connections) in planned.load_argv
        assert "http://127.0.0.1:8000/" in planned.load_argv


PROTOCOLS = ("h1", "h1s", "h2c", "h2")


def of_granian(*sets: tuple[str, tuple[str, ...]], load: str = "") -> dict[str, PlannedCell]:
    """Plan one setting of granian and return its cells by protocol."""
    prepared = prepared_with(("loop", ("asyncio",)), *sets, keep=("granian*",), load=load)
    return {planned.cell.protocol: planned for planned in planned_cells(prepared, VENUES)}


def test_an_encrypted_cell_is_asked_over_https_and_its_server_is_shown_the_names_of_the_certificate() -> None:
    planned = of_granian(("protocol", PROTOCOLS))
    for protocol in PROTOCOLS:
        encrypted = protocol in {"h1s", "h2"}
        assert f"http{'s' if encrypted else ''}://127.0.0.1:8000/" in planned[protocol].load_argv
        assert ("./certificate.pem" in planned[protocol].argv) is encrypted
        assert ("./key.pem" in planned[protocol].argv) is encrypted


def test_each_protocol_is_shown_with_its_own_generator_and_load() -> None:
    planned = of_granian(("protocol", PROTOCOLS), ("streams", ("10",)))
    assert [planned[protocol].load_argv[0] for protocol in PROTOCOLS] == ["wrk", "wrk", "h2load", "h2load"]
    shown = planned["h2"].load_argv
    assert shown[shown.index("-m") + 1] == "10"
    assert [each.load_argv[0] for each in of_granian(("protocol", PROTOCOLS), load="h2load").values()] == ["h2load"] * 4


def test_what_a_setting_cannot_make_equal_is_said_of_that_setting() -> None:
    prepared = prepared_with(keep=("granian*", "hypercorn*"))
    servers = {
        **prepared.servers,
        "granian": replace(prepared.servers["granian"], unequal=lambda launch: (f"only with {launch.options['loop']}",)),
    }
    said = {each.cell.setting: each.unequal for each in planned_cells(replace(prepared, servers=servers), VENUES)}
    assert said["granian[loop=asyncio]"] == ("only with asyncio",)
    assert said["granian[loop=uvloop]"] == ("only with uvloop",)


def test_a_cell_that_speaks_wsgi_is_shown_with_the_twin_of_its_app() -> None:
    prepared = prepared_with(profile="full", keep=("gunicorn*interface=wsgi*worker=sync*/h1/w1/*",))
    (planned,) = planned_cells(prepared, VENUES)
    assert planned.cell.interface == "wsgi"
    assert "apps.wsgi.plaintext:app" in planned.argv


def test_an_environment_of_its_own_is_shown_before_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVERMATRIX_TOOLS", str(tmp_path / "tools"))
    prepared = prepared_with(("python", (sys.executable,)), ("requires", ("uvicorn==0.52.0",)), keep=("uvicorn*uvloop*",))
    (planned,) = planned_cells(prepared, foreseen(prepared.servers, prepared.plan.cells, sys.executable))
    assert Path(planned.argv[0]).is_relative_to(tmp_path / "tools" / "environments")
    assert planned.cell.requires == ("uvicorn==0.52.0",)
    assert not (tmp_path / "tools").exists()


def cell(protocol: str, *, streams: int = 1, options: tuple[tuple[str, str], ...] = ()) -> Cell:
    load = Load(generator="h2load", connections=8, threads=1, duration_s=1, warmup_s=0, windows=1, streams=streams)
    return Cell(server="s", options=options, label="", protocol=protocol, workers=1, app="a", load=load)


def said_of(*cells: Cell) -> str:
    return "\n".join(equalised(Plan(cells=cells, excluded=(), apps=(), rounds=1, seed=1)))


def test_what_was_asked_of_every_server_alike_is_said_with_its_numbers() -> None:
    said = said_of(cell("h1"))
    assert "a backlog of 2048" in said
    assert "75 s" in said
    assert "access logs are off\n" in said
    assert "certificate" not in said
    assert "prior knowledge" not in said


def test_an_access_log_of_some_rows_is_not_called_off() -> None:
    said = said_of(cell("h1"), cell("h1", options=(("access_log", "on"),)))
    assert "access logs are off but where a row says that its is on" in said


@pytest.mark.parametrize("protocol", ["h1s", "h2"])
def test_encryption_is_said_to_be_with_one_certificate(protocol: str) -> None:
    said = said_of(cell("h1"), cell(protocol, streams=10))
    assert "all servers present the same certificate" in said
    assert "prior knowledge" not in said


@pytest.mark.parametrize("streams", [1, 10])
def test_http_2_in_the_clear_is_said_to_be_without_an_upgrade(streams: int) -> None:
    assert "prior knowledge" in said_of(cell("h1"), cell("h2c", streams=streams))


def test_of_a_simulation_nothing_is_said_to_be_equal_and_no_version_is_read(setup: Setup) -> None:
    simulated = describe(prepared_with(load="fake"), setup, Venues(by_want={}), NOW)
    assert (simulated.generators, simulated.equalised) == ((("fake", "1"),), ())
    assert simulated.versions == (("servermatrix", __version__),)
    assert {planned.argv[0] for planned in simulated.cells} == {"python"}


def test_a_run_goes_on_where_nothing_has_changed(header: RunHeader, prepared: Prepared, setup: Setup) -> None:
    check_same(header, describe(prepared, setup, VENUES, NOW))
    check_same(header, replace(header, id="other", argv=(), seed=8, git="0+"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda header: replace(header, versions=(("uvicorn", "0.31"),)), "the installed versions"),
        (lambda header: replace(header, generators=(("wrk", "9"),)), "the load generators"),
        (lambda header: replace(header, generators=(("builtin", ""),)), "the load generators"),
        (lambda header: replace(header, generators=(*header.generators, ("h2load", "1.52.0"))), "the load generators"),
        (lambda header: replace(header, host=replace(header.host, cpu="other")), "the machine"),
        (lambda header: replace(header, host=replace(header.host, memory_bytes=1)), "the machine"),
        (lambda header: replace(header, host=replace(header.host, python="3.0")), "the machine"),
        (lambda header: replace(header, host=replace(header.host, pinned="server on 0")), "how the cores are split"),
    ],
)
def test_what_has_changed_since_is_named(header: RunHeader, change: Callable[[RunHeader], RunHeader], what: str) -> None:
    with pytest.raises(Unfit, match=f"{what} changed since run {header.id} began") as caught:
        check_same(header, change(header))
    assert caught.value.exit_code == Exit.UNFIT
    assert "--resume" in caught.value.tip


def test_why_the_cores_are_split_as_they_are_may_be_told_in_other_words(header: RunHeader) -> None:
    pinned = "server on 0, generator on 1"
    stored = replace(header, host=replace(header.host, pinned=pinned))
    check_same(stored, replace(header, host=replace(header.host, pinned=f"{pinned}: with 2 cores there are no more")))
    with pytest.raises(Unfit):
        check_same(stored, replace(header, host=replace(header.host, pinned="server on 0, generator on 2: as asked")))
