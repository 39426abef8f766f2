"""Flags: what a reader must be warned of, at and around each limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from servermatrix.analysis.flags import cell_flags, server_busy
from servermatrix.model import UNRANKED, Cell, Flag, Usage
from tests.unit.analyse_runs import cell, window

WALL_US = 2_000_000


def usage(server: float = 0.98, generator: float = 0.2, workers: int = 1, foreign_cpu: float = 0, steal: float = 0) -> Usage:
    """Return a window in which the server and the generator used these shares of their time."""
    cpu = round(server * WALL_US * workers)
    driven = round(generator * WALL_US)
    return window(server_cpu_us=cpu, generator_cpu_us=driven, foreign_cpu=foreign_cpu, steal=steal).usage


def flags(*usages: Usage, of: Cell | None = None, p50_us: float = 5_000, share: float | None = None) -> Sequence[Flag]:
    return cell_flags(of or cell("a"), usages, cores=8, rounds=10, p50_us=p50_us, share=share)


def test_a_saturated_server_with_an_idle_generator_has_no_flag() -> None:
    assert flags(usage()) == ()


@pytest.mark.parametrize(("generator", "expected"), [(0.84, ()), (0.85, ()), (0.86, (Flag.CLIENT_BOUND,))])
def test_a_generator_that_uses_up_its_threads_makes_a_row_client_bound(generator: float, expected: tuple[Flag, ...]) -> None:
    assert flags(usage(generator=generator)) == expected


def test_two_threads_of_the_generator_may_use_two_cores() -> None:
    threads = replace(cell("a"), load=replace(cell("a").load, threads=2))
    assert flags(usage(generator=1.6), of=threads) == ()
    assert flags(usage(generator=1.8), of=threads) == (Flag.CLIENT_BOUND,)


@pytest.mark.parametrize(("server", "expected"), [(0.89, (Flag.UNDER_DRIVEN,)), (0.90, ()), (1.4, ())])
def test_an_idle_server_with_an_idle_generator_is_under_driven(server: float, expected: tuple[Flag, ...]) -> None:
    assert flags(usage(server=server)) == expected


def test_a_server_that_waits_for_a_busy_generator_is_client_bound_not_under_driven() -> None:
    assert flags(usage(server=0.5, generator=0.95)) == (Flag.CLIENT_BOUND,)


def test_a_server_with_two_workers_is_busy_when_both_are() -> None:
    two = cell("a", workers=2)
    assert flags(usage(server=0.95, workers=2), of=two) == ()
    assert flags(usage(server=0.95, workers=1), of=two) == (Flag.UNDER_DRIVEN,)


def test_time_that_the_host_stole_was_not_there_to_be_used() -> None:
    assert server_busy(usage(server=0.88, steal=0.1), 1, 2) == pytest.approx(0.88 / 0.8)
    assert Flag.UNDER_DRIVEN not in flags(usage(server=0.88, steal=0.1))
    assert server_busy(usage(steal=1.0), 1, 2) == 1.0


def test_two_workers_that_share_two_cores_with_the_generator_are_busy_with_what_it_leaves() -> None:
    shared = usage(server=0.7, workers=2, generator=0.5)
    assert server_busy(shared, 2, 2) == pytest.approx(1.4 / 1.5)
    assert server_busy(shared, 2, 4) == pytest.approx(1.4 / 2)


@pytest.mark.parametrize(("cores", "expected"), [(3, ()), (2, (Flag.OVERSUBSCRIBED,))])
def test_more_workers_and_threads_than_cores_are_oversubscribed(cores: int, expected: tuple[Flag, ...]) -> None:
    two = cell("a", workers=2)
    assert cell_flags(two, [usage(workers=2)], cores=cores, rounds=6, p50_us=1, share=None) == expected


@pytest.mark.parametrize("disturbed", [usage(server=1.0, foreign_cpu=0.11), usage(server=1.0, steal=0.021)])
def test_a_row_is_noisy_when_more_than_a_third_of_its_windows_were(disturbed: Usage) -> None:
    calm = usage(server=1.0)
    assert flags(disturbed, calm, calm) == ()
    assert flags(disturbed, disturbed, calm) == (Flag.NOISY,)


def test_noise_at_the_limit_is_still_allowed() -> None:
    assert flags(usage(server=1.0, foreign_cpu=0.10, steal=0.02)) == ()


@pytest.mark.parametrize(
    ("p50_us", "server", "expected"),
    [(38_000, 0.2, True), (46_000, 0.49, True), (37_999, 0.2, False), (46_001, 0.2, False), (41_000, 0.6, False)],
)
def test_an_idle_server_that_answers_after_40_ms_waits_for_acknowledgements(
    p50_us: float,
    server: float,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    assert (Flag.PLATEAU_40_MS in flags(usage(server=server), p50_us=p50_us)) is expected


@pytest.mark.parametrize(
    ("workers", "share", "expected"), [(2, 0.71, True), (2, 0.69, False), (4, 0.46, True), (1, 1.0, False), (2, None, False)]
)
def test_one_worker_that_does_far_more_than_its_part_is_unbalanced(
    workers: int,
    share: float | None,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    of = cell("a", workers=workers)
    assert (Flag.UNBALANCED in flags(usage(workers=workers), of=of, share=share)) is expected


@pytest.mark.parametrize(("rounds", "expected"), [(5, (Flag.FEW_ROUNDS,)), (6, ())])
def test_five_rounds_are_few(rounds: int, expected: tuple[Flag, ...]) -> None:
    assert cell_flags(cell("a"), [usage()], cores=8, rounds=rounds, p50_us=1, share=None) == expected


def test_a_flag_goes_by_the_median_window_not_by_the_worst() -> None:
    assert flags(usage(), usage(), usage(server=0.1, generator=0.99)) == ()


def test_flags_come_in_one_order_and_some_bar_a_row_from_the_ranking() -> None:
    found = cell_flags(cell("a"), [usage(server=0.1, foreign_cpu=1)], cores=1, rounds=1, p50_us=40_000, share=None)
    assert list(found) == [flag for flag in Flag if flag in found]
    assert set(found) & UNRANKED == {Flag.UNDER_DRIVEN, Flag.OVERSUBSCRIBED, Flag.FEW_ROUNDS}
