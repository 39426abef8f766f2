"""Which load generator drives which protocol, and what happens to the cells of one that is not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.config.overrides import Overrides
from servermatrix.contracts import LoadFailure, LoadGenerator, LoadStats
from servermatrix.errors import Exit, NothingSelected, Unfit, UsageProblem
from servermatrix.generators import Search, choose_generators, find_generator
from servermatrix.lanes import OPEN_LOOP
from servermatrix.model import Cell, Load, Plan
from servermatrix.prepare import Prepared, Wishes, prepare, used_generators
from tests.conftest import ROOT

ALL = ("h1", "h1s", "h2c", "h2")


def second_word(text: str) -> str:
    version = text.split()[1]
    if version.startswith("0."):
        raise LoadFailure(f"{version} is too old")
    return version


WRK = LoadGenerator(
    protocols=("h1", "h1s"),
    version=second_word,
    argv=lambda _: [],
    parse=lambda _, __: LoadStats(requests=1, duration_us=1, histogram=()),
    program="wrk",
    packages=("wrk",),
    version_args=("-v",),
)
H2LOAD = replace(WRK, protocols=ALL, program="h2load", packages=("nghttp2-client",))
BUILTIN = replace(WRK, protocols=("h1",), program="", packages=(), version=lambda _: "7")
PLUGINS = {"builtin": BUILTIN, "h2load": H2LOAD, "wrk": WRK}


def search(folder: Path, *programs: str, version: str = "4.2") -> Search:
    """Look for generators where only these programs are, and nothing can be fetched."""
    (folder / "bin").mkdir()
    for name in programs:
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\necho {name} {version}\n")
        program.chmod(0o755)
    return Search(plugins=PLUGINS, tools_dir=folder / "tools", environment={"PATH": str(folder / "bin")})


def chosen(found: Search, wished: str | None = None, protocols: tuple[str, ...] = ALL) -> list[str]:
    return [generator.name for generator in choose_generators(found, wished, protocols).values()]


def test_wrk_drives_http_1_1_and_h2load_http_2(tmp_path: Path) -> None:
    found = choose_generators(search(tmp_path, "wrk", "h2load"), None, ALL)
    assert {protocol: generator.name for protocol, generator in found.items()} == {
        "h1": "wrk",
        "h1s": "wrk",
        "h2c": "h2load",
        "h2": "h2load",
    }
    assert (found["h2"].program, found["h2"].version) == (str(tmp_path / "bin" / "h2load"), "4.2")
    assert {(each.missing, each.notice) for each in found.values()} == {("", "")}


def test_a_wished_generator_drives_all_protocols(tmp_path: Path) -> None:
    assert chosen(search(tmp_path, "wrk", "h2load"), "h2load") == ["h2load"] * 4


def test_only_the_generators_of_the_protocols_that_are_there_are_looked_for(tmp_path: Path) -> None:
    found = choose_generators(search(tmp_path, "wrk"), None, ("h1", "h1s"))
    assert {each.name: each.missing for each in found.values()} == {"wrk": ""}


def test_without_wrk_the_built_in_generator_drives_http_1_1_and_says_so(tmp_path: Path) -> None:
    found = choose_generators(search(tmp_path, "h2load"), None, ALL)
    h1 = found["h1"]
    assert (h1.name, h1.version, h1.missing) == ("builtin", "7", "")
    assert h1.notice.startswith("wrk missing: it is not here and could not be fetched (")
    assert "; going on with the built-in generator. For wrk, type: " in h1.notice
    assert h1.notice.endswith("install wrk") or "install wrk " in h1.notice


def test_what_only_wrk_can_drive_is_left_without_it(tmp_path: Path) -> None:
    found = choose_generators(search(tmp_path, "h2load"), None, ALL)
    h1s = found["h1s"]
    assert (h1s.name, h1s.program, h1s.version) == ("wrk", "", "")
    assert h1s.missing.startswith("wrk missing: ")
    assert h1s.tip.startswith("type: ")
    assert (found["h2c"].missing, found["h2"].missing) == ("", "")


def test_without_h2load_http_2_is_never_driven_by_another(tmp_path: Path) -> None:
    found = choose_generators(search(tmp_path, "wrk"), None, ALL)
    assert {protocol: (each.name, bool(each.missing)) for protocol, each in found.items()} == {
        "h1": ("wrk", False),
        "h1s": ("wrk", False),
        "h2c": ("h2load", True),
        "h2": ("h2load", True),
    }
    assert "nghttp2" in found["h2"].tip


@pytest.mark.parametrize("wished", ["wrk", "h2load"])
def test_a_wished_generator_that_is_not_here_is_not_replaced(tmp_path: Path, wished: str) -> None:
    with pytest.raises(Unfit, match=f"{wished} missing: it is not here and could not be fetched") as caught:
        choose_generators(search(tmp_path), wished, ("h1",))
    assert caught.value.exit_code == Exit.UNFIT
    assert caught.value.tip.startswith("type: ")


def test_a_generator_that_is_there_and_too_old_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=r"0\.9 is too old"):
        choose_generators(search(tmp_path, "wrk", version="0.9"), None, ("h1",))


def test_a_misspelt_generator_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"no load generator 'h2lod'; there are .*; did you mean 'h2load'\?") as caught:
        choose_generators(search(tmp_path), "h2lod", ("h2",))
    assert caught.value.exit_code == Exit.USAGE


def test_a_generator_of_our_own_needs_no_program(tmp_path: Path) -> None:
    found = find_generator(search(tmp_path), "builtin")
    assert (found.program, found.version, found.missing) == ("", "7", "")


def test_for_a_plan_that_is_only_shown_no_program_is_looked_for(tmp_path: Path) -> None:
    shown = replace(search(tmp_path), tools=False)
    assert chosen(shown) == ["wrk", "wrk", "h2load", "h2load"]
    assert find_generator(shown, "h2load").program == "h2load"


def test_a_protocol_that_nobody_here_can_drive_is_left_to_a_generator_that_does_not_speak_it(tmp_path: Path) -> None:
    (generator,) = choose_generators(search(tmp_path, "wrk"), None, ("h3",)).values()
    assert "h3" not in generator.plugin.protocols


def cell(protocol: str, generator: str) -> Cell:
    load = Load(generator=generator, connections=8, threads=1, duration_s=1, warmup_s=0, windows=1)
    return Cell(server="s", options=(), label="", protocol=protocol, workers=1, app="a", load=load)


def plan_of(*cells: Cell) -> Plan:
    return Plan(cells=cells, excluded=(), apps=(), rounds=1, seed=1)


def test_cells_of_a_missing_generator_stay_in_the_plan_while_others_can_be_driven(tmp_path: Path) -> None:
    found = choose_generators(search(tmp_path, "wrk"), None, ALL)
    by_name = {each.name: each for each in found.values()}
    used = used_generators(plan_of(cell("h1", "wrk"), cell("h2", "h2load")), by_name)
    assert {name: bool(generator.missing) for name, generator in used.items()} == {"wrk": False, "h2load": True}
    assert list(used_generators(plan_of(cell("h1", "wrk")), by_name)) == ["wrk"]


def test_a_plan_none_of_whose_generators_is_here_is_refused_with_what_to_type(tmp_path: Path) -> None:
    found = choose_generators(search(tmp_path), None, ALL)
    by_name = {each.name: each for each in found.values()}
    with pytest.raises(Unfit, match=r"h2load missing: .*, and every cell that was selected needs it") as caught:
        used_generators(plan_of(cell("h2", "h2load"), cell("h1s", "wrk")), by_name)
    assert caught.value.exit_code == Exit.UNFIT
    assert caught.value.tip == found["h2"].tip


OPEN = {**PLUGINS, "builtin": replace(BUILTIN, open_loop=True)}


def test_the_open_loop_is_driven_by_the_built_in_generator_whatever_drives_the_protocols(tmp_path: Path) -> None:
    there = search(tmp_path, "wrk", "h2load")
    assert chosen(there, None, ("h1", OPEN_LOOP)) == ["wrk", "builtin"]
    assert chosen(there, "h2load", ("h1", OPEN_LOOP)) == ["h2load", "builtin"]
    assert chosen(replace(there, plugins=OPEN), "builtin", ("h1", OPEN_LOOP)) == ["builtin", "builtin"]


def test_a_wished_generator_that_can_send_at_a_fixed_rate_does(tmp_path: Path) -> None:
    steady = replace(BUILTIN, open_loop=True)
    there = replace(search(tmp_path, "wrk"), plugins={**OPEN, "steady": steady})
    assert chosen(there, "steady", ("h1", OPEN_LOOP)) == ["steady", "steady"]


def test_a_simulation_simulates_the_open_loop_too(tmp_path: Path) -> None:
    fake = replace(BUILTIN, simulate=lambda _: pytest.fail("nothing is asked while choosing"))
    there = replace(search(tmp_path), plugins={**OPEN, "fake": fake})
    assert chosen(there, "fake", ("h1", OPEN_LOOP)) == ["fake", "fake"]


def test_a_wished_generator_that_is_not_here_is_refused_although_the_open_loop_could_be_driven(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="wrk missing"):
        choose_generators(search(tmp_path), "wrk", (OPEN_LOOP, "h1"))


# --- the shipped plug-ins, by what was typed


@pytest.fixture
def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, in which no program is and into which none can be fetched."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("SERVERMATRIX_TOOLS", str(tmp_path / "tools"))
    return folder


def put(folder: Path, name: str, prints: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\necho '{prints}'\n")
    (folder / name).chmod(0o755)


def wished(*protocols: str, keep: tuple[str, ...] = ("granian*uvloop*",), load: str | None = None) -> Prepared:
    overrides = Overrides(seed=1, sets=(("protocol", protocols),), generator=load)
    return prepare(Wishes(matrix=ROOT / "matrix.yaml", profile="smoke", keep=keep, overrides=overrides))


def generators(prepared: Prepared) -> dict[str, str]:
    return {cell.protocol: cell.load.generator for cell in prepared.plan.cells}


@pytest.mark.usefixtures("no_programs")
def test_without_any_program_only_plain_http_1_1_is_measured_and_the_rest_is_kept_to_be_skipped() -> None:
    prepared = wished("h1", "h1s", "h2c")
    assert generators(prepared) == {"h1": "builtin", "h1s": "wrk", "h2c": "h2load"}
    assert {name: bool(each.missing) for name, each in prepared.generators.items()} == {
        "builtin": False,
        "wrk": True,
        "h2load": True,
    }


@pytest.mark.parametrize("wrk", [True, False])
@pytest.mark.parametrize("budget_s", [None, 600.0])
def test_the_duplicate_is_never_a_cell_whose_generator_was_found_to_be_missing(
    no_programs: Path, budget_s: float | None, *, wrk: bool
) -> None:
    if wrk:
        put(no_programs, "wrk", "wrk 4.1.0 [epoll] Copyright (C) 2012 Will Glozer")
    for seed in range(8):
        rounds = None if budget_s else 6
        overrides = Overrides(seed=seed, sets=(("protocol", ("h1", "h2c")),), rounds=rounds, budget_s=budget_s)
        prepared = prepare(Wishes(matrix=ROOT / "matrix.yaml", profile="smoke", keep=("granian*",), overrides=overrides))
        (again,) = (cell for cell in prepared.plan.cells if cell.duplicate)
        assert (again.protocol, again.load.generator) == ("h1", "wrk" if wrk else "builtin")


def with_rates(*rates: str, load: str | None = None, keep: tuple[str, ...] = ("granian*",)) -> Prepared:
    overrides = Overrides(seed=1, sets=(("rate", rates),), generator=load)
    return prepare(Wishes(matrix=ROOT / "matrix.yaml", profile="smoke", keep=keep, overrides=overrides))


def test_the_generators_of_a_plan_with_rates_are_those_of_closed_and_open_loops(no_programs: Path) -> None:
    put(no_programs, "wrk", "wrk 4.1.0 [epoll] Copyright (C) 2012 Will Glozer")
    prepared = with_rates("30%", "90%")
    assert {cell.load.label: cell.load.generator for cell in prepared.plan.cells} == {
        "c64": "wrk",
        "c64r30": "builtin",
        "c64r90": "builtin",
    }
    assert list(prepared.generators) == ["wrk", "builtin"]
    assert prepared.generators["builtin"].version
    assert list(wished("h1").generators) == ["wrk"]


@pytest.mark.usefixtures("no_programs")
def test_that_the_built_in_generator_stands_in_for_wrk_is_said_although_it_drives_the_open_loop_anyway() -> None:
    prepared = with_rates("30%")
    assert {cell.load.generator for cell in prepared.plan.cells} == {"builtin"}
    assert prepared.generators["builtin"].notice.startswith("wrk missing: ")


@pytest.mark.usefixtures("no_programs")
def test_a_simulation_with_rates_needs_no_other_generator() -> None:
    prepared = with_rates("30%", load="fake")
    assert list(prepared.generators) == ["fake"]
    assert prepared.simulation is not None


@pytest.mark.usefixtures("no_programs")
def test_without_any_program_http_2_alone_is_unfit() -> None:
    with pytest.raises(Unfit, match=r"^h2load missing: .*, and every cell that was selected needs it$") as caught:
        wished("h2c", "h2")
    assert "nghttp2" in caught.value.tip


def test_a_generator_that_no_selected_cell_needs_may_be_too_old(no_programs: Path) -> None:
    put(no_programs, "wrk", "wrk 4.1.0 [epoll] Copyright (C) 2012 Will Glozer")
    put(no_programs, "h2load", "h2load nghttp2/1.0.0")
    prepared = wished("h1", "h1s", "h2", keep=("granian*uvloop*/h1/*",))
    assert list(prepared.generators) == ["wrk"]
    assert prepared.generators["wrk"].program == str(no_programs / "wrk")
    assert prepared.generators["wrk"].version.startswith("4.1.0")
    with pytest.raises(Unfit, match=r"1\.0\.0 is too old"):
        wished("h1", "h1s", "h2")


@pytest.mark.usefixtures("no_programs")
def test_a_wished_generator_that_is_not_here_is_unfit_from_what_was_typed() -> None:
    with pytest.raises(Unfit, match=r"^h2load missing: "):
        wished("h1", load="h2load")


@pytest.mark.usefixtures("no_programs")
def test_a_wished_generator_excludes_what_it_does_not_speak() -> None:
    with pytest.raises(NothingSelected, match="selects only what is excluded") as caught:
        wished("h1", "h2c", keep=("granian*uvloop*/h2c/*",), load="wrk")
    assert caught.value.tip == "granian[loop=uvloop]/h2c/w1/c64/plaintext: wrk does not speak h2c"
