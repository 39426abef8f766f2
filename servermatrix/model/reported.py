"""What a report says, before it takes a form, and what doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from servermatrix.model.samples import Proof, Wire
from servermatrix.model.stored import PlannedCell, RunHeader

REPORT_SCHEMA = 2


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

    `name` tells the row from the others of its table. `windows_repeated` counts the windows that did not count and were
    driven again. `status_unread` says that the generator could not read the status of the answers and went by their size.
    """

    planned: PlannedCell
    name: str
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
    wire: Wire | None = None
    status_unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that may be compared: one app, interface, generator, worker count and number of requests in flight; fastest first.

    `protocols` are those of its rows: one, or HTTP/1.1 and HTTP/2 side by side, both encrypted or neither.
    `reference` is the id that ratios are against; `detectable` the smallest ratio above 1 the run could have seen.
    """

    app: str
    interface: str
    protocols: tuple[str, ...]
    workers: int
    in_flight: int
    requests_per_connection: int
    generator: str
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
