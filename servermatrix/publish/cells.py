"""The hidden list of the cells that an issue names, by eight digits each, so that a thousand fit beside its text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

BEGINS, ENDS = "<!-- cells:", " -->"
DIGITS = 8
MORE = "..."
MOST = 1_000
_LINE = re.compile(rf"{BEGINS}((?: [0-9a-f]{{{DIGITS}}})*)( {re.escape(MORE)})?{ENDS}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The cells that an issue names, by their digits; `all_of_them` says that there are more, or that nobody knows which."""

    digits: frozenset[str] = frozenset()
    all_of_them: bool = False

    def has(self, pair: str) -> bool:
        """Tell whether a cell is named."""
        return self.all_of_them or digits_of(pair) in self.digits

    def beyond(self, pairs: Iterable[str]) -> int:
        """Count the named cells that are none of these."""
        return len(self.digits - {digits_of(pair) for pair in pairs})

    def __or__(self, other: Named) -> Named:
        """Put the lists of two issues together."""
        return Named(digits=self.digits | other.digits, all_of_them=self.all_of_them or other.all_of_them)


def digits_of(pair: str) -> str:
    """Return what stands for a cell: the first digits of the SHA-256 of its pair."""
    return hashlib.sha256(pair.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def line(pairs: Collection[str]) -> str:
    """Return the hidden line; of too many cells it names the first, and says that there are more."""
    found = list(dict.fromkeys(map(digits_of, pairs)))
    return "".join([BEGINS, *(f" {each}" for each in found[:MOST]), f" {MORE}" if len(found) > MOST else "", ENDS])


def read(lines: Sequence[str]) -> Named:
    """Read the second line of an issue; where somebody changed it, nobody knows which cells are named."""
    match = _LINE.fullmatch(lines[1]) if len(lines) > 1 else None
    if match is None:
        return Named(all_of_them=True)
    return Named(digits=frozenset(match[1].split()), all_of_them=match[2] is not None)
