"""Tables and numbers as text: a table as a value, markdown from it, one unit per quantity; it knows no report."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from servermatrix.model import Estimate

ABSENT = "n/a"
_TOLD_AS_RATIO = 3.0
# What markdown would take for more than text; `_` only where it could begin or end an emphasis, so names stay readable.
_ACTIVE = re.compile(r"[\\|`*<~]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[])|\A\[(?=.*\]:)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A header, and whether what is under it is a number and stands to the right."""

    header: str
    right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of texts, as wide as its columns in every row."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def to_markdown_table(grid: Grid, write: Callable[[str], str] | None = None) -> list[str]:
    """Write a table as lines of markdown, padded so that it also reads well as it is; `write` in place of `escaped`."""
    write = write or escaped
    head = [write(column.header) for column in grid.columns]
    body = [[write(value) for value in row] for row in grid.rows]
    widths = [max(3, *map(len, column)) for column in zip(head, *body, strict=True)]
    rights = [column.right for column in grid.columns]
    rule = ["-" * (width - right) + ":" * right for width, right in zip(widths, rights, strict=True)]
    return [_line(head, widths, rights), f"| {' | '.join(rule)} |", *(_line(row, widths, rights) for row in body)]


def _line(values: Sequence[str], widths: Sequence[int], rights: Sequence[bool]) -> str:
    cells = zip(values, widths, rights, strict=True)
    return f"| {' | '.join(value.rjust(width) if right else value.ljust(width) for value, width, right in cells)} |"


def plain(text: str) -> str:
    """Bring any text to one printable line; nothing left of it is `n/a`, for no cell of a table is blank."""
    one_line = " ".join(text.split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in one_line) or ABSENT


def escaped(text: str) -> str:
    """Bring any text to one line of markdown that shows it as it is, inside a table or outside."""
    return _ACTIVE.sub(r"\\\g<0>", plain(text))


def shell_line(argv: Sequence[str]) -> str:
    """Join a command into one line that a shell takes apart into the same words."""
    return " ".join(shlex.quote(word) if word.isprintable() else _ansi_c(word) for word in argv)


def _ansi_c(word: str) -> str:
    signs = map(chr, word.encode("utf-8", "backslashreplace"))
    return "$'" + "".join(sign if sign.isalnum() and sign.isascii() else f"\\x{ord(sign):02x}" for sign in signs) + "'"


def fenced(lines: Sequence[str]) -> list[str]:
    """Put lines into a block of shell text whose fence is longer than any that the lines hold."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}sh", *lines, fence]


def amount(value: float | None, digits: int = 0) -> str:
    """Write a number with groups of three and so many digits after the point."""
    return ABSENT if value is None else f"{value:,.{digits}f}"


def estimate(found: Estimate | None, digits: int = 0) -> str:
    """Write an estimate with its interval, `21,034 [20,110, 21,900]`; without one where there is none."""
    return ABSENT if found is None else amount(found.value, digits) + _interval(found, digits)


def rate(found: Estimate | None) -> str:
    """Write requests per second, with a digit after the point when they are few."""
    return estimate(found, digits=1 if found is not None and found.value < 100 else 0)  # noqa: PLR2004 - three digits tell


def ratio(found: Estimate | None) -> str:
    """Write how many times as fast, `2.10x [1.95, 2.24]`."""
    return ABSENT if found is None else f"{amount(found.value, 2)}x{_interval(found, 2)}"


def _interval(found: Estimate, digits: int) -> str:
    if found.low is None or found.high is None:
        return ""
    return f" [{amount(found.low, digits)}, {amount(found.high, digits)}]"


def change(found: Estimate) -> str:
    """Write a ratio as what changes, `+38 % [31, 46]`, or as a ratio where it is so large that percents do not tell."""
    if found.value >= _TOLD_AS_RATIO:
        return ratio(found)
    digits = 0 if abs(found.value - 1) >= 0.1 else 1  # noqa: PLR2004 - two digits tell
    value, low, high = (None if each is None else 100 * (each - 1) for each in (found.value, found.low, found.high))
    return f"{value:+,.{digits}f} %" + ("" if low is None or high is None else f" [{low:,.{digits}f}, {high:,.{digits}f}]")


def figure(value: float) -> str:
    """Write a number of any size so that three digits tell."""
    return amount(value, _digits(value))


def _digits(value: float) -> int:
    return next((digits for limit, digits in ((100, 0), (10, 1)) if abs(value) >= limit), 2)


def figures(found: Estimate | None) -> str:
    """Write an estimate of any size with its interval, with the digits of its value."""
    return ABSENT if found is None else estimate(found, _digits(found.value))


def milliseconds(latency_us: float | None) -> str:
    """Write a latency, stored in microseconds, in milliseconds."""
    return ABSENT if latency_us is None else amount(latency_us / 1_000, 2)


def mebibytes(size: int | None) -> str:
    """Write a size, stored in bytes, in MiB."""
    return ABSENT if size is None else amount(size / 2**20, 1)


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share from 0 to 1 as a percentage."""
    return ABSENT if share is None else f"{amount(100 * share, digits)} %"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun in the singular or the plural."""
    return f"{amount(number)} {noun}" if number == 1 else f"{amount(number)} {noun}s"
