"""What limited a cell: at and around each limit, in the order in which they are looked at, with figures in the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from servermatrix.analysis.bottleneck import FLAGS, capacity_per_s, judge, limit_remark, oversubscribed, rate_not_kept
from servermatrix.analysis.cases import Case, busy, ceiling_of, cores_taken, server_busy
from servermatrix.model import Bottleneck, Ceiling, Cell, Flag, Percentile, Usage, Window
from tests.unit.analyse_runs import cell, measured, window

WALL_US = 2_000_000
REQUESTS = 20_000
NOTHING: Mapping[str, float] = {}


def driven(
    server: float = 0.98,
    generator: float = 0.2,
    *,
    workers: Sequence[float] = (),
    requests: int = REQUESTS,
    others: Mapping[str, float] = NOTHING,
) -> Window:
    """Return a window in which the server and the generator used so many cores, and each worker so much of one."""
    spread = tuple(round(each * WALL_US) for each in workers) or (round(server * WALL_US),)
    plain = window(requests / 2, worker_cpu_us=spread, server_cpu_us=round(server * WALL_US))
    return replace(plain, usage=replace(plain.usage, generator_cpu_us=round(generator * WALL_US), **others))  # type: ignore[arg-type]


def case(*windows: Window, of: Cell | None = None, cores: int = 8, p50_us: float = 5_000, ceiling: Ceiling | None = None) -> Case:
    one = of or cell("a")
    starts = tuple(measured(one, number, each) for number, each in enumerate(windows, 1))
    rates = tuple(each.stats.requests * 1e6 / each.stats.duration_us for each in windows)
    p50 = Percentile(value_us=p50_us, lowest_us=p50_us, highest_us=p50_us, samples=1)
    return Case(cell=one, starts=starts, rates=rates, p5_us=p50, p50_us=p50, cores=cores, ceiling=ceiling)


def verdict(found: Case) -> tuple[Bottleneck, str]:
    judged = judge(found, busy(found))
    assert judged is not None
    return judged.bottleneck, judged.evidence


def limit(found: Case) -> Bottleneck:
    return verdict(found)[0]


def wide(workers: int = 1, threads: int = 1) -> Cell:
    one = cell("a", workers=workers)
    return replace(one, load=replace(one.load, threads=threads))


def ceiling(requests_per_s: float, cpu_us: float | None = None, threads: int = 1) -> Ceiling:
    """Return what a generator reached; it was full unless its CPU time per request says otherwise."""
    spent = threads * 1e6 / requests_per_s if cpu_us is None else cpu_us
    return Ceiling(generator="fake", protocol="h1", threads=threads, requests_per_s=requests_per_s, cpu_us_per_request=spent)


def test_a_busy_server_with_an_idle_generator_is_the_limit_itself() -> None:
    assert verdict(case(driven())) == (Bottleneck.SERVER, "the server used 98% of a core, fake used 20% of its thread")


@pytest.mark.parametrize(("server", "expected"), [(0.91, Bottleneck.SERVER), (0.90, Bottleneck.SERVER)])
def test_a_server_is_busy_from_nine_tenths_on(server: float, expected: Bottleneck) -> None:
    assert limit(case(driven(server))) == expected


def test_a_server_below_nine_tenths_is_not_the_limit() -> None:
    assert limit(case(driven(0.89))) == Bottleneck.CONNECTIONS


@pytest.mark.parametrize(("generator", "expected"), [(0.85, Bottleneck.CONNECTIONS), (0.86, Bottleneck.GENERATOR)])
def test_a_generator_that_uses_up_its_thread_is_the_limit_of_a_server_that_is_not_full(
    generator: float, expected: Bottleneck
) -> None:
    assert limit(case(driven(0.89, generator))) == expected


@pytest.mark.parametrize(
    ("server", "generator", "expected"),
    [
        (1.0, 0.87, Bottleneck.SERVER),
        (0.90, 0.94, Bottleneck.SERVER),
        (0.90, 0.95, Bottleneck.GENERATOR),
        (1.05, 0.96, Bottleneck.GENERATOR),
    ],
)
def test_of_a_server_and_a_generator_that_are_both_full_the_server_is_the_limit_unless_the_generator_has_nothing_left(
    server: float, generator: float, expected: Bottleneck
) -> None:
    found, evidence = verdict(case(driven(server, generator)))
    assert found == expected
    assert evidence == f"the server used {server:.0%} of a core, fake used {generator:.0%} of its thread"


def test_nobody_says_of_a_server_that_was_full_that_it_could_do_more() -> None:
    found = case(driven(1.0, 0.99))
    (remark,) = limit_remark(judge(found, busy(found)))
    assert remark.advice == "Give the generator more --threads, or take a machine with more cores."


def test_two_threads_of_the_generator_may_use_two_cores() -> None:
    two = wide(threads=2)
    assert limit(case(driven(generator=1.6), of=two)) == Bottleneck.SERVER
    found, evidence = verdict(case(driven(0.8, generator=1.8), of=two))
    assert (found, evidence) == (Bottleneck.GENERATOR, "the server used 80% of a core, fake used 90% of its 2 threads")


@pytest.mark.parametrize(("reaches", "expected"), [(11_700, Bottleneck.GENERATOR), (11_800, Bottleneck.CONNECTIONS)])
def test_a_generator_near_its_ceiling_is_the_limit(reaches: float, expected: Bottleneck) -> None:
    assert limit(case(driven(0.8), ceiling=ceiling(reaches))) == expected


@pytest.mark.parametrize(("reaches", "expected"), [(10_500, Bottleneck.GENERATOR), (10_600, Bottleneck.SERVER)])
def test_a_server_that_is_full_is_the_limit_up_to_95_percent_of_the_ceiling(reaches: float, expected: Bottleneck) -> None:
    assert limit(case(driven(), ceiling=ceiling(reaches))) == expected


def test_what_a_generator_reached_without_being_full_is_no_ceiling_for_a_server_that_serves_more() -> None:
    found = verdict(case(driven(generator=0.5, requests=90_000), ceiling=ceiling(16_160, 30.01)))
    assert found == (Bottleneck.SERVER, "the server used 98% of a core, fake used 50% of its thread")


def test_the_share_of_the_ceiling_is_always_told_and_is_that_of_the_median_start() -> None:
    windows = [driven(requests=each) for each in (18_000, 20_000, 30_000)]
    assert "reached 40% of what it can do here" in verdict(case(*windows, ceiling=ceiling(25_000)))[1]
    assert "reached 95% of" in verdict(case(driven(), ceiling=ceiling(10_500)))[1]


@pytest.mark.parametrize(
    ("reached", "cpu_us", "threads", "cores", "capacity"),
    [
        (50_000, 25.0, 1, 8, 50_000),
        (50_000, 17.0, 1, 8, 1e6 / 17),  # 85 % of its thread
        (50_000, 16.9, 1, 8, None),
        (50_000, 10.0, 1, 8, None),  # the responder was the limit: the generator was half idle
        (50_000, 70.0, 4, 8, 4e6 / 70),
        (50_000, 70.0, 4, 3, 50_000),  # four threads have no more than the three cores
        (50_000, 60.0, 4, 8, None),
        (50_000, 0.0, 1, 8, None),  # less CPU than the clock can tell
        (0.0, 0.0, 1, 8, None),
    ],
)
def test_a_ceiling_is_what_a_full_generator_reached_or_what_its_cpu_time_would_allow(
    reached: float, cpu_us: float, threads: int, cores: int, capacity: float | None
) -> None:
    assert capacity_per_s(ceiling(reached, cpu_us, threads), cores) == pytest.approx(capacity)


def test_a_ceiling_is_that_of_the_same_generator_protocol_and_threads() -> None:
    one, others = ceiling(1), [ceiling(2, threads=2), replace(ceiling(3), protocol="h1s"), replace(ceiling(4), generator="wrk")]
    assert ceiling_of(cell("a"), [*others, one]) == one
    assert ceiling_of(cell("a"), others) is None


@pytest.mark.parametrize(
    ("usage", "evidence"),
    [
        ({"foreign_cpu": 0.11}, "other programs used 11% of a core in the median window"),
        ({"steal": 0.021}, "the host took away 2.1% of the CPU time in the median window"),
        ({"throttled_us": 12_000}, "a CPU quota held this container back for 12 ms of the median window"),
    ],
)
def test_a_host_that_is_not_ours_alone_is_the_limit_of_a_server_that_is_not_full_whatever_the_generator_does(
    usage: Mapping[str, float], evidence: str
) -> None:
    assert verdict(case(driven(0.89, 0.99, others=usage))) == (Bottleneck.HOST, evidence)


@pytest.mark.parametrize("others", [{"foreign_cpu": 0.15}, {"steal": 0.021}])
def test_a_server_that_had_its_core_lost_nothing_to_others_who_had_cores_of_their_own(others: Mapping[str, float]) -> None:
    assert limit(case(driven(0.99, 0.5, others=others), cores=16)) == Bottleneck.SERVER
    two = wide(workers=2)
    assert limit(case(driven(1.8, 0.5, workers=(0.9, 0.9), others=others), of=two, cores=16)) == Bottleneck.SERVER
    assert limit(case(driven(1.7, 0.5, workers=(0.9, 0.8), others=others), of=two, cores=16)) == Bottleneck.HOST


@pytest.mark.parametrize(("foreign_cpu", "expected"), [(0.29, Bottleneck.SERVER), (0.31, Bottleneck.HOST)])
def test_a_full_server_is_limited_by_others_where_no_core_is_left(foreign_cpu: float, expected: Bottleneck) -> None:
    assert limit(case(driven(1.0, 0.5, others={"foreign_cpu": foreign_cpu}), cores=2)) == expected


def test_a_server_that_was_stolen_from_did_not_have_its_core_although_it_used_what_was_left() -> None:
    found = case(driven(0.75, 0.2, others={"steal": 0.05}), cores=4)
    assert busy(found).server == pytest.approx(0.75 / 0.8)
    assert limit(found) == Bottleneck.HOST


def test_a_quota_is_the_limit_however_busy_the_server() -> None:
    assert limit(case(driven(1.0, 0.5, others={"throttled_us": 1}))) == Bottleneck.HOST


def test_noise_at_the_standard_limits_is_no_limit() -> None:
    assert limit(case(driven(1.0, others={"foreign_cpu": 0.10, "steal": 0.02}))) == Bottleneck.SERVER


def test_the_median_window_decides_not_the_worst() -> None:
    assert limit(case(driven(), driven(), driven(0.1, 0.99, others={"foreign_cpu": 1.0}))) == Bottleneck.SERVER


@pytest.mark.parametrize(("server", "expected"), [(1.31, Bottleneck.HOST), (1.29, Bottleneck.SERVER)])
def test_workers_and_threads_without_a_core_each_are_limited_by_the_host_once_it_is_full(
    server: float, expected: Bottleneck
) -> None:
    workers = (0.95, server - 0.95)
    found = case(driven(server, 0.5, workers=workers), of=wide(workers=2), cores=2)
    assert limit(found) == expected


def test_a_full_host_is_told_with_who_shares_it() -> None:
    found = case(driven(1.3, 0.5, others={"foreign_cpu": 0.05}, workers=(0.65, 0.65)), of=wide(workers=2), cores=2)
    assert verdict(found)[1] == "2 workers and 1 thread of the generator share 2 cores, of which 1.85 were in use"


def test_a_core_for_each_is_no_crowd_however_busy_they_are() -> None:
    assert limit(case(driven(1.0, 0.8), cores=2)) == Bottleneck.SERVER


def test_what_others_use_and_what_the_host_withholds_is_in_use_too() -> None:
    usage = driven(1.0, 0.5, others={"foreign_cpu": 0.25, "steal": 0.1}).usage
    assert cores_taken(usage, 4) == pytest.approx(1.0 + 0.5 + 0.25 + 0.4)


@pytest.mark.parametrize(
    ("p50_us", "server", "expected"),
    [
        (6_400, 0.49, Bottleneck.WAITING),
        (6_400, 0.51, Bottleneck.CONNECTIONS),
        (6_400, 0.70, Bottleneck.CONNECTIONS),  # 64 in flight at 10,000 a second: most of it is queueing
    ],
)
def test_answers_wait_where_they_take_twice_as_long_as_computing_all_that_is_in_flight(
    p50_us: float, server: float, expected: Bottleneck
) -> None:
    assert limit(case(driven(server, 0.1), p50_us=p50_us)) == expected


def test_what_is_in_flight_is_computed_by_all_workers_at_once() -> None:
    for workers, expected in ((1, Bottleneck.CONNECTIONS), (2, Bottleneck.WAITING)):
        found = case(driven(0.7, 0.1, workers=(0.7 / workers,) * workers), of=wide(workers=workers), p50_us=6_400)
        assert limit(found) == expected


def alone() -> Cell:
    """Return a cell with one request in flight, which waits behind no other."""
    one = cell("a")
    return replace(one, load=replace(one.load, connections=1))


@pytest.mark.parametrize(("p50_us", "expected"), [(1_000, Bottleneck.WAITING), (999, Bottleneck.CONNECTIONS)])
def test_less_than_a_millisecond_is_no_waiting(p50_us: float, expected: Bottleneck) -> None:
    assert limit(case(driven(0.3, 0.1), of=alone(), p50_us=p50_us)) == expected


@pytest.mark.parametrize(("p50_us", "expected"), [(4_000, Bottleneck.WAITING), (3_999, Bottleneck.CONNECTIONS)])
def test_long_computing_is_no_waiting(p50_us: float, expected: Bottleneck) -> None:
    slow = driven(0.3, 0.1, requests=2_000)  # 400 us of CPU per answer, the generator's 100 us included
    assert limit(case(slow, of=alone(), p50_us=p50_us)) == expected


def test_waiting_is_told_with_how_long_an_answer_took_and_how_little_of_it_was_computing() -> None:
    evidence = verdict(case(driven(0.5, 0.1), p50_us=10_400))[1]
    computed = "of which the server computed 0.05 ms, or 3.20 ms for 64 requests in flight"
    assert evidence.startswith(f"the median answer took 10.4 ms, {computed}: the server used 50%")


@pytest.mark.parametrize("server", [0.4, 0.8])
def test_quick_answers_of_a_server_that_is_not_full_call_for_more_connections(server: float) -> None:
    found = verdict(case(driven(server, 0.3), p50_us=200))
    evidence = f"neither was full: the server used {server:.0%} of a core, fake used 30% of its thread"
    assert found == (Bottleneck.CONNECTIONS, evidence)


@pytest.mark.parametrize(("server", "several"), [(1.05, False), (1.06, True)])
def test_more_than_a_core_per_worker_is_said_to_be_that_of_several_threads(
    server: float,
    several: bool,  # noqa: FBT001 - a table
) -> None:
    said = " over several threads" if several else ""
    assert f"the server used {server:.0%} of a core{said}, fake" in verdict(case(driven(server)))[1]
    twice = case(driven(2 * server, workers=(server, server)), of=wide(workers=2))
    assert f"could have{said}, fake" in verdict(twice)[1]


def test_one_busy_worker_of_several_is_the_servers_limit() -> None:
    found = case(driven(1.0, workers=(0.97, 0.03)), of=wide(workers=2))
    assert limit(found) == Bottleneck.SERVER
    assert "the busiest of its workers used 97% of a core" in verdict(found)[1]
    assert limit(case(driven(1.7, workers=(0.89, 0.81)), of=wide(workers=2), p50_us=100)) == Bottleneck.CONNECTIONS


def test_time_that_the_host_stole_was_not_there_to_be_used() -> None:
    usage = driven(0.88, others={"steal": 0.1}).usage
    assert server_busy(usage, 1, 2) == pytest.approx(0.88 / 0.8)
    assert server_busy(driven(others={"steal": 1.0}).usage, 1, 2) == 1.0


def test_two_workers_that_share_two_cores_with_the_generator_are_busy_with_what_it_leaves() -> None:
    shared: Usage = driven(1.4, 0.5).usage
    assert server_busy(shared, 2, 2) == pytest.approx(1.4 / 1.5)
    assert server_busy(shared, 2, 4) == pytest.approx(1.4 / 2)


@pytest.mark.parametrize("bottleneck", Bottleneck)
def test_every_limit_but_the_server_has_a_flag_with_the_evidence_and_an_advice(bottleneck: Bottleneck) -> None:
    shown = {
        Bottleneck.SERVER: case(driven()),
        Bottleneck.GENERATOR: case(driven(0.5, generator=0.9)),
        Bottleneck.HOST: case(driven(0.5, others={"foreign_cpu": 1.0})),
        Bottleneck.WAITING: case(driven(0.1)),
        Bottleneck.CONNECTIONS: case(driven(0.1), p50_us=100),
    }[bottleneck]
    found = judge(shown, busy(shown))
    assert found is not None
    assert found.bottleneck == bottleneck
    remarks = list(limit_remark(found))
    assert [(each.flag, each.sentence) for each in remarks] == (
        [] if bottleneck == Bottleneck.SERVER else [(FLAGS[bottleneck], found.evidence)]
    )
    assert all(each.advice for each in remarks)


@pytest.mark.parametrize(("cores", "expected"), [(3, 0), (2, 1)])
def test_more_workers_and_threads_than_cores_are_oversubscribed(cores: int, expected: int) -> None:
    remarks = list(oversubscribed(case(driven(0.1), of=wide(workers=2), cores=cores)))
    assert [each.flag for each in remarks] == [Flag.OVERSUBSCRIBED] * expected
    assert all("2 workers and 1 thread of the generator share 2 cores" in each.sentence for each in remarks)


def opened(
    *, due: int = REQUESTS, answered: int = REQUESTS, unanswered: int = 0, generator: float = 0.3, sent_us: int = WALL_US
) -> Case:
    """Return a cell that was sent a fixed rate, for two seconds or for as long as it took."""
    plain = driven(0.3, generator, requests=answered)
    stats = replace(plain.stats, due=due, unanswered=unanswered, duration_us=sent_us)
    one = cell("a")
    return case(replace(plain, stats=stats), of=replace(one, load=replace(one.load, generator="builtin", rate_percent=60)))


def test_a_rate_that_was_kept_is_judged_by_nothing() -> None:
    kept = opened()
    assert judge(kept, busy(kept)) is None
    assert list(rate_not_kept(kept, busy(kept))) == []


@pytest.mark.parametrize(
    ("due", "answered", "unanswered", "expected"),
    [(20_000, 19_800, 0, False), (20_000, 19_799, 0, True), (20_000, 19_999, 1, True)],
)
def test_a_rate_is_not_kept_where_answers_are_missing_or_too_few(
    due: int,
    answered: int,
    unanswered: int,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    found = opened(due=due, answered=answered, unanswered=unanswered)
    remarks = list(rate_not_kept(found, busy(found)))
    assert bool(remarks) is expected
    assert all(f"{answered:,} of 20,000 requests that were due had an answer" in each.sentence for each in remarks)


@pytest.mark.parametrize(("sent_us", "expected"), [(2_000_000, False), (2_020_000, False), (2_025_000, True), (3_330_000, True)])
def test_a_rate_is_not_kept_where_sending_took_longer_though_all_had_an_answer_in_the_end(
    sent_us: int,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    found = opened(sent_us=sent_us)
    remarks = list(rate_not_kept(found, busy(found)))
    assert bool(remarks) is expected
    assert all(f"sending them took {sent_us / 1e6:.2f} s instead of 2 s" in each.sentence for each in remarks)


def test_a_rate_that_was_not_kept_for_want_of_answers_alone_says_nothing_of_how_long_sending_took() -> None:
    found = opened(answered=19_000, unanswered=1_000)
    (remark,) = rate_not_kept(found, busy(found))
    assert "sending" not in remark.sentence


def test_a_generator_that_could_do_no_more_did_not_keep_its_rate() -> None:
    found = opened(generator=0.9)
    judged = judge(found, busy(found))
    assert judged is not None
    assert judged.bottleneck == Bottleneck.GENERATOR
    assert [each.flag for each in rate_not_kept(found, busy(found))] == [Flag.RATE_NOT_KEPT]
    assert "builtin used 90% of its thread" in next(rate_not_kept(found, busy(found))).sentence


def test_a_closed_loop_has_no_rate_to_keep() -> None:
    found = case(driven(generator=0.9))
    assert list(rate_not_kept(found, busy(found))) == []
