"""Requests that were never answered: how much time in flight is missing, and what else it may be lost to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.analysis.missing import answers_missing, unaccounted
from servermatrix.model import Cell, Flag
from tests.unit.analyse_runs import cell, window
from tests.unit.cases import WALL_US, case, flying, only, real


@pytest.mark.parametrize(("mean_us", "missing"), [(6_400, -0.003), (3_200, 0.498), (4_800, 0.248)])
def test_answers_account_for_the_time_of_the_requests_in_flight(mean_us: int, missing: float) -> None:
    assert unaccounted(flying(mean_us), 64) == pytest.approx(missing, abs=0.001)


def test_the_request_that_is_under_way_at_the_end_is_not_missing() -> None:
    slow = replace(window(), stats=replace(window().stats, requests=64, histogram=((1_200_000, 64),)))
    assert unaccounted(slow, 64) < 0


def test_requests_without_an_answer_are_counted_from_the_time_that_is_missing() -> None:
    sentence = only(list(answers_missing(case([flying(4_800)]))), Flag.ANSWERS_MISSING)
    assert "account for 75% of the time that 64 requests were to be in flight: about 16 of them were never answered" in sentence
    assert "wrk does not say so" in sentence


@pytest.mark.parametrize(
    ("generator", "foreign", "missing", "expected"),
    [
        (0.1, 0.0, 0.055, False),
        (0.1, 0.0, 0.075, True),
        (0.6, 0.0, 0.20, False),
        (0.6, 0.0, 0.23, True),
        (0.1, 1.0, 0.16, False),
        (0.1, 1.0, 0.18, True),
        (0.1, 9.0, 0.18, False),  # then opening connections takes longer
        (0.1, 9.0, 0.21, True),
    ],
)
def test_what_a_busy_generator_and_others_lose_is_not_missing(
    generator: float,
    foreign: float,
    missing: float,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    one = flying(round(6_400 * (1 - missing)), generator_cpu_us=round(generator * WALL_US), foreign_cpu=foreign)
    assert bool(list(answers_missing(case([one])))) is expected


def test_handshakes_take_time_that_no_answer_accounts_for() -> None:
    late = flying(5_600)  # an eighth is missing
    assert list(answers_missing(case([late])))
    assert list(answers_missing(case([late], of=replace(real(), protocol="h2")))) == []


def test_many_connections_take_time_to_open() -> None:
    late = flying(86_000)  # 1,024 in flight at 10,000 a second take 102 ms each; 12 % is missing
    assert list(answers_missing(case([late], of=real(connections=1_024)))) == []
    assert list(answers_missing(case([late], of=real(connections=16, streams=64))))


@pytest.mark.parametrize("of", [real(requests_per_connection=1), real(rate_percent=30), cell("a")])
def test_nothing_is_missing_where_requests_are_not_kept_in_flight(of: Cell) -> None:
    assert list(answers_missing(case([flying(1_000)], of=of))) == []


def test_streams_are_in_flight_too() -> None:
    assert list(answers_missing(case([flying(6_400)], of=real(connections=16, streams=4)))) == []
    assert list(answers_missing(case([flying(6_400)], of=real(connections=64, streams=4))))
