"""What is installed in another interpreter, asked from outside."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from servermatrix.errors import Exit, Unfit
from servermatrix.measure.environments import contents, distributions, installed, requirements_of, unmet

VERSIONS = {"python": "3.12.0", "uvicorn": "0.30.1", "hypercorn": "0.18.0rc1", "uvloop": None}


def test_versions_are_read_in_that_interpreter_with_its_own() -> None:
    assert installed(sys.executable, ["packaging", "no-such-distribution"]) == {
        "python": platform.python_version(),
        "packaging": version("packaging"),
        "no-such-distribution": None,
    }


def test_names_are_read_as_installers_read_them() -> None:
    found = installed(sys.executable, ["Ruamel.YAML", "ruamel.yaml"])
    assert found["Ruamel.YAML"] == found["ruamel.yaml"] == version("ruamel.yaml")


def test_what_is_on_our_module_path_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "zebra-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: zebra\nVersion: 1.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert installed(sys.executable, ["zebra"])["zebra"] is None


def test_everything_that_is_installed_is_read_by_its_canonical_name() -> None:
    found = contents(sys.executable)
    assert found["packaging"] == version("packaging")
    assert found["ruamel-yaml"] == version("ruamel.yaml")
    assert list(found) == sorted(found)
    assert "python" not in found
    names = tuple(found)
    assert installed(sys.executable, names) == {"python": platform.python_version(), **found}


def test_what_is_on_our_module_path_is_no_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "zebra-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: zebra\nVersion: 1.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "zebra" not in contents(sys.executable)


def test_the_contents_of_what_is_no_interpreter_are_unfit(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=r"does not run: .*No such file"):
        contents(str(tmp_path / "python"))


@pytest.mark.parametrize("text", ["exit 3", "echo hello", None])
def test_what_is_no_python_interpreter_is_unfit(tmp_path: Path, text: str | None) -> None:
    wrong = tmp_path / "python"
    if text is not None:
        wrong.write_text(f"#!/bin/sh\n{text}\n")
        wrong.chmod(0o755)
    with pytest.raises(Unfit, match="does not run") as caught:
        installed(str(wrong), ["packaging"])
    assert str(wrong) in caught.value.message
    assert "--python" in caught.value.tip
    assert caught.value.exit_code == Exit.UNFIT


def test_why_an_interpreter_does_not_run_is_its_own_last_line_and_not_our_command(tmp_path: Path) -> None:
    wrong = tmp_path / "python"
    wrong.write_text("#!/bin/sh\necho first >&2\necho unknown option -I >&2\nexit 2\n")
    wrong.chmod(0o755)
    with pytest.raises(Unfit) as caught:
        installed(str(wrong), ["packaging"])
    assert caught.value.message == f"the Python interpreter {wrong} does not run: unknown option -I"


def test_the_names_of_requirements_are_sorted_and_each_there_once() -> None:
    assert distributions(["uvloop", "uvicorn[standard]>=0.30", "uvicorn<1; python_version > '3'"]) == ("uvicorn", "uvloop")
    assert distributions([]) == ()


def test_a_name_that_is_spelt_in_two_ways_is_one() -> None:
    assert distributions(["uvicorn_worker>=0.4", "Uvicorn-Worker", "gunicorn_h1c"]) == ("gunicorn-h1c", "uvicorn-worker")


@pytest.mark.parametrize(("asked", "told"), [("uvicorn_worker", "uvicorn-worker"), ("uvicorn-worker", "Uvicorn_Worker")])
def test_a_requirement_is_met_however_its_name_is_spelt(asked: str, told: str) -> None:
    assert unmet([f"{asked}>=0.4"], {told: "0.4.0"}, "python3") is None
    assert str(unmet([f"{asked}>=0.4"], {told: "0.3.0"}, "python3")).startswith(f"{asked} 0.3.0 is installed but {asked}>=0.4")


@pytest.mark.parametrize("text", ["uvicorn", "uvicorn>=0.30", "uvicorn>=0.30,<1", "hypercorn>=0.17"])
def test_a_requirement_that_is_met_has_no_complaint(text: str) -> None:
    assert unmet([text], VERSIONS, "python3") is None


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["uvloop"], "uvloop is not installed; type: python3 -m pip install 'uvloop'"),
        (["never-asked>=1"], "never-asked is not installed; type: python3 -m pip install 'never-asked>=1'"),
        (
            ["uvicorn", "uvicorn>=0.31", "uvloop"],
            "uvicorn 0.30.1 is installed but uvicorn>=0.31 is needed; type: python3 -m pip install 'uvicorn>=0.31'",
        ),
    ],
)
def test_the_first_requirement_not_met_is_named_with_the_command_to_type(texts: list[str], sentence: str) -> None:
    assert unmet(texts, VERSIONS, "python3") == sentence


def test_what_packages_require_is_told_as_their_metadata_spells_it() -> None:
    found = requirements_of(sys.executable)
    assert any(each.startswith("pluggy") for each in found["pytest"])
    assert "pluggy" not in found or all(found["pluggy"])
