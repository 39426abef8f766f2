"""What may be typed as the value of an option and what it becomes; it knows no option and no command."""

from __future__ import annotations

import os
import re
import shutil

import click

from servermatrix import shards
from servermatrix.config import environment, limits
from servermatrix.config.shape import seconds
from servermatrix.model import Limit
from servermatrix.shards import Shard

# A comma, but not one within a requirement such as uvloop>=0.22,<0.23 or gunicorn[fast,gevent].
BETWEEN_VALUES = re.compile(r",(?!\s*(?:[<>=!]|~=))(?![^\[]*\])")


class Seconds(click.ParamType[int]):
    """A duration such as 2s or 1m, in whole seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it as matrix.yaml does."""
        try:
            return seconds(value)
        except ValueError as problem:
            self.fail(f"{value!r} {problem}", param, ctx)


class Axis(click.ParamType[tuple[str, tuple[str, ...]]]):
    """`axis=value[,value]`."""

    name = "axis=value[,value]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, tuple[str, ...]]:
        """Split it; what axes and values there are is not known here."""
        if isinstance(value, tuple):
            return value
        name, equals, values = str(value).partition("=")
        parts = tuple(part.strip() for part in BETWEEN_VALUES.split(values))
        if not (name and equals and all(parts)):
            self.fail(f"{value!r} is not of the form axis=value[,value]", param, ctx)
        return name.strip(), parts


class Counts(click.ParamType[tuple[int, ...]]):
    """`n[,n]`, whole numbers from 1 on."""

    name = "n[,n]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Split and read it."""
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", str(value)):
            self.fail(f"{value!r} is not a whole number from 1 on, or several with commas", param, ctx)
        return tuple(int(part) for part in str(value).split(","))


class Interpreter(click.ParamType[str]):
    """A Python interpreter by path or by name."""

    name = "path"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Make it absolute: servers start in a folder of their own. Links are kept, since a venv's Python is one."""
        found = shutil.which(str(value))
        if found is None:
            self.fail(f"there is no Python interpreter {value!r}", param, ctx)
        return os.path.abspath(found)  # noqa: PTH100 - pathlib's resolve() would follow the link out of the venv


class Header(click.ParamType[tuple[str, str]]):
    """`name: value`."""

    name = "name:value"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Split it; names and values that would break the request line apart are refused."""
        if isinstance(value, tuple):
            return value
        name, colon, content = str(value).partition(":")
        if not (re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) and colon) or re.search(r"[\r\n\0]", content):
            self.fail(f"{value!r} is not of the form NAME:VALUE", param, ctx)
        return name, content.strip()


class Variable(click.ParamType[tuple[str, str]]):
    """`NAME=VALUE`, or `NAME` for a variable that is set here."""

    name = "name=value"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read it; what is said of a mistake never holds the value."""
        if isinstance(value, tuple):
            return value
        try:
            return environment.read_variable(str(value), os.environ)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Share(click.ParamType[float]):
    """A share such as 3%, as a number: 0.03."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; without the sign 0.03 could be meant as 3 % or as three hundredths of one."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(value).strip(), re.ASCII)
        if not found or not float(found[1]) < 100:  # noqa: PLR2004 - percent
            self.fail(f"{value!r} is not a percentage from 0% to below 100%, such as 3%", param, ctx)
        return float(found[1]) / 100


class Keeping(click.ParamType[Limit]):
    """A limit such as `p99<50ms`."""

    name = "limit"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Limit:
        """Read it."""
        if isinstance(value, Limit):
            return value
        try:
            return limits.read_limit(str(value))
        except ValueError as problem:
            self.fail(f"{value!r} {problem}", param, ctx)


class Size(click.ParamType[int]):
    """A size in memory such as 512MB, in bytes."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        try:
            return limits.read_size(str(value))
        except ValueError as problem:
            self.fail(f"{value!r} {problem}", param, ctx)


class OneOf(click.ParamType[Shard]):
    """`I/N`, one of N shards."""

    name = "I/N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """Read it; shards count from 1 on."""
        if isinstance(value, Shard):
            return value
        try:
            return shards.read(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
