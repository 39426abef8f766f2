"""What a search recommends, of what became of its cells, and the sentences that say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.analysis import picks, race
from servermatrix.model import CPU, LATENCY, MEMORY, Candidate, Cause, Limit, PickReport, Race, Standing
from tests.unit.analyse_runs import failed
from tests.unit.pick_runs import Cells, of, raced, with_attempts

FAST, FASTER, SLOW = of("granian"), of("granian", 2), of("hypercorn")
SLOWER = of("hypercorn", 2)
FOUR = [FAST, FASTER, SLOW, SLOWER]
NUMBERS = {"granian/h1/w1*": {"rps": 2000}, "granian/h1/w2*": {"rps": 3000, "cpu_us": 420}, "hypercorn*": {"rps": 1000}}
P99 = Limit(metric="latency", bound=50_000, text="p99<50ms", percent=99.0)
MEBIBYTE = 2**20


def by_id(report: PickReport) -> dict[str, Candidate]:
    return {one.summary.planned.cell.id: one for one in report.candidates}


def standings(report: PickReport) -> dict[str, Standing]:
    return {own: one.standing for own, one in by_id(report).items()}


def test_the_cell_that_serves_most_is_picked_and_the_line_counts_the_rest() -> None:
    report = picks.judge(raced(FOUR, NUMBERS))
    assert report.line == "pick: granian/h1/w2 (0 tied, 3 beaten, 0 failed, 0 over a limit)"
    assert report.picked is not None
    assert report.picked.reason == "none of the others was shown to serve more requests/s"
    assert report.met
    assert report.complete
    assert report.deployed is None


def test_the_answer_names_the_setting_with_its_figures_and_their_intervals() -> None:
    answer = picks.judge(raced(FOUR, NUMBERS)).answer
    assert answer.startswith("use granian with 2 workers: it serves items at 3,0")
    assert "] requests/s with 42" in answer
    assert answer.endswith("of memory")


def test_a_beaten_cell_has_the_sentence_of_the_race_and_its_ratio_to_the_picked_one() -> None:
    worse = by_id(picks.judge(raced(FOUR, NUMBERS)))[SLOW.id]
    assert worse.standing is Standing.BEATEN
    assert worse.score is not None
    assert worse.score.high is not None
    assert worse.score.value == pytest.approx(1 / 3, abs=0.02)
    assert worse.score.high < 1
    assert worse.reason.startswith("it serves 0.3")


def test_of_those_tied_the_one_with_the_fewest_workers_is_picked_though_another_is_faster_and_smaller() -> None:
    even = NUMBERS | {"granian/h1/w2*": {"rps": 2010, "pss_mib": 10}}
    report = picks.judge(raced(FOUR, even))
    assert standings(report)[FAST.id] is Standing.PICKED
    assert standings(report)[FASTER.id] is Standing.TIED
    assert report.answer.endswith("of the 2 that are tied it has the fewest workers")
    assert "not shown to be better or worse than granian with 1 worker: " in by_id(report)[FASTER.id].reason


def test_of_those_tied_with_as_many_workers_the_one_with_the_least_memory_is_picked() -> None:
    two = [of("granian", loop="asyncio"), of("granian", loop="uvloop")]
    report = picks.judge(raced(two, {"*uvloop*": {"pss_mib": 30, "cpu_us": 500}}))
    assert standings(report) == {two[0].id: Standing.TIED, two[1].id: Standing.PICKED}
    assert report.answer.endswith("of the 2 that are tied it has the least memory, 30 MiB")


def test_with_the_same_memory_too_the_one_with_the_least_cpu_time_is_picked() -> None:
    two = [of("granian", loop="asyncio"), of("granian", loop="uvloop")]
    report = picks.judge(raced(two, {"*uvloop*": {"cpu_us": 300}}))
    assert standings(report)[two[1].id] is Standing.PICKED
    assert "tied it has the least CPU time per request, 30" in report.answer


@pytest.mark.parametrize(
    ("prefer", "better", "score", "says"),
    [(CPU, {"cpu_us": 300}, 0.75, "take less CPU time per request"), (MEMORY, {"pss_mib": 20}, 0.5, "take less memory")],
)
def test_what_is_preferred_decides_and_is_what_scores_are_of(
    prefer: str, better: dict[str, float], score: float, says: str
) -> None:
    numbers: Cells = {"granian*": {"rps": 3000}, "hypercorn*": better}
    report = picks.judge(raced([FAST, SLOW], numbers, Race(prefer=prefer)))
    assert standings(report) == {SLOW.id: Standing.PICKED, FAST.id: Standing.BEATEN}
    assert report.picked is not None
    assert report.picked.reason == f"none of the others was shown to {says}"
    worse = by_id(report)[FAST.id].score
    assert worse is not None
    assert worse.value == pytest.approx(score, abs=0.02)


def test_candidates_stand_picked_first_then_tied_then_the_rest_best_first() -> None:
    numbers = NUMBERS | {"granian/h1/w2*": {"rps": 2010}, "hypercorn/h1/w2*": {"rps": 1500}}
    assert [*by_id(picks.judge(raced(FOUR, numbers)))] == [FAST.id, FASTER.id, SLOWER.id, SLOW.id]


def test_references_are_no_candidates() -> None:
    plain = of("granian", app="plaintext")
    report = picks.judge(raced(FOUR, NUMBERS, references=[plain]))
    assert plain.id not in by_id(report)


def test_a_cell_that_failed_is_told_with_its_reason_and_the_others_go_on() -> None:
    report = picks.judge(raced(FOUR, NUMBERS, broken={FASTER.id: 2}))
    assert standings(report)[FASTER.id] is Standing.FAILED
    assert by_id(report)[FASTER.id].reason == "it broke"
    assert report.line == "pick: granian/h1/w1 (0 tied, 2 beaten, 1 failed, 0 over a limit)"


def test_where_all_cells_fail_nothing_is_recommended_and_the_first_reason_is_told() -> None:
    report = picks.judge(raced(FOUR, NUMBERS, broken={one.id: 1 for one in FOUR}))
    assert report.picked is None
    assert report.line == "pick: nothing (0 tied, 0 beaten, 4 failed, 0 over a limit)"
    assert report.answer == "nothing can be recommended: all 4 cells failed; the first, with: it broke"
    assert report.met
    assert report.share is None
    assert report.capacity is None


def test_a_run_without_a_sample_recommends_nothing_and_says_why() -> None:
    report = picks.judge(raced(FOUR, NUMBERS, until=0))
    assert report.answer == "nothing can be recommended: the run ended before there was enough to compare"
    assert not report.complete


def test_memory_over_the_limit_leaves_a_cell_out() -> None:
    limit = Limit(metric="memory", bound=50 * MEBIBYTE, text="memory<50MiB")
    report = picks.judge(raced(FOUR, NUMBERS | {"granian/h1/w2*": {"rps": 3000, "pss_mib": 80}}, Race(limits=(limit,))))
    assert standings(report)[FASTER.id] is Standing.OVER_LIMIT
    assert standings(report)[FAST.id] is Standing.PICKED


def test_where_no_cell_keeps_the_limit_of_memory_the_least_that_was_reached_is_told() -> None:
    limit = Limit(metric="memory", bound=10 * MEBIBYTE, text="memory<10MiB")
    report = picks.judge(raced([FAST, SLOW], {"hypercorn*": {"pss_mib": 30}}, Race(limits=(limit,))))
    assert not report.met
    assert report.picked is None
    assert report.answer == "no cell that works keeps memory<10MiB; the least is 30 MiB, by hypercorn with 1 worker"


def test_at_the_expected_rate_only_cells_that_keep_the_limit_may_be_picked() -> None:
    run = raced(FOUR, NUMBERS, Race(limits=(P99,), rate_per_s=500, holding_s=100))
    tried = {(FASTER.id, 500.0): [60.0, 61.0, 62.0], (SLOW.id, 500.0): [20.0, 21.0, 22.0]}
    report = picks.judge(with_attempts(run, tried))
    assert standings(report)[SLOW.id] is Standing.PICKED
    assert standings(report)[FASTER.id] is Standing.OVER_LIMIT
    assert "did not keep p99<50ms at 500 requests/s" in by_id(report)[FASTER.id].reason
    assert report.answer.startswith(
        "use hypercorn with 1 worker: it keeps p99<50ms at 500 requests/s (p99 21.0 ms), and it serves"
    )


def test_of_those_that_keep_the_limit_at_the_rate_the_one_that_serves_more_is_picked() -> None:
    run = raced(FOUR, NUMBERS, Race(limits=(P99,), rate_per_s=500, holding_s=100))
    tried = {(SLOW.id, 500.0): [20.0, 21.0, 22.0], (FASTER.id, 500.0): [30.0, 31.0, 32.0]}
    report = picks.judge(with_attempts(run, tried))
    assert standings(report)[FASTER.id] is Standing.PICKED
    assert standings(report)[SLOW.id] is Standing.BEATEN
    assert report.picked is not None
    assert "of those that were tried and keep the limits, none was shown to serve more requests/s" in report.picked.reason


def test_without_a_rate_the_highest_rate_that_holds_decides_and_the_bracket_is_told() -> None:
    run = raced(FOUR, NUMBERS, Race(limits=(P99,), holding_s=100))
    tried = {
        (FASTER.id, 400.0): [20.0, 20.0, 20.0],
        (FASTER.id, 440.0): [80.0, 80.0],
        (SLOW.id, 700.0): [20.0, 20.0, 20.0],
        (SLOW.id, 770.0): [80.0, 80.0],
    }
    report = picks.judge(with_attempts(run, tried))
    assert standings(report)[SLOW.id] is Standing.PICKED
    assert standings(report)[FASTER.id] is Standing.BEATEN
    assert "hypercorn with 1 worker does so up to 700 requests/s" in by_id(report)[FASTER.id].reason
    assert "it keeps p99<50ms up to 700 requests/s (not at 770), and it serves" in report.answer


def test_cells_that_were_not_tried_at_fixed_rates_are_warned_of() -> None:
    run = raced(FOUR, NUMBERS | {"granian/h1/w1*": {"rps": 2990}}, Race(limits=(P99,), rate_per_s=500, holding_s=100))
    report = picks.judge(with_attempts(run, {(FASTER.id, 500.0): [30.0, 31.0, 32.0]}))
    assert standings(report)[FASTER.id] is Standing.PICKED
    assert standings(report)[FAST.id] is Standing.OPEN
    assert any("may be as good as the picked one or better" in one for one in report.warnings)


def test_with_a_limit_of_latency_the_preferred_cpu_time_decides_between_those_that_keep_it() -> None:
    run = raced(FOUR, {"granian*": {"cpu_us": 300}}, Race(prefer=CPU, limits=(P99,), holding_s=100))
    tried = {
        (FAST.id, 100.0): [20.0] * 3,
        (FAST.id, 110.0): [80.0] * 2,
        (SLOW.id, 700.0): [20.0] * 3,
        (SLOW.id, 770.0): [80.0] * 2,
    }
    report = picks.judge(with_attempts(run, tried))
    assert standings(report)[FAST.id] is Standing.PICKED
    assert "but beside granian with 1 worker it had 1.3" in by_id(report)[SLOW.id].reason
    assert "the CPU time per request" in by_id(report)[SLOW.id].reason


def test_brackets_that_overlap_are_tied_and_the_cheapest_is_picked() -> None:
    run = raced(FOUR, NUMBERS | {"granian/h1/w1*": {"rps": 2990}}, Race(limits=(P99,), holding_s=100))
    tried = {
        (FASTER.id, 700.0): [20.0, 20.0, 20.0],
        (FASTER.id, 770.0): [80.0, 80.0],
        (FAST.id, 690.0): [20.0, 20.0, 20.0],
        (FAST.id, 750.0): [80.0, 80.0],
    }
    report = picks.judge(with_attempts(run, tried))
    assert standings(report)[FAST.id] is Standing.PICKED
    assert standings(report)[FASTER.id] is Standing.TIED


def test_where_no_cell_keeps_the_limit_the_best_that_was_reached_is_told() -> None:
    run = raced(FOUR, NUMBERS, Race(limits=(P99,), rate_per_s=500, holding_s=100))
    tried = {(FASTER.id, 500.0): [90.0, 91.0, 92.0], (SLOW.id, 500.0): [60.0, 61.0, 62.0]}
    report = picks.judge(with_attempts(run, tried))
    assert not report.met
    assert report.picked is None
    assert report.answer.startswith(
        "no cell keeps p99<50ms at 500 requests/s; hypercorn with 1 worker came nearest: it did not keep"
    )
    assert "p99 61.0 ms" in report.answer
    assert report.line.startswith("pick: nothing (")


def test_a_limit_of_latency_that_was_never_tried_is_not_said_to_be_kept() -> None:
    report = picks.judge(raced(FOUR, NUMBERS, Race(limits=(P99,), rate_per_s=500, holding_s=100)))
    assert report.picked is None
    assert not report.met
    assert report.answer.endswith("before there was enough at fixed rates, so none is known to keep p99<50ms")
    assert standings(report)[FASTER.id] is Standing.OPEN


def test_the_lowest_latency_at_the_same_rate_wins_where_latency_is_preferred() -> None:
    run = raced(FOUR, NUMBERS, Race(prefer=LATENCY, rate_per_s=500, holding_s=100))
    tried = {(FASTER.id, 500.0): [9.0, 9.1, 9.2, 9.3, 9.4, 9.5], (SLOW.id, 500.0): [5.0, 5.1, 5.2, 5.3, 5.4, 5.5]}
    report = picks.judge(with_attempts(run, tried))
    assert standings(report)[SLOW.id] is Standing.PICKED
    assert standings(report)[FASTER.id] is Standing.BEATEN
    assert "its p99 at 500 requests/s is 5.25 [5.00, 5.50] ms" in report.answer


def test_latencies_whose_intervals_overlap_are_tied() -> None:
    run = raced(FOUR, NUMBERS, Race(prefer=LATENCY, rate_per_s=500, holding_s=100))
    tried = {(FASTER.id, 500.0): [5.0, 5.1, 5.2, 5.3, 5.4, 5.5], (SLOW.id, 500.0): [5.4, 5.5, 5.6, 5.7, 5.8, 5.9]}
    report = picks.judge(with_attempts(run, tried))
    assert standings(report)[SLOW.id] is Standing.PICKED  # one worker
    assert standings(report)[FASTER.id] is Standing.TIED


def test_a_cell_that_did_not_keep_the_common_rate_is_no_candidate_for_the_lowest_latency() -> None:
    run = raced(FOUR, NUMBERS, Race(prefer=LATENCY, rate_per_s=500, holding_s=100))
    tried: dict[tuple[str, float], list[float | None]] = {(FASTER.id, 500.0): [5.0] * 6, (SLOW.id, 500.0): [None] * 3}
    report = picks.judge(with_attempts(run, tried))
    assert standings(report)[FASTER.id] is Standing.PICKED
    assert standings(report)[SLOW.id] is Standing.FAILED
    assert by_id(report)[SLOW.id].reason == "it failed at fixed rates, in each of its 3 starts: it broke"


def test_a_simulation_an_interrupted_run_and_lost_starts_are_warned_of() -> None:
    run = raced(FOUR, NUMBERS, until=4)
    lost = tuple(failed(FASTER, number, Cause.NOISE) for number in range(5, 8))
    simulated, interrupted, noisy = picks.judge(replace(run, samples=(*run.samples, *lost))).warnings
    assert simulated.startswith("this is a simulation")
    assert interrupted.startswith("the run was interrupted in round 7 of 24 at most")
    assert noisy.startswith("3 of 16 starts were lost to noise")


def test_a_budget_that_ended_before_the_leaders_were_told_apart_is_warned_of() -> None:
    even = NUMBERS | {"granian/h1/w2*": {"rps": 2010}}
    found = picks.judge(raced(FOUR, even, until=4, stopped="the time is up")).warnings
    assert len(found) == 2
    assert found[1].startswith(
        "after 4 rounds the race was over (the time is up), and the cell that is tied with it may still be up"
    )
    assert picks.judge(raced(FOUR, even)).warnings == found[:1]


def test_what_limited_the_picked_cell_besides_the_server_is_warned_of() -> None:
    found = picks.judge(raced(FOUR, {**NUMBERS, "granian/h1/w2*": {"rps": 3000, "generator": 0.99}})).warnings
    assert any(one.startswith("the picked cell is flagged generator-bound: ") for one in found)


def test_more_budget_is_not_advised_where_a_search_took_all_rounds_that_it_may() -> None:
    even = NUMBERS | {"granian/h1/w2*": {"rps": 2010}}
    found = picks.judge(raced(FOUR, even, rounds=4, until=4, stopped="the last round")).warnings
    assert [one for one in found if "--budget" in one] == []


def test_a_rate_below_the_expected_one_is_no_proof_that_the_limit_is_kept() -> None:
    run = raced(FOUR, NUMBERS, Race(limits=(P99,), rate_per_s=500, holding_s=100))
    report = picks.judge(with_attempts(run, {(FASTER.id, 400.0): [20.0, 21.0, 22.0]}))
    assert report.picked is None
    assert not report.met


def test_the_pareto_set_has_what_no_other_cell_is_better_than_in_all_of_three() -> None:
    numbers = NUMBERS | {"granian/h1/w1*": {"rps": 2000, "pss_mib": 20}}
    found = {own for own, one in by_id(picks.judge(raced(FOUR, numbers))).items() if one.pareto}
    assert found == {FAST.id, FASTER.id}


def test_every_cell_of_the_race_has_a_standing_and_a_reason() -> None:
    report = picks.judge(raced(FOUR, NUMBERS, broken={SLOW.id: 1}))
    assert {*by_id(report)} == {one.id for one in FOUR}
    assert all(one.reason for one in report.candidates)
    assert race.outcome(raced(FOUR, NUMBERS, broken={SLOW.id: 1})).failed.keys() == {SLOW.id}
