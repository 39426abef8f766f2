"""How far each metric of a pair differs, with its interval, and what that says in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from servermatrix.analysis.regress.duels import Duel
from servermatrix.analysis.regress.stages import Claim
from servermatrix.analysis.stats import ratio
from servermatrix.model import Estimate, Metric, Shift

NAMES: Mapping[Metric, str] = {Metric.RPS: "requests per second", Metric.CPU: "CPU time per request"}
# Of a percent: what is said to be the end of an interval must not be short of it.
TENTHS = 1000
DECIMALS = 9  # 1.1 - 1 is a little more than 0.1 in binary


def shifts_of(duel: Duel, rounds: range, stage: int, ps: Mapping[Claim, float]) -> tuple[Shift, ...]:
    """Return how each metric of a pair differs in these rounds, with the p of what was flagged of it."""
    return tuple(_shift(duel, metric, rounds, stage, ps) for metric in Metric)


def _shift(duel: Duel, metric: Metric, rounds: range, stage: int, ps: Mapping[Claim, float]) -> Shift:
    pairs = duel.paired(metric, rounds)
    found = ratio([ours for ours, _ in pairs], [theirs for _, theirs in pairs]) if pairs else None
    p = min((p for claim, p in ps.items() if claim.metric is metric), default=None)
    return Shift(metric=metric, ratio=found, stage=stage, p=p, beyond=_far_end(found))


def _far_end(found: Estimate | None) -> float | None:
    if found is None or found.low is None or found.high is None:
        return None
    return round(max(found.high, 1 / found.low) - 1, DECIMALS)


def beyond(shifts: Sequence[Shift]) -> float | None:
    """Return how large a change, either way, all of these leave room for, as a share; None where one has no interval."""
    ends = [shift.beyond for shift in shifts if shift.beyond is not None]
    return max(ends) if ends and len(ends) == len(shifts) else None


def excludes_one(shift: Shift) -> bool:
    """Tell whether the interval of a shift shows that there is a change, however small."""
    found = shift.ratio
    return found is not None and found.low is not None and found.high is not None and not found.low <= 1 <= found.high


def moved(shift: Shift, margin: float) -> bool:
    """Tell whether there is a change, and one beyond the margin is not ruled out."""
    return excludes_one(shift) and (shift.beyond or 0) > margin


def figures(found: Estimate | None) -> str:
    """Write a ratio with its interval: `0.89x [0.87, 0.91]`."""
    if found is None:
        return "unknown"
    ends = "" if found.low is None or found.high is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"{found.value:.2f}x{ends}"


def percent(share: float) -> str:
    """Write a share as a percentage with one decimal, rounded up: `2.9 %`."""
    return f"{ceil(round(share * TENTHS, DECIMALS)) / (TENTHS / 100):.1f} %"


def both(shifts: Sequence[Shift]) -> str:
    """Write the figures of all metrics: `requests per second 0.99x [0.97, 1.01], CPU time per request 1.01x [1.00, 1.02]`."""
    return ", ".join(f"{NAMES[shift.metric]} {figures(shift.ratio)}" for shift in shifts)


def said(shift: Shift) -> str:
    """Say one metric in a sentence about the candidate: `serves 0.89x [0.87, 0.91] as many requests per second`."""
    if shift.metric is Metric.RPS:
        return f"serves {figures(shift.ratio)} as many requests per second"
    return f"uses {figures(shift.ratio)} the CPU time per request"
