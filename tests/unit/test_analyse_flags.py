"""Flags of a row: every one comes with its remark, in the order of the enum, and some bar a row from the ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from servermatrix.analysis.summarise import summarise
from servermatrix.model import UNRANKED, Bottleneck, Ceiling, Cell, Flag, PlannedCell, Sample, Summary, Window
from tests.unit.analyse_runs import cell, measured, window

MIB = 2**20
ROUNDS = 6


def real(workers: int = 1, **load: object) -> Cell:
    one = cell("a", workers=workers)
    return replace(one, load=replace(one.load, generator="wrk", **load))  # type: ignore[arg-type]


def answered(mean_us: int = 6_400, rps: float = 10_000, *, due: int = 0, **usage: object) -> Window:
    """Return a window in which every answer took so long."""
    plain = window(rps, **usage)
    return replace(plain, stats=replace(plain.stats, histogram=((mean_us, plain.stats.requests),), due=due))


def summary(each: Callable[[int], Window], of: Cell | None = None, *, rounds: int = ROUNDS, cores: int = 4) -> Summary:
    """Summarise rounds of one window each."""
    one = of or real()
    samples: list[Sample] = [measured(one, number, each(number)) for number in range(1, rounds + 1)]
    return summarise(PlannedCell(cell=one, argv=(), load_argv=()), samples, cores=cores, name="a").summary


def always(of: Cell | None = None, **usage: object) -> Summary:
    return summary(lambda _: answered(**usage), of)  # type: ignore[arg-type]


# What shows each flag, and little else.
SHOWN: Mapping[Flag, Callable[[], Summary]] = {
    Flag.GENERATOR_BOUND: lambda: always(generator_cpu_us=1_900_000),
    Flag.HOST_BOUND: lambda: always(throttled_us=5_000),
    Flag.WAITING: lambda: always(server_cpu_us=200_000, worker_cpu_us=(200_000,)),
    Flag.CONNECTION_BOUND: lambda: always(
        of=real(connections=1), mean_us=199, rps=5_000, server_cpu_us=1_000_000, worker_cpu_us=(1_000_000,)
    ),
    Flag.OVERSUBSCRIBED: lambda: summary(lambda _: answered(), real(workers=4)),
    Flag.RATE_NOT_KEPT: lambda: always(of=real(rate_percent=60), due=30_000),
    Flag.NOISY: lambda: always(foreign_cpu=0.3),
    Flag.PLATEAU_40_MS: lambda: always(mean_us=42_000, rps=1_520, server_cpu_us=100_000, worker_cpu_us=(100_000,)),
    Flag.BIMODAL: lambda: summary(lambda number: answered(6_400, 10_000) if number % 2 else answered(12_800, 5_000)),
    Flag.UNBALANCED: lambda: always(of=real(workers=2), server_cpu_us=2_000_000, worker_cpu_us=(1_900_000, 100_000)),
    Flag.CLOSES_CONNECTIONS: lambda: always(connects=20_064),
    Flag.ANSWERS_MISSING: lambda: always(mean_us=4_000),
    Flag.MEMORY_GROWS: lambda: always(pss_before_bytes=30 * MIB, pss_bytes=130 * MIB),
    Flag.LOG_FLOOD: lambda: always(log_bytes=2_000_000),
    Flag.FEW_ROUNDS: lambda: summary(lambda _: answered(), rounds=5),
}


@pytest.mark.parametrize("flag", Flag)
def test_every_flag_can_be_shown_and_has_a_remark_with_a_sentence_and_an_advice(flag: Flag) -> None:
    found = SHOWN[flag]()
    assert flag in found.flags
    (remark,) = [each for each in found.remarks if each.flag == flag]
    assert remark.sentence
    assert not remark.sentence.endswith(".")
    assert remark.advice[0].isupper()
    assert remark.advice.endswith(".")


@pytest.mark.parametrize("flag", Flag)
def test_remarks_stand_in_the_order_of_the_flags_and_these_in_that_of_the_enum(flag: Flag) -> None:
    found = SHOWN[flag]()
    assert [remark.flag for remark in found.remarks] == list(found.flags)
    assert list(found.flags) == [each for each in Flag if each in found.flags]


def test_a_row_with_everything_wrong_has_its_flags_in_one_order_too() -> None:
    found = summary(
        lambda _: answered(
            42_000, 100, server_cpu_us=100_000, foreign_cpu=0.5, connects=9_000, log_bytes=10**6, worker_cpu_us=(100_000, 0)
        ),
        real(workers=2),
        rounds=2,
        cores=1,
    )
    assert list(found.flags) == [each for each in Flag if each in found.flags]
    assert len(found.flags) == 7
    assert [remark.flag for remark in found.remarks] == list(found.flags)


def test_a_row_without_a_fault_has_no_flag_and_no_remark() -> None:
    found = always(connects=64, pss_before_bytes=29 * MIB)
    assert (found.flags, found.remarks) == ((), ())
    assert found.verdict is not None
    assert found.verdict.bottleneck == Bottleneck.SERVER


def test_the_limits_of_something_else_than_the_server_bar_a_row_from_the_ranking() -> None:
    barred = {flag for flag in SHOWN if UNRANKED.intersection(SHOWN[flag]().flags) and flag in UNRANKED}
    assert barred == UNRANKED
    for flag in (Flag.BIMODAL, Flag.UNBALANCED, Flag.CLOSES_CONNECTIONS, Flag.ANSWERS_MISSING, Flag.MEMORY_GROWS, Flag.LOG_FLOOD):
        assert SHOWN[flag]().flags == (flag,)


def test_the_ceiling_of_the_run_is_that_of_the_cells_generator() -> None:
    ceilings = [
        Ceiling(generator=name, protocol="h1", threads=1, requests_per_s=rate, cpu_us_per_request=100)
        for name, rate in (("h2load", 10_000), ("wrk", 40_000))
    ]
    planned = PlannedCell(cell=real(), argv=(), load_argv=())
    found = summarise(planned, [measured(real(), 1, answered())], cores=4, name="a", ceilings=ceilings).summary
    assert found.verdict is not None
    assert found.verdict.evidence.endswith("wrk used 20% of its thread and reached 25% of what it can do here")


def test_a_row_that_was_not_measured_has_no_verdict_and_no_flag() -> None:
    found = summarise(PlannedCell(cell=real(), argv=(), load_argv=()), [], cores=4, name="a").summary
    assert (found.status, found.verdict, found.flags, found.remarks) == ("skipped", None, (), ())


def test_requests_and_cpu_time_are_told_by_round() -> None:
    samples: list[Sample] = [measured(real(), 2, answered(rps=10_000)), measured(real(), 5, answered(rps=5_000))]
    row = summarise(PlannedCell(cell=real(), argv=(), load_argv=()), samples, cores=4, name="a")
    assert row.rps == {2: 10_000, 5: 5_000}
    assert row.cpu_us == {2: 98, 5: 196}


def test_percentiles_are_those_of_the_whole_cell() -> None:
    samples: list[Sample] = [measured(real(), number, answered(1_000 * number, 10_000 / number)) for number in (1, 2, 3)]
    found = summarise(PlannedCell(cell=real(), argv=(), load_argv=()), samples, cores=4, name="a").summary
    assert found.p50_us is not None
    assert found.p999_us is not None
    assert (found.p50_us.value_us, found.p50_us.lowest_us, found.p50_us.highest_us) == (1_000, 1_000, 3_000)
    assert found.p999_us.value_us == 3_000
    assert found.p50_us.samples == 20_000 + 10_000 + 6_667
