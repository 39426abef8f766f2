"""What must hold for any two runs: swapping them mirrors every verdict, and units and order do not matter.

Where a cell of both runs failed in one of them alone, the direction is meant to matter (errors come first): HEAD may have become
worse or have had an accident, but a BASE with errors is no baseline, and one that never gave a number makes the cell new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servermatrix.analysis import ranksum
from servermatrix.analysis.compare_runs import compare_runs
from servermatrix.model import Cause, Change, ComparedCell, Failed, Look, Measured, Run, Sample
from tests.unit.analyse_runs import cells, failed, measured, window
from tests.unit.compared_runs import of_samples

MIRRORED = {
    Change.REGRESSION: Change.IMPROVEMENT,
    Change.IMPROVEMENT: Change.REGRESSION,
    Change.NEW: Change.GONE,
    Change.GONE: Change.NEW,
}
LOOKS = (Look(round=6, alpha=0.01), Look(round=9, alpha=0.04))
# Coarse values make ties, within a run and between them.
levels = st.sampled_from([0.8, 0.9, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1, 1.25])
noise = st.lists(st.integers(-4, 4), min_size=5, max_size=9)
breaks = st.sampled_from([(), (), (), (2,), (2, 3), tuple(range(1, 10))])
causes = st.sampled_from([Cause.SERVER, Cause.GENERATOR, Cause.NOISE, Cause.ENVIRONMENT])
margins = st.sampled_from([0.0, 0.01, 0.03, 0.1])
values = st.lists(st.integers(-12, 12).map(lambda number: number / 8), min_size=1, max_size=8)


@st.composite
def runs(draw: st.DrawFn, name: str) -> Run:
    """Draw a run of some of three cells, with so many rounds that several of them can be told apart, or one too few."""
    planned = draw(st.lists(st.sampled_from(cells(3)), min_size=1, unique=True))
    samples: list[Sample] = []
    for cell in planned:
        rps, cpu = draw(levels), draw(levels)
        broken, cause = draw(breaks), draw(causes)
        for number, step in enumerate(draw(noise), 1):
            one = window(10_000 * rps * exp(step / 400))
            used_us = round(98 * cpu * one.stats.requests * exp(step / 500))
            whole = measured(cell, number, replace(one, usage=replace(one.usage, server_cpu_us=used_us)))
            samples.append(failed(cell, number, cause) if number in broken else whole)
    return of_samples(name, planned, samples, rounds=9, looks=draw(st.sampled_from([(), LOOKS])))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Run, Run]:
    one, other = draw(runs("one")), draw(runs("other"))
    shared = {planned.cell.id for planned in one.header.cells} & {planned.cell.id for planned in other.header.cells}
    return (one, other) if shared else (one, replace(one, header=replace(one.header, id="other")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """What of one run decides on a cell before its numbers do."""

    failures: int
    measured: bool
    unfit: bool


def half(run: Run, cell_id: str) -> Half | None:
    """Return what one run has of a cell, None where it has none of it."""
    if cell_id not in {planned.cell.id for planned in run.header.cells}:
        return None
    mine = [sample for sample in run.samples if sample.cell_id == cell_id]
    causes = [sample.cause for sample in mine if isinstance(sample, Failed)]
    return Half(
        failures=sum(cause is not Cause.NOISE for cause in causes),
        measured=any(isinstance(sample, Measured) for sample in mine),
        unfit=Cause.ENVIRONMENT in causes,
    )


def failing_alone(clean: Half, broken: Half) -> tuple[set[Change], Change]:
    """Return what a cell may become that failed in HEAD alone, and what it becomes where that run is BASE."""
    if broken.unfit:
        return {Change.FAILED}, Change.FAILED
    as_base = Change.NEW if clean.measured and not broken.measured else Change.FAILED
    if broken.failures == 1:
        return {Change.INCONCLUSIVE, Change.REGRESSION}, as_base
    return {Change.REGRESSION if clean.measured else Change.FAILED}, as_base


def mirrored(cell: ComparedCell) -> Change:
    """Return what a cell must become when the runs are swapped; one that got worse and better has got worse either way."""
    return cell.change if cell.worse and cell.better else MIRRORED.get(cell.change, cell.change)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(pairs(), margins)
def test_swapping_the_runs_mirrors_every_verdict(two: tuple[Run, Run], margin: float) -> None:
    there, back = compare_runs(two[0], two[1], margin), compare_runs(two[1], two[0], margin)
    returned = {cell.id: cell for cell in back.cells}
    assert {cell.id for cell in there.cells} == set(returned)
    for cell in there.cells:
        other = returned[cell.id]
        base, head = (half(run, cell.id) for run in two)
        if base and head and bool(base.failures) != bool(head.failures):
            changes = (cell.change, other.change) if head.failures else (other.change, cell.change)
            allowed, as_base = failing_alone(*((base, head) if head.failures else (head, base)))
            assert changes[0] in allowed
            assert changes[1] is as_base
            continue
        assert mirrored(cell) is other.change
        assert (cell.worse, cell.better) == (other.better, other.worse)
        assert cell.beyond == other.beyond
        assert [shift.p for shift in cell.shifts] == [shift.p for shift in other.shifts]
        for shift, swapped in zip(cell.shifts, other.shifts, strict=True):
            if shift.ratio and swapped.ratio:
                assert log(shift.ratio.value) == pytest.approx(-log(swapped.ratio.value), abs=1e-9)
    assert there.detectable == back.detectable
    assert there.hypotheses == back.hypotheses


@settings(deadline=None)
@given(values, values, st.integers(-8, 8).map(lambda number: number / 8))
def test_p_falls_with_the_distance_and_grows_with_the_margin(higher: list[float], lower: list[float], by: float) -> None:
    nearer, farther = sorted([0.0, by])
    assert ranksum.above(higher, lower, nearer) <= ranksum.above(higher, lower, farther)
    assert 0 < ranksum.above(higher, lower) <= 1
    # One of two sides at most is above the other, and both tails together hold what is between them twice.
    assert ranksum.above(higher, lower) + ranksum.above(lower, higher) >= 1


@settings(deadline=None)
@given(values, values, st.sampled_from([0.05, 0.2, 0.5]))
def test_the_interval_of_a_shift_is_mirrored_and_holds_its_estimate(xs: list[float], ys: list[float], alpha: float) -> None:
    found, back = ranksum.shift(xs, ys, alpha), ranksum.shift(ys, xs, alpha)
    if found is None or back is None:
        assert found is back
        return
    centre, low, high = found
    assert low <= centre <= high
    assert back == (-centre, -high, -low)
