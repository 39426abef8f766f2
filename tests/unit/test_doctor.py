"""What the doctor finds and what it advises, without measuring a server."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import pytest

from servermatrix.contracts import Choice, Count, Flag, Launch, LoadFailure, LoadGenerator, LoadStats, Outcome, Server, Shot
from servermatrix.errors import Unfit
from servermatrix.measure.doctor import examine
from servermatrix.model import Finding


def needs(launch: Launch) -> tuple[str, ...]:
    return tuple(name for name in (launch.options["loop"], launch.options["extra"]) if name not in {"asyncio", "off"})


SERVER = Server(
    requires=("packaging>=20",),
    options={
        "loop": Choice(values=("asyncio", "no-such-loop"), default="asyncio"),
        "extra": Flag(),
        "threads": Count(default="1"),
    },
    protocols=("h1",),
    argv=lambda _: [],
    proof=lambda _: {},
    needs=needs,
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
    tmp_path: Path, servers: dict[str, Server] | None = None, generators: dict[str, LoadGenerator] | None = None
) -> Iterator[Finding]:
    return examine(servers or {}, generators or {}, sys.executable, tmp_path / "tools")


def test_the_interpreter_of_the_servers_is_named_first(tmp_path: Path) -> None:
    first = next(look(tmp_path))
    assert (first.subject, first.fit) == ("Python of the servers", True)
    assert first.found == f"{platform.python_version()} ({sys.executable})"


def test_an_interpreter_that_does_not_run_is_unfit(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="no-such-python does not run"):
        next(examine({}, {}, "no-such-python", tmp_path))


def test_each_package_of_a_server_has_its_line_whichever_option_needs_it(tmp_path: Path) -> None:
    _, own, loop = islice(look(tmp_path, {"packaging": SERVER}), 3)
    assert own == Finding(subject="server packaging", fit=True, found=version("packaging"))
    assert (loop.subject, loop.fit, loop.found) == ("server packaging: no-such-loop", False, "not installed")
    assert loop.advice == f"no-such-loop is not installed; type: {sys.executable} -m pip install 'no-such-loop'"


def test_a_package_that_is_too_old_is_unfit_with_its_version(tmp_path: Path) -> None:
    _, found = islice(look(tmp_path, {"small": replace(SERVER, requires=("packaging>=999",), options={}, needs=lambda _: ())}), 2)
    assert (found.subject, found.fit, found.found) == ("server small: packaging", False, version("packaging"))
    assert "packaging>=999 is needed" in found.advice


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
