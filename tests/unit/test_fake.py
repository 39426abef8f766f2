"""The fake generator: its model, its noise and its mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from statistics import fmean, stdev

import pytest

from runners.loads.fake import LOAD, simulate
from servermatrix.analysis.stats import median, weighted_percentiles
from servermatrix.contracts import LoadFailure, Outcome, Question, Shot, Window
from servermatrix.model import PROTOCOLS, Request

UVICORN = "uvicorn[http=h11,loop=uvloop]/h1/w1/c64/plaintext"
GRANIAN = "granian[loop=uvloop]/h1/w1/c64/plaintext"
EXAMPLE: dict[str, object] = {
    "seed": 1,
    "noise": {"kind": "normal", "sd": 0.03},
    "cells": {"*": {"rps": 20000, "cpu_us": 40}, "granian*": {"rps": 30000}},
    "fail": {"hypercorn*": "it does not like Mondays"},
}


def ask(
    model: Mapping[str, object] = EXAMPLE,
    cell_id: str = UVICORN,
    *,
    number: int = 1,
    window: int = 0,
    seed: int = 1,
    workers: int = 1,
    rate_per_s: float = 0.0,
    side: str = "",
    pair: str = "",
    requires: tuple[str, ...] = (),
) -> Window:
    question = Question(
        cell_id=cell_id,
        round=number,
        window=window,
        workers=workers,
        duration_s=2,
        seed=seed,
        model=model,
        rate_per_s=rate_per_s,
        side=side,
        pair=pair,
        requires=requires,
    )
    return simulate(question)


def sided(
    sides: Mapping[str, object], side: str = "candidate", *, number: int = 1, requires: tuple[str, ...] = (), **other: object
) -> Window:
    """Ask for a side of a check as a run does: the id has the side in it, the pair has not."""
    setting, rest = UVICORN.split("/", 1)
    model = {**quiet(), **other, "sides": sides}
    return ask(model, f"{setting}:{side}/{rest}", number=number, side=side, pair=UVICORN, requires=requires)


def rate_and_cpu(window: Window) -> tuple[float, float]:
    return window.stats.requests / 2, round(window.usage.server_cpu_us / window.stats.requests, 6)


def quiet(**numbers: object) -> dict[str, object]:
    return {"noise": {"sd": 0}, "cells": {"*": {"rps": 20000, "cpu_us": 40, **numbers}}}


def log_rates(model: Mapping[str, object], cell_id: str = UVICORN, rounds: int = 400) -> list[float]:
    return [log(ask(model, cell_id, number=number).stats.requests / 40_000) for number in range(1, rounds + 1)]


def noisy(kind: str, **other: object) -> dict[str, object]:
    return {**EXAMPLE, "noise": {"kind": kind, "sd": 0.03, **other}}


def test_without_noise_the_answer_is_what_the_model_says() -> None:
    window = ask(quiet(pss_mib=50, steal=0.01, foreign_cpu=0.2))
    assert (window.stats.requests, window.stats.duration_us) == (40_000, 2_000_000)
    assert window.usage.server_cpu_us == 40 * 40_000
    assert (window.usage.pss_bytes, window.usage.steal, window.usage.foreign_cpu) == (50 * 2**20, 0.01, 0.2)
    assert window.stats.errors.total == 0


def test_it_drives_every_protocol_that_there_is() -> None:
    assert set(LOAD.protocols) == set(PROTOCOLS)


@pytest.mark.parametrize(
    "cell_id",
    [
        "granian[loop=uvloop]/h2/w1/c8m10/plaintext",
        "granian[loop=uvloop]@3.13+granian==2.8.7+uvloop<0.23/h1s/w2/c64n100/json",
        "granian[loop=uvloop]@/opt/python3/h2c/w1/c64/plaintext",
    ],
)
def test_its_globs_reach_ids_with_streams_requests_and_environments(cell_id: str) -> None:
    assert ask({**EXAMPLE, "noise": {"sd": 0}}, cell_id).stats.requests == 60_000


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("busy", [0.97, 0.3])
def test_the_server_is_as_busy_as_the_model_says_whatever_its_numbers(workers: int, busy: float) -> None:
    usage = ask(quiet(busy=busy), workers=workers).usage
    assert usage.server_cpu_us / (usage.wall_us * workers) == pytest.approx(busy, rel=1e-4)
    assert usage.generator_cpu_us / usage.wall_us == pytest.approx(0.2, rel=1e-4)
    assert len(usage.worker_cpu_us) == workers


def test_the_histogram_adds_up_and_has_the_median_and_the_tail_of_the_model() -> None:
    histogram = ask(quiet(p50_us=3000, p99=4)).stats.histogram
    assert sum(count for _, count in histogram) == 40_000
    assert 12 <= len(histogram) <= 20
    assert list(histogram) == sorted(histogram)
    assert weighted_percentiles(histogram, (50, 99)) == [3000, 12_000]


@pytest.mark.parametrize("rps", [0.1, 1, 3, 40, 1e6])
def test_the_histogram_adds_up_for_few_requests_too(rps: float) -> None:
    stats = ask(quiet(rps=rps)).stats
    assert sum(count for _, count in stats.histogram) == stats.requests >= 1
    assert all(us > 0 and count > 0 for us, count in stats.histogram)


def test_later_entries_override_earlier_ones_key_by_key() -> None:
    window = ask({**EXAMPLE, "noise": {"sd": 0}}, GRANIAN)
    assert window.stats.requests == 60_000
    assert window.usage.server_cpu_us == 40 * 60_000


@pytest.mark.parametrize(
    ("glob", "matches"),
    [
        ("uvicorn[http=h11*", True),
        ("uvicorn[loop]*", False),
        ("uvicorn?http=h11*", True),
        ("uvicorn", False),
        ("*plaintext", True),
        ("*/h1/*", True),
        (".*", False),
    ],
)
def test_only_stars_and_question_marks_are_wild_and_the_whole_id_must_match(glob: str, matches: bool) -> None:  # noqa: FBT001 - a table
    model = {"cells": {glob: {"rps": 1000, "cpu_us": 900}}}
    if matches:
        assert ask(model).stats.requests > 0
    else:
        with pytest.raises(LoadFailure, match="no entry of the fake model matches"):
            ask(model)


def test_the_same_question_has_the_same_answer_and_any_other_has_another() -> None:
    others = [ask(number=2), ask(window=1), ask(seed=2), ask({**EXAMPLE, "seed": 2}), ask(cell_id=UVICORN + "x")]
    assert ask() == ask()
    assert ask().stats not in [other.stats for other in others]


def test_long_seeds_that_differ_in_the_last_digit_are_different_seeds() -> None:
    one, other = (ask({**EXAMPLE, "seed": seed}).stats.requests for seed in (1234567, 1234568))
    assert one != other


def test_windows_of_one_start_are_more_alike_than_starts() -> None:
    within = [log(ask(number=n, window=0).stats.requests / ask(number=n, window=1).stats.requests) for n in range(200)]
    between = [log(ask(number=n).stats.requests / ask(number=n + 1).stats.requests) for n in range(200)]
    assert stdev(within) < stdev(between) / 2


def test_normal_noise_has_the_size_that_the_model_says_and_no_bias() -> None:
    rates = log_rates(noisy("normal"))
    assert stdev(rates) == pytest.approx(0.03, rel=0.15)
    assert fmean(rates) == pytest.approx(0, abs=0.006)


def test_contaminated_noise_is_wild_in_some_rounds_and_calm_in_the_others() -> None:
    calm, wild = log_rates(noisy("normal")), log_rates(noisy("contaminated"))
    beyond = [sum(abs(rate) > 0.1 for rate in rates) / len(rates) for rates in (calm, wild)]
    assert beyond[0] < 0.01
    assert 0.02 < beyond[1] < 0.12
    assert median([abs(rate) for rate in wild]) < 1.4 * median([abs(rate) for rate in calm])


def test_one_sided_noise_makes_servers_slower_and_never_faster() -> None:
    rates = log_rates(noisy("one-sided"))
    assert max(rates) < 0.001
    assert stdev(rates) == pytest.approx(0.03, rel=0.15)
    assert fmean(rates) == pytest.approx(-0.036, rel=0.15)


def test_one_sided_noise_costs_cpu_too() -> None:
    windows = [ask(noisy("one-sided"), number=number) for number in range(200)]
    assert min(window.usage.server_cpu_us / window.stats.requests for window in windows) >= 39.99


def test_noise_spoils_as_many_rounds_as_the_model_says_and_always_the_same() -> None:
    def lost(cell_id: str) -> list[int]:
        return [number for number in range(500) if spoilt(noisy("normal", invalid=0.2), cell_id, number)]

    assert lost(UVICORN) == lost(UVICORN) != lost(GRANIAN)
    assert 70 < len(lost(UVICORN)) < 130


def spoilt(model: Mapping[str, object], cell_id: str, number: int) -> bool:
    try:
        ask(model, cell_id, number=number)
    except LoadFailure as failure:
        return failure.noise and str(failure) == f"the model lets noise spoil round {number}"
    return False


def test_what_the_model_lets_fail_is_no_noise() -> None:
    with pytest.raises(LoadFailure) as raised:
        ask({"fail": {"*": "it broke"}})
    assert not raised.value.noise


def test_at_a_fixed_rate_below_capacity_every_request_is_answered_and_the_server_is_partly_busy() -> None:
    window = ask(quiet(), rate_per_s=5_000)
    assert (window.stats.due, window.stats.requests, window.stats.unanswered) == (10_000, 10_000, 0)
    assert sum(count for _, count in window.stats.histogram) == 10_000
    assert window.usage.server_cpu_us / window.usage.wall_us == pytest.approx(0.97 / 4, rel=1e-3)
    assert window.usage.generator_cpu_us / window.usage.wall_us == pytest.approx(0.2 / 4, rel=1e-3)


def test_above_capacity_requests_stay_unanswered() -> None:
    stats = ask(quiet(), rate_per_s=30_000).stats
    assert (stats.due, stats.requests, stats.unanswered) == (60_000, 40_000, 20_000)


def test_above_capacity_the_median_is_half_of_what_the_last_answer_waits() -> None:
    """At one and a half times the capacity the last of 40,000 answers in 2 s is to a request that was due 2/3 s before."""
    assert median_us(quiet(), rate_per_s=30_000) == pytest.approx(2e6 / 3 / 2 + 100 * log(2) * 50, rel=1e-3)


def median_us(model: Mapping[str, object], *, rate_per_s: float = 0.0, workers: int = 1) -> float:
    return weighted_percentiles(ask(model, rate_per_s=rate_per_s, workers=workers).stats.histogram, [50])[0]


def test_more_rate_never_means_less_latency() -> None:
    medians = [median_us(quiet(), rate_per_s=rate) for rate in range(1000, 40_000, 500)]
    assert medians == sorted(medians)
    assert medians[0] < 50
    assert medians[-1] > 400_000


@pytest.mark.parametrize(("workers", "capacity"), [(1, 20_000), (2, 36_000), (3, 43_000), (4, 50_000), (16, 50_000)])
def test_several_workers_have_the_capacity_that_the_model_says_and_between_its_points_what_lies_on_a_line(
    workers: int, capacity: int
) -> None:
    model = quiet(workers={2: 1.8, 4: 2.5})
    window = ask(model, workers=workers)
    assert rate_and_cpu(window) == (capacity, 40)
    assert median_us(model, workers=workers) == round(64e6 / capacity)
    assert ask(model, workers=workers, rate_per_s=60_000).stats.requests == 2 * capacity


def test_without_points_the_number_of_workers_changes_no_capacity() -> None:
    assert rate_and_cpu(ask(quiet(), workers=4)) == (20_000, 40)


def test_points_that_were_stored_as_text_are_read_and_later_entries_replace_them_as_a_whole() -> None:
    cells = {"*": {"rps": 20_000, "cpu_us": 40, "workers": {"2": 1.5, "4": 3}}}
    assert rate_and_cpu(ask({**quiet(), "cells": cells}, workers=4)) == (60_000, 40)
    later = {**cells, "uvicorn*": {"workers": {2: 1.2}}}
    assert rate_and_cpu(ask({**quiet(), "cells": later}, workers=4)) == (24_000, 40)


def test_a_median_that_is_given_is_that_of_one_worker() -> None:
    model = quiet(workers={2: 1.6}, p50_us=3200)
    assert [median_us(model, workers=workers) for workers in (1, 2)] == [3200, 2000]


def test_at_a_fixed_rate_every_worker_has_a_queue_of_its_own() -> None:
    """Two workers of 15,000/s at 12,000/s in all: each serves in 66.7 us and is used for 40 %."""
    assert median_us(quiet(workers={2: 1.5}), rate_per_s=12_000, workers=2) == pytest.approx(
        log(2) / (15_000 - 6000) * 1e6, abs=1
    )


def test_every_worker_has_its_memory() -> None:
    assert [ask(quiet(pss_mib=25.5), workers=workers).usage.pss_bytes for workers in (1, 3)] == [26_738_688, 3 * 26_738_688]


def test_latency_grows_with_the_rate_as_in_a_queue() -> None:
    shares = (0.3, 0.6, 0.9)
    medians = [weighted_percentiles(ask(quiet(), rate_per_s=20_000 * share).stats.histogram, [50])[0] for share in shares]
    assert medians == pytest.approx([log(2) * 50 / (1 - share) for share in (0.3, 0.6, 0.9)], abs=1)
    assert medians[2] < weighted_percentiles(ask(quiet()).stats.histogram, [50])[0]


@pytest.mark.parametrize("kind", ["drift", "periodic"])
def test_what_the_cells_of_a_round_share_is_removed_by_pairing(kind: str) -> None:
    model = noisy(kind, sd=0.01, shared=0.5)
    one, other = log_rates(model, rounds=30), log_rates(model, UVICORN + "x", rounds=30)
    assert stdev(one) > 0.05
    assert stdev([a - b for a, b in zip(one, other, strict=True)]) < 0.03


def test_cpu_per_request_is_steadier_than_requests_per_second() -> None:
    windows = [ask(number=number) for number in range(200)]
    cpu = [log(window.usage.server_cpu_us / window.stats.requests) for window in windows]
    assert 0.005 < stdev(cpu) < 0.015


def test_a_cell_can_be_told_to_fail_with_a_reason_and_the_last_match_tells_it() -> None:
    model = {"fail": {"*": "first", "granian*": "second"}}
    with pytest.raises(LoadFailure, match=r"^first$"):
        ask(model)
    with pytest.raises(LoadFailure, match=r"^second$"):
        ask(model, GRANIAN)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cell": {}}, "the fake model has 'cell', which is not one of seed, noise, cells, fail, sides, packages"),
        ({"seed": "one"}, "the fake model has 'one' as seed, which must be a number from 0 on"),
        ({"noise": {"kind": "pink"}}, "is of kind 'pink', which is not one of normal, contaminated, one-sided, drift, periodic"),
        ({"noise": {"sigma": 1}}, "the noise of the fake model has 'sigma', which is not one of kind, sd, shared, invalid"),
        ({"noise": {"sd": -1}}, "has -1 as sd, which must be a number from 0 on"),
        ({"noise": 3}, "the noise of the fake model must be a mapping, not 3"),
        ({"cells": ["*"]}, "cells of the fake model must be a mapping"),
        ({"cells": {"*": {"rps": True, "cpu_us": 1}}}, "the entry '\\*' of the fake model has True as rps"),
        ({"cells": {"*": {"rps": 1, "cpu_us": float("nan")}}}, "has nan as cpu_us"),
        ({"cells": {"*": {"rsp": 1}}}, "has 'rsp', which is not one of rps, cpu_us"),
        ({"cells": {"*": {"rps": 1}}}, "gives uvicorn.* no cpu_us"),
        ({"cells": {"*": {"rps": 0, "cpu_us": 1}}}, "0 as rps, which must be above 0"),
        ({"cells": {"*": {"rps": 1, "cpu_us": 1, "p99": 0.5}}}, "0.5 as p99, which must be 1 or more"),
        ({"cells": {}}, "no entry of the fake model matches uvicorn"),
        ({"cells": {"*": {"workers": 2}}}, r"workers of the entry '\*' of the fake model must be a mapping, not 2"),
        (
            {"cells": {"*": {"workers": {"two": 2}}}},
            "workers of .* has 'two', which is no number of workers with a factor above 0",
        ),
        ({"cells": {"*": {"workers": {0: 2}}}}, "workers of .* has '0', which is no number of workers"),
        ({"cells": {"*": {"workers": {2: 0}}}}, "workers of .* has '2', which is no number of workers with a factor above 0"),
        ({"cells": {"*": {"workers": {2: -1}}}}, "workers of .* has -1 as 2, which must be a number from 0 on"),
        ({"fail": "all"}, "fail of the fake model must be a mapping"),
    ],
)
def test_a_mistake_in_the_model_is_told_in_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(LoadFailure, match=sentence):
        ask({**EXAMPLE, **change})


def test_a_factor_or_a_number_of_a_side_changes_that_side_alone() -> None:
    sides = {"candidate": {"uvicorn*": {"rps": "x0.9", "cpu_us": 44}}}
    assert rate_and_cpu(sided(sides)) == (18_000, 44)
    assert rate_and_cpu(sided(sides, "baseline")) == (20_000, 40)
    assert rate_and_cpu(ask({**quiet(), "sides": sides})) == (20_000, 40)


def test_entries_of_a_side_are_laid_over_each_other_in_their_order() -> None:
    sides = {"candidate": {"*": {"rps": "x0.5"}, "uvicorn*": {"rps": "x0.5", "p50_us": "x2"}, "granian*": {"rps": 1}}}
    window = sided(sides)
    assert rate_and_cpu(window) == (5_000, 40)
    assert weighted_percentiles(window.stats.histogram, [50]) == [2 * 64e6 / 5_000]


def test_a_median_of_a_side_is_taken_times_that_of_the_cell_where_it_has_one() -> None:
    window = sided({"candidate": {"*": {"p50_us": "x2"}}}, cells={"*": {"rps": 20_000, "cpu_us": 40, "p50_us": 1000}})
    assert weighted_percentiles(window.stats.histogram, [50]) == [2000]


def test_globs_go_by_the_pair_and_by_the_id_of_the_cell_with_its_side() -> None:
    exact = {UVICORN: {"rps": 10_000, "cpu_us": 40}}
    assert rate_and_cpu(sided({}, cells=exact)) == (10_000, 40)
    by_id = {"*": {"rps": 10_000, "cpu_us": 40}, "*:candidate/*": {"rps": 5_000}}
    assert [rate_and_cpu(sided({}, side, cells=by_id))[0] for side in ("baseline", "candidate")] == [10_000, 5_000]
    with pytest.raises(LoadFailure, match="Monday"):
        sided({}, fail={UVICORN: "Monday"})


def test_a_second_measurement_of_the_baseline_can_be_changed_alone() -> None:
    model = {**quiet(), "sides": {"baseline": {"*/again": {"rps": "x0.8"}}}}
    one, again = (ask(model, name, side="baseline", pair="u/h1") for name in ("u:baseline/h1", "u:baseline/h1/again"))
    assert [window.stats.requests / 2 for window in (one, again)] == [20_000, 16_000]


def test_the_sides_of_a_pair_and_the_canary_draw_their_noise_for_themselves() -> None:
    model = noisy("normal")
    names = ("u:baseline/h1", "u:candidate/h1", "u:baseline/h1/again")
    one, other, again = (
        [log(ask(model, name, number=n, side="baseline", pair="u/h1").stats.requests) for n in range(200)] for name in names
    )
    assert stdev([a - b for a, b in zip(one, other, strict=True)]) == pytest.approx(0.03 * 2**0.5, rel=0.2)
    assert stdev([a - b for a, b in zip(one, again, strict=True)]) == pytest.approx(0.03 * 2**0.5, rel=0.2)


def test_a_side_can_fail_and_can_lose_rounds_to_noise() -> None:
    with pytest.raises(LoadFailure, match=r"^it does not start$") as raised:
        sided({"candidate": {"uvicorn*": {"fail": "it does not start"}}})
    assert not raised.value.noise
    sides = {"candidate": {"uvicorn*": {"invalid": 0.5}}}
    lost = {side: sum(lost_to_noise(sides, side, number) for number in range(200)) for side in ("baseline", "candidate")}
    assert 70 < lost["candidate"] < 130
    assert lost["baseline"] == 0


def lost_to_noise(sides: Mapping[str, object], side: str, number: int) -> bool:
    try:
        sided(sides, side, number=number)
    except LoadFailure as failure:
        return failure.noise
    return False


@pytest.mark.parametrize(("rounds", "seen"), [(3, [3]), ("2-4", [2, 3, 4]), ("5-5", [5]), ("4-2", [])])
def test_an_entry_with_rounds_counts_in_those_alone(rounds: object, seen: list[int]) -> None:
    sides = {"candidate": {"uvicorn*": {"rps": "x0.5", "rounds": rounds}}}
    assert [number for number in range(1, 7) if sided(sides, number=number).stats.requests < 40_000] == seen


def test_a_package_changes_the_cells_that_require_it_and_several_those_that_require_all_of_them() -> None:
    packages = {
        "httptools==0.8.0": {"uvicorn*": {"cpu_us": "x1.2"}},
        "h11==0.16.0 uvloop==0.22.1": {"*": {"rps": "x0.5"}},
        "granian==2.8.7": {"granian*": {"fail": "never"}},
    }

    def found(*requires: str) -> tuple[float, float]:
        return rate_and_cpu(sided({}, requires=requires, packages=packages))

    assert found() == found("httptools==0.7.1", "uvloop==0.22.1") == (20_000, 40)
    assert found("httptools==0.8.0", "uvloop==0.22.1") == (20_000, 48)
    assert found("h11==0.16.0", "granian==2.8.7", "httptools==0.8.0", "uvloop==0.22.1") == (10_000, 48)


@pytest.mark.parametrize(
    ("sides", "sentence"),
    [
        ({"candidates": {}}, "sides of the fake model has 'candidates', which is not one of baseline, candidate"),
        ({"candidate": 3}, "candidate of the fake model must be a mapping, not 3"),
        ({"candidate": {"*": "x0.9"}}, r"the entry '\*' of candidate in the fake model must be a mapping, not 'x0.9'"),
        ({"candidate": {"*": {"rsp": "x0.9"}}}, "has 'rsp', which is not one of rps, cpu_us"),
        ({"candidate": {"*": {"workers": {2: 2}}}}, "has 'workers', which is not one of rps, cpu_us"),
        ({"candidate": {"*": {"rps": "0.9x"}}}, "has '0.9x' as rps, which must be a number, or a factor as in x0.9"),
        ({"candidate": {"*": {"rps": "x-1"}}}, "has 'x-1' as rps"),
        ({"candidate": {"*": {"rps": -1}}}, "has -1 as rps, which must be a number from 0 on"),
        ({"candidate": {"*": {"rps": "x0"}}}, "gives uvicorn.* 0 as rps, which must be above 0"),
        ({"candidate": {"*": {"p99": "x0.1"}}}, "0.3 as p99, which must be 1 or more"),
        (
            {"candidate": {"*": {"rounds": "first"}}},
            "has rounds that are neither a number nor, as in 1-10, the first and the last",
        ),
        (["candidate"], "sides of the fake model must be a mapping"),
    ],
)
def test_a_mistake_in_the_sides_is_told_in_one_sentence(sides: Mapping[str, object], sentence: str) -> None:
    with pytest.raises(LoadFailure, match=sentence):
        sided(sides)


@pytest.mark.parametrize("name", ["httptools", "", "httptools==0.8.0 uvloop"])
def test_a_package_without_a_version_is_a_mistake(name: str) -> None:
    with pytest.raises(LoadFailure, match=r"which is no version of a package as in uvloop==0\.22\.1"):
        sided({}, packages={name: {}})


def test_the_fake_speaks_every_protocol_and_has_nothing_to_run_or_read() -> None:
    shot = Shot(
        program="",
        url="http://127.0.0.1:1/",
        request=Request(),
        connections=1,
        threads=1,
        duration_s=1,
        timeout_s=1,
        folder=".",
        result="result",
    )
    assert set(LOAD.protocols) == {"h1", "h1s", "h2c", "h2"}
    assert LOAD.open_loop
    assert LOAD.mixes
    assert LOAD.argv(shot) == []
    assert LOAD.version("anything") == "1"
    with pytest.raises(LoadFailure, match="asked, not run"):
        LOAD.parse(shot, Outcome(exit_code=0, stdout="", stderr="", result="{}"))
