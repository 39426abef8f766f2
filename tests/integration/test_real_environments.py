"""Environments made by the real uv and pip, from the package index of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.errors import Unfit
from servermatrix.measure.environment_cache import Made, Unmade, Wanted, ensure
from servermatrix.measure.environments import installed
from servermatrix.measure.interpreters import Interpreter, find
from servermatrix.pins import read_set
from tests.conftest import ROOT
from tests.installers import real_python

pytestmark = pytest.mark.servers

CONSTRAINTS = (ROOT / "constraints.txt").read_text()
GUNICORN = next(line.partition("==")[2] for line in CONSTRAINTS.splitlines() if line.startswith("gunicorn=="))


@pytest.fixture(params=["uv", "pip"])
def machine(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of this machine: with its uv, and without."""
    folders = os.environ["PATH"].split(os.pathsep)
    if request.param == "uv" and shutil.which("uv") is None:
        pytest.skip("there is no uv on PATH")
    kept = [folder for folder in folders if request.param == "uv" or shutil.which("uv", path=folder) is None]
    return {**os.environ, "PATH": os.pathsep.join(kept)}


def wanted(text: str, *requirements: str, python: Interpreter | None = None) -> Wanted:
    return Wanted(python=python or real_python(), requirements=requirements, requires=read_set(text), constraints=CONSTRAINTS)


def test_a_requirement_set_is_installed_once_and_found_again_without_an_installer(
    tmp_path: Path, machine: dict[str, str]
) -> None:
    asked = wanted("h11==0.14.0")
    first = ensure(asked, tmp_path, environment=machine)
    assert isinstance(first, Made), first
    assert first.new
    assert installed(first.python, ["h11"])["h11"] == dict(first.versions)["h11"] == "0.14.0"
    nothing_to_start = {"PATH": str(tmp_path), "PIP_NO_INDEX": "1"}
    assert ensure(asked, tmp_path, environment=nothing_to_start) == replace(first, new=False)


def test_what_uv_installs_is_compiled_as_pip_compiles_it(tmp_path: Path, machine: dict[str, str]) -> None:
    found = ensure(wanted("h11==0.14.0"), tmp_path, environment=machine)
    assert isinstance(found, Made), found
    assert list(Path(found.python).parents[1].glob("lib/python*/site-packages/h11/__pycache__/_events.*.pyc"))


def test_a_set_that_cannot_be_had_is_told_in_the_installers_words(tmp_path: Path, machine: dict[str, str]) -> None:
    found = ensure(wanted("h11==0.0.0.1"), tmp_path, environment=machine)
    assert isinstance(found, Unmade)
    assert found.sentence.startswith(f"h11==0.0.0.1 on Python {real_python().version} cannot be installed: ")
    assert "no version of h11==0.0.0.1" in found.sentence or "No matching distribution found for h11==0.0.0.1" in found.sentence


def test_no_older_gunicorn_comes_in_the_place_of_the_pinned_one(tmp_path: Path, machine: dict[str, str]) -> None:
    found = ensure(wanted("gunicorn[fast]", "gunicorn>=25.1"), tmp_path, environment=machine)
    if isinstance(found, Unmade):
        assert "gunicorn[fast] on Python" in found.sentence
        assert "gunicorn_h1c" in found.sentence.replace("-", "_")
    else:
        assert dict(found.versions)["gunicorn"] == GUNICORN


def other_python() -> Interpreter:
    for name in ("3.13", "3.12", "3.11", "3.10"):
        if name != f"{sys.version_info[0]}.{sys.version_info[1]}":
            try:
                return find(name)
            except Unfit:
                continue
    pytest.skip("there is no second version of Python here")


def test_an_interpreter_of_another_version_gets_an_environment_of_its_own(tmp_path: Path, machine: dict[str, str]) -> None:
    python = other_python()
    found = ensure(wanted("h11==0.14.0", python=python), tmp_path, environment=machine)
    assert isinstance(found, Made), found
    assert installed(found.python, ["h11"]) == {"python": python.version, "h11": "0.14.0"}
