"""Which cell ids a glob chooses; it knows no cell."""

from __future__ import annotations

import re
from functools import lru_cache


def any_matches(cell_id: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the globs matches the whole id."""
    return any(matches(cell_id, pattern) for pattern in patterns)


def matches(cell_id: str, pattern: str) -> bool:
    """Tell whether a glob matches the whole id; unlike in fnmatch, brackets are literal, for ids are full of them."""
    return _compiled(pattern).fullmatch(cell_id) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*+|\?)", pattern)
    return re.compile("".join(_regex(part) for part in parts), re.DOTALL)


def _regex(part: str) -> str:
    if part == "?":
        return "."
    return ".*" if part.startswith("*") else re.escape(part)
