"""What a report means: the verdict in a word, the outputs of the step, and what has recovered, by values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.cli.histories import Past
from servermatrix.cli.telling import outputs, recovered, tonight
from servermatrix.errors import Exit
from servermatrix.merging import merge
from servermatrix.model import CellChange, Change, Estimate, Metric, Shift
from servermatrix.model.trends import Stopped, Trend
from servermatrix.publish.surroundings import Surroundings
from servermatrix.render.check_annotations import of_history
from tests.github_job import some_nights  # noqa: F401 - a fixture


def test_what_a_report_means_for_the_issue_is_said_by_the_verdict_of_each_cell(nights: dict[str, Path]) -> None:
    good, bad, noisy = (tonight(merge([nights[name]]).report, "", "n", Surroundings()) for name in ("good", "bad", "noisy"))
    assert (good.settled, good.regressed, len(good.recovered)) == (True, (), 2)
    assert (bad.settled, len(bad.regressed), len(bad.recovered)) == (False, 1, 1)
    assert (noisy.settled, noisy.regressed) == (False, ())
    assert set(noisy.doubts.values()) == {"is inconclusive tonight"}


def cell(change: Change, rps: tuple[float, float] | None = None, cpu: tuple[float, float] | None = None) -> CellChange:
    ends = ((Metric.RPS, rps), (Metric.CPU, cpu))
    shifts = (Shift(metric=name, ratio=Estimate(value=1, low=end[0], high=end[1], n=10)) for name, end in ends if end)
    return CellChange(pair="a/h1", change=change, sentence="s", shifts=tuple(shifts))


@pytest.mark.parametrize(
    ("found", "is_it"),
    [
        (cell(Change.UNCHANGED, (0.98, 1.02), (0.99, 1.02)), True),
        (cell(Change.UNCHANGED, (0.95, 0.99), (0.99, 1.02)), False),
        (cell(Change.UNCHANGED, (0.98, 1.02), (1.01, 1.04)), False),
        (cell(Change.UNCHANGED, (0.98, 1.09), (0.90, 1.02)), True),
        (cell(Change.UNCHANGED, (0.98, 1.02)), False),
        (cell(Change.UNCHANGED), False),
        (cell(Change.IMPROVEMENT, (1.1, 1.2), (1.0, 1.2)), True),
        (cell(Change.NEW), True),
        (cell(Change.INCONCLUSIVE, (0.99, 1.01), (0.99, 1.01)), False),
        (cell(Change.FAILED), False),
        (cell(Change.REGRESSION, (0.8, 0.9), (1.0, 1.0)), False),
    ],
)
def test_recovered_is_what_the_bad_ends_of_both_intervals_show_to_be_within_the_margin(found: CellChange, *, is_it: bool) -> None:
    assert recovered(found, 0.03) == is_it


def test_a_cell_that_may_still_be_worse_leaves_the_issue_open_with_a_sentence(nights: dict[str, Path]) -> None:
    report = merge([nights["good"]]).report
    worse = replace(cell(Change.UNCHANGED, (0.95, 0.98), (0.99, 1.01)), pair=report.cells[0].pair)
    found = tonight(replace(report, cells=(worse, *report.cells[1:])), "", "n", Surroundings())
    assert found.doubts == {worse.pair: "may still be worse by more than the margin, 3.0 %"}
    assert not found.settled


@pytest.mark.parametrize(
    ("code", "changes", "fit", "stopped", "word"),
    [
        (Exit.OK, "UU", True, 0, "passed"),
        (Exit.OK, "UI", True, 0, "passed"),
        (Exit.OK, "II", True, 0, "inconclusive"),
        (Exit.OK, "NI", True, 0, "inconclusive"),
        (Exit.OK, "", True, 0, "inconclusive"),
        (Exit.OK, "M", False, 0, "inconclusive"),
        (Exit.INCONCLUSIVE, "UI", True, 0, "inconclusive"),
        (Exit.REGRESSION, "RI", False, 0, "regression"),
        (Exit.REGRESSION, "RU", True, 1, "regression"),
        (Exit.REGRESSION, "UU", True, 1, "stopped"),
        (Exit.CELL_FAILED, "FU", True, 1, "failed"),
        (Exit.UNFIT, "UU", True, 1, "unfit"),
    ],
)
def test_the_verdict_is_passed_only_where_something_is_certain(
    nights: dict[str, Path], *, code: Exit, changes: str, fit: bool, stopped: int, word: str
) -> None:
    of = {
        "U": Change.UNCHANGED,
        "I": Change.INCONCLUSIVE,
        "R": Change.REGRESSION,
        "F": Change.FAILED,
        "N": Change.NEW,
        "M": Change.IMPROVEMENT,
    }
    whole = merge([nights["good"]]).report
    canaries = tuple(replace(canary, fit=fit) for canary in whole.canaries)
    report = replace(whole, cells=tuple(cell(of[letter]) for letter in changes), canaries=canaries)
    lost = Stopped(pair="b/h1", night="n", started_at="s", sentence="gone", advice="look")
    kept = Past(trend=Trend(nights=(), machines=(), margin=0.03, lines=(), stopped=(lost,) * stopped))
    found = outputs(report, code, kept)
    assert found["verdict"] == word
    assert found["stopped"] == stopped
    assert json.loads(str(found["counts"]))["inconclusive"] == changes.count("I")


def test_cells_that_stopped_are_one_error_and_no_look_at_them_is_one_warning() -> None:
    assert of_history((), "") == []
    error, warning = of_history([f"cell{n}: gone, 100 %\nreally" for n in range(99)], "nobody looked: x")
    assert error.startswith("::error title=servermatrix check%3A 99 cells stopped reporting::cell0: gone, 100 %25 really.%0A")
    assert error.endswith(" more.")
    assert warning == "::warning title=servermatrix history::nobody looked: x."
