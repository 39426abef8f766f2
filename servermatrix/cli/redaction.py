"""Takes secrets out of a command line before it is kept: values of environment variables, and of headers that let one in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from servermatrix.secret_headers import HIDDEN, is_secret


def without_values(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the command line with `NAME=...` for what --env was given, and `NAME: ...` for headers that are secret."""
    return tuple(_hidden(argv))


def _hidden(argv: Sequence[str]) -> Iterator[str]:
    before = ""
    for word in argv:
        option, equals, value = word.partition("=")
        if equals and option in KEPT:
            yield f"{option}={KEPT[option](value)}"
        else:
            yield KEPT[before](word) if before in KEPT else word
        before = word


def _name_alone(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={HIDDEN}" if equals else name


def _open_header(header: str) -> str:
    name, colon, _ = header.partition(":")
    return f"{name}: {HIDDEN}" if colon and is_secret(name) else header


KEPT: Mapping[str, Callable[[str], str]] = {"--env": _name_alone, "--header": _open_header}
