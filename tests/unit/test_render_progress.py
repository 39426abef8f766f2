from __future__ import annotations

from dataclasses import replace
from io import StringIO
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from servermatrix.model import Cause, Ceiling, Decision, Failed, LoadStats, Look, Measured, Pace, Sample, Skipped, Usage, Window
from servermatrix.render.progress import (
    Seen,
    ceiling_line,
    decision_lines,
    eta,
    human_seconds,
    live_table,
    pace_line,
    seen,
    step_line,
)
from tests.golden.report_examples import HEADER

ID = "uvicorn[http=httptools,loop=uvloop]/h1/w1/c64/plaintext"
USAGE = Usage(
    wall_us=2_000_000,
    server_cpu_us=1,
    worker_cpu_us=(1,),
    generator_cpu_us=1,
    own_cpu_us=1,
    pss_bytes=None,
    foreign_cpu=0.0,
    steal=0.0,
)


def window(requests: int, *histogram: tuple[int, int], duration_us: int = 2_000_000) -> Window:
    return Window(stats=LoadStats(requests=requests, duration_us=duration_us, histogram=histogram), usage=USAGE)


def measured(*windows: Window, cell_id: str = ID, number: int = 1) -> Measured:
    return Measured(cell_id=cell_id, round=number, started_at="", startup_s=0.4, windows=windows)


def failed(cell_id: str = ID, reason: str = "it ended with code 1") -> Failed:
    return Failed(cell_id=cell_id, round=1, started_at="", cause=Cause.SERVER, reason=reason)


def skipped(cell_id: str = ID) -> Skipped:
    return Skipped(cell_id=cell_id, round=2, started_at="", reason="it failed in round 1")


def shown(renderable: RenderableType) -> list[str]:
    console = Console(file=StringIO(), width=120, height=50, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(renderable)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (190, "3 min 10 s"),
        (3_599.7, "1 h 0 min"),
        (7_320, "2 h 2 min"),
        (inf, "unknown time"),
        (nan, "unknown time"),
    ],
)
def test_a_span_of_time_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


@pytest.mark.parametrize(("done", "left"), [(0, inf), (1, 30.0), (2, 10.0), (4, 0.0), (5, 0.0)])
def test_the_steps_to_come_are_taken_to_last_as_long_as_those_done(done: int, left: float) -> None:
    assert eta(done, 4, 10.0) == left


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.floats(0, 1e6))
def test_the_time_left_is_never_negative(done: int, more: int, elapsed_s: float) -> None:
    left = eta(done, done + more, elapsed_s)
    assert left >= 0
    assert left == pytest.approx(elapsed_s * more / done)


def test_a_step_is_told_in_one_line() -> None:
    sample = measured(window(42_068, (430, 30_000), (812, 12_000)))
    assert step_line(3, 88, sample, 190) == f"[ 3/88] round 1  {ID}  21,034 req/s  0.43 ms p50  (3 min 10 s left)"


def test_the_middle_window_speaks_for_a_step() -> None:
    windows = [window(2_000, (100, 1)), window(6_000, (300, 1)), window(4_000, (200, 1))]
    assert "  2,000 req/s  0.20 ms p50  " in step_line(1, 1, measured(*windows), 0)


@pytest.mark.parametrize(
    ("histogram", "middle"),
    [(((100, 1), (900, 1)), "0.10"), (((100, 1), (900, 2)), "0.90"), (((100, 5), (200, 1), (300, 4)), "0.10"), ((), "n/a")],
)
def test_half_of_the_answers_came_within_the_median(histogram: tuple[tuple[int, int], ...], middle: str) -> None:
    assert f"  {middle} ms p50" in step_line(1, 1, measured(window(10, *histogram)), 0)


def test_a_step_without_a_window_has_no_number() -> None:
    assert "n/a req/s  n/a ms p50" in step_line(1, 1, measured(), 0)
    assert "n/a req/s" in step_line(1, 1, measured(window(10, duration_us=0)), 0)


def test_a_step_that_failed_or_was_skipped_says_why() -> None:
    assert step_line(10, 88, failed(), inf) == f"[10/88] round 1  {ID}  FAILED: it ended with code 1  (unknown time left)"
    assert step_line(9, 9, skipped(), 0) == f"[9/9] round 2  {ID}  skipped: it failed in round 1  (0 s left)"


@given(st.text())
def test_a_step_is_one_printable_line_whatever_the_reason_holds(reason: str) -> None:
    assert step_line(1, 2, failed(reason=reason), 1).isprintable()


def test_what_a_generator_can_do_at_most_is_told_in_one_line() -> None:
    ceiling = Ceiling(generator="wrk", protocol="h1", threads=1, requests_per_s=81_234.4, cpu_us_per_request=12.3)
    assert ceiling_line(ceiling) == (
        "calibrated: 1 thread of wrk reached 81,234 req/s in h1 against a responder that does nothing but answer"
    )
    assert "2 threads of wrk" in ceiling_line(replace(ceiling, threads=2))


def test_the_rate_of_an_open_loop_is_told_with_what_set_it() -> None:
    pace = Pace(cell_id=f"{ID}/open", rate_per_s=6_123.4, slowest=ID)
    assert pace_line(pace) == f"open loop: 6,123 req/s are sent, set by what {ID} serves"


LOOKED_AT = replace(HEADER, rounds=12, looks=(Look(round=6, alpha=0.01), Look(round=12, alpha=0.02)))
DROPPED = (("b", "shown to be slower than a"), ("c", "it failed"))


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (Decision(round=6, alpha=0.01), ["all cells go on"]),
        (
            Decision(round=6, alpha=0.01, dropped=DROPPED),
            ["b is left out: shown to be slower than a", "c is left out: it failed"],
        ),
        (Decision(round=6, alpha=0.01, stopped="all is told apart"), ["the run ends: all is told apart"]),
        (
            Decision(round=6, alpha=0.01, dropped=DROPPED[:1], stopped="it is late"),
            ["b is left out: shown to be slower than a", "the run ends: it is late"],
        ),
    ],
)
def test_what_was_decided_at_a_look_is_told_a_line_each(decision: Decision, said: list[str]) -> None:
    assert list(decision_lines(decision, LOOKED_AT)) == [f"look after round 6: {each}" for each in said]


def test_of_the_last_look_nothing_is_told_for_all_cells_have_ended() -> None:
    assert list(decision_lines(Decision(round=12, alpha=0.02), LOOKED_AT)) == []
    assert list(decision_lines(Decision(round=12, alpha=0.02, dropped=DROPPED), LOOKED_AT)) == []


def test_where_a_run_ends_without_having_been_looked_at_no_look_is_told_of() -> None:
    assert list(decision_lines(Decision(round=7, alpha=0.05, stopped="it is late"), LOOKED_AT)) == [
        "after round 7: the run ends: it is late"
    ]


@given(st.text(), st.text())
def test_a_decision_is_printable_whatever_it_holds(cell_id: str, reason: str) -> None:
    decision = Decision(round=1, alpha=0.05, dropped=((cell_id, reason),), stopped=reason or "x")
    assert all(line.isprintable() for line in decision_lines(decision, LOOKED_AT))


def table(cell_ids: list[str], samples: list[Sample], total: int) -> list[str]:
    """Show a live table after ten seconds with half a minute to go."""
    kept = list(map(seen, samples))
    return shown(live_table(cell_ids, kept, total=total, elapsed_s=10, left_s=30, now="b round 2"))


def test_a_live_table_shows_each_cell_with_its_rounds_and_rates() -> None:
    samples: list[Sample] = [measured(window(count)) for count in (2_000, 6_000, 4_200)]
    samples += [failed(cell_id="b"), skipped(cell_id="b")]
    head, now, columns, *rows = table([ID, "b", "c[x]"], samples, 20)
    assert head == "5 of 20 steps in 10 s, 30 s left"
    assert now == "now: b round 2"
    assert columns.split("  ")[0] == "cell"
    assert [row.split() for row in rows] == [
        [ID, "3", "0", "2,100", "2,100"],
        ["b", "0", "2", "n/a", "n/a"],
        ["c[x]", "0", "0", "n/a", "n/a"],
    ]


def test_a_live_table_marks_the_cells_that_were_left_out() -> None:
    lines = shown(live_table(["a", "b"], [], total=1, elapsed_s=0, left_s=inf, now="", left_out={"b"}))
    assert [line.split("  ")[0] for line in lines[-2:]] == ["a", "b (left out)"]


def test_a_live_table_tells_the_latest_from_the_median() -> None:
    samples: list[Sample] = [measured(window(count)) for count in (2_000, 6_000, 10_000)]
    assert table([ID], samples, 3)[-1].split()[-2:] == ["5,000", "3,000"]


def test_a_live_table_can_be_shown_before_the_first_step() -> None:
    lines = shown(live_table([ID], [], total=1, elapsed_s=0, left_s=inf, now=""))
    assert lines[0] == "0 of 1 step in 0 s, unknown time left"
    assert lines[-1].split() == [ID, "0", "0", "n/a", "n/a"]


def test_a_sample_of_a_cell_that_is_not_shown_changes_only_the_count() -> None:
    head, *_, row = table([ID], [measured(window(2_000), cell_id="other")], 2)
    assert head.startswith("1 of 2 steps")
    assert row.split() == [ID, "0", "0", "n/a", "n/a"]


def test_what_is_kept_of_a_sample_while_the_run_goes_on_has_no_histogram() -> None:
    assert seen(measured(window(2_000))) == Seen(cell_id=ID, requests_per_s=1_000.0)
    assert seen(failed()) == Seen(cell_id=ID, requests_per_s=None)
