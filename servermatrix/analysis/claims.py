"""What may be claimed after several looks at the same differences: numbers in, directions out; it knows no server and no run.

Why the looks together make a false claim in at most 5 % of all tables, if their alphas add up to no more than 0.05, whatever
was left out or stopped in between: let m be the number of hypotheses that are true (no difference). Call a look bad when one of
them has p <= alpha / m there. The p are exact (Wilcoxon 1945), and what is no longer measured has p = 1, so that a look is bad
with a probability of at most its alpha, and any look with at most the sum (Boole's inequality). If none is bad, no false claim
is made: those made before are of true differences, so that all m are still in the family of the look, and Holm's procedure
(1979) rejects the first of the m only at a p of at most alpha / m. Nothing of this depends on how the looks depend on each
other, on which claims were made before, or on why something was left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from sys import maxsize
from typing import TYPE_CHECKING

from servermatrix.analysis.pairs import signed_ranks
from servermatrix.analysis.stats import ALPHA, holm
from servermatrix.model import Look

if TYPE_CHECKING:
    from servermatrix.analysis.pairs import Differences

Adjust = Callable[[Sequence[float]], list[float]]

AT_THE_END = Look(round=maxsize, alpha=ALPHA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """When the results of a run were looked at, and after which round each cell was left out, by id.

    `taken` are the looks that decided something, in order; `coming` is the next one, None when the run is over. A run that is
    not `planned` to be looked at in between is looked at once, at its end. `ends` has the last round of the cells that were not
    measured up to the last round of the run.
    """

    taken: tuple[Look, ...] = (AT_THE_END,)
    coming: Look | None = None
    planned: bool = False
    ends: Mapping[str, int] = field(default_factory=dict)

    def end(self, *ids: str) -> int:
        """Return the round after which nothing more can be claimed of all these cells together."""
        return min(self.ends.get(cell_id, maxsize) for cell_id in ids) if self.ends else maxsize

    def alpha(self, *ids: str) -> float:
        """Return the alpha of the last look at these cells together, which is that of their intervals; 5 % before the first."""
        reached = [look.alpha for look in self.taken if look.round <= self.end(*ids)]
        return reached[-1] if reached else ALPHA

    @property
    def latest_alpha(self) -> float:
        """Return the alpha of the last look, or before the first one its alpha."""
        return (self.taken[-1] if self.taken else self.coming or AT_THE_END).alpha


def claimed(
    differences: Differences, rounds: Sequence[int], ends: Sequence[int], looks: Looks, adjust: Adjust | None = None
) -> list[int]:
    """Return for every row of `differences` (hypotheses x rounds) the direction that was claimed at any look, else 0.

    `rounds` are the numbers of the columns, `ends` the last round of each hypothesis: after it, it can be claimed no more.
    See above for why the claims hold together; `adjust` stands in for Holm's procedure in tests.
    """
    directions = [0] * len(differences)
    for look in looks.taken:
        tests = signed_ranks(up_to(look, differences, rounds))
        left = [index for index, direction in enumerate(directions) if not direction]
        ps = (adjust or holm)([tests[index][0] if ends[index] >= look.round else 1.0 for index in left])
        for index, p in zip(left, ps, strict=True):
            directions[index] = tests[index][1] if p <= look.alpha else 0
    return directions


def up_to(look: Look, differences: Differences, rounds: Sequence[int]) -> Differences:
    """Return the differences that a look had before it."""
    return differences if look.round >= rounds[-1] else differences[:, [number <= look.round for number in rounds]]
