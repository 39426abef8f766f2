"""How cores are split between server and generator, and how the machine is described."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

from servermatrix.errors import Exit, UsageProblem
from servermatrix.measure.host import Layout, fingerprint, git_state, layout, usable_cores

TWO, FOUR, EIGHT = (0, 1), (0, 1, 2, 3), tuple(range(8))


@pytest.mark.parametrize("pin", ["auto", "off"])
@pytest.mark.parametrize("cores", [(0,), TWO, (0, 1, 2)])
def test_with_fewer_than_four_cores_nothing_is_pinned_unless_wished(pin: str, cores: tuple[int, ...]) -> None:
    assert layout(pin, cores, 1) == Layout()


@pytest.mark.parametrize("cores", [TWO, FOUR, EIGHT])
def test_off_pins_nothing(cores: tuple[int, ...]) -> None:
    assert layout("off", cores, 2) == Layout()


@pytest.mark.parametrize(
    ("pin", "cores", "threads", "server", "generator"),
    [
        ("on", TWO, 1, (0,), (1,)),
        ("auto", FOUR, 1, (0, 1, 2), (3,)),
        ("on", FOUR, 2, (0, 1), (2, 3)),
        ("auto", EIGHT, 2, (0, 1, 2, 3, 4, 5), (6, 7)),
        ("auto", (1, 3, 5, 7), 1, (1, 3, 5), (7,)),
    ],
)
def test_the_generator_gets_a_core_per_thread_and_the_server_the_rest(
    pin: str, cores: tuple[int, ...], threads: int, server: tuple[int, ...], generator: tuple[int, ...]
) -> None:
    assert layout(pin, cores, threads) == Layout(server=server, generator=generator)


@pytest.mark.parametrize("cores", [TWO, FOUR, EIGHT])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_server_and_generator_never_share_a_core_and_leave_none_unused(cores: tuple[int, ...], threads: int) -> None:
    split = layout("auto", cores, threads)
    if split.server:
        assert sorted(split.server + split.generator) == list(cores)


@pytest.mark.parametrize("threads", [2, 5])
def test_pinning_that_leaves_the_server_no_core_is_refused(threads: int) -> None:
    with pytest.raises(UsageProblem, match=f"needs more than {threads} cores, this process may use 2") as caught:
        layout("on", TWO, threads)
    assert caught.value.exit_code == Exit.USAGE


@pytest.mark.parametrize("threads", [4, 5])
def test_auto_does_not_pin_where_the_server_would_have_no_core(threads: int) -> None:
    assert layout("auto", FOUR, threads) == Layout()  # was a bug: UsageProblem about a `--pin on` nobody typed


def test_a_layout_says_which_cores() -> None:
    assert str(Layout()) == "not pinned"
    assert str(Layout(server=(0, 1, 2), generator=(3,))) == "server on 0,1,2, generator on 3"


def test_usable_cores_are_those_of_this_process() -> None:
    assert usable_cores() == tuple(sorted(os.sched_getaffinity(0)))


def test_the_fingerprint_names_machine_python_and_pinning() -> None:
    host = fingerprint(Layout(server=(0,), generator=(1,)))
    assert platform.system() in host.system
    assert host.cpu
    assert host.cores == len(usable_cores())
    assert host.memory_bytes > 2**26
    assert host.python == platform.python_version()
    assert host.pinned == "server on 0, generator on 1"


def git(folder: Path, *words: str) -> None:
    argv = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false", *words]
    subprocess.run(argv, check=True, capture_output=True)


def test_the_state_of_a_checkout_is_its_commit_with_a_plus_for_changes(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    clean = git_state(tmp_path)
    (tmp_path / "new").write_text("x")
    assert len(clean) == 12
    assert git_state(tmp_path) == clean + "+"


def test_outside_a_checkout_there_is_no_state(tmp_path: Path) -> None:
    assert git_state(tmp_path) == ""
    assert git_state(tmp_path / "nowhere") == ""


def test_without_git_there_is_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == ""
