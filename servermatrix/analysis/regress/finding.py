"""What is found of one pair before the canary has its say."""

from __future__ import annotations

from dataclasses import dataclass

from servermatrix.model import Change, Shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of a pair, and the sentence that says so; `numbers` tells whether that rests on numbers, or on failures.

    `beyond` is how large a change its numbers leave room for, as a share; None where that is not known.
    """

    change: Change
    sentence: str
    numbers: bool = True
    shifts: tuple[Shift, ...] = ()
    beyond: float | None = None
