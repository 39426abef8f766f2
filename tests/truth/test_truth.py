"""What reports claim of made-up worlds, in few matrices: the rest is `selftest --statistics`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from servermatrix.model import Cause, Failed, Look, Measured
from tests.truth import engine
from tests.truth.cases import TOGETHER, Bound, Case, broken, counted, pooled
from tests.truth.reading import coverage, exact_miss, false_claims, power, unasked
from tests.truth.studies import fast, whole
from tests.truth.worlds import FAR, MANY, NARROW, RPS, TWO, WIDE, World, report_of, run_of

EQUAL = World(servers=NARROW, rounds=10)
CLEAR = replace(EQUAL, gains=(("httptools,loop=uvloop", 2.0),))


CASES = fast()


@cache
def counts_of(place: int) -> Counter[str]:
    """Count a fast case once for all tests of this process."""
    return counted(CASES[place], range(CASES[place].tries))


@pytest.mark.parametrize("place", range(len(CASES)), ids=[f"{case.study}, {case.name}" for case in CASES])
def test_the_fast_studies_keep_their_bounds(place: int) -> None:
    assert list(broken(CASES[place], counts_of(place))) == []


def test_the_fast_studies_keep_their_bounds_together() -> None:
    found = list(pooled((case, counts_of(place)) for place, case in enumerate(CASES)))
    assert {case.name for case, _ in found} == {TOGETHER}
    assert sum(counts["matrices"] for case, counts in found if case.study == "false claims") > 4 * 700
    assert [sentence for case, counts in found for sentence in broken(case, counts)] == []


def test_what_no_case_shows_by_itself_all_of_a_study_together_do() -> None:
    bound = Bound(hits="letters", of="matrices", most=0.05)
    cases = [Case(study="s", name=str(place), world=EQUAL, count=coverage, tries=1, bounds=(bound,)) for place in range(30)]
    counts = Counter(matrices=200, letters=14)
    assert [sentence for case in cases for sentence in broken(case, counts)] == []
    ((together, found),) = pooled((case, counts) for case in cases)
    assert list(broken(together, found)) == ["s, all cases together: letters 420 of 6000 matrices is more than 5.0%"]


def test_only_cases_of_one_study_with_one_bound_are_taken_together() -> None:
    few, many = Bound(hits="a", of="n", most=0.05), Bound(hits="b", of="n", least=0.9)
    plain = Case(study="s", name="1", world=EQUAL, count=coverage, tries=1, bounds=(few,))
    cases = [plain, replace(plain, bounds=(few, many)), replace(plain, study="t", bounds=(), exact=("ratio",)), plain]
    found = [(case.study, case.bounds, case.exact, counts["n"]) for case, counts in pooled((one, Counter(n=1)) for one in cases)]
    assert found == [("s", (few,), (), 3), ("s", (many,), (), 1), ("t", (), ("ratio",), 1)]


def test_the_studies_are_whole() -> None:
    names = [f"{case.study}; {case.name}" for case in whole()]
    assert len(names) == len(set(names))
    assert sum(case.tries for case in whole()) > 20_000


def test_a_world_is_the_same_for_the_same_seed_and_no_other() -> None:
    assert run_of(EQUAL, 1) == run_of(EQUAL, 1) != run_of(EQUAL, 2)
    assert {run_of(EQUAL, seed).header.cells[-1].cell.duplicate for seed in range(9)} == {True, False}


def test_rows_of_a_world_are_limited_by_the_server_and_bear_no_flag() -> None:
    (table,) = report_of(EQUAL, 1).tables
    assert [row.flags for row in table.rows] == [()] * 4
    assert all(row.ranking for row in table.rows)


def test_rounds_lost_to_noise_are_missing_and_their_cells_stand() -> None:
    world = World(servers=NARROW, kind="20 % invalid", rounds=20)
    failures = [sample for sample in run_of(world, 1).samples if isinstance(sample, Failed)]
    report = report_of(world, 1)
    assert {failure.cause for failure in failures} == {Cause.NOISE}
    assert report.not_measured == ()
    assert all(row.ranking and row.rounds_failed > 0 for row in report.tables[0].rows)


def test_every_world_has_draws_of_its_own() -> None:
    kinds = [EQUAL, replace(EQUAL, kind="drift"), replace(EQUAL, floor=False)]
    ratios = [{row.ratio for row in report_of(world, 1).tables[0].rows if row.ratio and row.ratio.value != 1} for world in kinds]
    assert not ratios[0] & ratios[1] | ratios[1] & ratios[2] | ratios[0] & ratios[2]


def test_a_world_with_a_budget_is_looked_at_and_may_end_early() -> None:
    clear = World(servers=TWO, budget_rounds=18, gains=(("loop=uvloop", 2.0),))
    run = run_of(clear, 1)
    assert run.header.looks == (Look(round=9, alpha=0.01), Look(round=18, alpha=0.04))
    assert [(one.round, bool(one.stopped)) for one in run.decisions] == [(9, True)]


def test_of_twelve_rows_two_are_equal_and_have_the_time_of_all_the_others_for_a_third_look() -> None:
    run = run_of(World(servers=MANY, gains=FAR, budget_rounds=22, floor=False), 1)
    slow = {
        cell.id for planned in run.header.cells if (cell := planned.cell) and World(servers=MANY, gains=FAR).gain(cell.id) < 1
    }
    assert [(one.round, {cell_id for cell_id, _ in one.dropped}) for one in run.decisions] == [
        (14, slow),
        (22, set()),
        (44, set()),
    ]
    assert (len(slow), len({World(servers=MANY, gains=FAR).gain(cell_id) for cell_id in slow})) == (10, 10)


def test_a_cell_that_is_off_is_so_for_a_whole_run_and_its_duplicate_otherwise() -> None:
    world = World(servers=TWO, sd=0.0, offset=0.02, rounds=6)
    rates = {planned.cell.id: set[int]() for planned in run_of(world, 1).header.cells}
    for sample in run_of(world, 1).samples:
        assert isinstance(sample, Measured)
        rates[sample.cell_id].add(sample.windows[0].stats.requests)
    assert [len(found) for found in rates.values()] == [1, 1, 1]
    assert len(set.union(*rates.values())) == 3
    floor = report_of(world, 1).noise_floor
    assert floor is not None
    assert floor.factor > 1.001


def test_the_median_start_of_a_world_is_where_half_of_the_starts_are() -> None:
    world = World(servers=TWO, kind="one-sided", sd=0.2, rounds=1500)
    samples = run_of(world, 1).samples
    below = [sample.windows[0].stats.requests < 2 * RPS * world.median() for sample in samples if isinstance(sample, Measured)]
    assert sum(below) / len(below) == pytest.approx(0.5, abs=0.02)
    assert EQUAL.median() == 1


def test_a_world_without_a_floor_has_none_and_ranks_all_the_same() -> None:
    report = report_of(replace(CLEAR, floor=False), 1)
    assert report.noise_floor is None
    assert report_of(CLEAR, 1).noise_floor is not None
    assert [row.ranking.rank for row in report.tables[0].rows if row.ranking] == [(1, 1), (2, 4), (2, 4), (2, 4)]


def test_a_true_claim_is_none_of_the_false_ones_and_the_same_claim_of_an_equal_world_is() -> None:
    assert false_claims(CLEAR, 1) == {"matrices": 1}
    lied_to = _Lying(servers=NARROW, rounds=10, gains=CLEAR.gains)
    assert false_claims(lied_to, 1) == {"matrices": 1, "ranking": 1, "letters": 1, "effects": 1, "headline": 1, "any": 1}


class _Lying(World):
    """A world that is not what it says to the generator."""

    def gain(self, _: str) -> float:
        return 1.0


def test_a_difference_of_effects_is_a_claim_like_any_other() -> None:
    apart = World(servers=WIDE, rounds=14, sd=0.01, gains=(("granian[loop=uvloop", 2.0), ("hypercorn[loop=uvloop", 0.5)))
    assert false_claims(apart, 1) == {"matrices": 1}
    wrong = _Equal(servers=WIDE, rounds=14, sd=0.01, gains=apart.gains)
    assert false_claims(wrong, 1)["effects"] == 1


class _Equal(World):
    """A world that calls all effects of the loop the same."""

    def gain(self, cell_id: str) -> float:
        return 2.0 if "loop=uvloop" in cell_id else 1.0


def test_the_share_of_exact_intervals_that_miss_is_that_of_the_signed_rank_test() -> None:
    assert exact_miss(6) == 2 / 64
    assert exact_miss(10) == pytest.approx(2 * 25 / 1024)
    assert all(0.03 < exact_miss(rounds) <= 0.05 for rounds in range(6, 40))
    assert exact_miss(6, alpha=0.01) == 0


def test_intervals_are_counted_with_what_misses() -> None:
    counts = counted(Case(study="", name="", world=EQUAL, count=coverage, tries=1), range(20))
    assert (counts["ratio"], counts["rps"], counts["cpu"]) == (60, 80, 80)
    assert 0 < counts["ratio missed"] < 12
    assert counts["ratio expected"] == 60 * round(1e6 * exact_miss(10))


def test_intervals_that_nobody_asked_for_are_counted_one_to_a_reference_and_that_of_the_headline() -> None:
    study = Case(study="", name="", world=replace(EQUAL, gains=(("httptools,loop=uvloop", 1.5),)), count=unasked, tries=1)
    counts = counted(study, range(60))
    assert (counts["matrices"], counts["reference"], counts["headline"], counts["headline missed"]) == (60, 60, 60, 0)
    assert 0 < counts["reference missed"] < 12
    assert counts["reference expected"] == 60 * round(1e6 * exact_miss(10))
    lied_to = _Lying(servers=NARROW, rounds=10, gains=CLEAR.gains)
    assert unasked(lied_to, 1)["headline missed"] == 1
    assert sum(unasked(lied_to, seed)["reference missed"] for seed in range(3)) == 1


def test_the_functions_alone_are_counted_in_large_numbers() -> None:
    normal = World(servers=WIDE, rounds=12)
    assert engine.intervals(normal, 1)["ratio missed"] in range(2, 20)
    assert engine.tables(normal, 1)["wrong"] in range(1, 20)
    assert engine.tables(replace(normal, budget_rounds=20), 1)["wrong"] in range(1, 20)
    assert engine.intervals(replace(normal, rounds=5), 1) == {"ratio": 200, "ratio missed": 200, "ratio expected": 0}


def test_what_is_found_of_a_clear_difference_is_all_of_it() -> None:
    assert power(CLEAR, 1) == {
        "matrices": 1,
        "steps": 50,
        "pairs": 3,
        "shown": 3,
        "bare": 3,
        "shown alone": 1,
        "bare alone": 1,
    }


@pytest.mark.parametrize(
    ("hits", "bound", "sentence"),
    [
        (12, Bound(hits="wrong", of="tries", most=0.05), ""),
        (20, Bound(hits="wrong", of="tries", most=0.05), "s, n: wrong 20 of 100 tries is more than 5.0%"),
        (70, Bound(hits="wrong", of="tries", least=0.8), ""),
        (60, Bound(hits="wrong", of="tries", least=0.8), "s, n: wrong 60 of 100 tries is less than 80.0%"),
    ],
)
def test_a_bound_is_broken_when_chance_is_no_excuse(hits: int, bound: Bound, sentence: str) -> None:
    case = Case(study="s", name="n", world=EQUAL, count=coverage, tries=1, bounds=(bound,))
    assert list(broken(case, Counter(tries=100, wrong=hits))) == ([sentence] if sentence else [])


def test_a_study_that_counted_nothing_is_broken() -> None:
    case = Case(study="s", name="n", world=EQUAL, count=coverage, tries=1, exact=("ratio",))
    assert list(broken(case, Counter())) == ["s, n: ratio missed 0 of 0 ratio: there is nothing to count"]


def test_intervals_that_hold_too_often_are_too_wide() -> None:
    case = Case(study="s", name="n", world=EQUAL, count=coverage, tries=1, exact=("ratio",))
    said = list(broken(case, Counter({"ratio": 1000, "ratio missed": 5, "ratio expected": 48_828_000})))
    assert said == ["s, n: ratio missed 5 of 1000 ratio is less than 4.9%"]
