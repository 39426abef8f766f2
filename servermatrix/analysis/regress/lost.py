"""What rounds that were lost to noise say: too many of them, and whose they are."""

from __future__ import annotations

from math import comb

from servermatrix.analysis.regress.duels import Duel

MOST_LOST = 0.30  # of the rounds of a pair
ONE_SIDED_ALPHA = 0.01  # of the sign test: noise of the machine takes rounds of either side


def whose(duel: Duel) -> str:
    """Say that one side alone lost rounds, and what may be the cause of that; empty where it may be chance."""
    base, new = duel.baseline.lost - duel.candidate.lost, duel.candidate.lost - duel.baseline.lost
    if _p(len(base), len(new)) > ONE_SIDED_ALPHA:
        return ""
    name, fewer = ("candidate", base) if len(new) > len(base) else ("baseline", new)
    how = "mostly" if fewer or duel.baseline.lost & duel.candidate.lost else "only"
    return f"; {how} the {name}'s rounds were lost: look whether it starts processes of its own"


def _p(one: int, other: int) -> float:
    """Return the exact two-sided p of the sign test. Source: Dixon & Mood (1946)."""
    total, most = one + other, max(one, other)
    tail = sum(comb(total, count) for count in range(most, total + 1))
    return min(1.0, 2 * tail / float(2**total))
