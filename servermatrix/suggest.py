"""How a message names what exists: lists of words and the nearest of them; it knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, empty when none is near."""
    by_case = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_case, n=1)
    return f"; did you mean {by_case[near[0]]!r}?" if near else ""


def listed(words: Iterable[str]) -> str:
    """Join the words with commas, `nothing` when there are none."""
    return ", ".join(words) or "nothing"
