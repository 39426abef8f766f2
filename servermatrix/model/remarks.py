"""What can be said of a row beside its numbers: what limited it, what is wrong with it, how its work was spread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Flag(StrEnum):
    """What a reader must know of a row; `UNRANKED` lists those that take a row out of the ranking."""

    GENERATOR_BOUND = "generator-bound"
    HOST_BOUND = "host-bound"
    WAITING = "waiting"
    CONNECTION_BOUND = "connection-bound"
    OVERSUBSCRIBED = "oversubscribed"
    RATE_NOT_KEPT = "rate not kept"
    NOISY = "noisy"
    PLATEAU_40_MS = "40 ms plateau"
    BIMODAL = "two speeds"
    UNBALANCED = "unbalanced"
    CLOSES_CONNECTIONS = "closes connections"
    ANSWERS_MISSING = "answers missing"
    MEMORY_GROWS = "memory grows"
    LOG_FLOOD = "log flood"
    FEW_ROUNDS = "few rounds"


UNRANKED = frozenset(
    {
        Flag.GENERATOR_BOUND,
        Flag.HOST_BOUND,
        Flag.WAITING,
        Flag.CONNECTION_BOUND,
        Flag.OVERSUBSCRIBED,
        Flag.RATE_NOT_KEPT,
        Flag.FEW_ROUNDS,
    }
)


class Bottleneck(StrEnum):
    """What limited the requests per second of a row."""

    SERVER = "server"
    GENERATOR = "generator"
    HOST = "host"
    WAITING = "waiting"
    CONNECTIONS = "connections"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What limited a row, and the measured facts that say so, in one sentence."""

    bottleneck: Bottleneck
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a flag is about in this row, in one sentence with its figures, and what to do about it."""

    flag: Flag
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How the work of a row was spread over its workers, over all starts, since it changes from start to start.

    `share` is the median over the starts of what the busiest worker did of all CPU work (0-1), `worst` the largest of them;
    `connections` the same median of the largest share of the connections, None where it was not seen. `index` is the median
    of Jain's fairness index over the workers' CPU: 1 when all did the same, 1 / workers when one did everything.
    Source: Jain, Chiu & Hawe (1984), A quantitative measure of fairness and discrimination.
    """

    share: float
    worst: float
    index: float
    connections: float | None
    unbalanced_starts: int
    starts: int
