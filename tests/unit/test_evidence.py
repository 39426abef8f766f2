"""What is looked for in a cell that regressed, and how that came out in a smaller check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.analysis.attribution import Outcome
from servermatrix.analysis.evidence import Sought, outcome_of, sought
from servermatrix.analysis.regress import judge
from servermatrix.model import BASELINE, CANDIDATE, Cause, CellChange, Estimate, Metric, Run, Shift
from tests.unit.analyse_runs import run, skipped
from tests.unit.regress_runs import TRIAL, Give, candidate, conducted, fails, of, plan_of, start

PAIR = "uvicorn/h1/w1/c64/plaintext"
CPU = Sought(pair=PAIR, metric=Metric.CPU, ratio=1.2)
RPS = Sought(pair=PAIR, metric=Metric.RPS, ratio=0.8)


def regressed(give: Give) -> CellChange:
    return of(judge((conducted(plan_of("uvicorn"), give),)), "uvicorn")


def probe(give: Give, rounds: int = 16) -> Run:
    cells = plan_of("uvicorn")
    found = run(cells, [give(one, number) for number in range(1, rounds + 1) for one in cells], rounds)
    return replace(found, header=replace(found.header, trial=TRIAL))


def test_the_clearer_of_two_metrics_that_became_worse_is_looked_for() -> None:
    both = sought(regressed(candidate("uvicorn", 0.8, 1.5)))
    assert both is not None
    assert (both.pair, both.metric) == (PAIR, Metric.CPU)
    assert both.ratio == pytest.approx(1.5, rel=0.02)
    slower = sought(regressed(candidate("uvicorn", 0.7, 1.1)))
    assert slower is not None
    assert slower.metric is Metric.RPS
    assert slower.ratio == pytest.approx(0.7, rel=0.02)


def test_a_metric_that_became_better_beside_one_that_became_worse_is_not() -> None:
    found = sought(regressed(candidate("uvicorn", 1.5, 1.1)))
    assert found is not None
    assert found.metric is Metric.CPU


def test_a_metric_that_was_not_confirmed_to_be_worse_is_not_looked_for_however_clear() -> None:
    cell = regressed(candidate("uvicorn", cpu=1.2))
    clear = Shift(metric=Metric.RPS, ratio=Estimate(value=0.5, low=0.499, high=0.501, n=16), stage=2, p=0.02)
    for shift in (clear, replace(clear, p=None)):
        found = sought(replace(cell, shifts=(shift, *cell.shifts[1:])))
        assert found is not None
        assert found.metric is Metric.CPU


def test_of_a_cell_that_failed_its_share_of_failures_is_looked_for() -> None:
    found = sought(regressed(fails("uvicorn", CANDIDATE, [2, 5, 8, 12, 22])))
    assert found == Sought(pair=PAIR, failing=5 / 26)


def test_nothing_is_looked_for_in_a_cell_that_did_not_become_worse() -> None:
    assert sought(regressed(start)) is None
    assert sought(regressed(candidate("uvicorn", 1.3))) is None
    assert sought(regressed(fails("uvicorn", BASELINE, [2, 5]))) is None


@pytest.mark.parametrize(
    ("wanted", "give", "outcome"),
    [
        (CPU, candidate("uvicorn", cpu=1.2), Outcome.WORSE),
        (CPU, candidate("uvicorn", cpu=1.14), Outcome.WORSE),
        (CPU, candidate("uvicorn", cpu=1.095), Outcome.UNSURE),
        (CPU, candidate("uvicorn", cpu=1.05), Outcome.SAME),
        (CPU, candidate("uvicorn", cpu=0.8), Outcome.SAME),
        (CPU, candidate("uvicorn", cpu=1.2, sd=0.3), Outcome.UNSURE),
        (RPS, candidate("uvicorn", 0.8), Outcome.WORSE),
        (RPS, candidate("uvicorn", 0.894), Outcome.UNSURE),
        (RPS, candidate("uvicorn", 0.95), Outcome.SAME),
        (RPS, candidate("uvicorn", 1.3), Outcome.SAME),
    ],
)
def test_a_change_is_there_beyond_half_of_it_and_not_there_short_of_that(wanted: Sought, give: Give, outcome: Outcome) -> None:
    assert outcome_of(wanted, probe(give))[0] is outcome


def test_the_sentence_has_the_figures() -> None:
    _, sentence = outcome_of(CPU, probe(candidate("uvicorn", cpu=1.2)))
    assert sentence.startswith("1.20x [1.1")
    assert sentence.endswith("] the CPU time per request, where half of the change is 1.10x")


@pytest.mark.parametrize(("rounds", "outcome"), [(7, Outcome.UNSURE), (8, Outcome.WORSE)])
def test_too_few_rounds_for_the_interval_tell_nothing(rounds: int, outcome: Outcome) -> None:
    assert outcome_of(CPU, probe(candidate("uvicorn", cpu=1.2), rounds))[0] is outcome


@pytest.mark.parametrize(
    ("give", "outcome", "said"),
    [
        (fails("uvicorn", BASELINE, [3]), Outcome.UNSURE, "the baseline failed: it broke"),
        (fails("uvicorn", CANDIDATE, [3, 4]), Outcome.IMPOSSIBLE, "does not work: it broke"),
        (fails("uvicorn", CANDIDATE, [3]), Outcome.SAME, "1.00x"),
        (fails("uvicorn", CANDIDATE, range(1, 17), Cause.NOISE), Outcome.UNSURE, "unknown the CPU time"),
        (lambda one, number: skipped(one, number, "no wrk"), Outcome.UNSURE, "unknown the CPU time"),
    ],
)
def test_failures_and_lost_rounds_of_a_probe_are_no_figures(give: Give, outcome: Outcome, said: str) -> None:
    found, sentence = outcome_of(CPU, probe(give))
    assert (found, said in sentence) == (outcome, True), sentence


@pytest.mark.parametrize(
    ("failing", "rounds", "outcome"),
    [
        (1.0, [], Outcome.SAME),
        (0.3, [], Outcome.SAME),
        (0.2, [], Outcome.UNSURE),
        (0.3, [2], Outcome.UNSURE),
        (0.3, [2, 9], Outcome.WORSE),
    ],
)
def test_rare_failures_are_not_there_only_after_enough_starts_without_one(
    failing: float, rounds: list[int], outcome: Outcome
) -> None:
    found, _ = outcome_of(Sought(pair=PAIR, failing=failing), probe(fails("uvicorn", CANDIDATE, rounds)))
    assert found is outcome


def test_a_baseline_that_is_told_apart_from_itself_lets_nothing_count() -> None:
    apart = probe(lambda one, number: start(one, number, 0.7 if one.duplicate else 1.0, 1.2 if one.side == CANDIDATE else 1.0))
    outcome, sentence = outcome_of(CPU, apart)
    assert outcome is Outcome.UNSURE
    assert "was told apart from itself" in sentence


def test_a_pair_that_is_not_in_the_probe_was_not_measured() -> None:
    assert outcome_of(Sought(pair="granian", metric=Metric.CPU, ratio=2), probe(start)) == (Outcome.UNSURE, "it was not measured")


@pytest.mark.parametrize("wanted", [CPU, Sought(pair=PAIR, failing=1.0)])
def test_a_failure_of_the_machine_tells_nothing_of_a_package(wanted: Sought) -> None:
    outcome, sentence = outcome_of(wanted, probe(fails("uvicorn", CANDIDATE, range(1, 17), Cause.ENVIRONMENT)))
    assert (outcome, sentence) == (Outcome.UNSURE, "it could not be measured here: it broke")
