"""The axes that all servers share: how their values are written, what they accept, what they are when nothing is said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from servermatrix.config.options import whole
from servermatrix.pins import read_set
from servermatrix.suggest import did_you_mean

DEFAULT = "default"
SHARED_AXES = ("protocol", "workers", "app", "connections", "streams", "requests_per_connection", "rate", "python", "requires")
# The least value of each axis of whole numbers.
COUNTS: Mapping[str, int] = {"workers": 1, "connections": 1, "streams": 1, "requests_per_connection": 0}
_PERCENT = re.compile(r"([0-9]{1,9}) ?%", re.ASCII)
MOST_PERCENT = 99
_VERSION = re.compile(r"[0-9]+\.[0-9]+(\.[0-9]+\w*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The values of the shared axes; `default` as a python or as requires is the environment of the run.

    `rate` is in percent of what the slowest of the compared cells serves. Its combinations are beside those of the other axes,
    which are driven in a closed loop and have no rate; so it may be empty.
    """

    protocol: tuple[str, ...] = ("h1",)
    workers: tuple[int, ...] = (1,)
    app: tuple[str, ...] = ("plaintext",)
    connections: tuple[int, ...] = (64,)
    streams: tuple[int, ...] = (1,)
    requests_per_connection: tuple[int, ...] = (0,)
    rate: tuple[int, ...] = ()
    python: tuple[str, ...] = (DEFAULT,)
    requires: tuple[str, ...] = (DEFAULT,)


def canonical_axis(axis: str, text: str) -> str:
    """Return the one way in which a value of a shared axis is written."""
    if axis in COUNTS:
        number = whole(text)
        return text if number is None else str(number)
    if axis == "rate":
        return text if wrong_rate(text) else shown_rate(percent(text))
    return _canonical_set(text) if axis == "requires" else text


def _canonical_set(text: str) -> str:
    try:
        return text if text == DEFAULT else " ".join(read_set(text))
    except ValueError:  # said where it stands
        return text


def percent(text: str) -> int:
    """Read a rate such as `30%`; 0 for what is none."""
    found = _PERCENT.fullmatch(text)
    return int(found[1]) if found else 0


def shown_rate(number: int) -> str:
    """Write a rate in the one way in which it is written."""
    return f"{number}%"


def wrong_rate(text: str) -> str | None:
    """Say, to go after the value, why it is no rate of an open loop; None when it is one."""
    number = percent(text)
    if number > MOST_PERCENT:
        return f"is a rate with which no server keeps up: answers would come later and later; the most is {MOST_PERCENT}%"
    if number:
        return None
    bare = whole(text)
    meant = f"; did you mean '{bare}%'?" if bare and bare <= MOST_PERCENT else ""
    return f"is not a whole percentage from 1% to {MOST_PERCENT}%{meant}"


def wrong_count(axis: str, text: str) -> str | None:
    """Say, to go after the value, why it is none of an axis of whole numbers; None when it is one."""
    number = whole(text)
    return None if number is not None and number >= COUNTS[axis] else f"is not a whole number from {COUNTS[axis]} on"


def wrong_python(text: str) -> str | None:
    """Say, to go after the value, why it names no Python; whether one is there is found out when it is needed."""
    if text == DEFAULT or "/" in text or text.startswith("~") or _VERSION.fullmatch(text):
        return None
    nearest = did_you_mean(text, (DEFAULT,))
    return f"is neither default, nor a version such as 3.13, nor a path with a slash{nearest}"


def wrong_requirements(text: str) -> str | None:
    """Say, to go after the value, why it is no requirement set such as `uvicorn==0.52.0 uvloop<0.23`; None when it is one."""
    try:
        if text != DEFAULT and not read_set(text):
            return "is empty; write default, or requirements such as uvicorn==0.52.0"
    except ValueError as wrong:
        return f"is no requirement set: {wrong}"
    return None
