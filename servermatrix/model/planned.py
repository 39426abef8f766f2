"""What is to be run: programs, loads, cells, plans; standard library only, no behaviour beyond names and sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

ASGI = "asgi"
PROTOCOLS = ("h1", "h1s", "h2c", "h2")
ENCRYPTED = frozenset({"h1s", "h2"})
HTTP2 = frozenset({"h2c", "h2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the app, once per request."""

    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a right answer is: the status, and the exact body or a text within it (None: not looked at)."""

    status: int = 200
    body: str | None = None
    contains: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A program under test: `target` is `module:attribute`, importable once `folder` is on the module path.

    `twins` are the targets of the same program written for other interfaces than ASGI: (`wsgi`, target), (`rsgi`, target).
    """

    name: str
    target: str
    folder: str
    request: Request = Request()
    expect: Expect = Expect()
    twins: tuple[tuple[str, str], ...] = ()

    def target_for(self, interface: str) -> str | None:
        """Return the target that speaks this interface, None when the program was not written for it."""
        return self.target if interface == ASGI else dict(self.twins).get(interface)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How hard and how long each start of a server is driven; closed loop, `connections` in all over `threads`.

    `streams` is how many requests each connection has in flight; more than one only where the protocol is HTTP/2.
    `requests_per_connection` is after how many requests a connection is replaced by a new one; 0: never.
    """

    generator: str
    connections: int
    threads: int
    duration_s: int
    warmup_s: int
    windows: int
    streams: int = 1
    requests_per_connection: int = 0

    @property
    def in_flight(self) -> int:
        """Count the requests that are in flight at any moment of a closed loop."""
        return self.connections * self.streams

    @property
    def label(self) -> str:
        """Name what cell ids say of a load: `c64`, `c8m10` with 10 streams, `c64n1` with a new connection per request."""
        streams = f"m{self.streams}" if self.streams > 1 else ""
        return f"c{self.connections}{streams}" + (f"n{self.requests_per_connection}" if self.requests_per_connection else "")


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

    @property
    def setting(self) -> str:
        """Name the server with options and environment, `uvicorn[loop=uvloop]@3.13+uvicorn==0.52.0`, whatever the load."""
        options = f"[{self.label}]" if self.label else ""
        python = f"@{self.python}" if self.python else ""
        return f"{self.server}{options}{python}" + "".join(f"+{each}" for each in self.requires)

    @property
    def start(self) -> str:
        """Name what is started, whatever the app and the load: what a proof is about."""
        return f"{self.setting}/{self.protocol}/w{self.workers}"

    @property
    def id(self) -> str:
        """Name the cell for ever, whatever else is in the matrix."""
        return f"{self.start}/{self.load.label}/{self.app}"


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
class Plan:
    """What a run will do: every cell once per round, each round in a fresh order drawn from the seed."""

    cells: tuple[Cell, ...]
    excluded: tuple[Excluded, ...]
    apps: tuple[App, ...]
    rounds: int
    seed: int
    noise: Noise = Noise()

    def steps(self) -> Iterator[Step]:
        """Yield all steps in the order in which they run, the same for the same cells and seed."""
        for number in range(1, self.rounds + 1):
            order = list(self.cells)
            Random(f"{self.seed}/{number}").shuffle(order)  # noqa: S311 - a reproducible order, not a secret
            for cell in order:
                yield Step(cell=cell, round=number)
