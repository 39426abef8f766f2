"""What is to be run: loads, cells, plans; standard library only, no behaviour beyond names and sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from random import Random

from servermatrix.model.program import ASGI, App
from servermatrix.model.race import Race
from servermatrix.model.trial import Trial

PROTOCOLS = ("h1", "h1s", "h2c", "h2")
ENCRYPTED = frozenset({"h1s", "h2"})
HTTP2 = frozenset({"h2c", "h2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How hard and how long each start of a server is driven, over `connections` in all and `threads` of the generator.

    `streams` is how many requests each connection has in flight; more than one only where the protocol is HTTP/2.
    `requests_per_connection` is after how many requests a connection is replaced by a new one; 0: never.
    `rate_percent` makes it an open loop: requests are sent at a fixed rate, so many percent of what the slowest of the cells
    that may be compared serves in a closed loop; 0: a closed loop.
    """

    generator: str
    connections: int
    threads: int
    duration_s: int
    warmup_s: int
    windows: int
    streams: int = 1
    requests_per_connection: int = 0
    rate_percent: int = 0

    @property
    def in_flight(self) -> int:
        """Count the requests that are in flight at any moment of a closed loop."""
        return self.connections * self.streams

    @property
    def label(self) -> str:
        """Name what cell ids say of a load: `c64`, `c8m10` (streams), `c64n1` (requests per connection), `c64r30` (rate)."""
        streams = f"m{self.streams}" if self.streams > 1 else ""
        reuse = f"n{self.requests_per_connection}" if self.requests_per_connection else ""
        return f"c{self.connections}{streams}{reuse}" + (f"r{self.rate_percent}" if self.rate_percent else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What a valid window may suffer: how much of one core others use, what share of CPU time the host steals.

    A limit of 1 or more is none; where both are none, a CPU quota is accepted too.
    """

    foreign_cpu: float = 0.10
    steal: float = 0.02

    @property
    def limited(self) -> bool:
        """Tell whether anything is refused at all."""
        return self.foreign_cpu < 1 or self.steal < 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One server with one set of options under one app and load.

    `options` holds every option that applies, sorted by name; `label` is the part of them that the id shows. `interface` is
    what the server and the app speak with each other: `asgi`, `rsgi` or `wsgi`. `python` is a version or a path, empty for
    the interpreter of the run; `requires` are the requirements its environment is made with, besides what the server needs.
    A `duplicate` is another cell once more, under a name of its own: what the two differ by is noise, for nothing else does.
    `side` is that of a check, BASELINE or CANDIDATE, whose requirements `requires` then are; empty: no check.
    """

    server: str
    options: tuple[tuple[str, str], ...]
    label: str
    protocol: str
    workers: int
    app: str
    load: Load
    interface: str = ASGI
    python: str = ""
    requires: tuple[str, ...] = ()
    duplicate: bool = False
    side: str = ""

    @property
    def setting(self) -> str:
        """Name the server with options and environment, `uvicorn[loop=uvloop]@3.13+uvicorn==0.52.0`, whatever the load.

        In a check the side stands for the requirements, `uvicorn[loop=uvloop]:candidate`: they may be a hundred.
        """
        options = f"[{self.label}]" if self.label else ""
        python = f"@{self.python}" if self.python else ""
        if self.side:
            return f"{self.server}{options}{python}:{self.side}"
        return f"{self.server}{options}{python}" + "".join(f"+{each}" for each in self.requires)

    @property
    def start(self) -> str:
        """Name what is started, whatever the app and the load: what a proof is about."""
        return f"{self.setting}/{self.protocol}/w{self.workers}"

    @property
    def id(self) -> str:
        """Name the cell for ever, whatever else is in the matrix."""
        return f"{self.start}/{self.load.label}/{self.app}" + ("/again" if self.duplicate else "")

    @property
    def pair(self) -> str:
        """Name what the two sides of a check have in common: the id of the cell without a side."""
        return replace(self, side="", requires=(), duplicate=False).id if self.side else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A combination of the matrix that is not run, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One start of one server: the unit of repetition; rounds count from 1."""

    cell: Cell
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """When the results are looked at: after which round, and how much of the 5 % this look may spend on false claims."""

    round: int
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do: every cell once per round, each round in a fresh order drawn from the seed.

    Cells of an open loop come after all rounds of the others, whose capacity sets their rate. With `looks` a run may end
    early, and may leave out cells, after those rounds and at no other time; without them all rounds are run.

    A plan with a `trial` has two sides of each cell, side by side in `cells`, which are started one after the other in every
    round: what happens to one is then likeliest to happen to the other. It has two looks: all cells go to the first, and those
    that it flags to the second.
    """

    cells: tuple[Cell, ...]
    excluded: tuple[Excluded, ...]
    apps: tuple[App, ...]
    rounds: int
    seed: int
    noise: Noise = Noise()
    looks: tuple[Look, ...] = ()
    budget_s: int = 0
    trial: Trial | None = None
    race: Race | None = None

    def steps(self) -> Iterator[Step]:
        """Yield all steps in the order in which they run, the same for the same cells and seed."""
        closed = [cell for cell in self.cells if not cell.load.rate_percent]
        opened = [cell for cell in self.cells if cell.load.rate_percent]
        for cells, name in ((closed, ""), (opened, "/open")):
            for number in range(1, self.rounds + 1) if cells else ():
                for cell in _shuffled(cells, f"{self.seed}/{number}{name}"):
                    yield Step(cell=cell, round=number)


def _shuffled(cells: list[Cell], seed: str) -> Iterator[Cell]:
    """Yield the cells in an order drawn from the seed, the sides of a pair together, in an order of their own."""
    random = Random(seed)  # noqa: S311 - a reproducible order, not a secret
    order = [list(group) for _, group in groupby(cells, lambda cell: cell.pair)] if cells[0].side else [[cell] for cell in cells]
    random.shuffle(order)
    for group in order:
        if len(group) > 1:
            random.shuffle(group)
        yield from group
