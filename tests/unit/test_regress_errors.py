"""Errors come first: what failures on either side make of a cell, and what goes on to the second stage."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from servermatrix.analysis.regress import decide, judge
from servermatrix.model import BASELINE, CANDIDATE, Cause, Cell, Change, Sample
from tests.unit.analyse_runs import skipped
from tests.unit.regress_runs import LOOKS, Give, broken, candidate, conducted, fails, of, plan_of, start, together

A = plan_of("a", "b")
ALL = range(1, 27)


def gives_up(server: str, side: str, rounds: Iterable[int], after: int) -> Give:
    """Let one side fail in these rounds, and be left out from a round on, as a run does after two failures running."""
    failing = fails(server, side, rounds)

    def give(cell: Cell, number: int) -> Sample:
        left_out = (cell.server, cell.side, cell.duplicate) == (server, side, False) and number >= after
        return skipped(cell, number, "not started again after 2 failures running") if left_out else failing(cell, number)

    return give


@pytest.mark.parametrize(
    ("give", "times"),
    [(fails("a", CANDIDATE, ALL), "10 of 10"), (gives_up("a", CANDIDATE, [4, 5], 6), "2 of 5")],
    ids=["never a number", "given up"],
)
def test_a_candidate_that_fails_for_good_is_a_regression_at_once(give: Give, times: str) -> None:
    run = conducted(A, give)
    found = of(judge([run]), "a")
    assert (found.change, found.flagged, found.shifts) == (Change.REGRESSION, False, ())
    assert found.sentence == f"failed in {times} starts of the candidate and in none of the baseline: it broke"


def test_a_candidate_that_fails_at_times_is_a_regression_when_it_fails_at_least_twice_again() -> None:
    expected = {(3, 7): False, (3, 7, 20): False, (3, 12, 20): True, (12, 14, 20): False, (3,): False}
    for rounds, worse in expected.items():
        found = of(judge([conducted(A, fails("a", CANDIDATE, rounds))]), "a")
        if rounds[0] > 10:  # nothing was flagged, and there are no such rounds
            assert (found.change, found.flagged) == (Change.UNCHANGED, False)
            continue
        assert found.flagged
        assert found.change is (Change.REGRESSION if worse else Change.INCONCLUSIVE), rounds
        assert found.sentence.startswith(f"failed in {len(rounds)} of 26 starts of the candidate")


def test_a_candidate_that_is_given_up_in_the_second_stage_after_a_failure_in_the_first_is_a_regression() -> None:
    found = of(judge([conducted(A, gives_up("a", CANDIDATE, [10, 11], 12))]), "a")
    assert (found.change, found.flagged) == (Change.REGRESSION, True)
    assert found.sentence.startswith("failed in 2 of 11 starts of the candidate and in none of the baseline")


def test_failures_that_are_only_in_the_second_stage_are_inconclusive() -> None:
    def late(cell: Cell, number: int) -> Sample:
        broke = (cell.server, cell.side) == ("a", CANDIDATE) and number in {12, 15, 19}
        return broken(cell, number) if broke else candidate("a", 0.8, since=1 if number <= 10 else 99)(cell, number)

    found = of(judge([conducted(A, late)]), "a")
    assert (found.change, found.flagged) == (Change.INCONCLUSIVE, True)
    assert found.sentence.startswith(
        "failed in 3 of 26 starts of the candidate, none of them in the first stage: it broke; else "
    )


def test_a_pair_that_went_on_for_a_failure_alone_is_shown_by_all_of_its_rounds() -> None:
    for side in (BASELINE, CANDIDATE):
        found = of(judge([conducted(A, fails("a", side, [4]))]), "a")
        assert [(shift.ratio.n, shift.stage, shift.p) for shift in found.shifts if shift.ratio] == [(25, 2, None)] * 2
        assert found.beyond is not None


def test_a_candidate_that_failed_once_gets_fresh_rounds_and_is_inconclusive_when_it_does_not_fail_again() -> None:
    found = of(judge([conducted(A, fails("a", CANDIDATE, [4]))]), "a")
    assert (found.change, found.flagged) == (Change.INCONCLUSIVE, True)
    assert found.sentence.startswith("failed in 1 of 26 starts of the candidate, which may be an accident: it broke")


def test_a_candidate_that_failed_once_and_is_clearly_slower_is_a_regression_all_the_same() -> None:
    def slow_too(cell: Cell, number: int) -> Sample:
        once = (cell.server, cell.side, number) == ("a", CANDIDATE, 4)
        return broken(cell, number) if once else candidate("a", 0.8)(cell, number)

    found = of(judge([conducted(A, slow_too)]), "a")
    assert found.change is Change.REGRESSION
    assert "serves 0.8" in found.sentence
    assert "; it failed in 1 of 26 starts of the candidate" in found.sentence


def test_a_candidate_that_failed_once_is_no_improvement_whatever_its_numbers() -> None:
    def fast_too(cell: Cell, number: int) -> Sample:
        once = (cell.server, cell.side, number) == ("a", CANDIDATE, 4)
        return broken(cell, number) if once else candidate("a", 1.3)(cell, number)

    assert of(judge([conducted(A, fast_too)]), "a").change is Change.INCONCLUSIVE


def test_a_cell_that_never_worked_on_the_baseline_and_does_on_the_candidate_is_new() -> None:
    found = of(judge([conducted(A, fails("a", BASELINE, ALL))]), "a")
    assert found.change is Change.NEW
    assert found.sentence == "works on the candidate and failed in 10 of 10 starts of the baseline: it broke"


def test_a_cell_with_errors_is_never_a_baseline() -> None:
    expected = {(5,): (Change.INCONCLUSIVE, True, 26), (5, 20): (Change.FAILED, True, 26), (5, 7): (Change.FAILED, False, 10)}
    for rounds, (change, flagged, starts) in expected.items():
        found = of(judge([conducted(A, fails("a", BASELINE, rounds))]), "a")
        assert (found.change, found.flagged) == (change, flagged)
        said = f"failed in {len(rounds)} of {starts} starts of the baseline, and a cell with errors is never a baseline: it broke"
        assert found.sentence.startswith(f"{said}; else requests per second 1.")


def test_one_failure_on_both_sides_is_inconclusive_and_a_candidate_that_fails_for_good_beside_it_failed() -> None:
    for rounds, change in (([3], Change.INCONCLUSIVE), (ALL, Change.FAILED)):
        side = {BASELINE: fails("a", BASELINE, [7]), CANDIDATE: fails("a", CANDIDATE, rounds)}
        found = of(judge([conducted(A, lambda cell, number, side=side: side[cell.side](cell, number))]), "a")  # type: ignore[misc]
        assert found.change is change
        assert found.sentence.startswith("failed on both sides, 1 of ")


def test_what_fails_on_both_sides_failed() -> None:
    everywhere = lambda cell, number: broken(cell, number) if cell.server == "a" else start(cell, number)  # noqa: E731
    assert of(judge([conducted(A, everywhere)]), "a").change is Change.FAILED


@pytest.mark.parametrize("side", [BASELINE, CANDIDATE])
def test_an_unfit_environment_is_no_regression(side: str) -> None:
    found = of(judge([conducted(A, fails("a", side, [2, 3], Cause.ENVIRONMENT))]), "a")
    assert (found.change, found.sentence) == (Change.FAILED, f"the {side} could not be measured here: it broke")


def test_a_candidate_that_fails_where_the_baseline_gave_no_number_failed() -> None:
    def hopeless(cell: Cell, number: int) -> Sample:
        cause = Cause.SERVER if cell.side == CANDIDATE else Cause.NOISE
        return broken(cell, number, cause) if cell.server == "a" else start(cell, number)

    found = of(judge([conducted(A, hopeless)]), "a")
    assert found.change is Change.FAILED
    assert "the baseline gave no number to hold that against" in found.sentence


def test_without_numbers_and_failures_the_reason_is_given() -> None:
    def missing(cell: Cell, number: int) -> Sample:
        return skipped(cell, number, "wrk is not here") if cell.server == "a" else start(cell, number)

    found = of(judge([conducted(A, missing)]), "a")
    assert (found.change, found.sentence) == (Change.INCONCLUSIVE, "neither side gave a number: wrk is not here")
    lost = of(judge([conducted(A, fails("a", CANDIDATE, ALL, Cause.NOISE))]), "a")
    assert lost.sentence == (
        "the candidate never gave a number: 10 starts lost to noise; only the candidate's rounds were lost: "
        "look whether it starts processes of its own"
    )
    unreached = judge([conducted(A, start, until=0)])
    assert of(unreached, "a").sentence == "neither side gave a number: not reached before the run ended"


def test_only_what_was_flagged_goes_on_and_the_others_are_told_why_not() -> None:
    ways = together(("a", candidate("a", 0.8)), ("b", fails("b", CANDIDATE, [1])), ("c", fails("c", BASELINE, [1, 2])))
    run = conducted(plan_of("a", "b", "c", "d"), ways)
    first, last = run.decisions
    reasons = {cell_id: reason for cell_id, reason in first.dropped if ":baseline" in cell_id}
    assert {cell_id.split(":")[0]: reason for cell_id, reason in reasons.items()} == {
        "c": reasons["c:baseline/h1/w1/c64/plaintext"],
        "d": "not flagged in the first stage",
    }
    why = reasons["c:baseline/h1/w1/c64/plaintext"]
    assert why.startswith("failed in 2 of 10 starts of the baseline, and a cell with errors is never a baseline: it broke; else ")
    assert why.endswith("; more rounds would not change that")
    assert len(first.dropped) == 2 * len({"c", "d"}) + len({"the candidate of the canary"})
    assert (last.dropped, last.stopped, last.round, last.alpha) == ((), "", 26, 0.01)


def test_a_run_ends_after_the_first_stage_when_nothing_was_flagged() -> None:
    run = conducted(A, start)
    (only,) = run.decisions
    assert only.stopped == "nothing was flagged in the first stage"
    assert run.complete
    assert len(run.samples) == 10 * len(A)


def test_a_decision_rests_on_the_rounds_of_the_first_stage_alone() -> None:
    run = conducted(A, candidate("a", 0.8))
    assert decide(run, LOOKS[0]) == run.decisions[0]
    assert decide(conducted(A, candidate("a", 0.5, since=11), until=20), LOOKS[0]).stopped
    again = conducted(A, fails("a", CANDIDATE, [4, 20]))
    assert decide(again, LOOKS[0]) == again.decisions[0]
