"""What the doctor finds and what it advises, without measuring a server."""

from __future__ import annotations

import itertools
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import pytest

from servermatrix.contracts import (
    Choice,
    Count,
    Flag,
    Launch,
    LoadFailure,
    LoadGenerator,
    LoadStats,
    Option,
    Outcome,
    Server,
    Shot,
)
from servermatrix.errors import Unfit
from servermatrix.measure.doctor import LOOKED_AT, examine, extras
from servermatrix.model import Finding
from servermatrix.plugins import load_servers


def needs(launch: Launch) -> tuple[str, ...]:
    options = launch.options
    wanted = [
        options.get("loop"),
        "no-such-encryption" if launch.encrypted else None,
        "no-such-pair" if is_pair(options) else None,
    ]
    return tuple(name for name in wanted if name not in {None, "asyncio", "packaging"})


def is_pair(options: Mapping[str, str]) -> bool:
    return options.get("parser") == "fast" and options.get("extra") == "on"


def objection(launch: Launch) -> str | None:
    return "it ends at once" if launch.options.get("loop") == "no-such-dead-loop" else None


SERVER = Server(
    requires=("packaging>=20",),
    options={
        "loop": Choice(values=("asyncio", "no-such-loop", "no-such-dead-loop"), default="asyncio"),
        "parser": Choice(values=("slow", "fast"), default="slow", when={"protocol": ("h1s",)}),
        "extra": Flag(),
        "threads": Count(default="1"),
    },
    protocols=("h1", "h1s"),
    argv=lambda _: [],
    proof=lambda _: {},
    needs=needs,
    objection=objection,
)


def no_parse(_: Shot, __: Outcome) -> LoadStats:
    raise LoadFailure("never run")


def too_old(text: str) -> str:
    raise LoadFailure(f"{text.strip()} is too old")


def second_word(text: str) -> str:
    return text.split()[1]


OWN = LoadGenerator(protocols=("h1",), version=lambda _: "7", argv=lambda _: [], parse=no_parse)
PROGRAM = replace(OWN, program="loader", packages=("loader-client",), version_args=("--version",), version=second_word)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH and has the program `loader`."""
    loader = tmp_path / "bin" / "loader"
    loader.parent.mkdir()
    loader.write_text("#!/bin/sh\necho loader 4.2 $1\n")
    loader.chmod(0o755)
    monkeypatch.setenv("PATH", str(loader.parent))
    return loader.parent


def look(
    tmp_path: Path,
    servers: dict[str, Server] | None = None,
    generators: dict[str, LoadGenerator] | None = None,
    optional: frozenset[str] = frozenset(),
) -> Iterator[Finding]:
    return examine(servers or {}, generators or {}, sys.executable, tmp_path / "tools", optional)


def of_server(tmp_path: Path, name: str, server: Server, optional: frozenset[str] = frozenset()) -> dict[str, Finding]:
    """Return what was found about a server, by package."""
    findings = itertools.takewhile(lambda each: each.subject != "cores", look(tmp_path, {name: server}, optional=optional))
    return {
        each.subject.removeprefix(f"server {name}").removeprefix(": "): each for each in findings if "server " in each.subject
    }


def test_the_interpreter_of_the_servers_is_named_first(tmp_path: Path) -> None:
    first = next(look(tmp_path))
    assert (first.subject, first.fit) == ("Python of the servers", True)
    assert first.found == f"{platform.python_version()} ({sys.executable})"


def test_an_interpreter_that_does_not_run_is_unfit(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="no-such-python does not run"):
        next(examine({}, {}, "no-such-python", tmp_path))


def install(package: str) -> str:
    return f"type: {sys.executable} -m pip install '{package}'"


def test_each_package_of_a_server_has_its_line_whichever_setting_and_protocol_needs_it(tmp_path: Path) -> None:
    found = of_server(tmp_path, "packaging", SERVER)
    assert list(found) == ["", "no-such-loop", "no-such-encryption", "no-such-pair"]
    assert found[""] == Finding(subject="server packaging", fit=True, found=version("packaging"))


def test_a_package_that_only_some_settings_need_may_be_missing_and_it_is_said_whose_and_what_to_type(tmp_path: Path) -> None:
    assert of_server(tmp_path, "packaging", SERVER)["no-such-loop"] == Finding(
        subject="server packaging: no-such-loop",
        fit=True,
        found="not installed",
        advice=f"for some settings of packaging: no-such-loop is not installed; {install('no-such-loop')}",
    )


def test_a_package_that_only_another_protocol_needs_may_be_missing(tmp_path: Path) -> None:
    found = of_server(tmp_path, "packaging", SERVER)
    assert (found["no-such-encryption"].fit, found["no-such-encryption"].found) == (True, "not installed")


def test_a_package_that_the_default_settings_need_may_not_be_missing(tmp_path: Path) -> None:
    server = replace(SERVER, needs=lambda _: ("no-such-parser",))
    assert of_server(tmp_path, "packaging", server)["no-such-parser"] == Finding(
        subject="server packaging: no-such-parser",
        fit=False,
        found="not installed",
        advice=f"no-such-parser is not installed; {install('no-such-parser')}",
    )


def test_a_server_that_is_missing_is_unfit_unless_the_set_up_leaves_it_out(tmp_path: Path) -> None:
    server = replace(SERVER, requires=("no-such-server>=4",), options={}, needs=lambda _: ())
    missing = of_server(tmp_path, "no-such-server", server)[""]
    assert (missing.fit, missing.found) == (False, "not installed")
    optional = of_server(tmp_path, "no-such-server", server, frozenset({"no-such-server"}))[""]
    assert optional == Finding(
        subject="server no-such-server",
        fit=True,
        found="not installed",
        advice=f"only to compare no-such-server: no-such-server is not installed; {install('no-such-server>=4')}",
    )


def test_what_is_needed_only_by_a_combination_that_cannot_run_is_not_asked_for(tmp_path: Path) -> None:
    assert "no-such-dead-loop" not in of_server(tmp_path, "packaging", SERVER)


def test_a_package_that_is_too_old_is_unfit_with_its_version(tmp_path: Path) -> None:
    found = of_server(tmp_path, "small", replace(SERVER, requires=("packaging>=999",), options={}, needs=lambda _: ()))[
        "packaging"
    ]
    assert (found.subject, found.fit, found.found) == ("server small: packaging", False, version("packaging"))
    assert "packaging>=999 is needed" in found.advice


def test_a_package_that_is_too_old_for_some_settings_only_is_fit_and_has_one_line(tmp_path: Path) -> None:
    server = replace(SERVER, options={}, needs=lambda launch: ("packaging>=999",) if launch.encrypted else ())
    found = of_server(tmp_path, "packaging", server)
    assert list(found) == [""]
    assert (found[""].fit, found[""].found) == (True, version("packaging"))
    assert found[""].advice.startswith("for some settings of packaging: packaging ")
    assert found[""].advice.endswith(f"but packaging>=999 is needed; {install('packaging>=999')}")


def test_a_server_with_more_settings_than_could_be_looked_at_is_looked_at_in_bounded_time(tmp_path: Path) -> None:
    asked: list[Launch] = []

    def needs_of_many(launch: Launch) -> tuple[str, ...]:
        asked.append(launch)
        on = [name for name, value in launch.options.items() if value == "on"]
        return ("no-such-pair",) if {"flag3", "flag28"} <= set(on) else ()

    many: dict[str, Option] = {f"flag{number}": Flag() for number in range(30)}
    found = of_server(tmp_path, "packaging", replace(SERVER, options=many, needs=needs_of_many, objection=lambda _: None))
    assert found["no-such-pair"].fit
    assert len(asked) <= len(SERVER.protocols) * LOOKED_AT + 1


def test_every_shipped_server_is_fit_where_the_set_up_is_done_and_its_packages_have_a_line_each(tmp_path: Path) -> None:
    servers = load_servers()
    found = list(itertools.takewhile(lambda each: each.subject != "cores", look(tmp_path, servers, optional=extras())))
    assert [each for each in found if not each.fit] == []
    subjects = [each.subject for each in found]
    assert len(set(subjects)) == len(subjects)
    for line in ("granian: rloop", "gunicorn: gevent", "gunicorn: gunicorn-h1c", "gunicorn: uvicorn-worker", "hypercorn: trio"):
        assert f"server {line}" in subjects
    assert {f"server {name}" for name in servers} <= set(subjects)


def test_the_extras_of_this_project_are_read_without_what_every_set_up_installs() -> None:
    found = extras()
    assert {"ruff", "pytest"} <= found
    assert not found & {"click", "uvicorn", "granian", "h2"}


def test_a_generator_of_our_own_is_always_there(tmp_path: Path) -> None:
    _, found = islice(look(tmp_path, generators={"mine": OWN}), 2)
    assert found == Finding(subject="generator mine", fit=True, found="7, part of this tool")


def test_a_program_that_is_there_is_asked_for_its_version(tmp_path: Path, programs: Path) -> None:
    _, found = islice(look(tmp_path, generators={"loader": PROGRAM}), 2)
    assert programs.is_dir()
    assert found == Finding(subject="generator loader", fit=True, found="4.2 (PATH)")


@pytest.mark.usefixtures("programs")
def test_a_program_that_is_missing_comes_with_the_command_that_installs_it(tmp_path: Path) -> None:
    _, found = islice(look(tmp_path, generators={"other": replace(PROGRAM, program="no-such-loader")}), 2)
    assert (found.fit, found.found) == (False, "not installed")
    assert found.advice.startswith("type: ")
    assert "loader" in found.advice


@pytest.mark.usefixtures("programs")
def test_a_program_that_is_too_old_says_so(tmp_path: Path) -> None:
    _, found = islice(look(tmp_path, generators={"loader": replace(PROGRAM, version=too_old)}), 2)
    assert not found.fit
    assert "is too old" in found.found
    assert "loader" in found.advice


def test_cores_and_quiet_come_last_and_a_loud_machine_is_advised(tmp_path: Path) -> None:
    _, cores, quiet = look(tmp_path)
    assert (cores.subject, cores.fit) == ("cores", True)
    assert int(cores.found.split(":")[0].split(",")[0]) >= 1
    assert quiet.subject == "quiet"
    assert quiet.fit == (quiet.advice == "")
    assert "% of a core" in quiet.found
