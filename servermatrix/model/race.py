"""What a search for settings looks for, and under which limits; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

THROUGHPUT, LATENCY, MEMORY, CPU = "throughput", "latency", "memory", "cpu"
PREFERENCES = (THROUGHPUT, LATENCY, MEMORY, CPU)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What an answer must keep, as in `p99<50ms`: a metric, and a bound that it may not exceed.

    `metric` is `latency` (of which `percent` is the percentile, 99.0, and `bound` in microseconds), `errors` (a share, 0 to 1) or
    `memory` (bytes, the proportional set size of all processes of the server). `text` is what the user typed.
    """

    metric: str
    bound: float
    text: str
    percent: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """What a search looks for: the cell that is best by what the user prefers and keeps the limits.

    `prefer` is one of PREFERENCES. Limits of latency are judged at `rate_per_s` requests per second in an open loop; 0: each cell
    at the highest rate that it holds them at. `references` are the ids of cells that run the plaintext app, for a comparison:
    they take no part. `cores` is how many the server may use, 0: all there are. `pool` is how many database connections each
    worker opens, 0: not said. `finalists` is how many cells at most are tried at fixed rates, for `holding_s` seconds in all,
    by the `generator` of this name; it is empty where none is tried.
    """

    prefer: str = THROUGHPUT
    limits: tuple[Limit, ...] = ()
    rate_per_s: float = 0.0
    references: tuple[str, ...] = ()
    cores: int = 0
    pool: int = 0
    finalists: int = 6
    holding_s: int = 0
    generator: str = ""

    def limit(self, metric: str) -> Limit | None:
        """Return the tightest limit of a metric, None where there is none."""
        return min((limit for limit in self.limits if limit.metric == metric), key=lambda limit: limit.bound, default=None)

    @property
    def latency_limits(self) -> tuple[Limit, ...]:
        """Return the limits that are judged at fixed rates."""
        return tuple(limit for limit in self.limits if limit.metric == "latency")
