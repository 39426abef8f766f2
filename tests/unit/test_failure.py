"""How a step that gave no number explains itself: whose fault, and the telling line of a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from servermatrix.measure.failure import LOG_TAIL_BYTES, SENTENCE_LENGTH, StepFailure, last_words, refused
from servermatrix.model import Cause

TRACEBACK = """\
Traceback (most recent call last):
  File "app.py", line 1, in <module>
ModuleNotFoundError: No module named 'shop'
"""


def words(tmp_path: Path, text: str) -> str:
    log = tmp_path / "server.log"
    log.write_text(text)
    return last_words(log)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TRACEBACK, ": ModuleNotFoundError: No module named 'shop'"),
        (TRACEBACK + "[ERROR] Worker failed to boot.\n[INFO] Shutting down\n", ": ModuleNotFoundError: No module named 'shop'"),
        ("shop.errors.TooLate: gone\nValueError: first\nKeyError: 'second'\n", ": KeyError: 'second'"),
        ("SystemExit: 3\nbye\n", ": SystemExit: 3"),
        ("AssertionError\n", ": AssertionError"),
        ("[INFO] starting\n[ERROR] Can't connect: address in use\n[INFO] bye\n", ": [ERROR] Can't connect: address in use"),
        ("[INFO] starting\nConnection refused by database\n\n", ": Connection refused by database"),
        ("one\n  two  \n\n", ": two"),
        ("\n  \n", ""),
        ("", ""),
    ],
)
def test_the_telling_line_is_found_whatever_a_supervisor_says_after_it(tmp_path: Path, text: str, said: str) -> None:
    assert words(tmp_path, text) == said


def test_without_a_log_there_are_no_last_words(tmp_path: Path) -> None:
    assert last_words(tmp_path / "missing.log") == ""


def test_a_long_line_is_cut(tmp_path: Path) -> None:
    assert words(tmp_path, "x" * 5000) == ": " + "x" * SENTENCE_LENGTH


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    assert words(tmp_path, "ValueError: long ago\n" + "all is well\n" * LOG_TAIL_BYTES) == ": all is well"


def test_a_box_that_is_drawn_around_an_error_is_no_word_of_it(tmp_path: Path) -> None:
    box = "Usage: x [OPTIONS]\n╭─ Error ────────╮\n│ No such option '-h'.   │\n╰────────────────╯\n"
    assert words(tmp_path, box) == ": No such option '-h'."


def test_a_log_that_is_no_text_is_read_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_bytes(b"\xff\xfe\x00\nOSError: \xff\n")
    assert last_words(log) == ": OSError: \N{REPLACEMENT CHARACTER}"


def test_a_failure_keeps_whose_fault_it_is() -> None:
    failure = StepFailure(Cause.NOISE, "too loud")
    assert (failure.cause, failure.reason, failure.fatal, str(failure)) == (Cause.NOISE, "too loud", False, "too loud")
    assert StepFailure(Cause.SERVER, "gone", fatal=True).fatal


def test_what_the_system_refuses_is_a_fault_of_the_surroundings_that_names_what_was_refused() -> None:
    failure = refused(OSError(28, "No space left on device", "/full/run.jsonl"))
    assert (failure.cause, failure.fatal) == (Cause.ENVIRONMENT, True)
    assert failure.reason.startswith("the system refused what the measurement needs: ")
    assert "No space left on device: '/full/run.jsonl'" in failure.reason
