"""The nouns: frozen values that every room shares; standard library only, no behaviour beyond names and sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

RUN_SCHEMA = 1
REPORT_SCHEMA = 1


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
    """A program under test: `target` is `module:attribute`, importable once `folder` is on the module path."""

    name: str
    target: str
    folder: str
    request: Request = Request()
    expect: Expect = Expect()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How hard and how long each start of a server is driven; closed loop, `connections` in all over `threads`."""

    generator: str
    connections: int
    threads: int
    duration_s: int
    warmup_s: int
    windows: int


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

    `options` holds every option that applies, sorted by name; `label` is the part of them that the id shows.
    """

    server: str
    options: tuple[tuple[str, str], ...]
    label: str
    protocol: str
    workers: int
    app: str
    load: Load

    @property
    def setting(self) -> str:
        """Name the server with its options, `uvicorn[http=httptools,loop=uvloop]`, whatever the load."""
        return f"{self.server}[{self.label}]" if self.label else self.server

    @property
    def id(self) -> str:
        """Name the cell for ever, whatever else is in the matrix."""
        return f"{self.setting}/{self.protocol}/w{self.workers}/c{self.load.connections}/{self.app}"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadErrors:
    """What the generator could not do or did not like, in counts."""

    connect: int = 0
    read: int = 0
    write: int = 0
    status: int = 0
    timeout: int = 0

    @property
    def total(self) -> int:
        """Count all of them."""
        return self.connect + self.read + self.write + self.status + self.timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStats:
    """What a generator saw in one window.

    `histogram` is the latency as measured: (microseconds, count) pairs, ascending, no correction applied.
    `statuses` counts answers by status where the generator counts them, else it is empty.
    """

    requests: int
    duration_us: int
    histogram: tuple[tuple[int, int], ...]
    statuses: tuple[tuple[int, int], ...] = ()
    errors: LoadErrors = LoadErrors()
    bytes_read: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the machine did during one window; CPU in microseconds, shares from 0 to 1 of one core or of CPU time."""

    wall_us: int
    server_cpu_us: int
    worker_cpu_us: tuple[int, ...]
    generator_cpu_us: int
    own_cpu_us: int
    pss_bytes: int | None
    foreign_cpu: float
    steal: float
    throttled_us: int = 0
    involuntary_switches: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One valid stretch of load; `discarded` holds the reasons of the attempts before it that were not valid."""

    stats: LoadStats
    usage: Usage
    discarded: tuple[str, ...] = ()


class Cause(StrEnum):
    """Whose fault a failure is: only NOISE leaves the other rounds of the cell standing."""

    SERVER = "server"
    GENERATOR = "generator"
    ENVIRONMENT = "environment"
    NOISE = "noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a setting said of itself from inside; it is asked once per setting, protocol and worker count."""

    key: str
    loop: str
    http: str
    http_version: str
    workers: int
    python: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A step that worked: its windows, and the seconds from start to the first right answer."""

    cell_id: str
    round: int
    started_at: str
    startup_s: float
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A step that gave no number, and the one sentence that says why."""

    cell_id: str
    round: int
    started_at: str
    cause: Cause
    reason: str
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A step that was not tried, and why."""

    cell_id: str
    round: int
    started_at: str
    reason: str


Sample = Measured | Failed | Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """A cell as the run file keeps it: with the command that starts it, so that reports need no plug-in."""

    cell: Cell
    argv: tuple[str, ...]
    load_argv: tuple[str, ...]
    unequal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The fingerprint of a machine; runs of different hosts are never compared in silence."""

    system: str
    cpu: str
    cores: int
    memory_bytes: int
    python: str
    pinned: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """The first record of a run file: all that is needed to report on it or to go on with it.

    `settings` are what else a resumed run needs: the servers' interpreter, the pinning, the model of a simulation.
    """

    id: str
    started_at: str
    argv: tuple[str, ...]
    seed: int
    rounds: int
    noise: Noise
    generator: str
    generator_version: str
    host: Host
    versions: tuple[tuple[str, str], ...]
    git: str
    cells: tuple[PlannedCell, ...]
    excluded: tuple[Excluded, ...]
    apps: tuple[App, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    schema: int = RUN_SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run file as read: a prefix of one is a valid, shorter run."""

    header: RunHeader
    proofs: tuple[Proof, ...]
    samples: tuple[Sample, ...]

    @property
    def complete(self) -> bool:
        """Tell whether every planned step has its sample."""
        return len(self.samples) >= len(self.header.cells) * self.header.rounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval: 95 % confidence when `low` and `high` are there, None where n is too small for one."""

    value: float
    low: float | None
    high: float | None
    n: int


class Flag(StrEnum):
    """What a reader must know of a row; `UNRANKED` lists those that take a row out of the ranking."""

    CLIENT_BOUND = "client-bound"
    UNDER_DRIVEN = "under-driven"
    OVERSUBSCRIBED = "oversubscribed"
    NOISY = "noisy"
    PLATEAU_40_MS = "40 ms plateau"
    UNBALANCED = "unbalanced"
    FEW_ROUNDS = "few rounds"


UNRANKED = frozenset({Flag.CLIENT_BOUND, Flag.UNDER_DRIVEN, Flag.OVERSUBSCRIBED, Flag.FEW_ROUNDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Where a row stands: the rank interval and the compact letters of its group."""

    rank: tuple[int, int]
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One cell over all its rounds; every estimate is None unless `status` is `measured`.

    `windows_repeated` counts the windows that did not count and were driven again.
    """

    planned: PlannedCell
    status: str
    reason: str
    rounds_ok: int
    rounds_failed: int
    windows_repeated: int = 0
    rps: Estimate | None = None
    cpu_us_per_request: Estimate | None = None
    p50_us: Estimate | None = None
    p99_us: Estimate | None = None
    ratio: Estimate | None = None
    pss_bytes: int | None = None
    startup_s: float | None = None
    worker_share_max: float | None = None
    ranking: Ranking | None = None
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that may be compared: one app, protocol, worker count and connection count; fastest first.

    `reference` is the id that ratios are against; `detectable` the smallest ratio above 1 the run could have seen.
    """

    app: str
    protocol: str
    workers: int
    connections: int
    rows: tuple[Summary, ...]
    reference: str | None
    detectable: float | None
    comparisons: int
    rounds_needed: int
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a report says, before it takes a form."""

    header: RunHeader
    proofs: tuple[Proof, ...]
    complete: bool
    steps_done: int
    tables: tuple[Table, ...]
    not_measured: tuple[Summary, ...]
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: what it is, whether it is fit, what was found, and what to type or do when it is not."""

    subject: str
    fit: bool
    found: str
    advice: str = ""
