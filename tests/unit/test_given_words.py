"""Words of a command in SERVERMATRIX_ARGS, where a shell would have to be trusted with them otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servermatrix import cli


def started(given_words: str, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, cli.GIVEN: given_words}
    return subprocess.run([sys.executable, "-m", "servermatrix", *args], capture_output=True, text=True, env=environ, check=False)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", []),
        ("-k 'a b'\n--path /x", ["-k", "a b", "--path", "/x"]),
        ("${HOME} $HOME $(id) `id` * ~", ["${HOME}", "$HOME", "$(id)", "`id`", "*", "~"]),
        ("a#b # c", ["a#b", "#", "c"]),
        (r"a\\b 'a\b' a\ b", [r"a\b", r"a\b", "a b"]),
        ("'a\nb' \"it's\"", ["a\nb", "it's"]),
    ],
)
def test_words_are_split_by_quotes_and_nothing_is_expanded(typed: str, words: list[str]) -> None:
    assert cli.with_given(["plan", "--json"], typed) == ["plan", *words, "--json"]
    assert cli.with_given(["--json"], typed) == [*words, "--json"]
    assert cli.with_given([], typed) == words


@given(st.lists(st.text()))
def test_any_words_come_through_a_quoted_text(words: list[str]) -> None:
    text = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    assert cli.with_given(["plan"], text) == ["plan", *words]


def test_they_are_words_of_the_command_that_is_typed() -> None:
    told = started("--shards 2 -k '*nothing $HOME*'", "plan")
    assert told.returncode == 5
    assert "*nothing $HOME*" in told.stderr


def test_a_quote_without_its_end_is_a_mistake_and_a_sentence() -> None:
    told = started("-k 'uvicorn", "plan")
    assert told.returncode == 2
    assert told.stderr == "error: SERVERMATRIX_ARGS cannot be split into words: No closing quotation\nquote it as for a shell\n"
