"""Takes secrets out of command lines that are shown and kept: the values of headers that let somebody in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

HIDDEN = "..."
_OPTIONS = ("--header", "-H")
_GLUED = ("--header=",)
_SECRET = re.compile(
    "authori[sz]ation|cookie|token|secret|key|passw|credential|session|signature|jwt|(?<![a-z])auth(?![a-z])", re.IGNORECASE
)


def is_secret(name: str) -> bool:
    """Tell whether the value of a header of this name lets somebody in, as those of Authorization and X-API-Key do."""
    return _SECRET.search(name) is not None


def without_header_values(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a command line with `Name: ...` for every header, given by --header or -H, whose value is secret."""
    return tuple(_hidden(argv))


def _hidden(argv: Sequence[str]) -> Iterator[str]:
    before = ""
    for word in argv:
        glued = next((option for option in _GLUED if word.startswith(option)), "")
        is_header = glued or before in _OPTIONS
        yield glued + _name_alone(word.removeprefix(glued)) if is_header else word
        before = word


def _name_alone(header: str) -> str:
    """Keep of a header whose value is secret the name alone, and all of another."""
    name, colon, _ = header.partition(":")
    return f"{name}: {HIDDEN}" if colon and is_secret(name) else header
