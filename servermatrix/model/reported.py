"""What a report says, before it takes a form, and what doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from servermatrix.model.remarks import Balance, Flag, Remark, Verdict
from servermatrix.model.samples import Ceiling, Decision, Proof, Wire
from servermatrix.model.stored import PlannedCell, RunHeader

REPORT_SCHEMA = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval: 95 % confidence when `low` and `high` are there, None where n is too small for one."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentile:
    """A percentile of all answers of a cell, in microseconds, and the lowest and highest that a single start had.

    `samples` counts the answers of all starts, whose histograms were added up: percentiles are never averaged.
    """

    value_us: float
    lowest_us: float
    highest_us: float
    samples: int


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
    `verdict` says what limited the row, `remarks` has a sentence and an advice for each of its flags, `p999_us` is None where
    there are too few answers for it, `balance` where there is one worker. `due_per_s` is the rate of an open loop,
    `paced_by` the id of the cell whose capacity set it, empty where that is not stored.
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
    p50_us: Percentile | None = None
    p99_us: Percentile | None = None
    p999_us: Percentile | None = None
    ratio: Estimate | None = None
    pss_bytes: int | None = None
    startup_s: float | None = None
    balance: Balance | None = None
    ranking: Ranking | None = None
    verdict: Verdict | None = None
    flags: tuple[Flag, ...] = ()
    remarks: tuple[Remark, ...] = ()
    wire: Wire | None = None
    status_unread: bool = False
    due_per_s: float | None = None
    paced_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectIn:
    """What an option's value does in one setting: the ratio of requests per second, paired by round.

    `where` names the server with what else is set. It is `shown` when 1 is excluded after Holm's correction over the table.
    """

    where: str
    ratio: Estimate
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one value of an option does `instead_of` another, in every setting of the table that has both.

    `differs` are the pairs of settings between which the effect itself was shown to differ, after the same correction.
    """

    option: str
    value: str
    instead_of: str
    seen: tuple[EffectIn, ...]
    differs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that may be compared: one app, interface, generator, worker count and number of requests in flight; fastest first.

    `protocols` are those of its rows: one, or HTTP/1.1 and HTTP/2 side by side, both encrypted or neither.
    `reference` is the id that ratios are against, whatever came out fastest; `detectable` the smallest ratio above 1 the run
    could have seen.
    `effects` is what each option buys; `effect_comparisons` counts what Holm's correction over them held.
    A table of an open loop has a `rate_percent` and the `rate_per_s` that it came to; its rows are not ranked.
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
    effects: tuple[Effect, ...] = ()
    effect_comparisons: int = 0
    rate_percent: int = 0
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFloor:
    """What two cells differed by that are the same: `ratio` of the duplicate to its original, requests per second by round.

    `factor` is the largest ratio above 1 that its interval allows either way: a smaller difference between rows may be noise.
    """

    cell_id: str
    name: str
    ratio: Estimate
    factor: float


class Passed(StrEnum):
    """How a control came out; it is UNKNOWN where what it is about was not measured."""

    YES = "passed"
    NO = "failed"
    UNKNOWN = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A control: what had to come out, if the measuring is right, and what did; `rule` is a sentence."""

    subject: str
    rule: str
    expected: float
    found: Estimate | None
    unit: str
    passed: Passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a report says, before it takes a form; `steps_planned` is after what was decided at the looks."""

    header: RunHeader
    proofs: tuple[Proof, ...]
    complete: bool
    steps_done: int
    tables: tuple[Table, ...]
    not_measured: tuple[Summary, ...]
    answer: str
    steps_planned: int = 0
    noise_floor: NoiseFloor | None = None
    ceilings: tuple[Ceiling, ...] = ()
    decisions: tuple[Decision, ...] = ()
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: what it is, whether it is fit, what was found, and what to type or do when it is not."""

    subject: str
    fit: bool
    found: str
    advice: str = ""
