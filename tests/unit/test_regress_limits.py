"""What machine, load and noise leave of what numbers say: limits of requests per second, wide margins, lost rounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.analysis.regress import judge
from servermatrix.analysis.regress.limits import LIMITS
from servermatrix.model import BASELINE, CANDIDATE, UNRANKED, Cause, Cell, CellChange, Change, Flag, Sample
from tests.unit.regress_runs import TRIAL, Give, broken, candidate, conducted, of, plan_of, start

A = plan_of("a", "b")


def found_of(give: Give) -> CellChange:
    return of(judge([conducted(A, give)]), "a")


def half(cell: Cell, number: int) -> Sample:
    return start(cell, number, cpu=0.5) if cell.server == "a" else start(cell, number)


def test_requests_per_second_that_something_else_limits_do_not_show_that_nothing_changed() -> None:
    found = found_of(half)
    assert found.change is Change.UNCHANGED
    rps, cpu = found.shifts
    assert found.beyond == cpu.beyond != rps.beyond
    said = "requests/s were limited by the number of connections (both sides): no change beyond "
    assert found.sentence.startswith(said)
    assert f"{said}{100 * (cpu.beyond or 0) + 0.05:.1f} % in CPU time per request: requests per second " in found.sentence


def test_then_it_is_the_cpu_time_alone_that_may_be_too_noisy() -> None:
    def loud(cell: Cell, number: int) -> Sample:
        return (
            start(cell, number, 1.0, 0.5 * (1 + 0.3 * (number * 7 % 11 - 5) / 5))
            if cell.side == CANDIDATE
            else half(cell, number)
        )

    found = found_of(lambda cell, number: loud(cell, number) if cell.server == "a" else start(cell, number))
    assert found.change is Change.INCONCLUSIVE
    assert " % in CPU time per request may be there" in found.sentence
    assert "too noisy, a change of up to" in found.sentence


def test_but_fewer_requests_per_second_are_a_regression_all_the_same() -> None:
    def slower(cell: Cell, number: int) -> Sample:
        worse = cell.server == "a" and cell.side == CANDIDATE
        return start(cell, number, 0.8, 0.5) if worse else half(cell, number)

    assert found_of(slower).change is Change.REGRESSION


def test_the_side_that_was_limited_is_named() -> None:
    found = found_of(candidate("a", cpu=0.5))
    assert found.change is Change.IMPROVEMENT
    still = found_of(candidate("a", cpu=0.975))
    assert "limited" not in still.sentence


def test_every_flag_that_takes_a_row_out_of_the_ranking_is_a_limit_but_for_too_few_rounds() -> None:
    assert LIMITS.keys() == UNRANKED - {Flag.FEW_ROUNDS}


def test_a_change_within_a_wide_margin_is_not_too_noisy_to_call() -> None:
    loud = candidate("a", sd=0.15)
    narrow, wide = (of(judge([conducted(A, loud, replace(TRIAL, margin=margin))]), "a") for margin in (0.03, 0.3))
    assert (narrow.change, wide.change) == (Change.INCONCLUSIVE, Change.UNCHANGED)
    assert wide.beyond is not None
    assert 0.1 < wide.beyond < 0.3


def test_a_canary_within_a_wide_margin_is_fit() -> None:
    loud = lambda cell, number: start(cell, number, sd=0.15 if cell.server == "canary" else 0.01)  # noqa: E731
    (narrow,), (wide,) = (judge([conducted(A, loud, replace(TRIAL, margin=margin))]).canaries for margin in (0.03, 0.3))
    assert (narrow.fit, wide.fit) == (False, True)


def test_no_cell_whose_own_interval_shows_a_change_that_may_be_beyond_the_margin_is_unchanged() -> None:
    for size in (0.97, 0.96, 0.95):
        for sd in (0.02, 0.03, 0.045):
            found = found_of(candidate("a", size, sd=sd))
            for shift in found.shifts:
                low, high = (shift.ratio.low, shift.ratio.high) if shift.ratio else (None, None)
                clear = low is not None and high is not None and not low <= 1 <= high and (shift.beyond or 0) > 0.03
                assert not (clear and found.change is Change.UNCHANGED), found.sentence


@pytest.mark.parametrize(("side", "rounds"), [(CANDIDATE, range(1, 9)), (BASELINE, range(2, 10))])
def test_rounds_that_one_side_alone_lost_are_told_as_such(side: str, rounds: range) -> None:
    def lossy(cell: Cell, number: int) -> Sample:
        lost = cell.server == "a" and cell.side == side and number in rounds
        return broken(cell, number, Cause.NOISE) if lost else start(cell, number)

    found = found_of(lossy)
    assert found.change is Change.INCONCLUSIVE
    assert f"only the {side}'s rounds were lost: look whether it starts processes of its own" in found.sentence


def test_rounds_that_both_sides_lost_are_not() -> None:
    def lossy(cell: Cell, number: int) -> Sample:
        lost = cell.server == "a" and number in ((1, 2, 3) if cell.side == CANDIDATE else (4, 5))
        return broken(cell, number, Cause.NOISE) if lost else start(cell, number)

    found = found_of(lossy)
    assert "of its rounds were lost to noise: " in found.sentence
