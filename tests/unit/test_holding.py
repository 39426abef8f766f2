"""What is tried next at fixed rates, and what is said of it: attempts by value, of servers whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf

import pytest

from servermatrix.analysis.holding import broke, capacities, finalists, following, held, reserves, told, unfinished
from servermatrix.analysis.holding.elapsed import spent_s_of
from servermatrix.analysis.holding.entrants import entrants
from servermatrix.analysis.holding.search import WITHIN, common_rate
from servermatrix.analysis.holding.starts import STARTS, AtRate, holds, percentile_us
from servermatrix.model import LATENCY, Attempt, Cause, Cell, Failed, Held, Limit, LoadStats, Measured, Race, Run
from tests.unit.analyse_runs import THEN, cell, failed, measured, rates, run, series, window

P99 = Limit(metric="latency", bound=50_000.0, text="p99<50ms", percent=99.0)
SEARCH = Race(limits=(P99,), holding_s=1_000_000, generator="fake")
AT_500 = replace(SEARCH, rate_per_s=500.0)
COMPARE = Race(prefer=LATENCY, holding_s=1_000_000, generator="fake")
A, B, C = cell("a"), cell("b"), cell("c")
# (cell, rate, how many starts of it there are already) -> what comes of another.
Truth = Callable[[Cell, float, int], Measured | Failed]


def at(of: Cell, rate: float, latency_us: int = 10_000, *, unanswered: int = 0, took_s: float = 2.0, number: int = 1) -> Measured:
    """Make a start of two seconds in which every answer took so long."""
    due = round(2 * rate)
    stats = LoadStats(
        requests=due - unanswered,
        duration_us=round(took_s * 1e6),
        histogram=((latency_us, due - unanswered),),
        due=due,
        unanswered=unanswered,
    )
    return measured(of, number, replace(window(), stats=stats))


def breaking(limit_per_s: float) -> Truth:
    """A server that answers in 10 ms up to a rate, and in 80 ms beyond it."""
    return lambda of, rate, _: at(of, rate, 10_000 if rate <= limit_per_s else 80_000)


def tried(
    truth: Truth,
    *,
    race: Race = SEARCH,
    finals: Sequence[Cell] = (A,),
    capacity: Mapping[str, float] | None = None,
    most: int = 500,
    further: Sequence[Cell] = (),
) -> list[Attempt]:
    """Try whatever comes next, each start taking four seconds, until there is nothing to try."""
    known: list[Attempt] = []
    serves = {one.id: 1000.0 for one in (*finals, *further)} if capacity is None else capacity
    while len(known) < most and (found := following(race, finals, serves, known, 4.0 * len(known), each_s=4.0, reserves=further)):
        of, rate, number = found
        assert number == 1 + sum(one.rate_per_s == rate and one.sample.cell_id == of.id for one in known)
        sample = replace(truth(of, rate, number), cell_id=of.id, round=number)
        known.append(Attempt(number=len(known) + 1, rate_per_s=rate, sample=sample))
    assert len(known) < most, "the search does not end"
    return known


def found(attempts: Sequence[Attempt], *, race: Race = SEARCH, of: Cell = A, rps: float = 1000.0) -> Held:
    """Say what is found of one cell that was raced for ten rounds."""
    raced = run([of], series(of, [rps] * 10), 10)
    whole = replace(raced, header=replace(raced.header, race=race), attempts=tuple(attempts))
    (only,) = held(whole)
    return only


def of_rates(attempts: Sequence[Attempt]) -> list[float]:
    return [one.rate_per_s for one in attempts]


def test_the_search_starts_at_half_of_what_a_closed_loop_serves_and_goes_up_to_95_percent_of_it() -> None:
    assert of_rates(tried(breaking(5_000))) == [500.0, 950.0, 950.0, 950.0]


def test_it_halves_while_nothing_is_held_and_then_narrows_the_bracket() -> None:
    attempts = tried(breaking(100))
    assert of_rates(attempts)[:4] == [500.0, 250.0, 125.0, 62.5]
    assert of_rates(attempts)[4] == pytest.approx((62.5 * 125) ** 0.5, rel=0.01)


@pytest.mark.parametrize("truth", [42.0, 333.0, 499.0, 501.0, 777.0, 940.0])
def test_the_bracket_contains_the_truth_and_is_within_10_percent(truth: float) -> None:
    attempts = tried(breaking(truth))
    said = found(attempts)
    assert said.low_per_s <= truth < said.high_per_s <= 1.001 * WITHIN * said.low_per_s
    assert of_rates(attempts).count(said.low_per_s) == STARTS
    assert of_rates(attempts).count(said.high_per_s) == 2
    assert len(attempts) <= 22
    assert said.starts == len(attempts)


def test_the_sentence_gives_both_ends_with_their_starts_and_latencies() -> None:
    said = found(tried(breaking(300)))
    assert said.sentence == (
        "it kept p99<50ms at 297 requests/s (3 of 3 starts, p99 10.0 ms) and not at 324 requests/s (0 of 2 starts, p99 80.0 ms)"
    )
    assert said.latency_us is not None
    assert said.latency_us.value == 10_000


def test_what_is_held_up_to_the_highest_rate_has_no_upper_end() -> None:
    said = found(tried(breaking(5_000)))
    assert (said.low_per_s, said.high_per_s) == (950.0, 0.0)
    assert "95% of what it serves in a closed loop and the highest rate tried" in said.sentence


def test_a_limit_that_is_never_kept_ends_at_one_request_a_second_with_the_best_that_was_reached() -> None:
    said = found(tried(breaking(0)))
    assert (said.low_per_s, said.high_per_s) == (0.0, 1.0)
    assert said.sentence == (
        "it did not keep p99<50ms even at 1 request/s (0 of 2 starts, p99 80.0 ms, the slowest of 2 requests)"
    )
    assert said.latency_us is not None
    assert said.latency_us.value == 80_000


def test_a_cell_slower_than_two_requests_a_second_is_tried_at_one() -> None:
    assert of_rates(tried(breaking(5), capacity={A.id: 0.4})) == [1.0, 1.0, 1.0]


def flaky(limit_per_s: float, wrong: Mapping[tuple[float, int], bool]) -> Truth:
    """A server that does otherwise than it should in some starts, by rate and which of the starts at it."""

    def answer(of: Cell, rate: float, number: int) -> Measured:
        good = (rate <= limit_per_s) != wrong.get((rate, number), False)
        return at(of, rate, 10_000 if good else 80_000)

    return answer


def test_a_single_slow_start_at_the_first_rate_is_put_right_when_the_upper_end_is_confirmed() -> None:
    attempts = tried(flaky(5_000, {(500.0, 1): True}))
    said = found(attempts)
    assert said.low_per_s == 950.0
    assert of_rates(attempts).count(500.0) == 3


def test_a_lower_end_of_which_two_of_three_starts_fail_is_given_up_and_the_search_goes_on_below() -> None:
    attempts = tried(flaky(300, {(297.0, 2): True, (297.0, 3): True}))
    said = found(attempts)
    assert said.high_per_s == 297.0
    assert said.low_per_s < 297.0
    assert of_rates(attempts).count(297.0) == 3


@pytest.mark.parametrize("seed", range(40))
def test_whatever_starts_say_the_search_ends_and_no_rate_is_tried_more_than_three_times(seed: int) -> None:
    def coin(of: Cell, rate: float, number: int) -> Measured:
        return at(of, rate, 10_000 if hash((seed, rate, number)) % 3 else 80_000)

    attempts = tried(coin, capacity={A.id: 50_000.0})
    assert max(of_rates(attempts).count(rate) for rate in of_rates(attempts)) <= 3
    said = found(attempts, rps=50_000.0)
    if said.low_per_s and said.high_per_s:
        assert said.low_per_s < said.high_per_s <= 1.001 * WITHIN * said.low_per_s


def test_a_rate_above_one_that_is_not_held_does_not_count_as_held() -> None:
    starts = {300.0: 10_000, 500.0: 80_000, 700.0: 10_000}
    attempts = [Attempt(number=n, rate_per_s=rate, sample=at(A, rate, us)) for n, (rate, us) in enumerate(starts.items(), 1)]
    said = found(attempts)
    assert (said.low_per_s, said.high_per_s) == (300.0, 500.0)


def test_the_latency_is_that_at_the_highest_rate_held() -> None:
    said = found(tried(lambda of, rate, _: at(of, rate, round(100 * rate)), capacity={A.id: 900.0}), rps=900.0)
    assert said.latency_us is not None
    assert said.latency_us.value == round(100 * said.low_per_s) > 45_000


def test_what_comes_next_depends_on_the_stored_attempts_alone() -> None:
    whole = tried(breaking(300))
    for many in range(len(whole)):
        coming = following(SEARCH, (A,), {A.id: 1000.0}, whole[:many], 0.0)
        assert coming is not None
        assert coming[1] == whole[many].rate_per_s


def test_cells_take_turns() -> None:
    attempts = tried(breaking(300), finals=(A, B, C))
    assert [one.sample.cell_id for one in attempts[:6]] == [A.id, B.id, C.id, A.id, B.id, C.id]


def test_nothing_is_begun_that_would_not_end_in_time_and_all_cells_have_had_as_many_starts() -> None:
    attempts = tried(breaking(300), race=replace(SEARCH, holding_s=25), finals=(A, B, C))
    assert len(attempts) == 6
    assert (
        "the time was up before this could be told closer"
        in found([one for one in attempts if one.sample.cell_id == A.id]).sentence
    )


def test_the_time_that_starts_take_is_what_they_took() -> None:
    one = tried(breaking(300), most=500)[:1]
    race = replace(SEARCH, holding_s=100)
    assert following(race, (A,), {A.id: 1000.0}, one, 50.0) is not None
    assert following(race, (A,), {A.id: 1000.0}, one, 51.0) is None
    assert following(race, (A,), {A.id: 1000.0}, (), 0.0, each_s=101.0) is None


def test_a_wished_rate_is_tried_three_times_with_each_cell_and_no_other_is() -> None:
    attempts = tried(breaking(400), race=AT_500, finals=(A, B))
    assert of_rates(attempts) == [500.0] * 6
    said = found([one for one in attempts if one.sample.cell_id == A.id], race=AT_500)
    assert (said.low_per_s, said.high_per_s) == (0.0, 500.0)
    assert said.sentence == "it did not keep p99<50ms at 500 requests/s (0 of 3 starts, p99 80.0 ms)"


def test_two_of_three_starts_hold_a_rate() -> None:
    assert found(tried(flaky(600, {(500.0, 2): True}), race=AT_500), race=AT_500).low_per_s == 500.0
    assert found(tried(flaky(600, {(500.0, 2): True, (500.0, 3): True}), race=AT_500), race=AT_500).low_per_s == 0.0


def test_without_limits_all_are_tried_six_times_at_half_of_what_the_slowest_serves() -> None:
    attempts = tried(breaking(5_000), race=COMPARE, finals=(A, B), capacity={A.id: 1000.0, B.id: 600.0})
    assert of_rates(attempts) == [300.0] * 12
    assert common_rate(replace(COMPARE, rate_per_s=77.0), (A,), {A.id: 1000.0}) == 77.0
    said = found([one for one in attempts if one.sample.cell_id == A.id], race=replace(COMPARE, rate_per_s=300.0))
    assert said.latency_us is not None
    assert said.latency_us.low is not None
    assert said.sentence == "it kept the rate at 300 requests/s (6 of 6 starts, p99 10.0 ms)"


def test_a_percentile_counts_what_had_no_answer_as_slower_than_all_that_had() -> None:
    assert percentile_us(at(A, 500, unanswered=10), 99.0) == 10_000
    assert percentile_us(at(A, 500, unanswered=11), 99.0) == inf
    assert percentile_us(at(A, 500, unanswered=11), 50.0) == 10_000


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (at(A, 500), True),
        (at(A, 500, 50_000), True),
        (at(A, 500, 50_001), False),
        (at(A, 500, unanswered=11), False),
        (at(A, 500, took_s=2.1), False),
        (failed(A, 1, Cause.SERVER), False),
        (failed(A, 1, Cause.GENERATOR), False),
    ],
)
def test_a_start_holds_a_rate_when_it_kept_it_and_every_limit(start: Measured | Failed, *, expected: bool) -> None:
    assert holds(start, 500.0, (P99,)) is expected


def test_a_median_is_not_held_where_too_much_was_never_answered() -> None:
    p50 = replace(P99, percent=50.0)
    assert holds(at(A, 500), 500.0, (p50,))
    assert not holds(at(A, 500, unanswered=300), 500.0, (p50,))


def test_a_rate_that_no_window_can_hold_exactly_is_kept_all_the_same() -> None:
    assert holds(replace(at(A, 1.41), windows=(at(A, 1.5).windows[0],)), 1.41, (P99,))


def test_one_start_of_two_that_holds_says_nothing_yet() -> None:
    good, bad = at(A, 500), at(A, 500, 80_000)
    verdicts = [
        AtRate(rate_per_s=500.0, starts=starts, limits=(P99,)).verdict for starts in ((), (good,), (good, bad), (bad, bad))
    ]
    assert verdicts == [None, True, None, False]


def test_starts_lost_to_noise_are_repeated_and_after_three_in_a_row_no_more() -> None:
    def noisy(of: Cell, rate: float, number: int) -> Measured | Failed:
        return failed(of, 1, Cause.NOISE, "others were loud") if number == 1 else at(of, rate)

    attempts = tried(noisy, race=AT_500)
    assert [type(one.sample) for one in attempts] == [Failed, Measured, Measured, Measured]
    assert found(attempts, race=AT_500).starts == 3
    lost = tried(lambda of, _, __: failed(of, 1, Cause.NOISE, "others were loud"))
    assert len(lost) == 3
    assert found(lost).sentence == "3 starts in a row showed nothing of it: others were loud"


def test_a_server_that_only_ever_fails_is_given_up_after_two_starts() -> None:
    attempts = tried(lambda of, _, __: failed(of, 1, Cause.SERVER, "out of milk"))
    assert len(attempts) == 2
    assert "it was not started again: out of milk" in found(attempts).sentence
    assert found(attempts).low_per_s == 0.0
    assert found(attempts).latency_us is None


def test_a_server_that_fails_at_high_rates_is_searched_below_and_the_reason_is_told() -> None:
    def fragile(of: Cell, rate: float, _: int) -> Measured | Failed:
        return at(of, rate) if rate < 700 else failed(of, 1, Cause.SERVER, "connections were closed")

    said = found(tried(fragile))
    assert 600 < said.low_per_s < 700 <= said.high_per_s
    assert "0 of 2 starts: connections were closed" in said.sentence


def test_what_cannot_be_driven_is_told_and_not_tried() -> None:
    refused = Attempt(number=1, rate_per_s=0.0, sample=failed(A, 1, Cause.GENERATOR, "builtin speaks h1 only"))
    assert following(SEARCH, (A,), {A.id: 1000.0}, [refused], 0.0) is None
    said = found([refused])
    assert (said.low_per_s, said.high_per_s, said.starts, said.latency_us) == (0.0, 0.0, 0, None)
    assert said.sentence == "builtin speaks h1 only"


def test_a_finalist_without_an_attempt_is_said_not_to_have_been_tried() -> None:
    assert "the time for that was up" in found([]).sentence


def test_latencies_of_which_half_have_no_answer_are_no_number() -> None:
    dead = tried(lambda of, rate, _: at(of, rate, unanswered=round(rate)), race=AT_500)
    said = found(dead, race=AT_500)
    assert said.latency_us is None
    assert "p99 without an answer" in said.sentence


def test_a_run_without_a_race_has_no_finalists_and_held_nothing() -> None:
    plain = run([A], series(A, rates(1000.0)), 10)
    assert finalists(plain) == ()
    assert held(plain) == ()


def test_capacities_are_medians_of_the_starts_that_worked() -> None:
    raced = run([A, B], [*series(A, [900.0, 1000.0, 5000.0]), failed(B, 1, Cause.SERVER)], 3)
    assert capacities(raced) == {A.id: 1000.0}


def with_race(raced: Run, **changes: object) -> Run:
    race = replace(SEARCH, **changes)  # type: ignore[arg-type]
    return replace(raced, header=replace(raced.header, race=race))


def test_finalists_are_the_cheapest_and_the_best_of_those_tied_and_the_best_of_each_other_server() -> None:
    wide, narrow = cell("a", workers=2), A
    samples = [*series(wide, rates(1010.0)), *series(narrow, rates(1009.9)), *series(B, rates(500.0)), *series(C, rates(100.0))]
    raced = with_race(run([wide, narrow, B, C], samples, 10))
    assert [one.id for one in finalists(raced)] == [narrow.id, wide.id, B.id, C.id]
    assert [one.id for one in finalists(with_race(raced, finalists=2))] == [narrow.id, wide.id]


def test_other_servers_have_at_most_half_of_the_places() -> None:
    level = [cell("a", workers=number) for number in range(1, 9)]
    others = [cell(name) for name in "bcdef"]
    chosen = entrants([level[7], *level[:7], *others], level, 6)
    assert [one.server for one in chosen].count("a") == 3
    assert chosen[:2] == (level[0], level[7])


def test_what_came_of_an_attempt_is_told_in_a_few_words() -> None:
    good = Attempt(number=1, rate_per_s=500.0, sample=at(A, 500))
    assert told(SEARCH, good) == "at 500 requests/s: p99 10.0 ms, held"
    assert told(SEARCH, replace(good, sample=at(A, 500, 80_000))) == "at 500 requests/s: p99 80.0 ms, not held"
    assert told(SEARCH, replace(good, sample=failed(A, 1, Cause.NOISE, "loud"))) == "at 500 requests/s: not counted: loud"


def test_a_stored_attempt_that_holds_nothing_counts_as_a_failure() -> None:
    hollow = Measured(cell_id=A.id, round=1, started_at=THEN, startup_s=0.1, windows=())
    said = found([Attempt(number=1, rate_per_s=500.0, sample=hollow)], race=AT_500)
    assert said.low_per_s == 0.0


def test_when_no_finalist_keeps_the_limits_further_cells_are_tried_and_else_none() -> None:
    def only(*good: Cell) -> Truth:
        return lambda of, rate, _: at(of, rate, 10_000 if of in good else 80_000)

    attempts = tried(only(C), race=AT_500, finals=(A,), further=(B, C))
    assert [one.sample.cell_id for one in attempts] == [*[A.id] * 3, *[B.id, C.id] * 3]
    assert {one.sample.cell_id for one in tried(only(A), race=AT_500, finals=(A,), further=(B, C))} == {A.id}


def test_the_further_cells_are_those_that_were_beaten_but_work_best_first_and_as_many_as_finalists() -> None:
    slow, slower, broken = (cell("a", workers=number) for number in (5, 6, 7))
    samples = [*series(A, rates(1000.0)), *series(slower, rates(100.0)), *series(slow, rates(500.0))]
    raced = run([A, slower, slow, broken], [*samples, failed(broken, 1, Cause.SERVER)], 10)
    assert [one.id for one in reserves(with_race(raced))] == [slow.id, slower.id]
    assert [one.id for one in finalists(with_race(raced))] == [A.id]
    assert [one.id for one in reserves(with_race(raced, finalists=1))] == [slow.id]
    assert reserves(with_race(raced, limits=())) == ()
    assert reserves(raced) == ()


@pytest.mark.parametrize("truth", [1.3, 7.0])
def test_a_rate_with_too_few_requests_for_the_percentile_is_not_held(truth: float) -> None:
    said = found(tried(breaking(truth)))
    assert said.low_per_s == 0.0
    assert truth < said.high_per_s <= 1.15 * truth
    assert " there were too few requests for p99: --duration of at least " in said.sentence


def test_too_few_requests_at_the_wished_rate_are_told_with_what_would_be_enough() -> None:
    at_5 = replace(SEARCH, rate_per_s=5.0)
    said = found(tried(breaking(50), race=at_5), race=at_5)
    assert (said.low_per_s, said.high_per_s, said.latency_us) == (0.0, 0.0, None)
    assert said.sentence.endswith("; too few requests at this rate for p99; --duration of at least 20 s, or a higher rate")


def test_a_percentile_that_no_start_shows_alone_is_judged_over_the_answers_of_all() -> None:
    def with_slow(count: int) -> AtRate:
        answers = ((10_000, 40 - count), (80_000, count)) if count else ((10_000, 40),)
        one = at(A, 20)
        (plain,) = one.windows
        odd = replace(one, windows=(replace(plain, stats=replace(plain.stats, histogram=answers)),))
        return AtRate(rate_per_s=20.0, starts=(odd, one, one), limits=(P99,))

    assert [with_slow(count).verdict for count in (0, 1, 2)] == [True, True, False]
    assert replace(with_slow(1), starts=with_slow(1).starts[:2]).verdict is None
    assert replace(with_slow(2), starts=with_slow(2).starts[:1]).verdict is False
    at_20 = replace(SEARCH, rate_per_s=20.0)
    said = found(tried(breaking(50), race=at_20), race=at_20)
    assert said.low_per_s == 20.0
    assert said.sentence == "it kept p99<50ms at 20 requests/s (3 starts together, p99 10.0 ms of 120 requests)"
    assert "40 requests, too few to tell by one start" in told(at_20, Attempt(number=1, rate_per_s=20.0, sample=at(A, 20)))


def test_a_cell_whose_server_failed_in_every_start_at_its_rates_is_named_as_broken() -> None:
    raced = run([A, B], [*series(A, rates(1000.0)), *series(B, rates(1000.0))], 10)
    causes = [(A, Cause.SERVER), (A, Cause.NOISE), (A, Cause.SERVER), (B, Cause.SERVER)]
    made = [
        Attempt(number=n, rate_per_s=500.0, sample=failed(of, n, cause, "it died")) for n, (of, cause) in enumerate(causes, 1)
    ]
    fine = Attempt(number=5, rate_per_s=250.0, sample=at(B, 250))
    said = {A.id: "it failed at fixed rates, in each of its 2 starts: it died"}
    assert broke(replace(raced, attempts=(*made, fine))) == said


OWN = "the generator sent 11 of 1000 requests over 1 ms late by its own fault: it could not keep the rate"


def own_fault_above(limit_per_s: float, cause: Cause = Cause.NOISE) -> Truth:
    return lambda of, rate, _: at(of, rate) if rate <= limit_per_s else failed(of, 1, cause, OWN)


@pytest.mark.parametrize("cause", [Cause.NOISE, Cause.GENERATOR])
def test_a_rate_that_the_generator_itself_cannot_keep_ends_the_search_at_half_of_it(cause: Cause) -> None:
    attempts = tried(own_fault_above(300, cause))
    assert of_rates(attempts) == [500.0, 500.0, 250.0, 250.0, 250.0]
    said = found(attempts)
    assert (said.low_per_s, said.high_per_s) == (250.0, 0.0)
    assert "the load generator itself could not keep 500 requests/s" in said.sentence
    assert " not at " not in said.sentence


def test_a_generator_that_keeps_no_rate_says_nothing_of_the_server() -> None:
    for race in (SEARCH, AT_500):
        attempts = tried(own_fault_above(0), race=race)
        said = found(attempts, race=race)
        assert (said.low_per_s, said.high_per_s, said.starts) == (0.0, 0.0, 0)
        assert said.sentence.startswith("the load generator itself could not keep ")
        assert max(of_rates(attempts).count(rate) for rate in of_rates(attempts)) == 2


@pytest.mark.parametrize("seed", range(30))
def test_with_any_mixture_of_faults_the_search_ends(seed: int) -> None:
    def any_of(of: Cell, rate: float, number: int) -> Measured | Failed:
        draw = hash((seed, rate, number)) % 5
        return failed(of, 1, Cause.NOISE, OWN if draw else "loud") if draw < 2 else at(of, rate, 10_000 if draw < 4 else 80_000)

    for serves in (3.0, 300.0, 50_000.0):
        found(tried(any_of, capacity={A.id: serves}), rps=serves)


def whole_run(attempts: Sequence[Attempt], **changes: object) -> Run:
    return replace(with_race(run([A], series(A, [1000.0] * 10), 10), **changes), attempts=tuple(attempts))


def test_an_interrupted_search_for_rates_is_unfinished_until_nothing_is_left_to_try_or_the_time_is_up() -> None:
    attempts = tried(breaking(300))
    assert unfinished(whole_run([]))
    assert unfinished(whole_run(attempts[:-1]))
    assert not unfinished(whole_run(attempts))
    assert not unfinished(whole_run(attempts[:4], holding_s=12))
    assert not unfinished(whole_run([], generator=""))
    assert not unfinished(run([A], series(A, [1000.0] * 10), 10))


def test_the_time_that_was_spent_is_that_between_starts_but_for_pauses() -> None:
    times = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z", "2026-01-01T02:00:00Z", "no time"]
    made = [Attempt(number=n, rate_per_s=9.0, sample=replace(at(A, 9), started_at=time)) for n, time in enumerate(times, 1)]
    assert spent_s_of(made, 3.0) == 5 + 3 + 3 + 3
    assert spent_s_of([], 3.0) == 0
