"""What is wrong although there are numbers: each at and around its limit, and what looks alike and is not it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from servermatrix.analysis import pathologies
from servermatrix.analysis.cases import busy
from servermatrix.model import Bottleneck, Flag, Verdict, Window
from tests.unit.analyse_runs import rates, window
from tests.unit.cases import MIB, WALL_US, case, flying, only, real

# --- noise


@pytest.mark.parametrize("disturbed", [window(foreign_cpu=0.11), window(steal=0.021)])
def test_a_row_is_noisy_when_more_than_a_third_of_its_windows_were(disturbed: Window) -> None:
    assert list(pathologies.noisy(case([disturbed, window(), window()]))) == []
    sentence = only(list(pathologies.noisy(case([disturbed], [disturbed, window()]))), Flag.NOISY)
    assert sentence.startswith("in 2 of 3 windows other programs used more than 10% of a core")


def test_noise_at_the_limit_is_still_allowed() -> None:
    assert list(pathologies.noisy(case([window(foreign_cpu=0.10, steal=0.02)]))) == []


# --- the 40 ms plateau


@pytest.mark.parametrize(
    ("p5_us", "server", "expected"),
    [(38_000, 0.2, True), (46_000, 0.49, True), (37_999, 0.2, False), (46_001, 0.2, False), (41_000, 0.5, False)],
)
def test_an_idle_server_that_answers_after_40_ms_waits_for_acknowledgements(
    p5_us: float,
    server: float,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    found = case([window(server_cpu_us=round(server * WALL_US))], p5_us=p5_us, p50_us=47_000)
    remarks = list(pathologies.plateau(found, busy(found)))
    assert bool(remarks) is expected
    said = f"took 47.0 ms and 95% took {p5_us / 1000:.1f} ms or more, while the server used {server:.0%}"
    assert all(said in each.sentence and each.sentence.endswith("or the app itself waits 40 ms") for each in remarks)


def test_a_queue_whose_median_is_40_ms_by_chance_is_no_plateau() -> None:
    found = case([window(server_cpu_us=600_000)], p5_us=22_000, p50_us=41_500)
    assert list(pathologies.plateau(found, busy(found))) == []


@pytest.mark.parametrize("limit", Bottleneck)
def test_there_is_no_plateau_where_the_host_is_the_limit(limit: Bottleneck) -> None:
    found = case([window(server_cpu_us=400_000)], p5_us=43_800, p50_us=44_000)
    told = pathologies.remarks(found, busy(found), Verdict(bottleneck=limit, evidence=""))
    assert (Flag.PLATEAU_40_MS in [each.flag for each in told]) is (limit != Bottleneck.HOST)


@pytest.mark.parametrize(
    ("p5_us", "p50_us", "expected"),
    [(43_800, 52_000, True), (43_800, 79_999, True), (43_800, 80_000, False), (37_999, 52_000, False)],
)
def test_the_fast_answers_show_the_plateau_where_a_queue_hides_it(
    p5_us: float,
    p50_us: float,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    found = case([window(server_cpu_us=400_000)], p5_us=p5_us, p50_us=p50_us)
    assert bool(list(pathologies.plateau(found, busy(found)))) is expected


# --- two speeds


def test_starts_of_two_speeds_are_told_with_both_and_the_gap_between_them() -> None:
    found = case(served=[3_000, 9_100, 3_100, 9_000, 2_900, 9_300])
    sentence = only(list(pathologies.two_speeds(found)), Flag.BIMODAL)
    assert sentence == ("3 starts served about 3,000 requests/s and 3 about 9,100, and none anything between 3,100 and 9,000")


@pytest.mark.parametrize(
    ("served", "why"),
    [
        ([100, 100, 100, 114, 114, 114], "the gap is small"),
        ([100, 100, 100, 100, 200, 200], "two starts are two outliers"),
        ([100, 100, 200, 200], "four starts tell nothing"),
        ([100] * 15 + [200] * 3, "three of eighteen are fewer than a fifth"),
        ([100, 120, 150, 200, 220, 240], "the sides are as wide as the gap"),
        ([100, 100, 100, 150, 150, 150, 300], "the largest gap is beside one outlier"),
        ([0, 0, 0, 100, 100, 100], "nothing served is no speed"),
    ],
)
def test_what_is_not_clearly_of_two_speeds_has_one(served: Sequence[float], why: str) -> None:
    assert pathologies.clusters(served) is None, why


def test_the_gap_must_be_half_as_wide_again_as_either_side() -> None:
    assert pathologies.clusters([100, 105, 110, 100 * 1.1**2.6, 130, 130])
    assert pathologies.clusters([100, 105, 110, 100 * 1.1**2.4, 126, 126]) is None


def test_a_cell_of_an_open_loop_has_the_speed_it_is_sent() -> None:
    assert list(pathologies.two_speeds(case(of=real(rate_percent=30), served=[100, 100, 100, 300, 300, 300]))) == []


def normal(source: random.Random, sd: float) -> float:
    return source.gauss(0, sd)


def contaminated(source: random.Random, sd: float) -> float:
    return source.gauss(0, sd * 4 if source.random() < 0.15 else sd)


def one_sided(source: random.Random, sd: float) -> float:
    return -source.expovariate(1 / sd)


@pytest.mark.parametrize("noise", [normal, contaminated, one_sided])
@pytest.mark.parametrize("sd", [0.02, 0.05, 0.1])
def test_noise_with_one_peak_looks_like_two_speeds_in_fewer_than_one_of_a_hundred_runs(
    noise: Callable[[random.Random, float], float], sd: float
) -> None:
    source = random.Random(f"{noise.__name__}/{sd}")  # noqa: S311 - reproducible, not secret
    runs = 2_000
    alarms = sum(pathologies.clusters([2.718 ** noise(source, sd) for _ in range(11)]) is not None for _ in range(runs))
    assert alarms < 0.01 * runs


def test_two_speeds_that_differ_by_a_half_are_found_in_most_runs() -> None:
    source = random.Random(1)  # noqa: S311 - reproducible, not secret
    speeds = [[(1.5 if source.random() < 0.4 else 1) * 2.718 ** source.gauss(0, 0.03) for _ in range(11)] for _ in range(500)]
    assert sum(pathologies.clusters(each) is not None for each in speeds) > 0.75 * 500


# --- connections that are closed


def connecting(connects: int | None, rps: float = 10_000) -> Window:
    return window(rps, connects=connects)


def test_a_connection_per_answer_is_named_as_such() -> None:
    sentence = only(list(pathologies.closes_connections(case([connecting(20_064)]))), Flag.CLOSES_CONNECTIONS)
    assert "20,000 connections or more were opened beyond those asked for, one per 1 requests" in sentence


@pytest.mark.parametrize(("connects", "expected"), [(64 + 19, True), (64 + 18, False), (64, False), (0, False), (None, False)])
def test_a_few_connections_more_are_those_of_strangers(
    connects: int | None,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    assert bool(list(pathologies.closes_connections(case([connecting(connects)])))) is expected


@pytest.mark.parametrize(("extra", "expected"), [(5, True), (4, False)])
def test_strangers_may_open_two_connections_a_second(
    extra: int,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    assert bool(list(pathologies.closes_connections(case([connecting(64 + extra, 100)])))) is expected


@pytest.mark.parametrize(("extra", "rps"), [(100, 50_000), (8, 4_000)])
def test_a_limit_of_a_thousand_requests_per_connection_is_named(extra: int, rps: float) -> None:
    found = case([connecting(64 + extra, rps)])
    assert "one per 1,000 requests" in only(list(pathologies.closes_connections(found)), Flag.CLOSES_CONNECTIONS)
    assert list(pathologies.closes_connections(case([connecting(64 + 90, 50_000)]))) == []


def test_strangers_in_one_window_are_not_the_servers_doing() -> None:
    assert list(pathologies.closes_connections(case([connecting(9_000), connecting(64)], [connecting(9_000)]))) == []


@pytest.mark.parametrize(("connects", "expected"), [(64 + 10_001, True), (64 + 10_000, False)])
def test_where_others_are_busy_only_a_connection_for_every_second_answer_is_surely_the_servers(
    connects: int,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    disturbed = window(connects=connects, foreign_cpu=0.5)
    assert bool(list(pathologies.closes_connections(case([disturbed])))) is expected


def test_connections_that_were_to_be_replaced_are_asked_for() -> None:
    assert list(pathologies.closes_connections(case([connecting(2_064)], of=real(requests_per_connection=10)))) == []
    assert list(pathologies.closes_connections(case([connecting(4_064)], of=real(requests_per_connection=10))))


def test_a_server_that_closes_connections_is_not_said_to_hang_as_well() -> None:
    found = case([flying(3_200, connects=20_000)] * 2)
    flags = [each.flag for each in pathologies.remarks(found, busy(found), None)]
    assert Flag.CLOSES_CONNECTIONS in flags
    assert Flag.ANSWERS_MISSING not in flags


# --- memory


def swelling(*edges: float) -> list[Window]:
    """Return windows between these sizes in MiB."""
    sizes = [round(each * MIB) for each in edges]
    return [window(pss_before_bytes=before, pss_bytes=after) for before, after in pairwise(sizes)]


def test_memory_that_swells_is_told_with_how_much_and_per_request() -> None:
    sentence = only(list(pathologies.memory_grows(case(swelling(30, 70, 110)))), Flag.MEMORY_GROWS)
    assert "from 30 to 110 MiB under the load, 2,097 bytes per request" in sentence


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ((30, 54), False),  # 16 MiB, and 8 for 64 connections
        ((30, 55), True),
        ((400, 439), False),  # less than a tenth of what was there
        ((400, 441), True),
        ((30, 90, 90), False),  # filled once
        ((30, 75, 90), True),
        ((30, 76, 90), False),  # the last window did not grow by half of an even share
        ((90, 30), False),
    ],
)
def test_memory_grows_where_it_goes_on_growing_beyond_buffers(
    edges: Sequence[float],
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    assert bool(list(pathologies.memory_grows(case(swelling(*edges))))) is expected


def test_the_median_start_decides_whether_memory_grows() -> None:
    assert list(pathologies.memory_grows(case(swelling(30, 90), swelling(30, 31), swelling(30, 31)))) == []


def test_memory_that_was_not_seen_does_not_grow() -> None:
    assert list(pathologies.memory_grows(case([window(pss_bytes=None, pss_before_bytes=1)]))) == []
    assert list(pathologies.memory_grows(case([window(pss_bytes=900 * MIB)]))) == []


# --- logs


@pytest.mark.parametrize(
    ("written", "rps", "expected"), [(20_001, 10_000, True), (20_000, 10_000, False), (4_097, 10, True), (4_096, 10, False)]
)
def test_more_than_a_byte_of_log_per_request_is_a_flood(
    written: int,
    rps: float,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    assert bool(list(pathologies.log_flood(case([window(rps, log_bytes=written)])))) is expected


def test_a_flood_is_told_in_bytes() -> None:
    sentence = only(list(pathologies.log_flood(case([window(log_bytes=1_000_000)]))), Flag.LOG_FLOOD)
    assert sentence == "the server wrote 50 bytes of log per request, 1,000,000 in the median window"


def test_an_access_log_that_was_asked_for_is_no_flood() -> None:
    for value, count in (("on", 0), ("off", 1)):
        of = replace(real(), options=(("access_log", value), ("loop", "uvloop")))
        assert len(list(pathologies.log_flood(case([window(log_bytes=1_000_000)], of=of)))) == count


# --- rounds, and all of them


@pytest.mark.parametrize(("rounds", "expected"), [(5, True), (6, False)])
def test_five_rounds_are_few(
    rounds: int,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    remarks = list(pathologies.few_rounds(case(*([window()] for _ in range(rounds)))))
    assert bool(remarks) is expected
    assert all(each.sentence == "5 starts where an interval takes 6" for each in remarks)


def test_a_cell_that_behaves_has_no_remark() -> None:
    found = case(*([flying(6_400, connects=64, pss_before_bytes=29 * MIB)] for _ in range(10)), served=rates(10_000))
    assert list(pathologies.remarks(found, busy(found), None)) == []
