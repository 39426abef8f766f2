"""What a search says that was cut off: too few rounds, an interruption at fixed rates, brackets that are not settled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.analysis import picks
from servermatrix.model import CPU, LATENCY, MEMORY, Attempt, Decision, Limit, Measured, PickReport, Race, Run, Standing
from tests.unit.pick_runs import Cells, of, raced, with_attempts

FAST, SLOW = of("granian", 2), of("hypercorn")
NUMBERS = {"granian*": {"rps": 3000}, "hypercorn*": {"rps": 1000}}
EVEN = {"granian*": {"rps": 1000, "cpu_us": 300, "pss_mib": 10}, "hypercorn*": {"rps": 1000}}
P99 = Limit(metric="latency", bound=50_000, text="p99<50ms", percent=99.0)
AT_RATES = Race(limits=(P99,), holding_s=100)


def of_two(sought: Race, *, until: int = 24) -> Run:
    return raced([FAST, SLOW], NUMBERS, sought, until=until)


def standings(report: PickReport) -> dict[str, Standing]:
    return {one.summary.planned.cell.id: one.standing for one in report.candidates}


def says(report: PickReport, part: str) -> bool:
    return any(part in one for one in report.warnings)


def test_an_interruption_at_fixed_rates_is_told_with_the_command_that_goes_on() -> None:
    run = with_attempts(of_two(replace(AT_RATES, generator="builtin")), {(FAST.id, 1500.0): [20.0]})
    report = picks.judge(run)
    assert not report.complete
    assert says(report, f"go on with it by `python3 run_matrix.py pick --resume {run.header.id}`")
    assert not says(report, "--budget")


def test_an_interrupted_race_is_told_with_the_whole_command() -> None:
    run = of_two(Race(), until=2)
    assert says(picks.judge(run), f"`python3 run_matrix.py pick --resume {run.header.id}`")


def test_a_search_of_one_start_is_told_as_unsettled_and_others_are_open() -> None:
    tried = {(FAST.id, 1500.0): [20.0], (SLOW.id, 500.0): [20.0] * 3, (SLOW.id, 540.0): [80.0] * 2}
    report = picks.judge(with_attempts(of_two(AT_RATES), tried))
    assert "it keeps p99<50ms up to at least 1,500 requests/s (1 start; the time was up before this could be told closer)" in (
        report.answer
    )
    assert standings(report) == {FAST.id: Standing.PICKED, SLOW.id: Standing.OPEN}
    assert report.answer.startswith("so far, use ")
    assert says(report, "before it was settled what 1 cell can hold there: give it more --budget")


def test_a_settled_lead_leaves_a_cell_open_of_which_the_search_was_cut_off() -> None:
    tried = {(FAST.id, 1500.0): [20.0] * 3, (FAST.id, 1600.0): [80.0] * 2, (SLOW.id, 250.0): [20.0], (SLOW.id, 500.0): [80.0]}
    report = picks.judge(with_attempts(of_two(AT_RATES), tried))
    assert "up to 1,500 requests/s (not at 1,600), and" in report.answer
    assert standings(report) == {FAST.id: Standing.PICKED, SLOW.id: Standing.OPEN}


def test_a_cell_that_seems_level_by_an_unsettled_search_is_not_picked_for_its_fewer_workers() -> None:
    tried = {(FAST.id, 700.0): [20.0] * 3, (FAST.id, 760.0): [80.0] * 2, (SLOW.id, 500.0): [20.0]}
    assert standings(picks.judge(with_attempts(of_two(AT_RATES), tried))) == {FAST.id: Standing.PICKED, SLOW.id: Standing.OPEN}


def test_one_start_that_did_not_keep_a_limit_is_not_enough_to_be_over_it() -> None:
    report = picks.judge(with_attempts(of_two(AT_RATES), {(FAST.id, 1500.0): [80.0], (SLOW.id, 500.0): [80.0]}))
    assert {*standings(report).values()} == {Standing.OPEN}
    assert report.answer.startswith("no cell is known to keep p99<50ms at any rate that was tried; ")


def test_one_start_at_the_expected_rate_is_told_as_one() -> None:
    report = picks.judge(with_attempts(of_two(replace(AT_RATES, rate_per_s=500)), {(FAST.id, 500.0): [20.0]}))
    assert "at 500 requests/s (p99 20.0 ms; 1 start; the time was up before there were all starts), and" in report.answer


def test_a_rate_that_nobody_holds_is_over_a_limit_and_the_nearest_is_named() -> None:
    run = of_two(Race(prefer=LATENCY, rate_per_s=100_000, holding_s=100))
    tried = with_attempts(run, {(FAST.id, 100_000.0): [60.0] * 6, (SLOW.id, 100_000.0): [90.0] * 6}).attempts
    slow = [_unkept(one) for one in tried]
    nobody = picks.judge(replace(run, attempts=tuple(slow)))
    assert nobody.answer.startswith("no cell keeps 100,000 requests/s; granian with 2 workers came nearest: it did not keep")
    assert {*standings(nobody).values()} == {Standing.OVER_LIMIT}
    assert not nobody.met


def _unkept(attempt: Attempt) -> Attempt:
    """Let what was sent take much longer than it was to."""
    assert isinstance(attempt.sample, Measured)
    windows = tuple(replace(one, stats=replace(one.stats, duration_us=9_000_000)) for one in attempt.sample.windows)
    return replace(attempt, sample=replace(attempt.sample, windows=windows))


def test_after_one_round_nothing_is_picked_and_the_highest_so_far_is_named() -> None:
    report = picks.judge(of_two(Race(), until=1))
    assert report.picked is None
    assert {*standings(report).values()} == {Standing.OPEN}
    assert report.answer.startswith("too few rounds to recommend anything; the highest so far is granian with 2 workers at 3,")
    assert picks.judge(of_two(Race(), until=2)).picked is not None


@pytest.mark.parametrize(
    ("prefer", "told"), [(CPU, "CPU time per request so far is that of "), (MEMORY, "memory so far is that ")]
)
def test_after_one_round_what_is_preferred_is_what_is_told(prefer: str, told: str) -> None:
    report = picks.judge(raced([FAST, SLOW], EVEN, Race(prefer=prefer), until=1))
    assert f"the lowest {told}" in report.answer
    assert "granian with 2 workers, " in report.answer


def test_a_budget_that_was_up_after_one_round_is_to_be_more() -> None:
    run = of_two(Race(), until=1)
    stopped = replace(run, decisions=(Decision(round=1, alpha=0.01, stopped="the time is up"),))
    assert says(picks.judge(stopped), "no time for two rounds of all cells: give it more --budget")


def test_a_cell_that_stands_alone_is_picked_after_one_round() -> None:
    assert picks.judge(raced([FAST], NUMBERS, until=1)).picked is not None


def test_a_cell_that_broke_at_fixed_rates_failed_and_no_other_standing_hides_it() -> None:
    tried: dict[tuple[str, float], list[float | None]] = {(FAST.id, 500.0): [None, None], (SLOW.id, 500.0): [20.0] * 3}
    report = picks.judge(with_attempts(of_two(replace(AT_RATES, rate_per_s=500)), tried))
    assert standings(report) == {SLOW.id: Standing.PICKED, FAST.id: Standing.FAILED}


def test_where_all_that_were_tried_broke_that_is_the_answer() -> None:
    tried: dict[tuple[str, float], list[float | None]] = {(FAST.id, 500.0): [None, None], (SLOW.id, 500.0): [None, None]}
    report = picks.judge(with_attempts(of_two(replace(AT_RATES, rate_per_s=500)), tried))
    assert report.answer == (
        "nothing can be recommended: none of the 2 cells tried works at fixed rates; "
        "the first: it failed at fixed rates, in each of its 2 starts: it broke"
    )
    assert not report.met


def test_where_there_was_no_time_for_a_start_the_budget_that_is_needed_is_told() -> None:
    run = of_two(Race(limits=(P99,), rate_per_s=500, holding_s=2, generator="builtin"))
    report = picks.judge(replace(run, header=replace(run.header, budget_s=4)))
    assert report.complete
    assert says(report, "nothing was tried at a fixed rate, for the time for that was too short: give it --budget 53s")


def test_over_a_limit_of_memory_the_limit_is_told_as_typed() -> None:
    limit = Limit(metric="memory", bound=40e6, text="memory<=40MB")
    report = picks.judge(raced([FAST, SLOW], {"hypercorn*": {"pss_mib": 30}}, Race(limits=(limit,))))
    reasons = [one.reason for one in report.candidates if one.standing is Standing.OVER_LIMIT]
    assert reasons == ["it takes 80 MiB of memory, and the limit is memory<=40MB"]


def test_a_warning_of_a_flag_is_two_sentences() -> None:
    numbers: Cells = {**NUMBERS, "granian*": {"rps": 3000, "generator": 0.99}}
    (found,) = [one for one in picks.judge(raced([FAST, SLOW], numbers)).warnings if "flagged" in one]
    assert "; Give" not in found
    assert ". Give the generator more --threads" in found
