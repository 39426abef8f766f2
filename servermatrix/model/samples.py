"""What measuring gives: windows, samples, proofs; a failure is a kind of sample, never a number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from servermatrix.model.planned import Cell
from servermatrix.model.program import ASGI


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
    `statuses` counts answers by status where the generator counts them, else it is empty. In an open loop `due` counts the
    requests whose time came, latency counts from the time each was due, whenever it was sent, and `unanswered` are those
    that had no answer when the generator stopped waiting; in a closed loop both are 0.
    """

    requests: int
    duration_us: int
    histogram: tuple[tuple[int, int], ...]
    statuses: tuple[tuple[int, int], ...] = ()
    errors: LoadErrors = LoadErrors()
    bytes_read: int = 0
    due: int = 0
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the machine did during one window; CPU in microseconds, shares from 0 to 1 of one core or of CPU time.

    `worker_cpu_us` is by process of the server, busiest first; `worker_connections` are the connections that each of these
    had open, in the same order, empty where that was not looked at. `pss_before_bytes` is the memory when the window began,
    `pss_bytes` when it ended. `connects` counts the TCP connections opened to the server, or by anybody where that is all
    that is told, None where not even that is.
    """

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
    worker_connections: tuple[int, ...] = ()
    pss_before_bytes: int | None = None
    log_bytes: int = 0
    connects: int | None = None


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
    """What a setting said of itself from inside; it is asked once per setting, protocol and worker count.

    `loop` is the class of the event loop, for WSGI that of the worker; `http` the class that takes the answer. `tls` is the
    version and cipher that a client got, empty where nothing is encrypted.
    """

    key: str
    loop: str
    http: str
    http_version: str
    workers: int
    python: str
    versions: tuple[tuple[str, str], ...]
    interface: str = ASGI
    tls: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The right answer as bytes on the wire, of one request on a fresh connection.

    `head_bytes` is the status line with all headers, in HTTP/2 the compressed header block. `framing` says how its end is
    known: `content-length`, `chunked`, `close`, in HTTP/2 without a length `frames`, and `none` where no answer has a body.
    """

    head_bytes: int
    body_bytes: int
    framing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A step that worked: its windows, and the seconds from start to the first right answer."""

    cell_id: str
    round: int
    started_at: str
    startup_s: float
    windows: tuple[Window, ...]
    wire: Wire | None = None


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
class Attempt:
    """One start of a cell at a fixed rate, to see what it holds there: `number` counts the attempts of the run from 1.

    What came of it is a sample of that cell, whose `round` counts its starts at that rate from 1.
    """

    number: int
    rate_per_s: float
    sample: Measured | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that a generator could do on this host in one protocol, found against a responder that does next to nothing.

    `requests_per_s` is what it reached there; `cpu_us_per_request` its own CPU time per request; over `threads` threads.
    """

    generator: str
    protocol: str
    threads: int
    requests_per_s: float
    cpu_us_per_request: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The rate at which a cell of an open loop is driven, in requests per second, and the cell whose capacity set it."""

    cell_id: str
    rate_per_s: float
    slowest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided at a look: which cells are left out from then on, (cell id, reason), and why the run ends, if it does.

    Where the time is up between two looks, the coming one is taken there.

    It ends where `stopped` is a sentence. `alpha` is what the look could spend on false claims.
    """

    round: int
    alpha: float
    dropped: tuple[tuple[str, str], ...] = ()
    stopped: str = ""


class Validity(StrEnum):
    """What a start on the witness showed of a combination."""

    VALID = "valid"
    FAILED = "failed"
    MISSING = "not installed"
    CONFIRMED = "confirmed"
    REFUTED = "runs after all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One combination, started for real on the witness and stopped again.

    `objection` is why it is excluded, empty for one that is to work; then `reason` says what happened when it was started
    nevertheless. Times are None where the server was never ready, or never started; `left` names what was left running.
    """

    cell: Cell
    validity: Validity
    reason: str
    objection: str = ""
    proof: Proof | None = None
    ready_s: float | None = None
    exit_code: int | None = None
    stop_s: float | None = None
    left: str = ""
