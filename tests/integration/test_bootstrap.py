"""How run_matrix.py starts, also on machines that lack something; no network, and stand-ins for venv and pip."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
NOTHING: Mapping[str, str] = {}
OURS = ("PIP_", "UV_", "PYTHON", "SERVERMATRIX_", "RUN_MATRIX_")
OLD_PYTHON = """
import runpy, sys
sys.version_info, sys.argv = (3, 9, 18, "final", 0), sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
VENV = """
import os, pathlib, sys
python = pathlib.Path(sys.argv[1], "bin", "python")
python.parent.mkdir(parents=True, exist_ok=True)
python.unlink(missing_ok=True)
python.symlink_to(sys.executable)
pathlib.Path(os.environ["CALLS"]).open("a").write("venv\\n")
"""
PIP = """
import os, pathlib, sys, time
pathlib.Path(os.environ["CALLS"]).open("a").write(" ".join(["pip", *sys.argv[1:]]) + "\\n")
time.sleep(float(os.environ.get("PIP_TAKES", 0)))
sys.exit(os.environ.get("PIP_FAILS"))
"""
SERVERMATRIX = "import os, sys; print(os.getcwd(), *sys.argv[1:]); sys.exit(4)"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the start needs, in a folder whose name has a blank."""
    folder = tmp_path / "check out"
    folder.mkdir()
    for name in ("run_matrix.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def stubs(tmp_path: Path) -> dict[str, str]:
    """An environment in which venv, pip and servermatrix are stand-ins that write down how they are called."""
    for name, text in (("venv", VENV), ("pip", PIP), ("servermatrix", SERVERMATRIX)):
        stub(tmp_path, name, text)
    return {"PYTHONPATH": str(tmp_path / "stubs"), "CALLS": str(tmp_path / "calls")}


def stub(tmp_path: Path, name: str, text: str) -> None:
    package = tmp_path / "stubs" / name
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(text)


def begin(checkout: Path, *args: str, before: tuple[str, ...] = (), env: Mapping[str, str] = NOTHING) -> subprocess.Popen[str]:
    """Start it from another folder, with no uv and no network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.Popen(
        [sys.executable, *before, str(checkout / "run_matrix.py"), *args],
        cwd=checkout.parent,
        env=kept | {"PATH": str(checkout / "nothing")} | NO_INDEX | dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(started: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, err = started.communicate(timeout=120)
    return subprocess.CompletedProcess(started.args, started.returncode, out, err)


def start(
    checkout: Path, *args: str, before: tuple[str, ...] = (), env: Mapping[str, str] = NOTHING
) -> subprocess.CompletedProcess[str]:
    return end(begin(checkout, *args, before=before, env=env))


def told(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """Return the sentence and what to type; besides the notice of the set-up nothing else may be there."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("setting up ")]
    assert (done.returncode, done.stdout, len(lines)) == (3, "", 2), done.stderr
    assert (lines[0][:7], lines[1][:7]) == ("error: ", "type:  ")
    return lines[0][7:], lines[1][7:]


def calls(environment: dict[str, str]) -> list[str]:
    file = Path(environment["CALLS"])
    return file.read_text().splitlines() if file.exists() else []


# --- set-up and hand-over


def test_the_first_start_sets_up_and_hands_over_in_the_folder_it_was_started_in(checkout: Path, stubs: dict[str, str]) -> None:
    done = start(checkout, "plan", "-k", "a b", env=stubs)
    assert (done.returncode, done.stdout) == (4, f"{checkout.parent} plan -k a b\n"), done.stderr
    assert done.stderr == f"setting up {checkout}/.venv: only this once, it may take a minute or two\n"
    assert calls(stubs) == ["venv", f"pip install --no-input -q -c {checkout}/constraints.txt -e {checkout}"]


def test_the_next_start_only_hands_over(checkout: Path, stubs: dict[str, str]) -> None:
    start(checkout, env=stubs)
    done = start(checkout, env=stubs)
    assert (done.returncode, done.stderr) == (4, "")
    assert len(calls(stubs)) == 2


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_other_requirements_are_set_up_again(name: str, checkout: Path, stubs: dict[str, str]) -> None:
    start(checkout, env=stubs)
    with (checkout / name).open("a") as file:
        file.write("# another line\n")
    start(checkout, env=stubs)
    assert len(calls(stubs)) == 4


def test_a_checkout_that_was_moved_is_set_up_again(checkout: Path, stubs: dict[str, str]) -> None:
    start(checkout, env=stubs)
    moved = checkout.rename(checkout.with_name("moved"))
    start(moved, env=stubs)
    assert calls(stubs)[-1].endswith(f" -e {moved}")


def installs(checkout: Path, environment: dict[str, str]) -> list[str]:
    """Return the extras of every installation so far."""
    pip = f"pip install --no-input -q -c {checkout}/constraints.txt -e {checkout}"
    assert all(call == "venv" or call.startswith(pip) for call in calls(environment))
    return [call.removeprefix(pip) for call in calls(environment) if call != "venv"]


def test_selftest_adds_the_development_tools_and_a_plain_start_keeps_them(checkout: Path, stubs: dict[str, str]) -> None:
    start(checkout, env=stubs)
    start(checkout, "selftest", env=stubs)
    assert installs(checkout, stubs) == ["", "[full,dev]"]
    start(checkout, env=stubs)
    start(checkout, "verify", env=stubs)
    start(checkout, "selftest", "-k", "x", env=stubs)
    assert installs(checkout, stubs) == ["", "[full,dev]"]


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("verify", "--profile", "quick", "--json"),
        ("--profile", "full"),
        ("--profile=full",),
        ("plan", "-s", "workers=1", "--profile", "full"),
        ("run", "--profile=full", "-k", "granian*"),
    ],
)
def test_what_needs_every_server_adds_the_rest_of_them_once(
    words: tuple[str, ...], checkout: Path, stubs: dict[str, str]
) -> None:
    start(checkout, "plan", env=stubs)
    done = start(checkout, *words, env=stubs)
    assert (done.returncode, done.stdout) == (4, f"{checkout.parent} {' '.join(words)}\n"), done.stderr
    assert installs(checkout, stubs) == ["", "[full]"]
    start(checkout, *words, env=stubs)
    start(checkout, "plan", env=stubs)
    assert installs(checkout, stubs) == ["", "[full]"]


@pytest.mark.parametrize("words", [(), ("--profile", "h2"), ("--profile=smoke",), ("doctor",), ("-k", "granian*full*")])
def test_what_does_not_need_every_server_leaves_the_rest_of_them_out(
    words: tuple[str, ...], checkout: Path, stubs: dict[str, str]
) -> None:
    start(checkout, *words, env=stubs)
    assert installs(checkout, stubs) == [""]


def test_the_first_start_may_be_a_verification(checkout: Path, stubs: dict[str, str]) -> None:
    start(checkout, "verify", env=stubs)
    assert installs(checkout, stubs) == ["[full]"]
    start(checkout, "selftest", env=stubs)
    assert installs(checkout, stubs) == ["[full]", "[full,dev]"]


def test_the_extras_that_are_added_are_those_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"full", "dev"} <= set(extras)


def test_the_environment_can_be_elsewhere(checkout: Path, stubs: dict[str, str], tmp_path: Path) -> None:
    assert start(checkout, env=stubs | {"SERVERMATRIX_VENV": str(tmp_path / "here")}).returncode == 4
    assert (tmp_path / "here" / "bin" / "python").exists()
    assert not (checkout / ".venv").exists()


def test_of_two_starts_at_once_one_sets_up_and_the_other_waits(checkout: Path, stubs: dict[str, str]) -> None:
    both = [begin(checkout, env=stubs | {"PIP_TAKES": "0.5"}) for _ in range(2)]
    assert [end(each).returncode for each in both] == [4, 4]
    assert len(calls(stubs)) == 2


def test_ctrl_c_ends_the_set_up_quietly_and_the_next_start_does_it_again(checkout: Path, stubs: dict[str, str]) -> None:
    started = begin(checkout, env=stubs | {"PIP_TAKES": "20"})
    deadline = time.monotonic() + 20
    while len(calls(stubs)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGINT)
    done = end(started)
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
    assert start(checkout, env=stubs).returncode == 4
    assert len(calls(stubs)) == 4


def test_an_environment_of_another_python_is_made_anew(checkout: Path, stubs: dict[str, str]) -> None:
    start(checkout, env=stubs)
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.14")
    (checkout / ".venv" / "old").write_text("")
    assert start(checkout, env=stubs).returncode == 4
    assert not (checkout / ".venv" / "old").exists()


def test_an_environment_of_somebody_else_is_never_deleted(checkout: Path, stubs: dict[str, str]) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/nonexistent/python3.14")
    sentence, to_type = told(start(checkout, env=stubs))
    assert sentence == f"{checkout}/.venv belongs to another Python and was not made by servermatrix."
    assert to_type == f"rm -r '{checkout}/.venv'"
    assert python.is_symlink()
    assert calls(stubs) == []


def test_without_bootstrap_it_runs_in_the_python_it_was_started_with(checkout: Path, stubs: dict[str, str]) -> None:
    done = start(checkout, "plan", env=stubs | {"RUN_MATRIX_NO_BOOTSTRAP": "1"})
    assert (done.returncode, done.stdout, done.stderr) == (4, f"{checkout.parent} plan\n", "")
    assert not (checkout / ".venv").exists()


# --- what can be lacking


def test_an_older_python_is_told_which_one_to_use(checkout: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.12", "exit 0")
    done = start(checkout, "plan", "-k", "uv*", before=("-c", OLD_PYTHON), env={"PATH": str(tmp_path / "bin")})
    sentence, to_type = told(done)
    assert sentence == "servermatrix needs Python 3.11 or newer; this is 3.9.18."
    assert to_type == f"python3.12 '{checkout}/run_matrix.py' plan -k 'uv*'"


def test_a_newer_python_that_does_not_start_is_not_recommended(checkout: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.12", "exit 127")
    assert " install python" in told(start(checkout, before=("-c", OLD_PYTHON), env={"PATH": str(tmp_path / "bin")}))[1]


def test_where_there_is_uv_it_can_fetch_a_newer_python(checkout: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "uv", "exit 0")
    to_type = told(start(checkout, before=("-c", OLD_PYTHON), env={"PATH": str(tmp_path / "bin")}))[1]
    assert to_type == f"uv run --no-project --python 3.13 '{checkout}/run_matrix.py'"


def program(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def test_the_start_is_short_enough_to_be_read_before_it_is_trusted() -> None:
    assert len((ROOT / "run_matrix.py").read_text().splitlines()) <= 80


def test_an_older_python_can_read_the_file_that_tells_it() -> None:
    assert ast.parse((ROOT / "run_matrix.py").read_text(), feature_version=(3, 6)).body


def test_a_folder_that_cannot_be_written_is_told_with_the_way_around_it(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sentence, to_type = told(start(checkout, "plan", env={"SERVERMATRIX_VENV": str(tmp_path / "file" / "venv")}))
    assert sentence == f"cannot make {tmp_path}/file/venv: Not a directory."
    assert to_type.startswith(f"SERVERMATRIX_VENV=DIR {Path(sys.executable).name} '{checkout}/run_matrix.py' plan ")


@pytest.mark.parametrize(
    "words",
    [
        "The virtual environment was not created successfully because ensurepip is not available.\n\nFailing command: python3",
        "/usr/bin/python3: No module named venv",
    ],
)
def test_a_python_without_ensurepip_is_told_which_package_it_lacks(
    words: str, checkout: Path, stubs: dict[str, str], tmp_path: Path
) -> None:
    stub(tmp_path, "venv", f"raise SystemExit({words!r})")
    sentence, to_type = told(start(checkout, env=stubs))
    assert sentence == "this Python cannot make virtual environments."
    assert to_type == f"sudo apt install python3.{sys.version_info.minor}-venv"


def test_a_venv_without_ensurepip_for_real_is_told(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError('no ensurepip here')")
    (tmp_path / "venv.py").write_text("import ensurepip")
    assert told(start(checkout, env={"PYTHONPATH": str(tmp_path)}))[0] == "this Python cannot make virtual environments."


def test_what_pip_says_last_is_the_reason(checkout: Path, stubs: dict[str, str]) -> None:
    words = "WARNING: Retrying\nERROR: No matching distribution found for click>=8.2\n[notice] A new release of pip is available"
    sentence, to_type = told(start(checkout, "plan", env=stubs | {"PIP_FAILS": words}))
    assert sentence == "set-up failed: ERROR: No matching distribution found for click>=8.2"
    assert to_type.startswith(f"{Path(sys.executable).name} '{checkout}/run_matrix.py' plan ")


def test_a_set_up_that_failed_is_done_again_at_the_next_start(checkout: Path, stubs: dict[str, str]) -> None:
    start(checkout, env=stubs | {"PIP_FAILS": "ERROR: no network"})
    assert start(checkout, env=stubs).returncode == 4
    assert len(calls(stubs)) == 4


def test_real_pip_without_an_index_fails_in_one_sentence(checkout: Path) -> None:
    sentence, _ = told(start(checkout))
    assert sentence.startswith("set-up failed: ERROR: ")
