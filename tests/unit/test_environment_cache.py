"""Environments are made once, whole, in one command, and found again; with stand-ins for uv, venv and pip."""

from __future__ import annotations

import fcntl
import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.measure import environment_cache, installer
from servermatrix.measure.environment_cache import Made, Unmade, Wanted, ensure, known, python_of
from servermatrix.measure.environments import installed
from servermatrix.measure.interpreters import Interpreter
from tests.installers import SITE, environment, log, real_python, script, with_uv, without_uv

CONSTRAINTS = "# pinned\ngunicorn==27.0.1\nh11==0.16.0\nuvicorn==0.54.0\nuvloop==0.23.0\n"
BASE = ("uvicorn>=0.30", "h11")
Setting = Callable[[Path], tuple[Interpreter, dict[str, str]]]


def wanted(python: Interpreter, *requires: str, requirements: tuple[str, ...] = BASE, constraints: str = CONSTRAINTS) -> Wanted:
    return Wanted(python=python, requirements=requirements, requires=requires, constraints=constraints)


def made(asked: Wanted, tmp_path: Path, environ: dict[str, str]) -> Made:
    found = ensure(asked, tmp_path / "cache", environment=environ)
    assert isinstance(found, Made), found
    return found


def sentence(asked: Wanted, tmp_path: Path, environ: dict[str, str]) -> str:
    found = ensure(asked, tmp_path / "cache", environment=environ)
    assert isinstance(found, Unmade)
    assert "\n" not in found.sentence
    assert known(asked, tmp_path / "cache") is None
    return found.sentence


def folders(tmp_path: Path) -> list[str]:
    return sorted(each.name for each in (tmp_path / "cache").iterdir() if each.is_dir())


@pytest.fixture(params=[with_uv, without_uv], ids=["uv", "pip"])
def setting(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Interpreter, dict[str, str]]:
    """The interpreter to ask for and the environment: with uv on PATH, and without."""
    of: Setting = request.param
    return of(tmp_path)


@pytest.fixture
def uv(tmp_path: Path) -> tuple[Interpreter, dict[str, str]]:
    return with_uv(tmp_path)


# --- making


def test_everything_is_installed_in_one_command_with_uv(tmp_path: Path, uv: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = uv
    asked = wanted(python, "uvloop>=0.5", "granian==2.7.0")
    folder = Path(made(asked, tmp_path, environ).python).parents[1]
    assert log(environ) == [
        f"uv venv --no-project --python {python.real} {folder}",
        f"uv pip install --compile-bytecode --constraint {folder}/constraints.txt h11 uvicorn>=0.30 granian==2.7.0 uvloop>=0.5",
    ]


def test_everything_is_installed_in_one_command_without_uv(tmp_path: Path) -> None:
    python, environ = without_uv(tmp_path)
    folder = Path(made(wanted(python, "granian==2.7.0"), tmp_path, environ).python).parents[1]
    assert log(environ) == [
        f"python -m venv --without-pip {folder}",
        "python -m ensurepip",
        f"install --no-input --disable-pip-version-check --constraint {folder}/constraints.txt h11 uvicorn>=0.30 granian==2.7.0",
    ]


def test_what_came_of_it_is_told_from_inside(tmp_path: Path, setting: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = setting
    found = made(wanted(python, "uvicorn==0.52.0"), tmp_path, environ)
    assert found == Made(python=found.python, versions=(("h11", "0.16.0"), ("uvicorn", "0.52.0")), new=True)
    assert installed(found.python, ["uvicorn", "h11"]) == {"python": python.version, "uvicorn": "0.52.0", "h11": "0.16.0"}


@pytest.mark.parametrize(
    ("requirement", "left_out"),
    [("uvicorn==0.52.0", "uvicorn==0.54.0"), ("gunicorn[fast]==26.2.0", "gunicorn==27.0.1"), ("gunicorn[fast]", "")],
)
def test_the_set_overrides_the_constraints_only_where_it_gives_a_version(
    requirement: str, left_out: str, tmp_path: Path, uv: tuple[Interpreter, dict[str, str]]
) -> None:
    python, environ = uv
    constraints = Path(made(wanted(python, requirement), tmp_path, environ).python).parents[1] / "constraints.txt"
    lines = ["gunicorn==27.0.1", "h11==0.16.0", "uvicorn==0.54.0", "uvloop==0.23.0"]
    assert constraints.read_text().splitlines() == [line for line in lines if line != left_out]


def test_with_nothing_to_install_it_is_an_empty_environment(tmp_path: Path, setting: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = setting
    assert made(wanted(python, requirements=()), tmp_path, environ).versions == ()
    assert not [line for line in log(environ) if "--constraint" in line]


def test_the_machines_settings_of_installers_reach_them_and_our_module_path_does_not(
    tmp_path: Path, setting: tuple[Interpreter, dict[str, str]]
) -> None:
    python, environ = setting
    told = "open(os.environ['LOG'], 'a').write(repr(sorted(set(os.environ) & {'PIP_NO_INDEX', 'UV_OFFLINE', 'PYTHONPATH'})))"
    made(wanted(python), tmp_path, {**environ, "PIP_NO_INDEX": "1", "UV_OFFLINE": "1", "PYTHONPATH": "/p", "FIRST": told})
    assert log(environ)[-1] == "['PIP_NO_INDEX', 'UV_OFFLINE']"


# --- finding again


def test_the_second_time_no_installer_is_started(tmp_path: Path, setting: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = setting
    asked = wanted(python, "uvicorn==0.52.0")
    first, lines = made(asked, tmp_path, environ), len(log(environ))
    assert made(asked, tmp_path, environ) == replace(first, new=False)
    assert known(asked, tmp_path / "cache") == replace(first, new=False)
    assert len(log(environ)) == lines > 1


def test_its_interpreter_can_be_named_before_it_is_there(tmp_path: Path, uv: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = uv
    asked = wanted(python, "uvicorn==0.52.0")
    named = python_of(asked, tmp_path / "cache")
    assert known(asked, tmp_path / "cache") is None
    assert not (tmp_path / "cache").exists()
    assert made(asked, tmp_path, environ).python == named


def test_what_was_asked_and_what_came_of_it_is_written_down(tmp_path: Path, uv: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = uv
    asked = wanted(python, "uvicorn==0.52.0")
    made(asked, tmp_path, environ)
    assert json.loads((tmp_path / "cache" / asked.key / "environment.json").read_text()) == {
        "format": 1,
        "python": {"version": python.version, "path": python.real},
        "requirements": ["h11", "uvicorn>=0.30"],
        "requires": ["uvicorn==0.52.0"],
        "constraints": ["gunicorn==27.0.1", "h11==0.16.0", "uvloop==0.23.0"],
        "versions": {"h11": "0.16.0", "uvicorn": "0.52.0"},
    }


def test_the_key_is_the_same_for_the_same_environment_however_it_is_written() -> None:
    python = Interpreter(path="/opt/python", version="3.13.0", real="/opt/python3.13")
    one = wanted(python, "uvloop<0.23", "uvicorn==0.52.0")
    other = Wanted(
        python=replace(python, path="/usr/bin/python3.13"),
        requirements=("h11", "H11", "Uvicorn >= 0.30"),
        requires=("uvicorn==0.52.0", "uvloop<0.23"),
        constraints="\n".join(reversed(CONSTRAINTS.replace("0.54.0", "0.55.0").splitlines())),
    )
    assert one.key == other.key


@pytest.mark.parametrize(
    "other",
    [
        wanted(Interpreter(path="", version="3.13.1", real="/opt/python3.13")),
        wanted(Interpreter(path="", version="3.13.0", real="/usr/bin/python3.13")),
        wanted(Interpreter(path="", version="3.13.0", real="/opt/python3.13"), "h11"),
        wanted(Interpreter(path="", version="3.13.0", real="/opt/python3.13"), requirements=("uvicorn>=0.30",)),
        wanted(Interpreter(path="", version="3.13.0", real="/opt/python3.13"), constraints=CONSTRAINTS + "click==8.5.1\n"),
    ],
)
def test_the_key_is_another_one_for_whatever_decides_about_what_is_in_it(other: Wanted) -> None:
    assert other.key != wanted(Interpreter(path="", version="3.13.0", real="/opt/python3.13")).key


def test_a_new_format_makes_everything_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = wanted(real_python()).key
    monkeypatch.setattr(environment_cache, "FORMAT", 0)
    assert wanted(real_python()).key != before


# --- what does not pass for whole


def _unstamped(folder: Path) -> None:
    (folder / "environment.json").unlink()


def _torn(folder: Path) -> None:
    (folder / "environment.json").write_text('{"format": 1, "versio')


def _other(folder: Path) -> None:
    (folder / "environment.json").write_text("[]")


def _changed(folder: Path) -> None:
    metadata = folder / SITE / "h11.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("0.16.0", "0.15.0"))


def _added(folder: Path) -> None:
    shutil.copytree(folder / SITE / "h11.dist-info", folder / SITE / "more.dist-info")
    (folder / SITE / "more.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1\n")


def _without_interpreter(folder: Path) -> None:
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to("/gone/python")


@pytest.mark.parametrize("harm", [_unstamped, _torn, _other, _changed, _added, _without_interpreter])
def test_what_is_not_what_was_installed_is_made_again_from_nothing(
    harm: Callable[[Path], None], tmp_path: Path, uv: tuple[Interpreter, dict[str, str]]
) -> None:
    python, environ = uv
    asked = wanted(python)
    first = made(asked, tmp_path, environ)
    folder = Path(first.python).parents[1]
    (folder / "old").touch()
    harm(folder)
    assert known(asked, tmp_path / "cache") is None
    assert made(asked, tmp_path, environ) == first
    assert not (folder / "old").exists()


def test_an_installer_that_fails_leaves_nothing_and_is_asked_again(
    tmp_path: Path, setting: tuple[Interpreter, dict[str, str]]
) -> None:
    python, environ = setting
    asked = wanted(python, "uvicorn==0.52.0")
    failing = "print('error: disk is cross'); sys.exit(1)"
    assert sentence(asked, tmp_path, {**environ, "FIRST": failing}) == (
        f"uvicorn==0.52.0 on Python {python.version} cannot be installed: disk is cross"
    )
    assert folders(tmp_path) == []
    assert made(asked, tmp_path, environ).new


def test_what_the_servers_need_is_named_where_there_is_no_set(tmp_path: Path, uv: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = uv
    said = sentence(wanted(python), tmp_path, {**environ, "FIRST": "sys.exit(4)"})
    assert said == (
        f"h11 uvicorn>=0.30 on Python {python.version} cannot be installed: uv pip install ended with code 4 and printed nothing"
    )


@pytest.mark.parametrize("requirement", ["uvicorn==0.52.0", "uvicorn[standard]"])
def test_an_installer_that_puts_another_version_in_place_is_found_out(
    requirement: str, tmp_path: Path, setting: tuple[Interpreter, dict[str, str]]
) -> None:
    python, environ = setting
    asked = wanted(python, requirement, requirements=())
    pin = "0.52.0" if "==" in requirement else "0.54.0"
    said = sentence(asked, tmp_path, {**environ, "INSTEAD": "0.25.1"})
    assert said.endswith(f"cannot be installed: uvicorn is 0.25.1 in the new environment, but {pin} was asked for")
    assert folders(tmp_path) == []


def test_an_installer_that_installs_elsewhere_is_found_out(tmp_path: Path, setting: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = setting
    said = sentence(wanted(python), tmp_path, {**environ, "FIRST": "sys.exit(0)"})
    assert said.endswith("h11 is not installed in the new environment, but h11 was asked for")


def test_a_need_under_a_condition_may_be_left_out(tmp_path: Path, uv: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = uv
    skipping = "words[-1:] = []"
    asked = wanted(python, requirements=("h11", "zttp; python_version < '3'"))
    assert made(asked, tmp_path, {**environ, "FIRST": skipping}).versions == (("h11", "0.16.0"),)


def test_an_installer_that_hangs_is_ended_with_its_children(
    tmp_path: Path, setting: tuple[Interpreter, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    python, environ = setting
    monkeypatch.setattr(installer, "LIMIT_S", 0.5)
    began = time.monotonic()
    said = sentence(wanted(python), tmp_path, {**environ, "BEFORE": "sleep 20 & sleep 20"})
    assert said.endswith("took more than 0 s")
    assert time.monotonic() - began < 10
    assert folders(tmp_path) == []


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path, uv: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = uv
    (tmp_path / "cache").write_text("a file")
    said = sentence(wanted(python, "h11==0.14.0"), tmp_path, environ)
    assert said == f"h11==0.14.0 on Python {python.version}: cannot write {tmp_path}/cache: File exists"


def test_an_interpreter_that_is_gone_is_told(tmp_path: Path) -> None:
    gone = Interpreter(path="/gone/python", version="3.13.0", real="/gone/python3.13")
    said = sentence(wanted(gone, "h11==0.14.0"), tmp_path, environment(tmp_path))
    assert said == (
        "h11==0.14.0 on Python 3.13.0 cannot be installed: /gone/python3.13 cannot be started: No such file or directory"
    )


@pytest.mark.parametrize("lacking", ["venv", "ensurepip"])
@pytest.mark.parametrize("debian", [True, False])
def test_a_python_without_its_venv_module_is_told_with_what_to_type(lacking: str, debian: bool, tmp_path: Path) -> None:  # noqa: FBT001
    python, environ = without_uv(tmp_path)
    nothing = f"echo '{python.real}: No module named {lacking}'; exit 1"
    if debian:
        script(tmp_path / "bin" / "apt-get", "exit 0")
    todo = (
        f"type: sudo apt install python{'.'.join(python.version.split('.')[:2])}-venv" if debian else "install that module, or uv"
    )
    said = sentence(wanted(python), tmp_path, {**environ, "BEFORE" if lacking == "venv" else "ENSUREPIP": nothing})
    assert said.endswith(f"cannot be installed: {python.real} has no venv module to make environments with; {todo}")


def test_why_pip_could_not_be_put_in_place_is_told(tmp_path: Path) -> None:
    python, environ = without_uv(tmp_path)
    full = "echo 'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'; exit 1"
    assert sentence(wanted(python), tmp_path, {**environ, "ENSUREPIP": full}).endswith("[Errno 28] No space left on device")


def test_an_installer_that_something_else_ended_is_told(tmp_path: Path, setting: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = setting
    said = sentence(wanted(python), tmp_path, {**environ, "BEFORE": "echo Downloading; kill -9 $$"})
    assert said.endswith("venv was ended by SIGKILL")


# --- two at once


def test_of_two_that_want_the_same_one_waits_and_finds_it(tmp_path: Path, setting: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = setting
    found: list[Made | Unmade] = []
    slow = {**environ, "FIRST": "import time; time.sleep(0.5)"}
    asked = wanted(python)
    runs = [threading.Thread(target=lambda: found.append(ensure(asked, tmp_path / "cache", environment=slow))) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(each.new for each in found if isinstance(each, Made)) == [False, False, True]
    assert len([line for line in log(environ) if "venv" in line]) == 1


def test_those_that_want_others_do_not_wait(tmp_path: Path, uv: tuple[Interpreter, dict[str, str]]) -> None:
    python, environ = uv
    (tmp_path / "cache").mkdir()
    with (tmp_path / "cache" / f"{wanted(python).key}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert made(wanted(python, "granian==2.7.0"), tmp_path, environ).new


def test_one_that_waits_too_long_says_for_what(
    tmp_path: Path, uv: tuple[Interpreter, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    python, environ = uv
    monkeypatch.setattr(environment_cache, "WAIT_S", 0.3)
    (tmp_path / "cache").mkdir()
    lock = tmp_path / "cache" / f"{wanted(python).key}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = sentence(wanted(python), tmp_path, environ)
    assert said.endswith(f"another run has been making the same environment for 0 s (it holds {lock})")
    assert log(environ) == []


def test_of_a_requirement_set_of_a_hundred_the_first_few_name_the_environment() -> None:
    python = Interpreter(path="", version="3.13.0", real="/opt/python3.13")
    many = tuple(f"p{number:03}==1" for number in range(100))
    named = " ".join(many[:8])
    assert Wanted(python=python, requirements=(), requires=many).label == f"{named} and 92 more on Python 3.13.0"
    assert Wanted(python=python, requirements=(), requires=many[:8]).label == f"{named} on Python 3.13.0"
