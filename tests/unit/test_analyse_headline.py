"""The answer: one sentence that claims what was shown and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import pytest

from servermatrix.analysis.analyse import analyse
from servermatrix.analysis.claims import Looks
from servermatrix.analysis.field import field_of
from servermatrix.analysis.headline import Shown, table_answer
from servermatrix.analysis.ranking import Contest, rankings
from servermatrix.analysis.stats import ratio
from servermatrix.model import Cause, Cell, NoiseFloor, Sample
from tests.unit.analyse_runs import LOAD, cell, cells, failed, measured, rates, run, series

A, B, C, D = cell("a"), cell("b"), cell("c"), cell("d")


def wobbling(rps: float, rounds: int = 10) -> list[float]:
    return [rate * (1.2 if number % 2 else 0.85) for number, rate in enumerate(rates(rps, rounds))]


def answer(of: Sequence[Cell], *samples: Sequence[Sample], rounds: int = 10) -> str:
    return analyse(run(of, list(chain(*samples)), rounds)).answer


def test_one_winner_is_named_with_how_much_and_against_whom() -> None:
    said = answer([A, B, C], series(A, rates(10_000)), series(B, rates(21_000)), series(C, rates(15_000)))
    assert said == "b serves plaintext 2.10x [2.10, 2.10] as many requests per second as a"


def test_a_tie_for_the_lead_is_no_win_of_the_first_row() -> None:
    said = answer([A, B, C], series(A, rates(20_000)), series(B, wobbling(20_000)), series(C, rates(10_000)))
    assert said.startswith("b and a are tied for the lead on plaintext; b serves 2.0")
    assert said.endswith("as many requests per second as c")


def judged(
    *better: str, rounds: int = 10, comparisons: int = 3, c: Sequence[float] = tuple(rates(10_000)), d: Sequence[float] = ()
) -> str:
    """Say what a table of a, b, c and d, fastest first, shows when these pairs are told apart, such as `a>b`."""
    served = {A: rates(30_000), B: rates(20_000), C: c, **({D: d} if d else {})}
    rows = field_of(run(list(served), [one for of, rps in served.items() for one in series(of, rps)], 10)).rows
    ids = {row.summary.name: row.id for row in rows}
    pairs = frozenset((ids[one], ids[other]) for one, other in (pair.split(">") for pair in better))
    told = [
        replace(row, summary=replace(row.summary, ranking=ranking))
        for row, ranking in zip(rows, rankings([row.id for row in rows], pairs), strict=True)
    ]
    outcome = Contest(better=pairs, comparisons=comparisons, rounds=rounds)
    return table_answer(told, Shown(outcome=outcome, comparisons=comparisons, needed=7, floor=None, looks=Looks()))


def test_the_lead_is_who_was_not_shown_to_be_slower_than_anybody() -> None:
    assert judged("b>c").startswith("a and b are tied for the lead on plaintext; b serves 2.00x ")
    assert judged("a>c").startswith("a and b are tied for the lead on plaintext; a serves 3.00x ")
    assert judged("a>c", "b>c").startswith("a and b are tied for the lead on plaintext; a serves 3.00x ")


def test_what_an_earlier_look_showed_is_told_though_the_last_had_too_few_rounds() -> None:
    assert judged("a>b", "a>c", rounds=6).startswith("a serves plaintext 3.00x ")
    assert judged(rounds=6) == "6 rounds cannot rank 3 comparisons: 7 are needed"


def test_a_winner_was_shown_to_be_faster_than_each_other_row() -> None:
    assert judged("a>b", "a>c").startswith("a serves plaintext 3.00x [3.00, 3.00] as many requests per second as c")
    assert judged("a>b", "b>c").startswith("a and c are tied for the lead on plaintext; a serves 1.50x ")
    assert judged("a>b").startswith("a and c are tied for the lead on plaintext; a serves 1.50x ")


@pytest.mark.parametrize("comparisons", [1, 3, 10, 25])
def test_the_interval_of_the_headline_holds_for_all_pairs_at_once(comparisons: int) -> None:
    served = wobbling(10_000)
    expected = ratio(rates(30_000), served, 0.05 / comparisons)
    assert expected.low is not None
    said = judged("a>b", "a>c", comparisons=comparisons, c=served)
    interval = f"{expected.value:.2f}x [{expected.low:.2f}, {expected.high:.2f}]"
    assert said == f"a serves plaintext {interval} as many requests per second as c"


def test_a_pair_that_only_its_own_interval_tells_apart_stands_back_behind_a_clearer_one() -> None:
    scattered = [rate * factor for rate, factor in zip(rates(10_000), [1, 1, 1, 1, 1, 1, 1, 1, 1, 4], strict=True)]
    assert judged("a>b", "a>c", comparisons=3, c=scattered).endswith(" 3.00x [1.50, 3.00] as many requests per second as c")
    assert judged("a>b", "a>c", comparisons=25, c=scattered) == (
        "a serves plaintext 1.50x [1.50, 1.50] as many requests per second as b"
    )


def test_a_ratio_without_an_interval_is_no_number() -> None:
    assert judged("a>b", "a>c", comparisons=26) == "a serves plaintext more requests per second than c and every other row"


def test_the_ratio_is_of_a_row_in_the_lead_over_one_that_is_not_whatever_is_shown_of_others() -> None:
    said = judged("a>b", "b>c", "c>d", d=rates(5_000))
    assert said.startswith("a, c and d are tied for the lead on plaintext; a serves 1.50x ")


def test_who_was_shown_to_be_faster_leads_though_another_row_stands_above_it() -> None:
    assert judged("b>a", "b>c").startswith("b serves plaintext 2.00x ")


def test_a_long_tie_names_three() -> None:
    six = cells(6)
    tied = [[rate * (1 + 0.2 * ((i + n) % 3 - 1)) for n, rate in enumerate(rates(20_000))] for i in range(5)]
    said = answer(six, *(series(one, rps) for one, rps in zip(six, [*tied, rates(1_000)], strict=True)))
    assert " and 2 more are tied for the lead on plaintext; " in said


def test_when_nobody_is_told_apart_the_answer_says_what_could_have_been_seen() -> None:
    said = answer([A, B], series(A, rates(20_000)), series(B, wobbling(20_000)))
    assert said.startswith("no difference between 2 rows was shown on plaintext; a ratio of 1.")
    assert said.endswith("could have been seen")


@pytest.mark.parametrize(("factor", "seen"), [(1.30, "1.30"), (1.05, "1.12"), (None, "1.12")])
def test_no_difference_below_the_noise_floor_could_have_been_seen(factor: float | None, seen: str) -> None:
    twice = ratio(rates(30_000), rates(30_000))
    floor = None if factor is None else NoiseFloor(cell_id=A.id, name="a", ratio=twice, factor=factor)
    rows = field_of(run([A, B], [*series(A, rates(20_000)), *series(B, rates(20_000))], 10)).rows
    told = [
        replace(row, summary=replace(row.summary, ranking=ranking))
        for row, ranking in zip(rows, rankings([row.id for row in rows], frozenset()), strict=True)
    ]
    outcome = Contest(comparisons=1, rounds=10, detectable=1.12, widest=1.5)
    said = table_answer(told, Shown(outcome=outcome, comparisons=1, needed=6, floor=floor, looks=Looks()))
    assert said == f"no difference between 2 rows was shown on plaintext; a ratio of {seen} could have been seen"


def test_too_few_rounds_for_so_many_comparisons_are_told_with_how_many_it_takes() -> None:
    eight = cells(8)
    said = answer(eight, *(series(one, rates(1_000 * 2**i, 6)) for i, one in enumerate(eight)), rounds=6)
    assert said == "6 rounds cannot rank 28 comparisons: 11 are needed"


def test_one_round_has_medians_only() -> None:
    said = answer([A, B], [measured(A, 1)], [measured(B, 1)], rounds=1)
    assert said == "1 round: medians only, nothing can be ranked"


def test_three_rounds_have_medians_only() -> None:
    said = answer([A, B], series(A, rates(1_000, 3)), series(B, rates(5_000, 2)), rounds=3)
    assert said == "3 rounds: medians only, nothing can be ranked"


def test_when_all_rows_are_flagged_the_answer_says_with_what() -> None:
    idle = {"server_cpu_us": 1_000_000}
    full = {"generator_cpu_us": 1_990_000}
    said = answer([A, B], series(A, rates(1_000), **idle), series(B, rates(5_000), **full))
    assert said == "nothing can be ranked: all 2 rows are flagged (connection-bound, generator-bound)"


def test_when_all_rows_but_one_are_flagged_that_one_has_not_won() -> None:
    idle = {"server_cpu_us": 1_000_000}
    said = answer([A, B, C], series(A, rates(1_000), **idle), series(B, rates(5_000)), series(C, rates(900), **idle))
    assert said == "nothing can be ranked: every row but b is flagged (connection-bound)"


def test_flagged_rows_beside_a_winner_are_counted() -> None:
    idle = {"server_cpu_us": 1_000_000}
    said = answer([A, B, C], series(A, rates(1_000)), series(B, rates(5_000)), series(C, rates(9_000), **idle))
    assert said == "b serves plaintext 5.00x [5.00, 5.00] as many requests per second as a; 1 flagged row not ranked"


def test_a_single_row_is_told_with_its_number_and_compared_with_nothing() -> None:
    assert answer([A], series(A, [20_000.0] * 10)) == (
        "a serves plaintext at 20,000 [20,000, 20,000] requests/s; nothing to compare it with"
    )
    assert answer([A], [measured(A, 1)]) == ("a serves plaintext at 10,000 requests/s (few rounds); nothing to compare it with")


def test_nothing_measured_is_said_so() -> None:
    assert answer([A, B], [failed(A, 1, Cause.SERVER)]) == "nothing was measured"
    assert answer([]) == "nothing was measured"


def test_two_tables_are_told_apart_by_what_differs() -> None:
    json = cell("a", app="json", workers=2)
    said = answer([A, json], [measured(A, 1)], [measured(json, 1)])
    parts = said.split(". ")
    assert parts[0].startswith("plaintext, 1 worker: a serves")
    assert parts[1].startswith("json, 2 workers: a serves")


def test_tables_that_differ_in_interface_reuse_or_generator_are_told_apart_by_it() -> None:
    wsgi = cell("a", interface="wsgi")
    reconnecting = cell("a", load=replace(LOAD, requests_per_connection=1))
    driven = cell("a", load=replace(LOAD, generator="h2load"), protocol="h2c")
    said = answer([A, wsgi], [measured(A, 1)], [measured(wsgi, 1)])
    assert [part.partition(":")[0] for part in said.split(". ")] == ["plaintext", "plaintext (WSGI)"]
    said = answer([A, reconnecting], [measured(A, 1)], [measured(reconnecting, 1)])
    assert [part.partition(":")[0] for part in said.split(". ")] == ["connections kept open", "a new connection per request"]
    said = answer([A, driven], [measured(A, 1)], [measured(driven, 1)])
    assert [part.partition(":")[0] for part in said.split(". ")] == [
        "HTTP/1.1, driven by fake",
        "HTTP/2 in the clear, driven by h2load",
    ]


def test_rows_of_several_protocols_are_named_with_their_protocol() -> None:
    slow, fast = cell("a"), cell("a", protocol="h2c")
    said = answer([slow, fast], series(slow, rates(10_000)), series(fast, rates(21_000)))
    assert said == "a h2c serves plaintext 2.10x [2.10, 2.10] as many requests per second as a h1"


def test_after_three_tables_the_rest_is_counted() -> None:
    five = [cell("a", app=f"app{number}") for number in range(5)]
    said = answer(five, *([measured(one, 1)] for one in five))
    assert said.count("nothing to compare it with") == 3
    assert said.endswith("... and 2 more tables")
