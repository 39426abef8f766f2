"""What options accept, and how a message names what exists."""

from __future__ import annotations

import pytest

from servermatrix.config.options import canonical, named_values, offered, offers, repeated, whole
from servermatrix.contracts import Choice, Count, Flag, Option
from servermatrix.suggest import did_you_mean, listed

LOOP = Choice(values=("asyncio", "uvloop"), default="uvloop")
AUTO = Choice(values=("auto", "h11"), default="h11")
THREADS = Count(default="1", minimum=2)
ACCESS_LOG = Flag()


@pytest.mark.parametrize(
    ("option", "text", "expected"),
    [
        (LOOP, "uvloop", "uvloop"),
        (LOOP, "true", "true"),
        (THREADS, "007", "7"),
        (THREADS, "many", "many"),
        (ACCESS_LOG, "true", "on"),
        (ACCESS_LOG, "False", "off"),
        (ACCESS_LOG, "on", "on"),
        (ACCESS_LOG, "perhaps", "perhaps"),
    ],
)
def test_a_value_has_one_way_to_be_written(option: Option, text: str, expected: str) -> None:
    assert canonical(option, text) == expected


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        (LOOP, "asyncio", True),
        (LOOP, "Asyncio", False),
        (THREADS, "2", True),
        (THREADS, "1", False),
        (THREADS, "-2", False),
        (THREADS, "two", False),
        (THREADS, "9" * 5000, False),
        (ACCESS_LOG, "off", True),
        (ACCESS_LOG, "true", False),
    ],
)
def test_an_option_offers_its_canonical_values_only(option: Option, value: str, *, expected: bool) -> None:
    assert offers(option, value) is expected


def test_auto_is_a_value_only_where_the_plug_in_lists_it() -> None:
    assert not offers(LOOP, "auto")
    assert not offers(THREADS, "auto")
    assert not offers(ACCESS_LOG, "auto")
    assert offers(AUTO, "auto")


def test_what_an_option_offers_is_said_in_words() -> None:
    assert offered(LOOP) == "one of asyncio, uvloop"
    assert offered(ACCESS_LOG) == "one of on, off"
    assert offered(THREADS) == "a whole number from 2 on"
    assert named_values(THREADS) == ()


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "٣", " 1", "1" * 10])
def test_what_is_no_short_row_of_ascii_digits_is_no_whole_number(text: str) -> None:
    assert whole(text) is None


def test_a_whole_number_may_have_leading_zeros() -> None:
    assert whole("064") == 64


def test_the_positions_of_repeated_values_are_found() -> None:
    assert repeated(["a", "b", "a", "a"]) == {2, 3}
    assert repeated(["a", "b"]) == frozenset()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("uvicrn", "; did you mean 'uvicorn'?"),
        ("Gunicorn", "; did you mean 'gunicorn'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_nearest_known_word_is_suggested(word: str, expected: str) -> None:
    assert did_you_mean(word, ("uvicorn", "gunicorn")) == expected


def test_a_list_of_nothing_is_called_nothing() -> None:
    assert listed(()) == "nothing"
    assert listed(("a", "b")) == "a, b"
