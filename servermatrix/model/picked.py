"""What a search for settings says, before it takes a form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from servermatrix.model.race import Race
from servermatrix.model.reported import Effect, Estimate, Summary
from servermatrix.model.samples import Decision
from servermatrix.model.stored import RunHeader

PICK_SCHEMA = 1


class Standing(StrEnum):
    """What became of a cell in a search."""

    PICKED = "picked"
    TIED = "tied"
    BEATEN = "beaten"
    OVER_LIMIT = "over a limit"
    FAILED = "failed"
    OPEN = "not told apart yet"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a cell held at fixed rates: `low_per_s` is the highest rate at which it kept the limits, 0 where it never did.

    `high_per_s` is the lowest rate at which it did not, 0 where there was none. `latency_us` is what the percentile of the first
    latency limit (of the 99th, where there is none) was at `low_per_s`, or, if that is 0, at the lowest rate tried.
    `starts` counts the starts that this rests on. `sentence` says what was found, with the bracket.
    """

    cell_id: str
    low_per_s: float
    high_per_s: float
    latency_us: Estimate | None
    starts: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One cell of a search: its figures, what became of it and why, in one sentence.

    `score` is its ratio to the picked cell in what is preferred, above 1 where it is better, None where nothing is known.
    `rounds` is how many it was measured in. `pareto` tells that no other cell is better in one of requests/s, 99th percentile and
    memory and as good in the others. `held` is what it held at fixed rates.
    """

    summary: Summary
    standing: Standing
    reason: str
    rounds: int
    score: Estimate | None = None
    pareto: bool = False
    held: Held | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The picked cell, ready to be used: the command to paste, and files by name, each with its text.

    `comment` says of a file how it is used, in one sentence.
    """

    cell_id: str
    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Whether the server matters for this app.

    `spread` is how much more the best server does than the worst, as a ratio, each with its best settings. `app_share` is what
    part of the CPU time of a request is the app's: 1 - that of the plaintext app over that of this app, under the same settings.
    Either is None where it is not known. `matters` is False only where the spread is surely small.
    """

    spread: Estimate | None
    app_share: Estimate | None
    matters: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """A fit of throughput over workers, N: X(N) = rate * N / (1 + contention * (N - 1) + coherency * N * (N - 1)).

    Source: Gunther (2007), Guerrilla Capacity Planning, the Universal Scalability Law. `peak` is the number of workers with the
    highest throughput, None beyond `farthest`, to which alone the fit may be read (twice the most workers measured).
    """

    setting: str
    rate_per_s: float
    contention: float
    coherency: float
    peak: int | None
    farthest: int
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What the picked cell can carry: `sentences` say it, with the arithmetic.

    `per_core_per_s` are requests per second per core of CPU used, `worker_bytes` what another worker takes in memory,
    `workers_fit` how many fit into the memory (None: not asked), `connections` the database connections (pool x workers, None).
    """

    per_core_per_s: Estimate | None
    worker_bytes: int | None
    workers_fit: int | None
    connections: int | None
    scaling: Scaling | None
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PickReport:
    """All that a search says; `answer` is one sentence, `line` the first line of the output, which is for machines.

    `candidates` are the picked cell, those tied with it, and then the others, best first. `deployed` is None where nothing could
    be picked. `effects` say what each option bought for this app. `met` is False where no cell keeps the limits. `warnings` are
    sentences.
    """

    header: RunHeader
    race: Race
    line: str
    answer: str
    candidates: tuple[Candidate, ...]
    deployed: Deployed | None
    share: Share | None
    capacity: Capacity | None
    effects: tuple[Effect, ...]
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...]
    met: bool
    complete: bool
    steps: tuple[int, int]

    @property
    def picked(self) -> Candidate | None:
        """Return the cell that is recommended, None where there is none."""
        return next((one for one in self.candidates if one.standing is Standing.PICKED), None)

    def of(self, standing: Standing) -> tuple[Candidate, ...]:
        """Return the cells of which this became."""
        return tuple(one for one in self.candidates if one.standing is standing)
