"""The user's own commands before and after a run."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from servermatrix.errors import Exit, Unfit
from servermatrix.measure.hooks import Hooks, around
from tests.room import alive, until


def test_both_commands_run_in_the_folder_of_the_app_with_its_variables(tmp_path: Path) -> None:
    told: list[str] = []
    here = Hooks(folder=tmp_path, prepare="echo $WHO > before", cleanup="cat before > after", env=(("WHO", "me"),))
    with around(here, told.append):
        assert (tmp_path / "before").read_text() == "me\n"
        assert not (tmp_path / "after").exists()
    assert (tmp_path / "after").read_text() == "me\n"
    assert told == []


def test_the_environment_is_the_users_without_that_of_our_own_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "there")
    monkeypatch.setenv("VIRTUAL_ENV", "/ours")
    monkeypatch.setenv("PYTHONPATH", "/ours")
    with around(Hooks(folder=tmp_path, prepare="echo $PGHOST,$VIRTUAL_ENV,$PYTHONPATH > seen"), list[str]().append):
        assert (tmp_path / "seen").read_text() == "there,,\n"


def test_a_command_that_fails_ends_it_with_the_end_of_its_output_and_what_follows_is_still_done(tmp_path: Path) -> None:
    failing = Hooks(folder=tmp_path, prepare="seq 1 30; echo no database >&2; exit 7", cleanup="touch cleaned")
    with pytest.raises(Unfit) as caught, around(failing, list[str]().append):
        pytest.fail("the run must not begin")
    head, *lines = caught.value.message.splitlines()
    assert head == f"the command of --prepare ended with code 7: {failing.prepare}"
    assert lines == ["    ... 11 lines before", *(f"    {number}" for number in range(12, 31)), "    no database"]
    assert caught.value.exit_code is Exit.UNFIT
    assert (tmp_path / "cleaned").exists()


def test_a_command_without_a_word_is_said_to_have_printed_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=r"ended with code 1: false\n    it printed nothing$"):
        around(Hooks(folder=tmp_path, prepare="false"), list[str]().append).__enter__()


def test_a_cleaning_up_that_fails_is_told_and_takes_nothing_from_what_was_measured(tmp_path: Path) -> None:
    told: list[str] = []
    with around(Hooks(folder=tmp_path, cleanup="echo still in use; exit 3"), told.append):
        pass
    assert told == ["warning: the command of --cleanup ended with code 3: echo still in use; exit 3\n    still in use"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, Unfit("the disk is full")])
def test_it_is_cleaned_up_however_the_run_ends(tmp_path: Path, end: type[BaseException] | BaseException) -> None:
    with pytest.raises((KeyboardInterrupt, Unfit)), around(Hooks(folder=tmp_path, cleanup="touch done"), list[str]().append):
        raise end
    assert (tmp_path / "done").exists()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=r"of --prepare could not be started: .*gone"):
        around(Hooks(folder=tmp_path / "gone", prepare="true"), list[str]().append).__enter__()


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    """A database that is started in the background keeps its output open."""
    began = time.monotonic()
    stay = Hooks(folder=tmp_path, prepare="sleep 30 & echo $! > pid", cleanup="kill $(cat pid)")
    with around(stay, list[str]().append):
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    assert time.monotonic() - began < 15


def test_a_command_over_its_limit_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    slow = Hooks(folder=tmp_path, prepare="echo $$ > pid; sleep 30; true", limit_s=1)
    with pytest.raises(Unfit, match=r"of --prepare did not end within 1 s: echo"):
        around(slow, list[str]().append).__enter__()
    session = int((tmp_path / "pid").read_text())
    assert until(lambda: alive(session) == [])
