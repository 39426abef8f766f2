"""What is left of a finding beside the canary, a baseline measured twice."""

from __future__ import annotations

import pytest

from servermatrix.analysis.regress import judge
from servermatrix.model import BASELINE, CANDIDATE, Cause, Cell, Change, Sample
from tests.unit.regress_runs import broken, candidate, conducted, fails, of, plan_of, start, together

A = plan_of("a", "b")
ALL = range(1, 27)


def test_beside_a_canary_that_is_too_wide_nothing_is_unchanged_but_a_regression_stands() -> None:
    ways = together(("a", candidate("a", 0.8, 1.2)), ("canary", lambda cell, number: start(cell, number, sd=0.2)))
    report = judge([conducted(A, ways)])
    (canary,) = report.canaries
    assert (canary.fit, canary.alarmed) == (False, False)
    assert canary.sentence.startswith("the baseline of this cell may differ from itself by up to ")
    assert of(report, "a").change is Change.REGRESSION
    assert of(report, "b").change is Change.INCONCLUSIVE
    assert "; the canary (canary/h1/w1/c64/plaintext) does not let that count: the baseline" in of(report, "b").sentence


def test_a_canary_that_was_told_apart_takes_back_what_numbers_say_but_not_what_failures_say() -> None:
    biased = lambda cell, number: start(cell, number, 0.9 if cell.duplicate else 1.0)  # noqa: E731
    ways = together(("a", candidate("a", 0.8, 1.2)), ("b", fails("b", CANDIDATE, ALL)), ("canary", biased))
    report = judge([conducted(plan_of("a", "b", "c"), ways)])
    (canary,) = report.canaries
    assert (canary.fit, canary.alarmed) == (False, True)
    assert canary.sentence.startswith("the baseline of this cell was told apart from itself: requests per second 0.")
    changes = {server: of(report, server).change for server in "abc"}
    assert changes == {"a": Change.INCONCLUSIVE, "b": Change.REGRESSION, "c": Change.INCONCLUSIVE}
    assert of(report, "a").sentence.startswith("serves 0.8")


def test_the_canary_goes_on_beside_what_was_flagged_and_is_judged_by_all_of_its_rounds() -> None:
    late = lambda cell, number: start(cell, number, 0.8 if cell.duplicate and number > 10 else 1.0)  # noqa: E731
    run = conducted(A, together(("a", candidate("a", 0.8)), ("canary", late)))
    report = judge([run])
    (canary,) = report.canaries
    assert (canary.alarmed, canary.shifts[0].stage, canary.shifts[0].ratio and canary.shifts[0].ratio.n) == (True, 2, 26)
    assert of(report, "a").change is Change.INCONCLUSIVE
    found = of(report, "canary")
    assert (found.flagged, found.shifts[0].ratio and found.shifts[0].ratio.n) == (False, 10)
    assert run.complete
    assert conducted(A, together(("canary", late))).decisions[0].stopped


def test_what_the_canary_lost_beside_the_second_stage_is_nothing_against_its_own_cell() -> None:
    flagged = ("a", candidate("a", 0.8))
    for rounds, cause in (((12, 15), Cause.SERVER), (range(11, 23), Cause.NOISE)):
        report = judge([conducted(A, together(flagged, ("canary", fails("canary", BASELINE, rounds, cause))))])
        assert of(report, "canary").sentence.startswith("no change beyond ")
    assert report.complete


@pytest.mark.parametrize("change", [0.8, 1.25])
def test_what_changed_beside_no_canary_says_so(change: float) -> None:
    alone = of(judge([conducted(plan_of("a", canary=""), candidate("a", change))]), "a")
    assert alone.change in {Change.REGRESSION, Change.IMPROVEMENT}
    assert alone.sentence.endswith(" (no canary says how noisy this night was)")
    lost = together(("a", candidate("a", change)), ("canary", lambda cell, number: broken(cell, number, Cause.NOISE)))
    assert of(judge([conducted(A, lost)]), "a").sentence.endswith(" (no canary says how noisy this night was)")
    beside = of(judge([conducted(A, candidate("a", change))]), "a")
    assert "no canary" not in beside.sentence
    failed = of(judge([conducted(plan_of("a", canary=""), fails("a", CANDIDATE, ALL))]), "a")
    assert (failed.change, "no canary" in failed.sentence) == (Change.REGRESSION, False)


def test_a_canary_that_differs_within_the_margin_is_fit() -> None:
    biased = lambda cell, number: start(cell, number, 0.98 if cell.duplicate else 1.0)  # noqa: E731
    (canary,) = judge([conducted(A, together(("canary", biased)))]).canaries
    assert (canary.fit, canary.alarmed) == (True, False)


def test_a_canary_that_failed_or_is_not_there_lets_nothing_be_unchanged() -> None:
    def again_fails(cell: Cell, number: int) -> Sample:
        return broken(cell, number) if cell.duplicate else start(cell, number)

    report = judge([conducted(A, again_fails)])
    assert report.canaries[0].sentence == "the baseline of this cell failed: it broke"
    assert of(report, "a").change is Change.INCONCLUSIVE
    alone = judge([conducted(plan_of("a", canary=""), start)])
    assert alone.canaries == ()
    assert of(alone, "a").change is Change.INCONCLUSIVE
    assert "no cell was measured twice" in of(alone, "a").sentence
