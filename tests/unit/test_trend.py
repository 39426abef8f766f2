from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import exp
from random import Random

import pytest

from servermatrix.analysis import nights as checks
from servermatrix.analysis.stopping import BROKEN, LEFT_OUT, NOISY, REMOVED
from servermatrix.analysis.trend import trend
from servermatrix.errors import NothingSelected
from servermatrix.model import (
    BASELINE,
    CANDIDATE,
    Change,
    Excluded,
    Load,
    Metric,
    Night,
    Plan,
    Side,
    Trial,
    VersionChange,
)
from servermatrix.model.trends import Break, Promotion, Trend
from servermatrix.sides import ONLY_IN, by_servers_alone
from tests.unit.analyse_runs import cell
from tests.unit.night_values import EPYC, FIRST, XEON, A, B, night, nights, told, tried

SOON = FIRST + timedelta(days=100)


def seen(*made: Night, last: int = 60, **other: object) -> Trend:
    return trend(made, last, now=SOON, **other)  # type: ignore[arg-type]


def test_a_cell_has_a_point_for_each_night_it_was_in() -> None:
    found = seen(night(0, [told(A), told(B)]), night(1, [told(A, rps=0.9)]), night(2, [told(B)]), night(3, [told(A), told(B)]))
    assert [(line.pair, [point.night[:10] for point in line.points]) for line in found.lines] == [
        (A, ["2026-11-01", "2026-11-02", "2026-11-04"]),
        (B, ["2026-11-01", "2026-11-03", "2026-11-04"]),
    ]
    assert [point.rps.total.value for point in found.lines[0].points if point.rps] == pytest.approx([1.0, 0.9, 1.0])
    assert not found.alarmed


def test_only_the_last_nights_are_shown_and_all_of_them_count_for_the_level() -> None:
    made = nights([0.8, 0.8, 1.0, 1.0], {2: tried("0.52.0", "0.54.0")})
    found = seen(*made, last=2)
    assert found.nights == tuple((one.id, one.started_at) for one in made[2:])
    assert [round(point.rps.total.value, 2) for point in found.lines[0].points if point.rps] == [0.8, 0.8]


def test_without_a_night_there_is_no_trend() -> None:
    with pytest.raises(NothingSelected, match="no night"):
        seen()


def test_a_step_is_marked_with_what_the_candidate_changed() -> None:
    made = nights([1.0] * 20 + [0.9] * 10, {20: tried(candidate="0.54.0")})
    ((step,),) = (line.steps for line in seen(*made).lines)
    assert (step.metric, step.night) == (Metric.RPS, made[20].id)
    assert step.ratio == pytest.approx(0.9, abs=0.01)
    assert step.differing == (VersionChange(name="uvicorn", baseline="0.52.0", candidate="0.54.0"),)


def test_a_step_that_was_seen_before_it_was_accepted_stays_and_the_promotion_is_no_other() -> None:
    slower, accepted = tried("0.50.0", "0.54.0"), tried("0.54.0", "0.54.0")
    made = nights([1.0] * 20 + [0.9] * 8 + [1.0] * 30, {20: slower, 28: accepted})
    found = seen(*made)
    assert [step.night for step in found.lines[0].steps] == [made[20].id]
    assert found.promotions == (
        Promotion(
            night=made[28].id,
            started_at=made[28].started_at,
            differing=(VersionChange(name="uvicorn", baseline="0.50.0", candidate="0.54.0"),),
        ),
    )


def promoted_every(days: int, count: int, seed: int) -> list[Night]:
    """Nights of nothing but noise, each baseline the candidate of the days before."""
    random = Random(seed)  # noqa: S311 - reproducible, not secret
    rates = [told(rps=exp(random.gauss(0, 0.05)), cpu=None) for _ in range(count)]
    return [night(day, [rate], tried(str(day // days), str(day // days + 1))) for day, rate in enumerate(rates)]


@pytest.mark.parametrize("days", [7, 25])
def test_noise_shows_no_step_however_often_candidates_are_accepted(days: int) -> None:
    made = [promoted_every(days, 100, seed) for seed in range(25)]
    assert sum(bool(seen(*one, last=100).lines[0].steps) for one in made) == 0
    assert {len(seen(*one).promotions) for one in made} <= {2, 3, 8, 9}


def test_a_step_no_larger_than_the_margin_of_its_check_is_not_marked() -> None:
    trial = tried(margin=0.15)
    assert seen(*nights([1.0] * 20 + [0.9] * 10, {0: trial})).lines[0].steps == ()


def test_a_new_baseline_of_which_nothing_is_known_is_no_step() -> None:
    made = nights([0.8] * 15 + [1.0] * 15, {15: tried("7.0", "8.0")})
    (line,) = seen(*made).lines
    assert line.steps == ()
    assert {point.rps.segment for point in line.points if point.rps} == {0, 1}


def test_a_line_that_begins_anew_says_which_baseline_it_was() -> None:
    made = nights([1.0, 1.0, 1.0, 1.0], {2: tried("7.0", "8.0"), 3: tried()})
    first, back = seen(*made).lines[0].breaks
    assert first == Break(
        night=made[2].id,
        sentence=f"the line begins anew in the night {made[2].id}, whose baseline had been no candidate on this machine: "
        "before and after have no known relation",
    )
    assert back.sentence.startswith(f"the line goes on with an earlier part of it in the night {made[3].id}, whose baseline is")


def test_a_baseline_that_was_a_candidate_on_another_machine_is_not_called_unknown() -> None:
    made = night(0), night(1, host=XEON), night(2, trial=tried("0.52.0", "0.54.0")), night(3, trial=tried("0.54.0", "0.55.0"))
    other = replace(night(4, trial=tried("0.54.0", "0.55.0")), hosts=(XEON,))
    (one, two) = seen(*made, other).lines
    assert one.breaks == ()
    assert "no candidate on this machine" in two.breaks[0].sentence


LOAD = Load(generator="wrk", connections=64, threads=2, duration_s=2, warmup_s=1, windows=1)


@pytest.mark.parametrize(
    ("generator", "load", "said"),
    [
        ("wrk 4.2.0", LOAD, "in which the generator changed from wrk 4.1.0 to wrk 4.2.0: before"),
        (
            "wrk 4.1.0",
            replace(LOAD, duration_s=5, windows=2),
            "in which the load changed from 1 window of 2 s after 1 s of warm-up with 64 connections and 2 threads to 2 windows",
        ),
        ("h2load 1.52.0", replace(LOAD, generator="h2load", threads=1), "to h2load 1.52.0 and in which the load changed"),
    ],
)
def test_another_generator_or_load_begins_a_segment_and_is_told(generator: str, load: Load, said: str) -> None:
    def driven(day: int, generator: str, load: Load) -> Night:
        return night(day, [replace(told(rps=0.9 if day > 20 else 1.0), generator=generator, load=load)])

    made = [driven(day, *(("wrk 4.1.0", LOAD) if day <= 20 else (generator, load))) for day in range(40)]
    (line,) = seen(*made).lines
    assert [one.night for one in line.breaks] == [made[21].id]
    assert said in line.breaks[0].sentence
    assert line.steps == ()


def test_a_break_before_the_nights_that_are_shown_is_not_told() -> None:
    made = nights([1.0] * 5, {2: tried("7.0", "8.0")})
    assert [len(seen(*made, last=last).lines[0].breaks) for last in (2, 3, 4)] == [0, 0, 1]


def test_simulated_nights_are_left_out_unless_all_are() -> None:
    made = [night(0), replace(night(1, [told(rps=0.5)]), simulated=True), replace(night(2, [told(B)]), simulated=True)]
    found = seen(*made)
    assert [one for one, _ in found.nights] == [made[0].id]
    assert found.notes == ("2 simulated nights left out: nothing was measured in them",)
    assert not found.alarmed
    all_of_them = seen(*made[1:])
    assert len(all_of_them.nights) == 2
    assert all_of_them.notes == ("all nights were simulated: nothing was measured in them",)


def test_a_simulated_night_does_not_make_the_history_younger() -> None:
    made = [night(0), replace(night(5), simulated=True)]
    assert "began 6.0 days ago" in trend(made, now=FIRST + timedelta(days=6), max_age=timedelta(days=3)).stale


def test_nights_of_two_machines_have_a_line_each() -> None:
    made = [replace(one, hosts=(XEON if day % 2 else EPYC,)) for day, one in enumerate(nights([1.0] * 20 + [0.7] * 20))]
    found = seen(*made)
    assert [(line.machine, len(line.points)) for line in found.lines] == [
        ("AMD EPYC 7763, 4 cores", 20),
        ("Intel Xeon 8370C, 4 cores", 20),
    ]
    assert [len(line.steps) for line in found.lines] == [1, 1]
    assert found.machines == ("AMD EPYC 7763, 4 cores", "Intel Xeon 8370C, 4 cores")


def test_a_new_kernel_or_interpreter_is_no_new_machine() -> None:
    later = replace(EPYC, system="Linux 7.1", python="3.13.1", memory_bytes=1)
    assert len(seen(night(0), night(1, host=later)).lines) == 1
    assert len(seen(night(0), night(1, host=replace(EPYC, cores=1))).lines) == 2


def test_the_shards_of_a_night_may_be_of_several_machines() -> None:
    both = replace(night(0, [told(A), replace(told(B), host=1)]), hosts=(EPYC, XEON))
    assert [(line.pair, line.machine) for line in seen(both).lines] == [
        (A, "AMD EPYC 7763, 4 cores"),
        (B, "Intel Xeon 8370C, 4 cores"),
    ]


def test_a_cell_that_is_gone_has_stopped_reporting() -> None:
    found = seen(night(0, [told(A), told(B)]), night(1, [told(A), told(B)]), night(2, [told(A)]))
    (one,) = found.stopped
    assert (one.pair, one.night) == (B, night(1).id)
    assert one.sentence == f"it is not in the latest night; its last figures are those of {night(1).id}"
    assert one.advice == REMOVED
    assert found.alarmed


@pytest.mark.parametrize(("change", "advice"), [(Change.FAILED, BROKEN), (Change.INCONCLUSIVE, NOISY)])
def test_a_cell_that_is_there_has_stopped_with_the_third_night_without_figures(change: Change, advice: str) -> None:
    bare = [night(day, [told(rps=None, cpu=None, change=change)]) for day in range(1, 4)]
    for some in (bare[:1], bare[:2]):
        found = seen(night(0), *some)
        assert found.stopped == ()
        assert found.notes == (f"without figures in the latest night, and no alarm before 3 nights in a row (1): {A}",)
    found = seen(night(0), *bare)
    (one,) = found.stopped
    assert one.sentence.startswith(
        "it has had no figures for 3 nights in a row, of which the latest says: no change beyond 2.1 %; "
    )
    assert (one.advice, found.notes) == (advice, ())
    assert seen(night(0), *bare, night(4)).stopped == ()


def test_nights_without_figures_count_only_in_a_row() -> None:
    made = [night(day, [told() if day in {0, 3} else told(rps=None, cpu=None)]) for day in range(6)]
    assert seen(*made).stopped == ()


def test_a_night_that_did_not_concern_a_cell_does_not_break_the_row_nor_count() -> None:
    bare, idle = [told(A), told(B, rps=None, cpu=None)], (Excluded(id=B, reason=f"{ONLY_IN} uvicorn alone"),)
    idle_night = replace(night(3, [told(A)]), left_out=idle)
    made = [night(0, [told(A), told(B)]), night(1, bare), night(2, bare), idle_night]
    assert seen(*made).stopped == ()
    assert [one.night for one in seen(*made, night(4, bare)).stopped] == [night(0).id]


def test_a_cell_that_is_there_and_stays_without_figures_is_never_forgotten() -> None:
    made = [night(0), *(night(day, [told(rps=None, cpu=None)]) for day in range(1, 9))]
    assert len(seen(*made, last=2).stopped) == 1


def test_half_of_the_figures_are_figures() -> None:
    assert seen(night(0), night(1, [told(rps=None)])).stopped == ()


def test_a_cell_that_never_had_figures_did_not_stop() -> None:
    assert seen(night(0, [told(A), told(B, rps=None, cpu=None)]), night(1, [told(A)])).stopped == ()


def test_a_cell_that_stopped_on_one_machine_and_reports_on_another_did_not_stop() -> None:
    assert seen(night(0), night(1, host=XEON)).stopped == ()


def test_a_cell_that_stopped_before_the_last_nights_is_forgotten() -> None:
    made = [night(0, [told(A), told(B)]), *(night(day, [told(A)]) for day in range(1, 5))]
    assert [one.pair for one in seen(*made, last=5).stopped] == [B]
    assert seen(*made, last=4).stopped == ()


def test_cells_that_were_not_chosen_raise_no_alarm() -> None:
    made = night(0, [told(A), told(B)]), night(1, [told(A)])
    found = seen(*made, keep=("uvicorn*",))
    assert (found.alarmed, [line.pair for line in found.lines]) == (False, [A])
    assert seen(*made, keep=("granian*",)).alarmed


def test_a_cell_that_the_matrix_excludes_now_has_stopped_and_the_reason_is_told() -> None:
    latest = replace(night(1, [told(A)]), left_out=(Excluded(id=B, reason="it does not run on this Python"),))
    (one,) = seen(night(0, [told(A), told(B)]), latest).stopped
    assert one.sentence.startswith("the latest night left it out: it does not run on this Python; its last")
    assert one.advice == LEFT_OUT


def test_a_cell_that_the_check_leaves_out_because_nothing_of_it_differs_did_not_stop() -> None:
    other = cell("granian")
    plan = Plan(cells=(other, cell("uvicorn")), excluded=(), apps=(), rounds=26, seed=1)
    baseline, candidate = (
        Side(name=name, requires=(f"uvicorn=={version}",)) for name, version in ((BASELINE, "0.50"), (CANDIDATE, "0.52"))
    )
    trial = Trial(baseline=baseline, candidate=candidate)
    left_out = by_servers_alone(plan, trial, {"uvicorn", "granian"}, lambda one: {one.server}).excluded
    assert [each.id for each in left_out] == [other.id]
    found = seen(night(0, [told(other.id), told(A)]), replace(night(1, [told(A)]), left_out=left_out))
    assert found.stopped == ()
    assert found.notes == (f"left out of the latest night, and no alarm (1): {left_out[0].reason}",)


def test_a_latest_night_that_is_too_old_is_an_alarm() -> None:
    now = FIRST + timedelta(days=4)
    late = trend([night(0), night(1)], now=now, max_age=timedelta(days=2.9))
    assert late.stale == f"the latest night, {night(1).id}, began 3.0 days ago, and 2.9 days is the most that was allowed"
    assert late.alarmed
    assert not trend([night(0), night(1)], now=now, max_age=timedelta(days=3)).alarmed
    assert not trend([night(0), night(1)], now=now).alarmed


def test_a_night_that_is_still_to_come_is_left_out() -> None:
    now = FIRST + timedelta(days=2)
    found = trend([night(1, [told(A), told(B)]), night(9, [told(A)])], now=now, max_age=timedelta(days=3))
    assert [one for one, _ in found.nights] == [night(1).id]
    assert not found.alarmed
    assert "still to come; a clock is wrong" in found.notes[0]
    with pytest.raises(NothingSelected, match="still to come"):
        trend([night(9)], now=now)


def test_a_clock_that_is_a_little_ahead_is_no_reason_to_leave_a_night_out() -> None:
    assert trend([night(0)], now=FIRST - timedelta(hours=20)).notes == ()


def test_times_of_several_zones_are_put_in_order() -> None:
    west = replace(night(0, [told(rps=0.9)]), id="west", started_at="2026-11-01T23:30:00-05:00")
    east = replace(night(1, [told(rps=0.8)]), id="east", started_at="2026-11-02T05:00:00+01:00")
    assert [one for one, _ in seen(west, east).nights] == ["east", "west"]


def test_the_time_of_now_is_the_default() -> None:
    assert trend([night(0, at=datetime.now(UTC))], max_age=timedelta(hours=1)).alarmed is False
    assert checks.machine(replace(EPYC, cores=1)) == "AMD EPYC 7763, 1 core"
