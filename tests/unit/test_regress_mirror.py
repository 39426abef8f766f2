"""Swapping the sides of a check mirrors every verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.analysis.regress import judge
from servermatrix.model import BASELINE, CANDIDATE, Cause, Cell, CellChange, Change, Estimate, Sample
from tests.unit.regress_runs import Give, broken, conducted, of, plan_of, start

MIRRORED = {Change.REGRESSION: Change.IMPROVEMENT, Change.IMPROVEMENT: Change.REGRESSION}
OTHER = {BASELINE: CANDIDATE, CANDIDATE: BASELINE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How much the candidate of a server differs, how noisy it is, and how many of 10 rounds of each side fail or are lost."""

    rps: float
    cpu: float
    sd: float
    failing: tuple[int, int] = (0, 0)
    lost: tuple[int, int] = (0, 0)


def gives(ways: dict[str, Way]) -> Give:
    def give(of: Cell, number: int) -> Sample:
        way = ways.get(of.server)
        if way is None:
            return start(of, number)
        new = of.side == CANDIDATE
        if number % 10 < way.failing[new]:
            return broken(of, number)
        if number % 10 >= 10 - way.lost[new]:
            return broken(of, number, Cause.NOISE)
        return start(of, number, way.rps if new else 1.0, way.cpu if new else 1.0, way.sd)

    return give


def swapped(give: Give) -> Give:
    """Let each side of all servers but the canary give what the other one gave."""

    def other(of: Cell, number: int) -> Sample:
        if of.server == "canary":
            return give(of, number)
        return replace(give(replace(of, side=OTHER[of.side]), number), cell_id=of.id)

    return other


SIZES = st.sampled_from([0.8, 0.9, 1 / 1.03, 0.98, 1.0, 1.02, 1.03, 1.1, 1.25])
NUMBERS = st.builds(
    Way, rps=SIZES, cpu=SIZES, sd=st.sampled_from([0.0, 0.01, 0.05]), lost=st.tuples(st.integers(0, 2), st.integers(0, 2))
)


@settings(max_examples=40, deadline=None)
@given(NUMBERS, NUMBERS)
def test_by_numbers_a_regression_mirrors_an_improvement_and_all_else_stays(a: Way, b: Way) -> None:
    give, cells = gives({"a": a, "b": b}), plan_of("a", "b")
    there, back = judge([conducted(cells, give)]), judge([conducted(cells, swapped(give))])
    for server in ("a", "b"):
        one, other = of(there, server), of(back, server)
        assert other.change is (one.change if tells_both(one) else MIRRORED.get(one.change, one.change))
        assert (other.flagged, other.beyond) == (one.flagged, one.beyond)
        for shift, mirror in zip(one.shifts, other.shifts, strict=True):
            assert (shift.metric, shift.stage, shift.p) == (mirror.metric, mirror.stage, mirror.p)
            assert ends(shift.ratio) == pytest.approx(ends(inverse(mirror.ratio)))
    assert there.detectable == back.detectable


def tells_both(one: CellChange) -> bool:
    return "which is worse, but" in one.sentence


def inverse(found: Estimate | None) -> Estimate | None:
    if found is None or found.low is None or found.high is None:
        return found and replace(found, value=1 / found.value)
    return replace(found, value=1 / found.value, low=1 / found.high, high=1 / found.low)


def ends(found: Estimate | None) -> tuple[float | None, ...]:
    return () if found is None else (found.value, found.low, found.high)


FAILURES = {
    (0, 0): (Change.UNCHANGED, Change.UNCHANGED),
    (0, 1): (Change.INCONCLUSIVE, Change.FAILED),  # of ten: once in either stage, which is twice in all
    (0, 2): (Change.REGRESSION, Change.FAILED),
    (0, 5): (Change.REGRESSION, Change.FAILED),
    (0, 10): (Change.REGRESSION, Change.NEW),
    (1, 1): (Change.FAILED, Change.FAILED),
    (1, 10): (Change.FAILED, Change.FAILED),
    (10, 10): (Change.FAILED, Change.FAILED),
}


@pytest.mark.parametrize("failing", FAILURES, ids=str)
def test_by_failures_the_other_side_decides_what_they_are(failing: tuple[int, int]) -> None:
    give, cells = gives({"a": Way(rps=1.0, cpu=1.0, sd=0.01, failing=failing)}), plan_of("a")
    there, back = (of(judge([conducted(cells, one)]), "a").change for one in (give, swapped(give)))
    assert (there, back) == FAILURES[failing]
