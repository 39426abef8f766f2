"""Which set of packages to try next to find the one that makes a change, from how the sets before it came out; it tries none.

The change is there with all packages moved and not with none. Halving a chain of sets between the two finds the move on which it
turns (Zeller & Hildebrandt 2002, Simplifying and isolating failure-inducing input); that move is then tried alone, and where it
does not do alone, what it needs beside it is sought in the same way. At last all the others are tried without it.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, log2

from servermatrix.analysis.moves import Move


class Outcome(StrEnum):
    """How a set came out: the change is there or not, or that could not be told, or the set could not be tried."""

    WORSE = "the change is there"
    SAME = "the change is not there"
    UNSURE = "could not be told"
    IMPOSSIBLE = "could not be tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search ends with: `moves` make the change, several where only together or where no step could part them.

    `alone` is how they came out without the others, and `without` how the others came out without them (SAME where there are
    none). `parted` is False where sets between the moves could not be tried or told, for the reason `between`. Nothing is known
    where there are no `moves`.
    """

    moves: tuple[Move, ...] = ()
    alone: Outcome = Outcome.UNSURE
    without: Outcome = Outcome.UNSURE
    between: Outcome | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Name the packages, sorted."""
        return tuple(sorted(name for move in self.moves for name in move.names))


Names = frozenset[str]
Search = Generator[Names, Outcome, Found]


def most_probes(moves: int) -> int:
    """Return how many sets a search asks for at the most; one package that did it takes log2(moves) + 2."""
    return 6 + 4 * ceil(log2(max(1, moves)))


def search(moves: Sequence[Move]) -> Search:
    """Yield the sets of packages to try, one after the other, each once; is sent the outcomes, and returns what was found.

    `moves` are in the order of moves_of; there must be one at least.
    """
    return (yield from _Seeker(moves=tuple(moves)).found())


@dataclass(slots=True, kw_only=True)
class _Seeker:
    """Asks for sets, and remembers how they came out."""

    moves: tuple[Move, ...]
    known: dict[Names, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = {_closed(self.moves): Outcome.WORSE, frozenset(): Outcome.SAME}

    def asked(self, names: Names) -> Generator[Names, Outcome, Outcome]:
        if names not in self.known:
            if len(self.known) - 2 >= most_probes(len(self.moves)):
                return Outcome.UNSURE
            self.known[names] = yield names
        return self.known[names]

    def found(self) -> Search:
        """Seek the moves that make the change without any other.

        All the while it is there with what is held and the rest of the pool, and not with what is held alone.
        """
        held: Sequence[Move] = ()
        pool: Sequence[Move] = self.moves
        alone, between = Outcome.SAME, None
        while alone is Outcome.SAME:
            pool, suspects, why = yield from self.narrowed(held, pool)
            held, between = [*held, *suspects], between or why
            alone = yield from self.asked(_closed(held))
        without = yield from self.asked(_closed(self.others(held)))
        found = Found(moves=tuple(held), alone=alone, without=without, between=between)
        return found if self.is_shown(found) else Found()

    def is_shown(self, found: Found) -> bool:
        """Tell whether something is known: that these make the change alone, or that it is gone without them."""
        nothing_parted = found.between is Outcome.UNSURE and len(found.moves) == len(self.moves)
        return not nothing_parted and (found.alone is Outcome.WORSE or found.without is Outcome.SAME)

    def narrowed(
        self, held: Sequence[Move], pool: Sequence[Move]
    ) -> Generator[Names, Outcome, tuple[Sequence[Move], Sequence[Move], Outcome | None]]:
        """Return the first of the pool with which the change is not there yet, those on which it turns, and why they are several.

        Where a set in the middle says nothing, its neighbours are tried.
        """
        low, high, silent = 0, len(pool), dict[int, Outcome]()
        while cuts := [cut for cut in range(low + 1, high) if cut not in silent]:
            cut = min(cuts, key=lambda place: abs(2 * place - low - high))
            match (yield from self.asked(_closed([*held, *pool[:cut]]))):
                case Outcome.WORSE:
                    high = cut
                case Outcome.SAME:
                    low = cut
                case outcome:
                    silent[cut] = outcome
        reasons = {silent[cut] for cut in range(low + 1, high)}
        why = Outcome.UNSURE if Outcome.UNSURE in reasons else next(iter(reasons), None)
        return pool[:low], pool[low:high], why

    def others(self, held: Sequence[Move]) -> list[Move]:
        """Return all moves that can do without those that are held."""
        names = {name for move in held for name in move.names}
        return [move for move in self.moves if names.isdisjoint(move.closed)]


def _closed(moves: Collection[Move]) -> Names:
    return frozenset().union(*(move.closed for move in moves))
