"""The evidence for a recommendation: what options bought, whether the server matters, what the cell can carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from servermatrix.analysis import picks
from servermatrix.analysis.picks.pareto import pareto
from servermatrix.analysis.picks.scaling import fitted, predicted
from servermatrix.analysis.picks.versus import Versus, inverse
from servermatrix.model import Capacity, Cell, Effect, Estimate, Limit, Percentile, PlannedCell, Race, Share, Summary
from tests.unit.pick_runs import Cells, of, raced

MEBIBYTE = 2**20
SERVERS = [of("granian"), of("hypercorn"), of("uvicorn")]


def share(numbers: Cells, references: Sequence[Cell] = (), **other: float) -> Share:
    found = picks.judge(raced(SERVERS, numbers, references=references, **other)).share  # type: ignore[arg-type]
    assert found is not None
    return found


def capacity(cells: Sequence[Cell], numbers: Cells, sought: Race | None = None, *, sd: float = 0.01) -> Capacity:
    found = picks.judge(raced(cells, numbers, sought, sd=sd)).capacity
    assert found is not None
    return found


def family(*workers: int) -> list[Cell]:
    return [of("granian", count) for count in workers]


def test_the_server_does_not_matter_where_the_spread_is_surely_small() -> None:
    found = share({"granian*": {"rps": 1010}}, sd=0.005)
    assert not found.matters
    assert found.spread is not None
    assert found.spread.high is not None
    assert 1 < found.spread.high < 1.1
    assert found.sentence.startswith("the server does not matter for this app: the spread is 0.9% [")
    assert "(granian against " in found.sentence


def test_a_small_spread_that_is_uncertain_is_not_said_not_to_matter() -> None:
    found = share({"granian*": {"rps": 1010}}, sd=0.3)
    assert found.matters
    assert found.sentence.startswith("whether the server matters is not known: ")
    assert "and that may be no difference at all" in found.sentence


def test_a_spread_that_may_be_larger_than_a_tenth_is_not_said_not_to_matter_whatever_its_value() -> None:
    found = share({"granian*": {"rps": 1050}}, sd=0.06)
    assert found.spread is not None
    assert found.spread.high is not None
    assert found.spread.value < 1.1 < found.spread.high
    assert found.matters


def test_what_is_over_the_limit_of_memory_is_not_the_best_of_its_server() -> None:
    limit = Limit(metric="memory", bound=50 * MEBIBYTE, text="memory<50MiB")
    heavy = {"granian*uvloop*": {"rps": 4000, "pss_mib": 80}, "granian*asyncio*": {"rps": 1500}}
    cells = [of("granian", loop="asyncio"), of("granian", loop="uvloop"), of("hypercorn")]
    found = picks.judge(raced(cells, heavy, Race(limits=(limit,)))).share
    assert found is not None
    assert found.spread is not None
    assert found.spread.value == pytest.approx(1.5, abs=0.05)


def test_a_large_spread_matters_and_names_both_servers() -> None:
    found = share({"granian*": {"rps": 2000}, "hypercorn*": {"rps": 700}})
    assert found.matters
    assert found.sentence.startswith("the server matters for this app: granian does 2.8")
    assert "the requests/s of hypercorn, each with its best settings" in found.sentence


def test_each_server_is_taken_at_its_best() -> None:
    cells = [of("granian"), of("hypercorn", loop="asyncio"), of("hypercorn", loop="uvloop")]
    found = picks.judge(raced(cells, {"granian*": {"rps": 2000}, "*uvloop*": {"rps": 1950}})).share
    assert found is not None
    assert found.spread is not None
    assert found.spread.value == pytest.approx(2000 / 1950, abs=0.02)


def test_of_one_server_nothing_is_said_to_matter_or_not() -> None:
    found = picks.judge(raced([of("granian", loop="asyncio"), of("granian", loop="uvloop")], {})).share
    assert found is not None
    assert found.spread is None
    assert found.sentence == "only granian was measured, so whether the server matters is not known"


def test_a_spread_that_the_generator_limited_is_none() -> None:
    found = share({"*": {"rps": 1000, "cpu_us": 400, "generator": 0.99}}, sd=0.005)
    assert found.matters
    assert "the load generator was the limit" in found.sentence


def test_the_share_of_the_app_is_what_the_plaintext_app_does_not_take_under_the_same_setting() -> None:
    plain = [of("hypercorn", app="plaintext"), of("granian", app="plaintext")]
    numbers = {"granian*": {"rps": 2000}, "granian*plaintext": {"cpu_us": 100}, "hypercorn*plaintext": {"cpu_us": 200}}
    found = share(numbers, plain)
    assert found.app_share is not None
    assert found.app_share.low is not None
    assert found.app_share.high is not None
    assert found.app_share.low < 0.75 < found.app_share.high  # of the picked server, granian
    assert "your app takes 75% " in found.sentence
    assert "under granian with 1 worker" in found.sentence


def test_an_app_that_costs_no_more_than_plaintext_has_no_share() -> None:
    found = share({"*plaintext": {"cpu_us": 500}}, [of("granian", app="plaintext")])
    assert found.app_share is not None
    assert found.app_share.value == 0
    assert "the app takes no more CPU time per request than the plaintext app" in found.sentence


def test_without_a_reference_the_share_of_the_app_is_not_known() -> None:
    assert share({}).app_share is None


def effects(cells: Sequence[Cell], numbers: Cells) -> Mapping[tuple[str, str, str], Effect]:
    found = picks.judge(raced(cells, numbers)).effects
    return {(one.option, one.value, one.instead_of): one for one in found}


def test_an_option_that_buys_something_is_shown_even_where_its_cells_were_left_out_early() -> None:
    cells = [of("uvicorn", http=http, loop=loop) for http in ("h11", "httptools") for loop in ("asyncio", "uvloop")]
    found = effects(cells, {"*httptools*": {"rps": 1500}})
    (seen, again) = found["http", "httptools", "h11"].seen
    assert seen.where == "uvicorn[loop=asyncio]"
    assert seen.shown
    assert again.shown
    assert seen.ratio.value == pytest.approx(1.5, abs=0.07)
    assert seen.ratio.n == 3
    assert not any(one.shown for one in found["loop", "uvloop", "asyncio"].seen)


def test_an_effect_that_differs_between_settings_is_told_with_the_larger_one_first() -> None:
    cells = [of(server, loop=loop) for server in ("hypercorn", "uvicorn") for loop in ("asyncio", "uvloop")]
    found = effects(cells, {"uvicorn*uvloop*": {"rps": 1600}})
    assert found["loop", "uvloop", "asyncio"].differs == (("uvicorn", "hypercorn"),)


def test_another_worker_is_told_against_the_next_smaller_number() -> None:
    found = effects(family(1, 2, 4), {"*/w2/*": {"rps": 1900}, "*/w4/*": {"rps": 1900}})
    assert [*found] == [("workers", "2", "1"), ("workers", "4", "2")]
    assert found["workers", "2", "1"].seen[0].shown
    assert found["workers", "2", "1"].seen[0].where == "granian"
    assert not found["workers", "4", "2"].seen[0].shown


def test_where_there_are_several_worker_counts_an_option_is_told_of_each() -> None:
    cells = [of("granian", workers, loop=loop) for workers in (1, 2) for loop in ("asyncio", "uvloop")]
    assert [one.where for one in effects(cells, {})["loop", "uvloop", "asyncio"].seen] == ["granian w1", "granian w2"]


def test_a_core_carries_as_many_requests_as_its_time_is_enough_for() -> None:
    found = capacity(family(1), {"*": {"rps": 1000, "cpu_us": 500, "pss_mib": 40}}, Race(cores=4))
    assert found.per_core_per_s is not None
    assert found.per_core_per_s.value == pytest.approx(2000, rel=0.01)
    assert found.per_core_per_s.low is not None
    assert found.per_core_per_s.high is not None
    assert found.per_core_per_s.low < found.per_core_per_s.value < found.per_core_per_s.high
    assert "so a core carries 1,000,000 / " in found.sentences[0]
    assert "and 4 cores at most 8,0" in found.sentences[0]


def pss(by_workers: Mapping[int, float]) -> Cells:
    """Say what memory cells have in all, in MiB; the model has it per worker."""
    return {f"*/w{workers}/*": {"pss_mib": size / workers} for workers, size in by_workers.items()}


def test_memory_grows_by_the_slope_over_worker_counts_and_what_fits_follows_from_it() -> None:
    limit = Limit(metric="memory", bound=200 * MEBIBYTE, text="memory<200MiB")
    found = capacity(family(1, 2, 4), pss({1: 60, 2: 90, 4: 150}), Race(limits=(limit,)))
    assert found.worker_bytes == pytest.approx(30 * MEBIBYTE, rel=1e-6)
    assert found.workers_fit == 5
    assert "Memory is 30 MiB and 30 MiB for every worker (measured with 1, 2 and 4 workers)." in found.sentences
    assert (
        "memory<200MiB has room for 5 workers under this load, if it goes on like this beyond the 4 measured." in found.sentences
    )


def test_memory_that_grows_more_than_in_proportion_is_not_said_to_be_there_without_workers() -> None:
    found = capacity(family(1, 2, 4), pss({1: 20, 2: 60, 4: 150}))
    assert found.sentences[1].startswith("Memory grows by 43 MiB with every worker (measured with")


def test_memory_of_one_worker_count_is_shared_out_and_said_to_be_of_that_count_alone() -> None:
    found = capacity(family(2), pss({2: 100}))
    assert found.worker_bytes == 50 * MEBIBYTE
    assert found.workers_fit is None
    assert found.sentences[1].startswith("Memory was measured with 2 workers alone: 50 MiB for each")


def test_database_connections_are_those_of_all_workers() -> None:
    found = capacity(family(2), {}, Race(pool=5))
    assert found.connections == 10
    assert "5 x 2 workers = 10 database connections" in found.sentences[-1]
    assert capacity(family(2), {}).connections is None


def law(rate: float, contention: float, coherency: float, workers: int) -> float:
    return rate * workers / (1 + contention * (workers - 1) + coherency * workers * (workers - 1))


def test_the_scalability_law_is_found_again_from_points_that_follow_it() -> None:
    found = fitted("granian", {count: law(1000, 0.05, 0.01, count) for count in (1, 2, 3, 4, 6, 8)})
    assert found is not None
    assert (found.rate_per_s, found.contention, found.coherency) == pytest.approx((1000, 0.05, 0.01))
    assert found.peak == 10  # sqrt(0.95 / 0.01) is 9.7
    assert (found.farthest, found.points) == (16, 6)
    assert predicted(found, 16) == pytest.approx(law(1000, 0.05, 0.01, 16))


def test_a_peak_is_the_better_of_the_whole_numbers_around_it() -> None:
    found = fitted("granian", {count: law(1000, 0.0, 0.05, count) for count in range(1, 8)})
    assert found is not None
    assert found.peak == max(range(1, 15), key=lambda count: law(1000, 0.0, 0.05, count))


def test_a_peak_beyond_twice_the_range_is_not_told_and_nothing_is_read_there() -> None:
    found = fitted("granian", {count: law(1000, 0.05, 0.0001, count) for count in range(1, 7)})
    assert found is not None
    assert found.peak is None
    with pytest.raises(ValueError, match="from 1 to 12 workers, not at 13"):
        predicted(found, 13)


def test_with_fewer_than_six_worker_counts_there_is_no_fit() -> None:
    assert fitted("granian", {count: 1000.0 * count for count in range(1, 6)}) is None


def test_throughput_that_grows_more_than_in_proportion_gives_no_negative_contention() -> None:
    found = fitted("granian", {count: 1000 * count**1.1 for count in range(1, 7)})
    assert found is not None
    assert (found.contention, found.coherency) == (0, 0)
    assert found.peak is None


def test_a_fit_is_told_with_its_peak_and_how_far_it_is_off() -> None:
    rates = {count: law(1000, 0.0, 0.04, count) for count in range(1, 9)}
    numbers = {f"*/w{count}/*": {"rps": rate} for count, rate in rates.items()}
    told = capacity(family(*range(1, 9)), numbers).sentences[-1]
    assert told.startswith("Throughput over workers, fitted to 1, 2, 3, 4, 5, 6, 7 and 8 workers, by ")
    assert "the most is reached with 5 workers" in told
    assert "take it as rough" not in told
    knee = {f"*/w{count}/*": {"rps": 1000.0 * min(count, 4)} for count in range(1, 9)}
    none = capacity(family(*range(1, 9)), knee)
    assert none.scaling is None
    assert none.sentences[-1].startswith(
        "The scalability law does not describe throughput over workers here: fitted to 1, 2, 3, "
    )
    assert none.sentences[-1].endswith(", so no peak can be told.")


def test_counts_that_were_left_out_early_or_lost_a_round_still_count_in_the_fit() -> None:
    numbers = {f"*/w{count}/*": {"rps": law(1000, 0.0, 0.04, count)} for count in range(1, 9)}
    run = raced(family(*range(1, 9)), numbers, sd=0.01)
    rows = {(one.cell_id, one.round) for one in run.samples}
    assert len({own for own, number in rows if number == 12}) < 8
    kept = [one for one in run.samples if (one.cell_id, one.round) != (of("granian", 8).id, 2)]
    found = picks.judge(replace(run, samples=tuple(kept))).capacity
    assert found is not None
    assert found.scaling is not None
    assert found.scaling.points == 8
    assert "fitted to 1, 2, 3, 4, 5, 6, 7 and 8 workers, by 2 to " in found.sentences[-1]


@pytest.mark.parametrize("cores", [1, 2])
def test_fewer_cores_than_workers_are_not_said_to_carry_what_these_did(cores: int) -> None:
    (told, *_) = capacity(family(4), {}, Race(cores=cores)).sentences
    assert "at most" not in told
    assert told.endswith(" requests/s, if a request costs no more there and nothing else uses it.")


def summary(own: str, rps: float, p99_us: float, pss_bytes: int | None) -> Summary:
    planned = PlannedCell(cell=of(own), argv=(), load_argv=())
    p99 = Percentile(value_us=p99_us, lowest_us=p99_us, highest_us=p99_us, samples=1)
    bare = Summary(planned=planned, name=own, status="measured", reason="", rounds_ok=1, rounds_failed=0)
    return replace(bare, rps=Estimate(value=rps, low=None, high=None, n=1), p99_us=p99, pss_bytes=pss_bytes)


def test_the_pareto_set_leaves_out_what_another_is_better_than_and_what_is_not_known() -> None:
    found = pareto(
        [
            summary("fast", 900, 50, 70),
            summary("quick", 500, 10, 70),
            summary("small", 500, 50, 20),
            summary("worse", 500, 50, 70),
            summary("unknown", 999, 1, None),
        ]
    )
    assert found == {of("fast").id, of("quick").id, of("small").id}


def test_cells_with_the_same_figures_are_both_in_the_pareto_set() -> None:
    assert len(pareto([summary("one", 900, 50, 70), summary("other", 900, 50, 70)])) == 2


def test_a_ratio_is_of_common_rounds_alone() -> None:
    found = Versus({"one": {1: 2.0, 2: 4.0, 3: 9.0}, "other": {1: 1.0, 2: 2.0}}).ratio("one", "other")
    assert found is not None
    assert found.value == pytest.approx(2)
    assert found.n == 2


def test_a_single_common_round_gives_no_interval_and_none_at_all_no_ratio() -> None:
    versus = Versus({"one": {1: 2.0}, "other": {1: 1.0}, "late": {2: 1.0}})
    alone = versus.ratio("one", "other")
    assert alone is not None
    assert (alone.low, alone.high) == (None, None)
    assert versus.ratio("one", "late") is None
    assert versus.ratio("one", "nobody") is None


def test_more_comparisons_and_more_looks_make_an_interval_wider() -> None:
    series = {"one": {1: 2.0, 2: 2.1, 3: 2.05}, "other": {1: 1.0, 2: 1.0, 3: 1.1}}
    one, many, looked = Versus(series).ratio("one", "other"), Versus(series).ratio("one", "other", 50), Versus(series, 6)
    again = looked.ratio("one", "other")
    lows = [found.low for found in (many, again, one) if found is not None and found.low is not None]
    assert len(lows) == 3
    assert lows == sorted(lows)
    assert len({*lows}) == 3


def test_what_is_better_the_less_there_is_of_it_is_turned_round() -> None:
    assert inverse({"one": {1: 4.0, 2: 0.0}}) == {"one": {1: 0.25}}
