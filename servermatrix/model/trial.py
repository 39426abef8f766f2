"""What a check compares: two sides, and how much a change may be before it matters; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

BASELINE, CANDIDATE = "baseline", "candidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two that a check compares: what is installed for its servers, and where its app is imported from.

    `requires` are its requirements as pins.read_set spells them, empty: what the run itself has. `app_dir` is the folder of its
    app, empty: that of the app itself. `versions` is what was found to be installed, (name, version) sorted by name, and `git`
    the state of `app_dir`: both are empty until a run has begun.
    """

    name: str
    requires: tuple[str, ...] = ()
    app_dir: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    git: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a check tries: two sides of every cell, and the margin within which a change does not matter (0.03: 3 % either way).

    The plan's looks are its two stages: all cells are measured up to the first, those that it flags up to the second.
    """

    baseline: Side
    candidate: Side
    margin: float = 0.03

    def side(self, name: str) -> Side:
        """Return a side by its name; raises KeyError when it is neither."""
        return {BASELINE: self.baseline, CANDIDATE: self.candidate}[name]
