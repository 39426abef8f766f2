"""Run -> Report: what a cell's samples say of it, and when they say nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.analysis.analyse import analyse
from servermatrix.model import Cause, Estimate, LoadStats, Measured, Report, Sample, Summary, Wire
from tests.unit.analyse_runs import LOAD, cell, failed, measured, rates, run, series, skipped, window


def summary_of(report: Report, server: str) -> Summary:
    rows = [row for table in report.tables for row in table.rows] + list(report.not_measured)
    return next(row for row in rows if row.planned.cell.server == server)


def only(samples: list[Sample], rounds: int = 6) -> Summary:
    return summary_of(analyse(run([cell("a")], samples, rounds)), "a")


# one observation per start


def test_requests_per_second_and_cpu_of_a_start_are_those_of_its_median_window() -> None:
    found = only([measured(cell("a"), 1, window(9_000), window(30_000), window(10_000))])
    assert found.rps == Estimate(value=10_000, low=None, high=None, n=1)
    assert found.cpu_us_per_request == Estimate(value=1_960_000 / 20_000, low=None, high=None, n=1)


def test_requests_per_second_go_by_the_measured_duration() -> None:
    stats = LoadStats(requests=1000, duration_us=500_000, histogram=((1, 1000),))
    found = only([measured(cell("a"), 1, replace(window(), stats=stats))])
    assert found.rps is not None
    assert found.rps.value == 2000


def test_percentiles_of_a_start_are_those_of_all_its_answers_together() -> None:
    slow, fast = ((900, 10), (1000, 90)), ((100, 290), (5000, 10))
    windows = [
        replace(window(), stats=LoadStats(requests=sum(n for _, n in h), duration_us=2_000_000, histogram=h))
        for h in (slow, fast)
    ]
    found = only([measured(cell("a"), 1, *windows)])
    assert found.p50_us is not None
    assert found.p99_us is not None
    assert (found.p50_us.value_us, found.p99_us.value_us) == (100, 5000)


def test_windows_that_were_driven_again_are_counted_over_all_starts() -> None:
    again = replace(window(), discarded=("noise", "noise"))
    found = only([measured(cell("a"), 1, window(), again), measured(cell("a"), 2, replace(window(), discarded=("noise",)))])
    assert found.windows_repeated == 3


def test_memory_is_the_largest_of_a_start_and_the_median_over_starts() -> None:
    a = cell("a")
    of_start = [(10, 30), (20, 20), (40, 10)]
    samples: list[Sample] = [
        measured(a, number, *(window(pss_bytes=pss) for pss in seen)) for number, seen in enumerate(of_start, 1)
    ]
    assert only(samples).pss_bytes == 30


def test_what_the_platform_cannot_see_stays_unknown() -> None:
    found = only([measured(cell("a"), 1, window(pss_bytes=None, worker_cpu_us=()))])
    assert (found.pss_bytes, found.balance) == (None, None)


def test_start_up_is_the_median_over_starts() -> None:
    a = cell("a")
    found = only([measured(a, number, startup_s=seconds) for number, seconds in enumerate((0.1, 0.9, 0.2), 1)])
    assert found.startup_s == 0.2


def test_six_rounds_give_rates_and_costs_an_interval() -> None:
    found = only(series(cell("a"), rates(10_000, 6)))
    for estimate in (found.rps, found.cpu_us_per_request):
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high


def test_a_round_that_is_stored_twice_counts_once_and_the_later_one_stands() -> None:
    a = cell("a")
    found = only([measured(a, 1, window(1)), measured(a, 1, window(10_000))])
    assert found.rounds_ok == 1
    assert found.rps is not None
    assert found.rps.value == 10_000


# what was sent

SMALL, LARGE = Wire(head_bytes=80, body_bytes=13, framing="content-length"), Wire(head_bytes=81, body_bytes=13, framing="chunked")


def sent(*wires: Wire | None) -> Wire | None:
    return only([replace(measured(cell("a"), number), wire=wire) for number, wire in enumerate(wires, 1)]).wire


def test_what_most_starts_sent_is_what_a_cell_sends() -> None:
    assert sent(LARGE, SMALL, None, SMALL) == SMALL
    assert sent(SMALL, LARGE) == SMALL
    assert sent(LARGE, SMALL) == LARGE


def test_what_was_never_looked_at_is_not_known() -> None:
    assert sent(None, None) is None


@pytest.mark.parametrize(
    ("generator", "protocol", "statuses", "unread"),
    [
        ("h2load", "h1", (), True),
        ("h2load", "h1s", (), True),
        ("h2load", "h1", ((200, 20_000),), False),
        ("h2load", "h2c", (), False),
        ("wrk", "h1", (), False),
    ],
)
def test_a_status_that_h2load_could_not_read_is_told(
    generator: str,
    protocol: str,
    statuses: tuple[tuple[int, int], ...],
    unread: bool,  # noqa: FBT001 - a table
) -> None:
    driven = cell("a", protocol=protocol, load=replace(LOAD, generator=generator))
    seen = replace(window(), stats=replace(window().stats, statuses=statuses))
    assert summary_of(analyse(run([driven], [measured(driven, 1, seen)])), "a").status_unread is unread


# statuses


@pytest.mark.parametrize("cause", [Cause.SERVER, Cause.GENERATOR, Cause.ENVIRONMENT])
def test_one_hard_failure_makes_a_cell_failed_and_takes_all_its_numbers(cause: Cause) -> None:
    a = cell("a")
    found = only([*series(a, rates(10_000, 5)), failed(a, 6, cause, "it died")])
    assert (found.status, found.reason, found.rounds_ok, found.rounds_failed) == ("failed", "it died", 5, 1)
    numbers = (found.rps, found.cpu_us_per_request, found.p50_us, found.p99_us, found.ratio, found.pss_bytes, found.startup_s)
    assert numbers == (None,) * 7
    assert (found.ranking, found.flags) == (None, ())


def test_a_round_lost_to_noise_leaves_the_others_standing_and_is_counted() -> None:
    a = cell("a")
    found = only([failed(a, 1, Cause.NOISE, "others used the CPU"), *series(a, rates(10_000, 6))[1:]])
    assert (found.status, found.reason) == ("measured", "others used the CPU")
    assert (found.rounds_ok, found.rounds_failed) == (5, 1)


def test_a_cell_with_nothing_but_noise_failed() -> None:
    found = only([failed(cell("a"), number, Cause.NOISE, "too noisy") for number in (1, 2)])
    assert (found.status, found.reason, found.rounds_failed) == ("failed", "too noisy", 2)


def test_the_reason_of_a_failed_cell_is_what_made_it_fail_not_the_noise_before() -> None:
    a = cell("a")
    found = only([failed(a, 1, Cause.NOISE, "too noisy"), failed(a, 2, Cause.SERVER, "it died")])
    assert found.reason == "it died"


def test_a_cell_that_was_only_skipped_says_why() -> None:
    a = cell("a")
    found = only([skipped(a, 1, "its proof failed"), skipped(a, 2, "stopped")])
    assert (found.status, found.reason, found.rounds_ok) == ("skipped", "its proof failed", 0)


def test_a_cell_without_any_sample_was_not_reached() -> None:
    assert only([]).status == "skipped"
    assert only([]).reason == "not reached before the run ended"


def test_skipped_rounds_do_not_spoil_measured_ones() -> None:
    a = cell("a")
    found = only([*series(a, rates(10_000, 6)), skipped(a, 7, "time is up")])
    assert (found.status, found.reason, found.rounds_ok) == ("measured", "", 6)


def empty(**stats: object) -> Measured:
    return measured(cell("a"), 3, replace(window(), stats=replace(window().stats, **stats)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sample",
    [
        replace(measured(cell("a"), 3), windows=()),
        empty(requests=0),
        empty(duration_us=0),
        empty(histogram=()),
        empty(histogram=((10, 0),)),
        measured(cell("a"), 3, window(wall_us=0)),
    ],
)
def test_a_stored_window_with_nothing_in_it_is_a_failure_not_a_number(sample: Measured) -> None:
    found = only([*series(cell("a"), [1000.0, 1000.0]), sample])
    assert found.status == "failed"
    assert found.reason.startswith("round 3 is stored as measured, but")
