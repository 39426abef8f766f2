"""Interpreters by path and by version, with tiny scripts in the place of Pythons, shims and uv."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path

import pytest

from servermatrix.errors import Exit, Unfit
from servermatrix.measure import interpreters
from servermatrix.measure.interpreters import Interpreter, ask, find, find_python
from tests.conftest import ROOT

SHIM = 'echo "pyenv: python3.13: command not found" >&2; echo >&2; echo "Note: see pyenv help" >&2; exit 127'


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
    file.chmod(0o755)
    return file


def python(file: Path, version: str, *, log: str = "") -> str:
    """Write what answers as an interpreter of this version does; return its path."""
    told = json.dumps({"version": version, "path": str(file), "real": str(file)})
    return str(script(file, f"echo '{file.name}' >> '{log or file.parent / 'runs'}'\necho '{told}'"))


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with nothing in it but what a test puts into `bin`, `more` and `pyenv`."""
    monkeypatch.setattr(interpreters, "SYSTEM_FOLDERS", (str(tmp_path / "system"),))
    return {"PATH": f"{tmp_path / 'bin'}:{tmp_path / 'more'}", "PYENV_ROOT": str(tmp_path / "pyenv"), "HOME": str(tmp_path)}


def refused(wanted: str, environment: dict[str, str]) -> Unfit:
    with pytest.raises(Unfit) as caught:
        find(wanted, environment)
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == Exit.UNFIT
    assert caught.value.tip
    return caught.value


# --- by path


@pytest.mark.parametrize("wanted", ["{folder}/opt/python", "~/opt/python", "./opt/python", "opt/python", "opt/../opt/python"])
def test_a_path_is_made_absolute_and_run(
    wanted: str, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = python(tmp_path / "opt" / "python", "3.12.4")
    assert find(wanted.format(folder=tmp_path), environment) == Interpreter(path=path, version="3.12.4", real=path)
    assert find_python(wanted.format(folder=tmp_path), environment) == path


def test_the_interpreter_of_a_virtual_environment_stays_in_it_and_names_the_one_behind_it(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "pyvenv.cfg").write_text(f"home = {Path(os.path.realpath(sys.executable)).parent}\n")
    path = str(tmp_path / "bin" / "python")
    found = find(path)
    assert found == Interpreter(path=path, version=platform.python_version(), real=os.path.realpath(sys.executable))


def test_our_own_interpreter_is_found_by_its_path() -> None:
    assert find(sys.executable).path == sys.executable


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SHIM, "does not run: pyenv: python3.13: command not found"),
        ("exit 3", "does not run: it ended with code 3"),
        (
            "echo Traceback; echo '  an error here'; echo 'ImportError: no encodings'; exit 1",
            "does not run: ImportError: no encodings",
        ),
        ("echo hello", "is no Python interpreter"),
        ("echo '{}'", "is no Python interpreter"),
        ("echo 3", "is no Python interpreter"),
    ],
)
def test_a_path_of_something_else_is_told_in_its_own_words(
    text: str, sentence: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    path = script(tmp_path / "python", text)
    assert refused(str(path), environment).message == f"{path} {sentence}"


def test_what_cannot_be_started_is_told(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "python").write_text("text")
    assert refused(str(tmp_path / "python"), environment).message == f"{tmp_path}/python does not run: Permission denied"
    assert refused("./no/python", environment).message == f"there is no file {Path.cwd()}/no/python"


def test_of_a_folder_the_interpreter_in_it_is_named(tmp_path: Path, environment: dict[str, str]) -> None:
    python(tmp_path / "venv" / "bin" / "python", "3.12.4")
    found = refused(str(tmp_path / "venv"), environment)
    assert found.message == f"{tmp_path}/venv is a folder and no interpreter"
    assert found.tip == f"name {tmp_path}/venv/bin/python"
    assert refused(str(tmp_path / "venv" / "bin"), environment).tip == "name an interpreter, or a version such as 3.13"


@pytest.mark.parametrize("version", ["2.7.18", "3.9.18"])
def test_a_path_of_a_python_that_no_server_runs_on_is_told(version: str, tmp_path: Path, environment: dict[str, str]) -> None:
    path = python(tmp_path / "python", version)
    assert refused(path, environment).message == f"{path} is Python {version}: the servers need 3.10 or newer"


def test_one_that_hangs_is_ended(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "LIMIT_S", 0.3)
    path = script(tmp_path / "python", "sleep 20 &\nsleep 20")
    began = time.monotonic()
    assert "it did not answer within 0 s" in refused(str(path), environment).message
    assert time.monotonic() - began < 10


def test_what_lies_in_the_folder_of_the_user_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(5)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert isinstance(ask(sys.executable), Interpreter)


# --- by version


@pytest.mark.parametrize("wanted", ["3.13", "3.13.2"])
def test_a_version_is_looked_for_on_path_first(wanted: str, tmp_path: Path, environment: dict[str, str]) -> None:
    path = python(tmp_path / "bin" / "python3.13", "3.13.2")
    python(tmp_path / "pyenv" / "versions" / "3.13.5" / "bin" / "python3.13", "3.13.5")
    python(tmp_path / "system" / "python3.13", "3.13.2")
    assert find(wanted, environment) == Interpreter(path=path, version="3.13.2", real=path)


@pytest.mark.parametrize("broken", [SHIM, "exit 0", 'echo \'{"version": "3.12.1", "path": "/p", "real": "/p"}\''])
def test_a_shim_that_does_not_run_or_runs_another_version_is_passed_over(
    broken: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    script(tmp_path / "bin" / "python3.13", broken)
    later = python(tmp_path / "more" / "python3.13", "3.13.2")
    assert find_python("3.13", environment) == later


def test_a_shim_that_runs_is_not_the_interpreter_itself(tmp_path: Path, environment: dict[str, str]) -> None:
    behind = python(tmp_path / "pyenv" / "versions" / "3.13.0" / "bin" / "python3.13", "3.13.0")
    script(tmp_path / "bin" / "python3.13", f'exec "{behind}" "$@"')
    assert find_python("3.13", environment) == behind


def test_of_pyenvs_versions_the_newest_is_taken_and_no_environment_of_it(tmp_path: Path, environment: dict[str, str]) -> None:
    for folder in ("3.13.2", "3.13.10", "3.13.9", "my-3.13", "3.13.99-dev"):
        python(
            tmp_path / "pyenv" / "versions" / folder / "bin" / "python3.13", f"{folder[:7]}" if folder[0] == "3" else "3.13.99"
        )
    assert find("3.13", environment).version == "3.13.10"
    assert find("3.13.9", environment).version == "3.13.9"


def test_pyenv_is_looked_for_in_the_home_folder_where_its_root_is_not_named(tmp_path: Path, environment: dict[str, str]) -> None:
    path = python(tmp_path / ".pyenv" / "versions" / "3.13.0" / "bin" / "python3.13", "3.13.0")
    del environment["PYENV_ROOT"]
    assert find_python("3.13", environment) == path


def test_the_folders_of_the_system_are_looked_in_when_path_does_not_name_them(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    path = python(tmp_path / "system" / "python3.12", "3.12.1")
    assert find_python("3.12", environment) == path


def test_a_folder_of_path_that_is_named_from_here_is_looked_in(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = python(tmp_path / "here" / "python3.13", "3.13.0")
    assert find_python("3.13", {**environment, "PATH": "here"}) == path


def test_the_same_file_is_run_once(tmp_path: Path, environment: dict[str, str]) -> None:
    python(tmp_path / "bin" / "python3.13", "3.13.0", log=str(tmp_path / "log"))
    environment["PATH"] = f"{tmp_path}/bin:{tmp_path}/bin"
    refused("3.13.1", environment)
    assert (tmp_path / "log").read_text().splitlines() == ["python3.13"] * 2  # once to find it, once to say what is here


def uv_that_lists(tmp_path: Path, *listing: dict[str, str]) -> None:
    warning = 'echo "warning: Failed to inspect a shim [x]" >&2'
    script(tmp_path / "bin" / "uv", f"{warning}\necho \"uv $*\" >> {tmp_path}/log\ncat <<'END'\n{json.dumps(listing)}\nEND")


def test_what_uv_keeps_is_found_last_and_nothing_is_downloaded(tmp_path: Path, environment: dict[str, str]) -> None:
    path = python(tmp_path / "kept" / "cpython-3.13.1" / "bin" / "python3.13", "3.13.1")
    threads = python(tmp_path / "kept" / "cpython-3.13.7+freethreaded" / "bin" / "python3.13", "3.13.7")
    uv_that_lists(tmp_path, {"path": threads, "variant": "freethreaded"}, {"path": path[1:], "variant": "default"})
    assert find_python("3.13", environment) == path
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert "--no-python-downloads" in line
    earlier = python(tmp_path / "more" / "python3.13", "3.13.0")
    assert find_python("3.13", environment) == earlier
    assert len((tmp_path / "log").read_text().splitlines()) == 1


@pytest.mark.parametrize("text", ["exit 2", "echo no json", "echo '[{}]'", "echo '[{'", "sleep 20"])
def test_a_uv_that_is_no_help_is_no_failure(
    text: str, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bin" / "uv", text)
    python(tmp_path / "bin" / "python3.12", "3.12.1")
    monkeypatch.setattr(interpreters, "LIMIT_S", 0.5)
    assert refused("3.13", environment).message == "there is no Python 3.13 here; found 3.12"


def test_the_versions_that_are_here_are_named_instead(tmp_path: Path, environment: dict[str, str]) -> None:
    for name, version in (("3.11", "3.11.2"), ("3.10", "3.10.13"), ("3.9", "3.9.1"), ("3.12-config", "3.12.0"), ("3", "3.15.0")):
        python(tmp_path / "bin" / f"python{name}", version)
    script(tmp_path / "bin" / "python3.12", SHIM)
    python(tmp_path / "pyenv" / "versions" / "3.11.7" / "bin" / "python3.11", "3.11.7")
    assert refused("3.14", environment).message == "there is no Python 3.14 here; found 3.10, 3.11"
    assert refused("3.11.4", environment).message == "there is no Python 3.11.4 here; found 3.10.13, 3.11.2, 3.11.7"


def test_where_nothing_is_here_that_is_said(environment: dict[str, str]) -> None:
    found = refused("3.14", environment)
    assert found.message == "there is no Python 3.14 here; found nothing"
    assert found.tip == "install it, or name the path of an interpreter"


def test_where_uv_is_here_the_command_that_gets_it_is_named(tmp_path: Path, environment: dict[str, str]) -> None:
    uv_that_lists(tmp_path)
    assert refused("3.14", environment).tip == "install it (uv python install 3.14), or name the path of an interpreter"


@pytest.mark.parametrize("wanted", ["", "python3.13", "3", "latest", "3.13.", "3.x", "/"])
def test_what_is_neither_version_nor_path_is_told(wanted: str, environment: dict[str, str]) -> None:
    found = refused(wanted, environment)
    assert ("is a folder" if wanted == "/" else f"{wanted!r} is neither a version of Python nor a path") in found.message


@pytest.mark.parametrize("wanted", ["3.9", "2.7", "3.8.18"])
def test_a_version_that_no_server_runs_on_is_not_looked_for(wanted: str, tmp_path: Path, environment: dict[str, str]) -> None:
    python(tmp_path / "bin" / f"python{wanted}", wanted)
    assert refused(wanted, environment).message == f"Python {wanted} is too old: the servers need 3.10 or newer"
    assert not (tmp_path / "bin" / "runs").exists()


def test_a_version_that_lost_its_zero_as_a_number_is_explained(environment: dict[str, str]) -> None:
    assert refused("3.1", environment).tip == "write '3.10' in quotes if you mean that one"


# --- this machine


def test_the_version_of_our_own_interpreter_is_found_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    here = {**os.environ, "PATH": f"{Path(os.path.realpath(sys.executable)).parent}:{os.environ['PATH']}"}
    if shutil.which(name, path=here["PATH"]) is None:
        pytest.skip(f"there is no {name} on PATH")
    found = find(name.removeprefix("python"), here)
    assert found.version.startswith(name.removeprefix("python"))
    assert not Path(found.path).is_symlink()
    assert not found.path.startswith(str(ROOT / ".venv"))
