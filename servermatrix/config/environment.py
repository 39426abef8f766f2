"""Environment variables of an app, as they are typed and as files hold them; values are never part of a message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from servermatrix.errors import ConfigProblems, UsageProblem

Variables = tuple[tuple[str, str], ...]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
QUOTED = re.compile(r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?""")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
# Servers read these: with one of them a server would not be what its label says.
OF_SERVERS = ("UVICORN_", "GUNICORN_CMD_ARGS", "GRANIAN_", "HYPERCORN_")


def read_variable(text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Read `NAME=VALUE`, or `NAME` for one that is set here; ValueError with a sentence otherwise."""
    name, equals, value = text.partition("=")
    if wrong := _wrong(name, value):
        raise ValueError(wrong)
    if not equals and name not in environ:
        raise ValueError(f"{name} has no value, and is not set here either; write {name}=VALUE")
    return name, value if equals else environ[name]


def read_env_file(file: Path) -> Variables:
    r"""Read lines of `NAME=VALUE`, as `.env` files have them.

    Empty lines and lines that begin with # are passed over, and an `export ` before a name. A value may stand in quotes, in
    double ones with \n, \" and the like; without quotes it ends at ` #`. Nothing is put in for $NAME. Raises UsageProblem for a
    file that cannot be read, and ConfigProblems with all lines that are wrong.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}", "name a file of NAME=VALUE lines") from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    read = [(number, _line(line)) for number, line in enumerate(lines, start=1) if not _is_empty(line)]
    if wrong := tuple(f"{file}:{number}: {found}" for number, found in read if isinstance(found, str)):
        raise ConfigProblems(wrong)
    return tuple(found for _, found in read if not isinstance(found, str))


def joined(files: Iterable[Variables], typed: Variables) -> Variables:
    """Put together what several files say and what was typed, sorted by name: the later file wins, what was typed over all."""
    return tuple(sorted(dict(pair for pairs in (*files, typed) for pair in pairs).items()))


def given_again(names: Iterable[str], given: Variables) -> Variables:
    """Return the values of the variables that a run was begun with; UsageProblem when some are missing or are others."""
    values, wanted = dict(given), tuple(names)
    if missing := [name for name in wanted if name not in values]:
        raise UsageProblem(
            f"the run was begun with environment variables whose values are not stored: {', '.join(missing)}",
            "give them again, with --env NAME=VALUE or --env-file FILE",
        )
    if others := [name for name in values if name not in wanted]:
        raise UsageProblem(f"the run was begun without the environment variables {', '.join(others)}", "leave them out")
    return tuple((name, values[name]) for name in wanted)


def _is_empty(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _line(line: str) -> tuple[str, str] | str:
    """Read one line, or say what is wrong with it."""
    name, equals, rest = line.strip().removeprefix("export ").partition("=")
    name = name.strip()
    if not equals:
        return "is not of the form NAME=VALUE"
    value = _value(rest.strip())
    if value is None:
        return f"the quotes of {name} are not closed, or something follows them"
    return _wrong(name, value) or (name, value)


def _value(text: str) -> str | None:
    if not text.startswith(("'", '"')):
        return re.split(r"(?:^|\s+)#", text, maxsplit=1)[0]
    found = QUOTED.fullmatch(text)
    if found is None:
        return None
    return found[1] if found[2] is None else re.sub(r"\\(.)", lambda escape: ESCAPES.get(escape[1], escape[1]), found[2])


def _wrong(name: str, value: str) -> str:
    """Say what is wrong with a variable, empty when nothing is; its value is not told."""
    return next(_mistakes(name, value), "")


def _mistakes(name: str, value: str) -> Iterator[str]:
    if not NAME.fullmatch(name):
        yield f"{name!r} is no name of an environment variable; write NAME=VALUE"
    if name.startswith(OF_SERVERS):
        yield f"{name} would change what a server does behind its label; choose its options with -s"
    if "\0" in value or not _is_text(value):
        yield f"the value of {name} cannot be given to a program: it holds bytes that are no text"


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
