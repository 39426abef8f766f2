"""Open loops: the rates that capacities set, and tables that are ordered but not ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from servermatrix.analysis.open_loop import paces, tabulate_open
from servermatrix.analysis.summarise import Row, summarise
from servermatrix.model import Cause, Cell, Measured, Pace, PlannedCell, Sample
from tests.unit.analyse_runs import cell, failed, measured, rates, run, series, skipped, window


def sent(one: Cell, percent: int = 30) -> Cell:
    """Return the open-loop cell of a closed-loop one."""
    return replace(one, load=replace(one.load, generator="builtin", rate_percent=percent))


def paced(cells: Sequence[Cell], *samples: Sequence[Sample]) -> dict[str, Pace]:
    return {pace.cell_id: pace for pace in paces(run(cells, [sample for each in samples for sample in each]))}


A, B = cell("a"), cell("b")


def test_every_open_loop_cell_has_its_part_of_what_the_slowest_of_its_comparison_serves() -> None:
    opened = [sent(one, percent) for one in (A, B) for percent in (30, 90)]
    found = paced([A, B, *opened], series(A, rates(10_000)), series(B, rates(4_000)))
    assert {pace.slowest for pace in found.values()} == {B.id}
    assert [found[one.id].rate_per_s for one in opened] == pytest.approx([1_200, 3_600, 1_200, 3_600], rel=0.01)


def test_a_capacity_is_the_median_start_of_the_rounds_that_worked() -> None:
    samples = [*series(A, [8_000, 9_000, 100_000]), failed(A, 4, Cause.NOISE)]
    assert paced([A, sent(A, 50)], samples)[sent(A, 50).id].rate_per_s == pytest.approx(4_500)


def test_a_start_is_the_median_of_its_windows() -> None:
    start = measured(A, 1, window(1_000), window(2_000), window(9_000))
    assert paced([A, sent(A, 50)], [start])[sent(A, 50).id].rate_per_s == pytest.approx(1_000)


def test_a_duplicate_sets_no_rate_and_has_none() -> None:
    again = replace(B, duplicate=True)
    found = paced([A, again, sent(A), sent(again)], series(A, [9_000]), series(again, [1_000]))
    assert [*found] == [sent(A).id]
    assert found[sent(A).id].slowest == A.id


def test_a_cell_that_failed_sets_no_rate() -> None:
    samples = [*series(B, [100]), failed(B, 2, Cause.SERVER)]
    assert paced([A, B, sent(A)], series(A, [9_000]), samples)[sent(A).id].slowest == A.id


def test_a_sample_that_claims_to_be_measured_but_holds_nothing_sets_no_rate() -> None:
    hollow = replace(window(), stats=replace(window().stats, requests=0))
    assert paced([A, B, sent(A)], series(A, [9_000]), [measured(B, 1, hollow)])[sent(A).id].slowest == A.id


@pytest.mark.parametrize("samples", [[], [skipped(A, 1, "no time")], [failed(A, 1, Cause.NOISE)], series(sent(A), [9_000])])
def test_without_a_closed_loop_that_was_measured_there_is_no_rate(samples: Sequence[Sample]) -> None:
    assert paced([A, sent(A)], samples) == {}


def test_cells_that_are_not_compared_set_no_rate_for_each_other() -> None:
    others = [
        cell("b", app="json"),
        cell("b", workers=2),
        replace(B, load=replace(B.load, connections=8)),
        cell("b", protocol="h1s"),
    ]
    found = paced([A, *others, sent(A)], series(A, [9_000]), *(series(one, [100]) for one in others))
    assert found[sent(A).id].slowest == A.id


def test_another_generator_is_no_reason_not_to_compare_capacities() -> None:
    other = replace(B, load=replace(B.load, generator="h2load"))
    assert paced([A, other, sent(A)], series(A, [9_000]), series(other, [100]))[sent(A).id].slowest == other.id


def test_of_two_that_are_as_slow_the_rate_has_one_name_whatever_their_order() -> None:
    samples = [*series(A, [100]), *series(B, [100])]
    assert paced([A, B, sent(A)], samples)[sent(A).id] == paced([B, A, sent(A)], samples)[sent(A).id]


def row(
    server: str, p99_us: int, *, due: int = 3_000, rate_per_s: float | None = 1_500, percent: int = 60, slowest: str = A.id
) -> Row:
    """Return a row that was sent 3,000 requests in 2 s."""
    of = sent(cell(server), percent)
    plain = window(1_500)
    stats = replace(plain.stats, histogram=((800, 2_900), (p99_us, 100)), due=due)
    starts: list[Sample] = [measured(of, number, replace(plain, stats=stats)) for number in range(1, 7)]
    pace = None if rate_per_s is None else Pace(cell_id=of.id, rate_per_s=rate_per_s, slowest=slowest)
    return summarise(PlannedCell(cell=of, argv=(), load_argv=()), starts, cores=8, name=server, pace=pace)


def test_rows_stand_by_their_99th_percentile_and_are_not_ranked() -> None:
    table = tabulate_open([row("b", 9_800), row("c", 3_100), row("a", 5_000)])
    assert [one.name for one in table.rows] == ["c", "a", "b"]
    assert all(one.ranking is None and one.ratio is None for one in table.rows)
    assert (table.reference, table.detectable, table.comparisons, table.rounds_needed) == (None, None, 0, 0)


def test_a_table_has_the_rate_that_its_rows_were_sent() -> None:
    table = tabulate_open([row("a", 3_100)])
    assert (table.rate_percent, table.rate_per_s, table.generator, table.protocols) == (60, 1_500, "builtin", ("h1",))
    assert table.rows[0].due_per_s == 1_500


def test_the_answer_says_how_long_answers_took_and_since_when_and_names_no_winner() -> None:
    assert tabulate_open([row("slow", 9_800), row("fast", 3_100)]).answer == (
        f"at 60% of the capacity of {A.id}, the slowest (1,500 requests/s), p99 is 3.10 ms under fast and 9.80 ms under slow, "
        "counted from when each request was due"
    )


def test_the_row_whose_capacity_set_the_rate_is_named_as_its_table_names_it() -> None:
    rows = [row("b", 9_800), row("a", 3_100)]
    assert tabulate_open(rows).answer.startswith("at 60% of the capacity of a, the slowest (1,500 requests/s), p99 is")
    assert [one.summary.paced_by for one in rows] == [A.id, A.id]


def test_answers_that_take_less_than_a_tenth_of_a_millisecond_differ_in_what_is_said_of_them() -> None:
    assert "p99 is 0.91 ms under a and 0.94 ms under b, " in tabulate_open([row("b", 940), row("a", 910)]).answer


def test_a_long_answer_names_the_first_three_and_the_last() -> None:
    answer = tabulate_open([row(f"s{number}", 1_000 * number) for number in range(1, 7)]).answer
    assert "1.00 ms under s1, 2.00 ms under s2, 3.00 ms under s3 and up to 6.00 ms under s6" in answer


def test_the_answer_says_how_many_rows_did_not_keep_the_rate() -> None:
    assert tabulate_open([row("a", 3_100), row("b", 9_000, due=9_000)]).answer.endswith("; 1 row did not keep the rate")


def test_a_rate_that_is_not_known_is_left_out() -> None:
    table = tabulate_open([row("a", 3_100, rate_per_s=None)])
    assert table.rate_per_s is None
    assert table.answer.startswith("at 60% of the slowest one's capacity, p99 is 3.10 ms under a")


def test_rows_that_are_as_quick_stand_in_one_order() -> None:
    assert [one.name for one in tabulate_open([row("b", 3_100), row("a", 3_100)]).rows] == ["a", "b"]


def test_rates_need_only_the_samples_of_closed_loops() -> None:
    samples = series(A, [9_000])
    assert all(isinstance(sample, Measured) for sample in samples)
    assert paced([A, sent(A)], samples) == paced([A, sent(A)], samples, series(sent(A), [1]))
