"""What measuring gives: windows, samples, proofs; a failure is a kind of sample, never a number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
