"""The ladder to a generator's program, with tiny scripts in the place of apt-get, dpkg-deb and wrk."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from runners.loads import wrk
from servermatrix.errors import Unfit
from servermatrix.measure import tools
from servermatrix.measure.tools import Missing, Tool

PACKAGES = ("wrk",)
WORKING_WRK = 'echo "wrk debian/4.1.0-3 [epoll]"; exit 1'
APT_GET = """
echo "apt-get $*" >> "$LOG"
case "$*" in
  *"-s install"*) echo "Inst libluajit-5.1-2 (2.1 Debian:12 [amd64])"; echo "Inst libc6 [2.36] (2.37)"; echo "Inst wrk (4.1.0)";;
  *download*) for name in "$@"; do case $name in wrk|lib*) touch "$name.deb";; esac; done;;
esac
"""
DPKG_DEB = f"""
echo "dpkg-deb $(basename "$2")" >> "$LOG"
mkdir -p "$3/usr/bin" "$3/usr/lib/x86_64-linux-gnu"
printf '#!/bin/sh\\n%s\\n' '{WORKING_WRK}' > "$3/usr/bin/wrk"; chmod +x "$3/usr/bin/wrk"
"""


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH holds what a test puts into `bin` and nothing else."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin"), "LOG": str(tmp_path / "log")}


@pytest.fixture
def debian(tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    script(tmp_path / "bin" / "apt-get", APT_GET)
    script(tmp_path / "bin" / "dpkg-deb", DPKG_DEB)
    return environment


def log(environment: dict[str, str]) -> list[str]:
    return Path(environment["LOG"]).read_text().splitlines()


def find(tmp_path: Path, environment: dict[str, str], *, fetch: bool = True) -> Tool | Missing:
    return tools.find("wrk", PACKAGES, tmp_path / "tools", fetch=fetch, environment=environment)


def missing(tmp_path: Path, environment: dict[str, str]) -> Missing:
    found = find(tmp_path, environment)
    assert isinstance(found, Missing)
    return found


# --- where it is found


def test_a_program_on_path_is_taken_as_it_is(tmp_path: Path, debian: dict[str, str]) -> None:
    path = script(tmp_path / "bin" / "wrk", WORKING_WRK)
    assert find(tmp_path, debian) == Tool(path=str(path), env=(), origin="PATH")
    assert not (tmp_path / "log").exists()


def test_an_unpacked_program_is_taken_with_the_libraries_beside_it(tmp_path: Path, environment: dict[str, str]) -> None:
    root = tmp_path / "tools" / "wrk"
    path = script(root / "usr" / "bin" / "wrk", WORKING_WRK)
    for folder in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"):
        (root / folder).mkdir(parents=True)
    libraries = ":".join(str(root / folder) for folder in ("usr/lib/x86_64-linux-gnu", "usr/lib", "lib/x86_64-linux-gnu", "lib"))
    expected = Tool(path=str(path), env=(("LD_LIBRARY_PATH", libraries),), origin=str(tmp_path / "tools"))
    assert find(tmp_path, environment) == expected


def test_library_folders_that_are_set_already_come_after_its_own(tmp_path: Path, environment: dict[str, str]) -> None:
    script(tmp_path / "tools" / "wrk" / "usr" / "bin" / "wrk", WORKING_WRK)
    (tmp_path / "tools" / "wrk" / "usr" / "lib").mkdir()
    found = find(tmp_path, environment | {"LD_LIBRARY_PATH": "/opt/lib"})
    assert isinstance(found, Tool)
    assert found.env == (("LD_LIBRARY_PATH", f"{tmp_path}/tools/wrk/usr/lib:/opt/lib"),)


@pytest.mark.parametrize("folder", ["bin", "tools/wrk/usr/bin"])
def test_a_file_that_is_not_executable_is_no_program(folder: str, tmp_path: Path, environment: dict[str, str]) -> None:
    script(tmp_path / folder / "wrk", WORKING_WRK).chmod(0o644)
    assert missing(tmp_path, environment).program == "wrk"


# --- fetching


def test_it_is_unpacked_with_the_libraries_it_needs_and_starts(tmp_path: Path, debian: dict[str, str]) -> None:
    found = find(tmp_path, debian)
    assert isinstance(found, Tool)
    assert found.path == str(tmp_path / "tools" / "wrk" / "usr" / "bin" / "wrk")
    assert tools.check(found, wrk.LOAD, environment=debian) == "debian/4.1.0-3"
    assert log(debian) == [
        "apt-get -s install --no-install-recommends wrk",
        "apt-get download wrk libluajit-5.1-2",
        "dpkg-deb libluajit-5.1-2.deb",
        "dpkg-deb wrk.deb",
    ]


def test_nothing_else_is_left_in_the_tools_folder(tmp_path: Path, debian: dict[str, str]) -> None:
    find(tmp_path, debian)
    assert [entry.name for entry in (tmp_path / "tools").iterdir()] == ["wrk"]


def test_it_is_fetched_once(tmp_path: Path, debian: dict[str, str]) -> None:
    first, lines = find(tmp_path, debian), len(log(debian))
    assert find(tmp_path, debian) == first
    assert len(log(debian)) == lines


def test_nothing_is_fetched_when_that_is_not_wanted(tmp_path: Path, debian: dict[str, str]) -> None:
    found = find(tmp_path, debian, fetch=False)
    assert isinstance(found, Missing)
    assert found.why == "fetching is off"
    assert not (tmp_path / "tools").exists()


def test_without_package_lists_it_makes_its_own_and_tries_again(tmp_path: Path, debian: dict[str, str]) -> None:
    no_lists = 'case "$1" in -s) echo "apt-get $*" >> "$LOG"; echo "E: Unable to locate package wrk" >&2; exit 100;; esac\n'
    script(tmp_path / "bin" / "apt-get", no_lists + APT_GET)
    assert isinstance(find(tmp_path, debian), Tool)
    lines = [line for line in log(debian) if line.startswith("apt-get")]
    assert [line.split()[-1] for line in lines] == ["wrk", "update", "wrk", "libluajit-5.1-2"]
    assert "Dir::State::lists" not in lines[0]
    assert all(f"Dir::State::lists={tmp_path}/tools/" in line for line in lines[1:])


def test_one_broken_source_does_not_matter_when_the_package_is_found(tmp_path: Path, debian: dict[str, str]) -> None:
    broken = 'case "$*" in *update) exit 100;; "-s "*) exit 100;; esac\n'
    script(tmp_path / "bin" / "apt-get", broken + APT_GET)
    assert isinstance(find(tmp_path, debian), Tool)


def test_two_runs_that_fetch_at_once_both_have_it(tmp_path: Path, debian: dict[str, str]) -> None:
    script(tmp_path / "bin" / "dpkg-deb", f"sleep 0.3\n{DPKG_DEB}")
    found: list[Tool | Missing] = []
    runs = [threading.Thread(target=lambda: found.append(find(tmp_path, debian))) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [type(each) for each in found] == [Tool] * 3
    assert len([line for line in log(debian) if "-s install" in line]) == 3
    assert [entry.name for entry in (tmp_path / "tools").iterdir()] == ["wrk"]


# --- when it cannot be had


def test_outside_debian_it_says_what_to_type(tmp_path: Path, environment: dict[str, str]) -> None:
    script(tmp_path / "bin" / "dnf", "exit 0")
    found = missing(tmp_path, environment)
    assert found.command.removeprefix("sudo ") == "dnf install wrk"
    assert found.why == "there is no apt-get here to fetch it with"


def test_sudo_is_named_only_where_one_is_not_root(environment: dict[str, str], tmp_path: Path) -> None:
    script(tmp_path / "bin" / "apt-get", "exit 0")
    assert tools.install_command(PACKAGES, environment).startswith("sudo ") == (os.geteuid() != 0)


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "apt install nghttp2-client"),
        ("apk", "apk add nghttp2"),
        ("pacman", "pacman -S nghttp2"),
        ("none", "install nghttp2 with the package manager of this system, so that it is on PATH"),
    ],
)
def test_the_command_names_the_package_as_this_system_does(
    manager: str, command: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    script(tmp_path / "bin" / manager, "exit 0")
    assert tools.install_command(("nghttp2-client",), environment).removeprefix("sudo ") == command


def test_the_first_error_of_apt_is_the_reason(tmp_path: Path, debian: dict[str, str]) -> None:
    unknown = 'case "$*" in *update) exit 0;; esac; echo "E: Unable to locate package wrk" >&2; echo "Done"; exit 100'
    script(tmp_path / "bin" / "apt-get", unknown)
    found = missing(tmp_path, debian)
    assert found.why == "apt-get install failed: Unable to locate package wrk"
    assert found.command.removeprefix("sudo ") == "apt install wrk"
    assert list((tmp_path / "tools").iterdir()) == []


def test_a_download_that_fails_leaves_nothing_behind(tmp_path: Path, debian: dict[str, str]) -> None:
    broken = 'case "$*" in download*|*" download "*) echo "E: Failed to fetch X" >&2; echo "E: Some failed" >&2; exit 100;; esac'
    script(tmp_path / "bin" / "apt-get", f"{broken}\n{APT_GET}")
    assert missing(tmp_path, debian).why == "apt-get download failed: Failed to fetch X"
    assert list((tmp_path / "tools").iterdir()) == []


def test_without_a_network_the_reason_is_the_network_and_not_the_empty_lists(tmp_path: Path, debian: dict[str, str]) -> None:
    offline = 'case "$*" in *update) echo "E: Could not resolve host"; exit 100;; esac; echo "E: Unable to locate wrk"; exit 100'
    script(tmp_path / "bin" / "apt-get", offline)
    assert missing(tmp_path, debian).why == "apt-get update failed: Could not resolve host"


def test_a_package_that_cannot_be_unpacked_is_told(tmp_path: Path, debian: dict[str, str]) -> None:
    script(tmp_path / "bin" / "dpkg-deb", "exit 2")
    assert missing(tmp_path, debian).why == "dpkg-deb -x failed: it printed nothing"


def test_a_package_without_the_program_is_told(tmp_path: Path, debian: dict[str, str]) -> None:
    script(tmp_path / "bin" / "dpkg-deb", 'mkdir -p "$3/usr/share"')
    assert missing(tmp_path, debian).why == f"{tmp_path}/tools/wrk holds no program wrk"


def test_a_tools_folder_that_cannot_be_made_is_told(tmp_path: Path, debian: dict[str, str]) -> None:
    (tmp_path / "tools").write_text("a file")
    assert missing(tmp_path, debian).why == f"cannot write {tmp_path}/tools: File exists"


def test_a_package_manager_that_hangs_is_ended_with_its_children(
    tmp_path: Path, debian: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "LIMIT_S", 0.3)
    script(tmp_path / "bin" / "apt-get", "sleep 20 &\nsleep 20")
    began = time.monotonic()
    assert missing(tmp_path, debian).why == "apt-get update took more than 0 s"
    assert time.monotonic() - began < 10


# --- whether it starts


def tool(tmp_path: Path, text: str) -> Tool:
    return Tool(path=str(script(tmp_path / "wrk", text)), env=(), origin="PATH")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('echo "wrk 3.1.2 [epoll]"; exit 1', "wrk 3.1.2 is too old: 4.0.0 or newer is needed"),
        ("exit 1", "wrk -v printed nothing (exit code 1)"),
        ('echo "wrk: cannot open libluajit-5.1.so.2" >&2; exit 127', "wrk -v did not print a version"),
    ],
)
def test_a_program_that_is_no_use_is_told_with_what_to_type(
    text: str, sentence: str, tmp_path: Path, debian: dict[str, str]
) -> None:
    with pytest.raises(Unfit) as caught:
        tools.check(tool(tmp_path, text), wrk.LOAD, environment=debian)
    assert sentence in caught.value.message
    assert str(tmp_path / "wrk") in caught.value.message
    assert caught.value.tip.removeprefix("sudo ") == "apt install wrk"


def test_the_reason_why_a_program_does_not_start_is_shown(tmp_path: Path, environment: dict[str, str]) -> None:
    broken = tool(tmp_path, 'echo "error while loading shared libraries: libx.so" >&2; exit 127')
    with pytest.raises(Unfit, match=r"error while loading shared libraries: libx\.so"):
        tools.check(broken, wrk.LOAD, environment=environment)


def test_a_program_of_another_machine_is_told(tmp_path: Path, environment: dict[str, str]) -> None:
    file = tmp_path / "wrk"
    file.write_bytes(b"\x7fELF not for here")
    file.chmod(0o755)
    with pytest.raises(Unfit, match="cannot be started: Exec format error"):
        tools.check(Tool(path=str(file), env=(), origin="PATH"), wrk.LOAD, environment=environment)


def test_a_program_that_hangs_is_ended(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "VERSION_LIMIT_S", 0.3)
    with pytest.raises(Unfit, match="did not print its version"):
        tools.check(tool(tmp_path, "sleep 20 &\nsleep 20"), wrk.LOAD, environment=environment)


def test_it_is_started_with_the_environment_it_needs(tmp_path: Path, environment: dict[str, str]) -> None:
    path = script(tmp_path / "wrk", 'echo "wrk $LD_LIBRARY_PATH $1"')
    needy = Tool(path=str(path), env=(("LD_LIBRARY_PATH", "4.2.0"),), origin="tools")
    assert tools.check(needy, wrk.LOAD, environment=environment) == "4.2.0"
