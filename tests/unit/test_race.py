"""Races: when they are looked at, what is left out and why, and what became of each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from servermatrix.analysis import race
from servermatrix.analysis.race.entrants import entrants
from servermatrix.model import (
    CPU,
    MEMORY,
    Cause,
    Cell,
    Decision,
    Failed,
    Host,
    Limit,
    Load,
    LoadStats,
    Look,
    Measured,
    Noise,
    PlannedCell,
    Race,
    Run,
    RunHeader,
    Sample,
    Skipped,
    Usage,
    Window,
)

LOAD = Load(generator="fake", connections=64, threads=1, duration_s=2, warmup_s=1, windows=1)
WOBBLE = (1.0, 1.01, 0.99, 1.005, 0.995, 1.008, 0.992, 1.002, 0.998, 1.004, 0.996, 1.0)


def cell(server: str, workers: int = 1) -> Cell:
    return Cell(server=server, options=(), label="", protocol="h1", workers=workers, app="own", load=LOAD)


def start(of: Cell, number: int, rps: float, *, cpu_us: float = 40.0, pss_mib: float = 30.0) -> Measured:
    stats = LoadStats(requests=round(rps * 100), duration_us=100_000_000, histogram=((1000, round(rps * 100)),))
    usage = Usage(
        wall_us=1_000_000,
        server_cpu_us=round(rps * 100 * cpu_us),
        worker_cpu_us=(),
        generator_cpu_us=0,
        own_cpu_us=0,
        pss_bytes=round(pss_mib * 2**20),
        foreign_cpu=0,
        steal=0,
    )
    window = Window(stats=stats, usage=usage)
    return Measured(cell_id=of.id, round=number, started_at="", startup_s=0.1, windows=(window,))


def failure(of: Cell, number: int, cause: Cause = Cause.SERVER) -> Failed:
    return Failed(cell_id=of.id, round=number, started_at="", cause=cause, reason="it answered 500")


def run_of(
    cells: Sequence[Cell],
    samples: Sequence[Sample],
    *,
    rounds: int = race.ROUNDS,
    wanted: Race | None = None,
    decisions: Sequence[Decision] = (),
) -> Run:
    header = RunHeader(
        id="2026-01-01T00-00-00Z-0000",
        started_at="2026-01-01T00:00:00Z",
        argv=(),
        seed=1,
        rounds=rounds,
        noise=Noise(),
        generators=(),
        host=Host(system="Linux", cpu="made up", cores=8, memory_bytes=2**33, python="3.11"),
        versions=(),
        git="",
        cells=tuple(PlannedCell(cell=one, argv=(), load_argv=()) for one in cells),
        excluded=(),
        looks=race.looks(rounds, len(cells)),
        race=wanted or Race(),
    )
    return Run(header=header, proofs=(), samples=tuple(samples), decisions=tuple(decisions))


def steady(rates: Mapping[Cell, float], rounds: int) -> list[Sample]:
    """Let every cell vary by about a per cent, each in an order of its own."""
    return [
        start(one, number, rate * WOBBLE[(5 * place + 7 * number) % len(WOBBLE)])
        for number in range(1, rounds + 1)
        for place, (one, rate) in enumerate(rates.items())
    ]


FAST, ALIKE, SLOW = cell("granian"), cell("uvicorn"), cell("hypercorn")
THREE = {FAST: 20_000.0, ALIKE: 19_950.0, SLOW: 9_000.0}
FIRST = Look(round=3, alpha=0.01)


def dropped(decision: Decision) -> dict[str, str]:
    return dict(decision.dropped)


def test_looks_share_the_five_per_cent_and_leave_out_nothing_before_the_third_round() -> None:
    found = race.looks(race.ROUNDS, 100)
    assert [look.round for look in found] == [3, 5, 8, 12, 17, 24]
    assert sum(look.alpha for look in found) == pytest.approx(0.05)
    assert [look.round for look in race.looks(10, 100)] == [3, 5, 8, 10]
    assert [look.round for look in race.looks(2, 100)] == [2]


def test_a_race_of_one_cell_has_no_looks() -> None:
    assert race.looks(24, 1) == ()


def test_every_comparison_that_could_cost_the_best_its_place_is_counted() -> None:
    family = [cell("granian", workers) for workers in (1, 2, 3, 4)]
    assert entrants(run_of([*family, ALIKE, SLOW], []), 1).comparisons == 5 + 3
    assert entrants(run_of([*THREE], []), 1).comparisons == 2


def test_what_is_surely_worse_is_left_out_and_told_of_which_cell() -> None:
    decision = race.decide(run_of([*THREE], steady(THREE, 3)), FIRST)
    assert [*dropped(decision)] == [SLOW.id]
    assert dropped(decision)[SLOW.id].startswith("it serves 0.4")
    assert "times as many requests as granian/h1/w1, by 3 rounds" in dropped(decision)[SLOW.id]
    assert (decision.round, decision.alpha, decision.stopped) == (3, 0.01, "")


def test_rounds_after_the_look_do_not_count_at_it() -> None:
    later = [start(one, number, 90_000 / rate) for one, rate in THREE.items() for number in (4, 5)]
    assert race.decide(run_of([*THREE], [*steady(THREE, 3), *later]), FIRST) == race.decide(
        run_of([*THREE], steady(THREE, 3)), FIRST
    )


def test_noise_that_a_whole_round_shares_hides_nothing() -> None:
    shared = [replace_rate(one, (1.0, 0.3, 2.5)[one.round - 1]) for one in steady(THREE, 3) if isinstance(one, Measured)]
    assert [*dropped(race.decide(run_of([*THREE], shared), FIRST))] == [SLOW.id]


def replace_rate(one: Measured, factor: float) -> Measured:
    (window,) = one.windows
    return replace(one, windows=(replace(window, stats=replace(window.stats, requests=round(window.stats.requests * factor))),))


def test_cells_that_were_left_out_before_are_not_named_again_and_beat_nobody() -> None:
    gone = Decision(round=3, alpha=0.01, dropped=((FAST.id, "it went"),))
    decision = race.decide(run_of([*THREE], steady({**THREE, ALIKE: 9_100.0}, 5), decisions=[gone]), Look(round=5, alpha=0.01))
    assert FAST.id not in dropped(decision)
    assert SLOW.id not in dropped(decision)


def test_a_failed_cell_is_left_out_and_beats_nobody() -> None:
    samples = [*steady({ALIKE: 9_050.0, SLOW: 9_000.0}, 3), start(FAST, 1, 20_000), start(FAST, 2, 20_000), failure(FAST, 3)]
    run = run_of([*THREE], samples)
    assert dropped(race.decide(run, FIRST)) == {FAST.id: "it failed: it answered 500"}
    found = race.outcome(run)
    assert found.failed == {FAST.id: "it answered 500"}
    assert found.best == ALIKE.id
    assert found.tied == (SLOW.id,)
    assert found.score(FAST.id) is None


def test_rounds_that_are_lost_to_noise_are_no_failure() -> None:
    samples = [one for one in steady(THREE, 3) if (one.cell_id, one.round) != (FAST.id, 2)]
    run = run_of([*THREE], [*samples, failure(FAST, 2, Cause.NOISE)])
    assert [*dropped(race.decide(run, FIRST))] == [SLOW.id]
    assert FAST.id in {race.outcome(run).best, *race.outcome(run).tied}


def test_references_never_compete_and_go_at_the_first_look() -> None:
    plain = replace(cell("granian"), app="plaintext")
    rates = {plain: 90_000.0, **THREE}
    run = run_of([*rates], steady(rates, 3), wanted=Race(references=(plain.id,)))
    decision = race.decide(run, FIRST)
    assert dropped(decision)[plain.id] == "it was measured for comparison only"
    assert ALIKE.id not in dropped(decision)
    found = race.outcome(run)
    assert plain.id not in {found.best, *found.tied, *found.beaten, *found.open}
    assert found.score(plain.id) is None


def test_a_cell_over_the_limit_of_memory_is_left_out_and_beats_nobody() -> None:
    wanted = Race(limits=(Limit(metric="memory", bound=100 * 2**20, text="memory<=100MB"),))
    heavy = [start(FAST, number, 20_000, pss_mib=120 + number) for number in (1, 2, 3)]
    run = run_of([*THREE], [*steady({ALIKE: 9_050.0, SLOW: 9_000.0}, 3), *heavy], wanted=wanted)
    said = "it takes 122 MiB of memory, and the limit is memory<=100MB"
    assert dropped(race.decide(run, FIRST)) == {FAST.id: said}
    found = race.outcome(run)
    assert (found.over, found.best) == ({FAST.id: said}, ALIKE.id)


def test_one_start_over_the_limit_of_memory_is_not_enough() -> None:
    wanted = Race(limits=(Limit(metric="memory", bound=100 * 2**20, text="memory<=100MB"),))
    one = start(FAST, 1, 20_000, pss_mib=300)
    assert race.outcome(run_of([FAST], [one], wanted=wanted)).over == {}


def test_a_cell_that_was_never_tried_is_skipped() -> None:
    samples = [*steady({ALIKE: 9_050.0, SLOW: 9_000.0}, 3)]
    skips = [Skipped(cell_id=FAST.id, round=number, started_at="", reason="it is not installed") for number in (1, 2, 3)]
    run = run_of([*THREE], [*samples, *skips])
    assert dropped(race.decide(run, FIRST)) == {FAST.id: "it is not installed"}
    assert race.outcome(run).skipped == {FAST.id: "it is not installed"}


@pytest.mark.parametrize(
    ("rates", "kept"), [((1.0, 2.0, 1.5, 1.4), {2}), ((2.0, 1.0, 1.1, 1.2), {1}), ((1.0, 1.5, 1.6, 2.2), {4})]
)
def test_workers_are_an_ordered_axis(rates: tuple[float, ...], kept: set[int]) -> None:
    family = {cell("granian", workers): 10_000 * rate for workers, rate in enumerate(rates, 1)}
    out = dropped(race.decide(run_of([*family], steady(family, 3)), FIRST))
    assert {one.workers for one in family if one.id not in out} == kept


def test_more_workers_go_with_fewer_that_already_do_worse_though_they_were_not_seen_to() -> None:
    family = {cell("granian", workers): rate for workers, rate in ((1, 10_000.0), (2, 20_000.0), (3, 15_000.0))}
    unseen = cell("granian", 4)
    decision = race.decide(run_of([*family, unseen], [*steady(family, 3), start(unseen, 1, 19_000)]), FIRST)
    said = "the same settings are worse as granian/h1/w3 than as granian/h1/w2, and it lies beyond"
    assert dropped(decision)[unseen.id] == said


def test_what_is_preferred_decides() -> None:
    samples = [
        *(start(FAST, number, 20_000, cpu_us=80 + number / 10, pss_mib=90) for number in (1, 2, 3)),
        *(start(SLOW, number, 9_000, cpu_us=40 + number / 20, pss_mib=30) for number in (1, 2, 3)),
    ]
    best = {}
    for prefer in (CPU, MEMORY, "throughput", "latency"):
        run = run_of([FAST, SLOW], samples, wanted=Race(prefer=prefer))
        best[prefer] = race.outcome(run).best
    assert best == {CPU: SLOW.id, MEMORY: SLOW.id, "throughput": FAST.id, "latency": FAST.id}
    out = race.outcome(run_of([FAST, SLOW], samples, wanted=Race(prefer=MEMORY))).beaten[FAST.id]
    assert out == "it takes 3 [3, 3] times the memory of hypercorn/h1/w1, by 3 rounds"


def test_a_race_ends_when_one_is_left_but_not_before_its_figures_are_worth_something() -> None:
    rates = {FAST: 20_000.0, SLOW: 9_000.0}
    run = run_of([*rates], steady(rates, 12), decisions=[race.decide(run_of([*rates], steady(rates, 3)), FIRST)])
    assert race.decide(run, Look(round=8, alpha=0.01)).stopped == ""
    assert race.decide(run, Look(round=12, alpha=0.01)).stopped == "one cell is left"


def test_a_race_ends_when_those_left_are_surely_alike() -> None:
    at_the_end, both = Look(round=12, alpha=0.01), (FAST, ALIKE)
    numbered = [(one, number, place) for number in range(1, 13) for place, one in enumerate(both)]
    quiet = [start(one, number, 10_000 + number + place) for one, number, place in numbered]
    said = "the 2 cells that are left differ by less than 1 %"
    assert race.decide(run_of(both, quiet), at_the_end).stopped == said
    noisy = [start(one, number, 10_000 + 1_000 * (number * (3 + place) % 5)) for one, number, place in numbered]
    assert race.decide(run_of(both, noisy), at_the_end).stopped == ""


def test_a_race_ends_when_nothing_is_left() -> None:
    run = run_of([FAST, SLOW], [failure(one, number) for one in (FAST, SLOW) for number in (1, 2)])
    assert race.decide(run, FIRST).stopped == "no cell is left that could be picked"
    found = race.outcome(run)
    assert (found.best, found.tied, found.open) == (None, (), ())


def test_the_last_look_leaves_out_but_does_not_stop() -> None:
    decision = race.decide(run_of([*THREE], steady(THREE, 12), rounds=12), Look(round=12, alpha=0.01))
    assert (SLOW.id in dropped(decision), decision.stopped) == (True, "")


def test_the_outcome_names_the_leader_those_tied_with_it_and_who_was_beaten_when() -> None:
    first = race.decide(run_of([*THREE], steady(THREE, 3)), FIRST)
    later = [one for one in steady(THREE, 8) if one.cell_id != SLOW.id or one.round <= 3]
    found = race.outcome(run_of([*THREE], later, decisions=[first]))
    assert {found.best, *found.tied} == {FAST.id, ALIKE.id}
    assert dict(found.beaten) == dropped(first)
    best = found.score(str(found.best))
    tied, beaten = found.score(found.tied[0]), found.score(SLOW.id)
    assert best is not None
    assert (best.value, best.low, best.high, best.n) == (1.0, 1.0, 1.0, 8)
    assert tied is not None
    assert tied.low is not None
    assert tied.high is not None
    assert tied.low < 1 < tied.high
    assert beaten is not None
    assert beaten.high is not None
    assert (beaten.value < 0.5, beaten.high < 1, beaten.n) == (True, True, 3)


def test_the_outcome_of_a_race_that_has_hardly_begun_leaves_all_open() -> None:
    found = race.outcome(run_of([*THREE], steady(THREE, 1)))
    assert (found.best, set(found.open), found.beaten) == (FAST.id, {ALIKE.id, SLOW.id}, {})
    nothing = race.outcome(run_of([*THREE], []))
    assert (nothing.best, set(nothing.open)) == (None, {FAST.id, ALIKE.id, SLOW.id})


def test_one_good_round_alone_makes_no_leader() -> None:
    samples = [*steady({ALIKE: 19_000.0, SLOW: 18_900.0}, 5), start(FAST, 1, 90_000)]
    assert race.outcome(run_of([*THREE], samples)).best != FAST.id


def test_a_cpu_time_below_the_tick_of_the_clock_is_no_score() -> None:
    samples = [start(FAST, number, 20_000, cpu_us=0.0) for number in (1, 2, 3)]
    found = race.outcome(run_of([FAST, SLOW], [*samples, *steady({SLOW: 9_000.0}, 3)], wanted=Race(prefer=CPU)))
    assert (found.best, found.open) == (SLOW.id, (FAST.id,))


def test_who_is_surely_beaten_does_not_lead_however_far_it_is_ahead_of_others() -> None:
    rates = {ALIKE: 10_000.0, FAST: 12_000.0, SLOW: 2_000.0}
    lost = {(FAST.id, number) for number in (4, 5, 6)} | {(SLOW.id, number) for number in (1, 2, 3)}
    found = race.outcome(run_of([*rates], [one for one in steady(rates, 6) if (one.cell_id, one.round) not in lost]))
    assert (found.best, {*found.beaten}) == (FAST.id, {ALIKE.id, SLOW.id})


MEMORY_LIMITS = tuple(Limit(metric="memory", bound=mib * 2**20, text=f"memory<={mib}MB") for mib in (200, 100, 150))


def test_of_several_limits_of_memory_the_tightest_counts() -> None:
    wanted = Race(limits=MEMORY_LIMITS)
    assert wanted.limit("memory") == MEMORY_LIMITS[1]
    assert wanted.limit("errors") is None
    heavy = [start(FAST, number, 20_000, pss_mib=120) for number in (1, 2, 3)]
    assert [*race.outcome(run_of([FAST], heavy, wanted=wanted)).over] == [FAST.id]


@pytest.mark.parametrize(("rounds", "beaten"), [(2, set()), (3, {SLOW.id})])
def test_before_three_common_rounds_a_cell_is_open_and_not_beaten(rounds: int, beaten: set[str]) -> None:
    quiet = [start(one, number, rate + number) for one, rate in THREE.items() for number in range(1, rounds + 1)]
    found = race.outcome(run_of([*THREE], quiet))
    assert {*found.beaten} - {ALIKE.id} == beaten
    assert (SLOW.id in found.open) is not bool(beaten)
    assert found.tied == () or rounds == 3


MIDDLE = cell("daphne")
FOUR = {FAST: 20_000.0, MIDDLE: 10_000.0, SLOW: 5_000.0}


def late_failure(*, heavy: bool = False) -> tuple[Run, Race]:
    """A race in which the leader leaves out all others at the first look, and then drops out itself."""
    wanted = Race(limits=MEMORY_LIMITS)
    early = steady(FOUR, 3)
    first = race.decide(run_of([*FOUR], early, wanted=wanted), FIRST)
    assert {*dropped(first)} == {MIDDLE.id, SLOW.id}
    later = [start(FAST, n, 20_000, pss_mib=500) for n in (4, 5, 6, 7, 8)] if heavy else [failure(FAST, 4)]
    return run_of([*FOUR], [*early, *later], wanted=wanted, decisions=[first]), wanted


@pytest.mark.parametrize("heavy", [False, True])
def test_a_leader_that_drops_out_late_takes_no_other_with_it(*, heavy: bool) -> None:
    run, _ = late_failure(heavy=heavy)
    found = race.outcome(run)
    assert found.best == MIDDLE.id
    assert "daphne" in found.beaten[SLOW.id]
    assert FAST.id in (found.over if heavy else found.failed)
    said = race.decide(run, Look(round=8, alpha=0.01))
    assert dropped(said).keys() == {FAST.id}
    assert said.stopped == "those in front failed or are over the limit of memory, and nobody else is left to be measured"


def test_what_only_the_cell_that_dropped_out_had_beaten_is_open_beside_those_that_went_on() -> None:
    rates = {FAST: 20_000.0, ALIKE: 19_900.0, SLOW: 19_800.0}
    early = steady(rates, 3)
    first = Decision(round=3, alpha=0.01, dropped=((SLOW.id, "it serves less than granian"),))
    later = [one for one in steady(rates, 8) if one.round > 3 and one.cell_id == ALIKE.id]
    run = run_of([*rates], [*early, *later, failure(FAST, 4)], decisions=[first])
    found = race.outcome(run)
    assert (found.best, found.open, dict(found.beaten)) == (ALIKE.id, (SLOW.id,), {})
