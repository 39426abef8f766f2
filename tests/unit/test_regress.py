"""What becomes of a cell by its numbers: every verdict, with its sentence."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from servermatrix.analysis.regress import judge
from servermatrix.analysis.regress.verdicts import THROUGHPUT_ONLY
from servermatrix.model import CANDIDATE, Cause, Cell, CellChange, Change, Metric, Sample, Side, VersionChange
from tests.unit.analyse_runs import run, skipped
from tests.unit.regress_runs import SD, TRIAL, again, both, broken, candidate, conducted, of, plan_of, start

A = plan_of("a", "b")


def matches(sentence: str, found: CellChange) -> bool:
    """Tell whether a sentence is this one, whatever its figures are."""
    return re.sub(r"\d\.\d\d", "#", sentence) == re.sub(r"\d\.\d\d", "#", found.sentence)


def test_a_slower_and_costlier_candidate_is_a_regression_and_the_sentence_has_the_figures() -> None:
    report = judge([conducted(A, candidate("a", 0.89, 1.12))])
    found = of(report, "a")
    assert found.change is Change.REGRESSION
    assert matches(
        "serves 0.89x [0.88, 0.90] as many requests per second and uses 1.12x [1.12, 1.13] the CPU time per request", found
    )
    assert found.shifts[0].ratio is not None
    assert f"{found.shifts[0].ratio.value:.2f}x [{found.shifts[0].ratio.low:.2f}, " in found.sentence
    assert found.flagged
    assert [shift.stage for shift in found.shifts] == [2, 2]
    assert all(shift.p is not None and shift.p < 0.001 for shift in found.shifts)
    assert report.counts == {Change.REGRESSION: 1, Change.UNCHANGED: 2}


def test_a_faster_and_cheaper_candidate_is_an_improvement() -> None:
    found = of(judge([conducted(A, candidate("a", 1.12, 0.89))]), "a")
    assert found.change is Change.IMPROVEMENT
    assert matches(
        "serves 1.12x [1.11, 1.13] as many requests per second and uses 0.89x [0.89, 0.90] the CPU time per request", found
    )


def test_where_only_throughput_moved_the_sentence_says_where_to_look() -> None:
    found = of(judge([conducted(A, candidate("a", rps=0.9))]), "a")
    assert found.change is Change.REGRESSION
    assert matches(
        "serves 0.90x [0.90, 0.91] as many requests per second, with 1.00x [1.00, 1.01] the CPU time per request: "
        f"{THROUGHPUT_ONLY}",
        found,
    )


def test_it_does_not_where_the_cpu_may_have_moved_too() -> None:
    def noisy_cpu(cell: Cell, number: int) -> Sample:
        wobble = 1 + 0.1 * (number % 3 - 1) if cell.server == "a" and cell.side == CANDIDATE else 1.0
        return start(cell, number, 0.8 if cell.server == "a" and cell.side == CANDIDATE else 1.0, wobble)

    found = of(judge([conducted(A, noisy_cpu)]), "a")
    assert found.change is Change.REGRESSION
    assert "throughput only" not in found.sentence
    assert "; a change of CPU time per request was not confirmed: " in found.sentence


def test_where_only_cpu_moved_the_sentence_says_what_is_known_of_throughput() -> None:
    found = of(judge([conducted(A, candidate("a", cpu=1.1))]), "a")
    assert found.change is Change.REGRESSION
    assert matches(
        "uses 1.10x [1.10, 1.11] the CPU time per request; a change of requests per second was not confirmed: 1.00x [1.00, 1.01]",
        found,
    )
    assert "throughput only" not in found.sentence


def test_worse_in_one_metric_and_better_in_the_other_is_a_regression_that_tells_both() -> None:
    found = of(judge([conducted(A, candidate("a", 1.15, 1.15))]), "a")
    assert found.change is Change.REGRESSION
    assert matches(
        "uses 1.15x [1.15, 1.16] the CPU time per request, which is worse, "
        "but serves 1.15x [1.15, 1.16] as many requests per second, which is better",
        found,
    )


def test_a_quiet_cell_is_unchanged_and_the_sentence_says_within_what() -> None:
    found = of(judge([conducted(A, candidate("a"))]), "a")
    assert (found.change, found.flagged) == (Change.UNCHANGED, False)
    assert found.beyond is not None
    assert found.beyond == max(shift.beyond or 0 for shift in found.shifts)
    assert found.sentence.startswith(f"no change beyond {100 * found.beyond + 0.05:.1f} %: requests per second ")
    assert [(shift.stage, shift.p) for shift in found.shifts] == [(1, None), (1, None)]


def test_a_cell_in_which_a_large_change_could_hide_is_inconclusive() -> None:
    found = of(judge([conducted(A, candidate("a", sd=0.2))]), "a")
    assert found.change is Change.INCONCLUSIVE
    assert found.sentence.startswith("too noisy, a change of up to ")
    assert found.beyond is not None
    assert found.beyond > 0.1


def test_what_the_first_stage_flagged_and_fresh_rounds_do_not_show_is_unchanged() -> None:
    def only_at_first(cell: Cell, number: int) -> Sample:
        return candidate("a", 0.9, 1.1)(cell, number) if number <= 10 else start(cell, number)

    found = of(judge([conducted(A, only_at_first)]), "a")
    assert (found.change, found.flagged) == (Change.UNCHANGED, True)
    assert [shift.stage for shift in found.shifts] == [2, 2]
    assert all(shift.ratio is not None and abs(shift.ratio.value - 1) < 0.01 for shift in found.shifts)


def test_what_fresh_rounds_show_to_be_there_but_not_to_be_beyond_the_margin_is_inconclusive() -> None:
    found = of(judge([conducted(A, candidate("a", 0.955, sd=0.025))]), "a")
    assert (found.change, found.flagged) == (Change.INCONCLUSIVE, True)
    assert "which the second stage did not confirm to be beyond 3.0 %" in found.sentence


def test_what_was_flagged_and_could_not_be_tried_again_is_inconclusive() -> None:
    def gone(cell: Cell, number: int) -> Sample:
        return candidate("a", 0.8)(cell, number) if number <= 10 else skipped(cell, number, "wrk is not here any more")

    found = of(judge([conducted(A, gone)]), "a")
    assert (found.change, found.flagged) == (Change.INCONCLUSIVE, True)
    assert found.sentence.startswith("flagged in the first stage, and the second gave no numbers: requests per second 0.8")


def test_a_change_of_exactly_the_margin_is_none() -> None:
    def at_the_margin(cell: Cell, number: int) -> Sample:
        if cell.server != "a":
            return start(cell, number)
        return start(cell, number, sd=0, rps=1.0 if cell.side == CANDIDATE else 1.03, cpu=1.03 if cell.side == CANDIDATE else 1.0)

    found = of(judge([conducted(A, at_the_margin)]), "a")
    assert (found.change, found.flagged, found.beyond) == (Change.UNCHANGED, False, 0.03)


def test_with_a_margin_of_nothing_a_small_change_is_one() -> None:
    make = candidate("a", 0.975)
    assert of(judge([conducted(A, make)]), "a").change is not Change.REGRESSION
    assert of(judge([conducted(A, make, replace(TRIAL, margin=0.0))]), "a").change is Change.REGRESSION


def test_alarms_are_corrected_for_all_that_was_flagged_in_all_shards() -> None:
    def barely(cell: Cell, number: int) -> Sample:
        """Six fresh rounds of a, and seven of the others, are all there are: p is 1/128 for one of them alone."""
        kept = number <= 10 + 7
        worse = cell.side == CANDIDATE and cell.server != "canary"
        return start(cell, number, 0.8 if worse else 1.0) if kept else broken(cell, number, Cause.NOISE)

    one, other = conducted(plan_of("a"), barely), conducted(plan_of("b"), barely)
    alone, together = judge([one]), judge([one, other])
    assert of(alone, "a").shift(Metric.RPS).p == 1 / 128  # type: ignore[union-attr]
    assert of(together, "a").shift(Metric.RPS).p == 2 / 128  # type: ignore[union-attr]
    assert [cell.pair.split("/")[0] for cell in together.cells] == ["canary", "a", "canary", "b"]
    assert len(together.headers) == len(together.canaries) == 2
    assert together.steps == (alone.steps[0] + len(other.samples), alone.steps[1] + other.steps_planned)


def test_a_pair_that_lost_a_third_of_its_rounds_to_noise_is_inconclusive() -> None:
    def lossy(cell: Cell, number: int) -> Sample:
        lost = cell.server == "a" and number in ((1, 2) if cell.side == CANDIDATE else (2, 3, 4))
        return broken(cell, number, Cause.NOISE) if lost else start(cell, number)

    found = of(judge([conducted(A, lossy)]), "a")
    assert found.change is Change.INCONCLUSIVE
    assert found.sentence.startswith("40.0 % of its rounds were lost to noise")


def test_of_a_run_that_was_cut_off_nothing_is_said_to_be_changed_or_unchanged() -> None:
    for until in (7, 10 + 12):
        report = judge([conducted(A, candidate("a", 0.8, 1.2), until=until)])
        assert not report.complete
        assert of(report, "a").change is Change.INCONCLUSIVE
        assert "the run ended before all of its rounds did: requests per second " in of(report, "a").sentence


def test_a_cpu_time_below_the_tick_of_the_clock_is_no_number() -> None:
    def tickless(cell: Cell, number: int) -> Sample:
        return start(cell, number, cpu=0.0 if cell.server == "a" else 1.0)

    found = of(judge([conducted(A, tickless)]), "a")
    assert found.change is Change.INCONCLUSIVE
    assert ": too few rounds for an interval: requests per second " in found.sentence
    assert found.sentence.endswith("CPU time per request unknown")
    assert found.beyond is None


def test_the_rows_of_both_sides_come_along_and_packages_that_differ_are_named() -> None:
    baseline = Side(name="baseline", versions=(("h11", "0.16"), ("uvicorn", "0.52"), ("uvloop", "0.22")))
    new = Side(name="candidate", versions=(("h11", "0.16"), ("httptools", "0.7"), ("uvicorn", "0.54")))
    report = judge([conducted(A, candidate("a"), replace(TRIAL, baseline=baseline, candidate=new))])
    assert [(one.name, one.baseline, one.candidate) for one in report.differing] == [
        ("httptools", "", "0.7"),
        ("uvicorn", "0.52", "0.54"),
        ("uvloop", "0.22", ""),
    ]
    assert isinstance(report.differing[0], VersionChange)
    found = of(report, "a")
    assert found.baseline is not None
    assert found.candidate is not None
    assert [found.baseline.planned.cell, found.candidate.planned.cell] == list(both("a"))
    assert found.baseline.rps is not None


def test_the_detectable_change_is_more_than_the_margin_and_grows_with_the_noise() -> None:
    quiet, loud = (judge([conducted(plan_of("a", canary=""), candidate("a", sd=sd))]).detectable for sd in (SD, 0.1))
    assert quiet is not None
    assert loud is not None
    assert 0.03 < quiet < 0.04 < loud < 0.15


def test_without_rounds_there_is_no_detectable_change() -> None:
    assert judge([conducted(A, candidate("a"), until=2)]).detectable is None


def test_only_runs_of_one_check_are_judged() -> None:
    plain = run([*both("a"), again("a")], [])
    with pytest.raises(ValueError, match="is not the run of a check"):
        judge([plain])
    with pytest.raises(ValueError, match="these are 0 checks"):
        judge([])
    wide = conducted(A, candidate("a"), replace(TRIAL, margin=0.1), until=1)
    with pytest.raises(ValueError, match="these are 2 checks"):
        judge([wide, conducted(A, candidate("a"), until=1)])
