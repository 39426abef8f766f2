"""What became of the cells of a race, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from servermatrix.model import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the cells of a race, by id; a sentence says why a cell is not among those that may be picked.

    `best` is the leader, None where there is none; `tied` are the others that were not shown to be worse, best first; of `open`
    too little is known. With `beaten`, `over` (a limit), `failed` and `skipped` they are all that compete.
    `scores` are ratios to the best in what is preferred, above 1 where a cell is better; their intervals hold for all
    cells at once, so that those of the tied contain 1.
    """

    best: str | None
    tied: tuple[str, ...] = ()
    beaten: Mapping[str, str] = field(default_factory=dict)
    over: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    open: tuple[str, ...] = ()
    scores: Mapping[str, Estimate] = field(default_factory=dict)

    def score(self, cell_id: str) -> Estimate | None:
        """Return the ratio of a cell to the best one, None where they have no round in common."""
        return self.scores.get(cell_id)
