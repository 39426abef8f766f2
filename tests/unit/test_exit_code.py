"""How a run went, as a number: an unfit machine before a failed cell before a control that came out wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.analysis.analyse import analyse
from servermatrix.errors import Exit
from servermatrix.experiment import exit_code
from servermatrix.model import Cause, Check, Passed, Run
from tests.unit.analyse_runs import cells, failed, rates, run, series

FIRST, SECOND = cells(2)
WELL = (*series(FIRST, rates(10_000, 6)), *series(SECOND, rates(9_000, 6)))


def control(passed: Passed) -> Check:
    return Check(subject="a, waiting", rule="no server may win", expected=1.0, found=None, unit="times", passed=passed)


def code(of: Run, *controls: Passed) -> Exit:
    return exit_code(of, replace(analyse(of), checks=tuple(map(control, controls))))


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        ((), Exit.OK),
        ((Passed.YES, Passed.YES), Exit.OK),
        ((Passed.UNKNOWN,), Exit.OK),
        ((Passed.YES, Passed.NO), Exit.REGRESSION),
    ],
)
def test_a_control_that_came_out_wrong_is_told_by_the_exit_code(controls: tuple[Passed, ...], expected: Exit) -> None:
    assert code(run([FIRST, SECOND], WELL), *controls) == expected


@pytest.mark.parametrize(
    ("cause", "expected"),
    [(Cause.SERVER, Exit.CELL_FAILED), (Cause.ENVIRONMENT, Exit.UNFIT), (Cause.NOISE, Exit.REGRESSION)],
)
def test_a_failed_cell_and_an_unfit_machine_come_before_a_failed_control(cause: Cause, expected: Exit) -> None:
    broken = run([FIRST, SECOND], [*series(FIRST, rates(10_000, 6)), *series(SECOND, rates(9_000, 5)), failed(SECOND, 6, cause)])
    assert code(broken, Passed.NO) == expected
