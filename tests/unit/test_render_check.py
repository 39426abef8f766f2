from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from servermatrix.model import Change, CheckReport, Estimate, Metric, Shift
from servermatrix.render.check_document import to_document, to_json
from servermatrix.render.check_facts import again
from servermatrix.render.check_lines import at_most, first_line, moved, p_value, percent, stage, warnings
from servermatrix.render.check_markdown import to_markdown
from servermatrix.render.check_tables import UP_TO, cells
from servermatrix.render.check_terminal import to_terminal
from servermatrix.render.table import plain
from tests.golden.check_examples import (
    AWKWARD,
    BETTER,
    CANARY,
    CHECK_EXAMPLES,
    CHECK_HEADER,
    CUT_OFF,
    EMPTY,
    EVERY,
    FAILED,
    GONE,
    LOCKED,
    NEW,
    QUIET,
    SAME,
    SHARDS,
    UNFIT,
    WORSE,
)
from tests.golden.markdown_reader import tables

TEXT = st.text() | st.text(alphabet="\\|`*_<>[]~&\n\r\t\x00\x1b\u2028# -:@é")
each_example = pytest.mark.parametrize("name", CHECK_EXAMPLES)


def of(*changes: Change, detectable: float | None = 0.038) -> CheckReport:
    return replace(EVERY, cells=tuple(replace(SAME, change=change) for change in changes), detectable=detectable)


def about(value: float, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=16)


def test_the_first_line_counts_the_five_usual_outcomes_even_where_there_is_none() -> None:
    cells = (Change.REGRESSION, *[Change.IMPROVEMENT] * 2, *[Change.UNCHANGED] * 1031, *[Change.INCONCLUSIVE] * 2)
    told = "1 regressed, 2 improved, 1031 unchanged, 2 inconclusive, 0 failed"
    assert first_line(of(*cells)) == f"check: {told} (smallest detectable change 3.8 %)"


def test_the_first_line_counts_new_and_gone_cells_only_where_there_are_any() -> None:
    assert first_line(of(Change.NEW)).endswith(", 0 failed, 1 new (smallest detectable change 3.8 %)")
    assert first_line(of(Change.GONE)).endswith(", 0 failed, 1 gone (smallest detectable change 3.8 %)")
    assert first_line(of(Change.GONE, Change.NEW)).endswith(", 1 new, 1 gone (smallest detectable change 3.8 %)")


@pytest.mark.parametrize("detectable", [None, float("nan"), float("inf")])
def test_a_detectable_change_that_is_not_known_is_said_to_be_unknown(detectable: float | None) -> None:
    assert first_line(of(detectable=detectable)).endswith("0 failed (smallest detectable change unknown)")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "n/a"),
        (about(float("nan")), "n/a"),
        (about(0.877, 0.865, 0.89), "-12.3 % [-13.5, -11.0]"),
        (about(1.0004, 0.99949, 1.00051), "0.0 % [-0.1, +0.1]"),
        (about(0.99996), "0.0 %"),
        (about(2.5), "+150.0 %"),
        (about(3.4, 3.3, 3.5), "3.40x [3.30, 3.50]"),
        (about(1 / 3.4), "0.29x"),
    ],
)
def test_a_ratio_is_told_as_what_changes_and_as_a_ratio_where_it_is_large_either_way(found: Estimate | None, text: str) -> None:
    assert moved(found) == text


def test_no_change_at_all_has_no_sign_whichever_side_it_is_seen_from() -> None:
    assert {moved(about(1.0002)), moved(about(1 / 1.0002)), moved(about(1.0))} == {"0.0 %"}


@pytest.mark.parametrize(
    ("p", "text"), [(None, "n/a"), (0.0, "< 0.0001"), (0.00009, "< 0.0001"), (0.0001, "0.0001"), (0.5, "0.5000")]
)
def test_a_p_is_never_told_as_zero(p: float | None, text: str) -> None:
    cell = replace(SAME, shifts=(Shift(metric=Metric.CPU, ratio=None, p=p),))
    assert p_value(cell, Metric.CPU) == text
    assert p_value(cell, Metric.RPS) == "n/a"


def test_the_stage_is_told_once_where_both_metrics_are_of_one_and_twice_where_not() -> None:
    one, other = (Shift(metric=metric, ratio=about(1), stage=2) for metric in Metric)
    assert stage((one, other)) == "2 (16 rounds)"
    assert stage((one, replace(other, stage=1, ratio=replace(about(1), n=1)))) == "2 (16 rounds), 1 (1 round)"
    assert stage((replace(one, ratio=None),)) == "n/a"


def test_a_percentage_has_one_digit_after_the_point() -> None:
    assert [percent(share) for share in (0.03, 0.0384, None)] == ["3.0 %", "3.8 %", "n/a"]


def test_how_much_a_cell_leaves_room_for_is_rounded_up_and_never_a_number_that_is_none() -> None:
    assert [at_most(share) for share in (0.0, 0.0372, 0.03, None, float("inf"))] == ["0.0 %", "3.8 %", "3.0 %", "n/a", "n/a"]


def test_where_the_app_is_from_is_told_where_a_side_has_its_own() -> None:
    apps = to_markdown(CHECK_EXAMPLES["two apps"])
    assert ["app from", "../main", "."] in tables(apps)[0]
    assert ["git of the app", "1234abc", "5678def with changes"] in tables(apps)[0]
    assert "app from" not in to_markdown(EVERY)


@each_example
def test_no_cell_of_any_table_of_a_check_is_blank(name: str) -> None:
    found = tables(to_markdown(CHECK_EXAMPLES[name]))
    assert found
    for table in found:
        assert {len(row) for row in table} == {len(table[0])}
        assert all(cell for row in table for cell in row)


def test_what_is_worst_comes_first_and_each_outcome_keeps_the_order_of_the_plan() -> None:
    (changed, inconclusive, *_), text = tables(to_markdown(EVERY)), to_markdown(EVERY)
    assert [row[0] for row in changed[1:]] == ["regression", "regression", "failed", "gone", "new", "improvement"]
    assert [row[1].split("[")[0] for row in changed[1:3]] == ["uvicorn", "hypercorn"]
    assert [row[0] for row in inconclusive[1:]] == ["inconclusive"]
    assert text.index("## What changed") < text.index("## Inconclusive") < text.index("## No change")


def test_every_cell_stands_in_exactly_one_table_of_outcomes() -> None:
    outcomes = [row[1] for table in tables(to_markdown(EVERY)) if table[0][0] == "verdict" for row in table[1:]]
    assert sorted(outcomes) == sorted(cell.pair for cell in EVERY.cells)


def test_the_p_of_the_second_stage_has_a_column_only_where_there_was_one() -> None:
    (unchanged,) = (table for table in tables(to_markdown(QUIET)) if table[0][0] == "verdict")
    assert "p CPU" not in unchanged[0]
    assert "p CPU" in tables(to_markdown(EVERY))[0][0]


def test_what_may_be_there_is_told_of_cells_without_a_confirmed_change_alone() -> None:
    outcomes = {table[1][0]: table[0] for table in tables(to_markdown(EVERY)) if table[0][0] == "verdict"}
    assert UP_TO not in outcomes["regression"]
    assert UP_TO in outcomes["inconclusive"]
    assert UP_TO in outcomes["no change"]
    mixed = cells([WORSE, SAME], full=False)
    column = [header.header for header in mixed.columns].index(UP_TO)
    assert [row[column] for row in mixed.rows] == ["n/a", "2.1 %"]
    assert "May be up to: " in to_markdown(EVERY)
    assert "May be up to: " not in to_markdown(replace(EVERY, cells=(WORSE,)))


def test_a_terminal_tells_in_one_sentence_that_nothing_changed() -> None:
    text = to_terminal(QUIET, width=200, colour=False)
    assert f"No change in any of 2 cells: none beyond 2.1 % ({SAME.pair}); report.md has every figure." in text
    assert "verdict" not in text
    for other in (EVERY, replace(QUIET, complete=False)):
        assert "No change in any of" not in to_terminal(other, width=200, colour=False)


def test_sides_with_nothing_in_common_say_so() -> None:
    apart = replace(EVERY, trial=replace(EVERY.trial, candidate=replace(EVERY.trial.candidate, versions=(("h11", "0"),))))
    assert "The sides differ in 3 packages; no package is of the same version on both." in to_markdown(apart)


def test_a_row_without_numbers_never_shows_one() -> None:
    odd = replace(FAILED, baseline=replace(WORSE.baseline, status="failed") if WORSE.baseline else None)
    (row,) = tables(to_markdown(replace(EVERY, cells=(odd,))))[0][1:]
    assert row[0] == "failed"
    assert {*row[2:-1]} == {"n/a"}


def test_that_nothing_changed_is_said_and_not_left_to_a_missing_table() -> None:
    assert "No cell was confirmed to be worse or better, and none failed." in to_markdown(QUIET)
    assert "No cell was confirmed" not in to_markdown(EVERY)
    assert "No cell was confirmed" not in to_markdown(EMPTY)


def test_a_package_that_only_one_side_has_is_not_installed_on_the_other() -> None:
    (sides,) = (table for table in tables(to_markdown(EVERY)) if table[0] == ["what", "baseline", "candidate"])
    assert ["websockets", "not installed", "15.0.1"] in sides
    assert "The sides differ in 3 packages; 2 packages of the same version on both." in to_markdown(EVERY)


def test_a_lock_file_of_many_lines_is_named_by_its_first_ones_and_counted() -> None:
    assert "package5==1.5 and 34 more" in to_markdown(LOCKED)
    assert "package39==1.39" in to_json(LOCKED)


def test_a_check_that_was_cut_off_says_how_it_goes_on() -> None:
    assert warnings(CUT_OFF) == [
        "INCOMPLETE: 37 of 260 steps; go on with: python3 run_matrix.py check --resume 2026-11-22T02-30-00Z-1a2b"
    ]
    assert warnings(replace(SHARDS, complete=False, steps=(37, 260))) == [
        "INCOMPLETE: 37 of 260 steps; finish the runs that were cut off, then merge again"
    ]


@pytest.mark.parametrize("report", [EVERY, SHARDS], ids=["one run", "several"])
def test_a_check_whose_runs_are_whole_and_which_is_not_lacks_a_shard(report: CheckReport) -> None:
    assert warnings(replace(report, complete=False)) == [
        "INCOMPLETE: not all shards of this check are here; finish those that are missing, then merge again"
    ]


def test_a_canary_that_is_not_fit_is_told_before_any_outcome() -> None:
    (warning,) = warnings(UNFIT)
    assert warning == f"The canary {CANARY.pair} is not fit: the baseline of this cell was told apart from itself"
    for text in (to_markdown(UNFIT), to_terminal(UNFIT, width=200, colour=False)):
        assert text.index(warning) < text.index("no change beyond" if "no change beyond" in text else "Inconclusive")
    assert warnings(EVERY) == []


def test_the_command_line_that_reproduces_a_check_keeps_what_made_it_and_drops_what_was_done_with_it() -> None:
    whole = shlex.split(again(EVERY))
    made = ["check", "--baseline", "uvicorn==0.52.0 uvloop==0.21.0", "--candidate=new.txt", "-k", "*plaintext", "--rounds", "10"]
    assert whole == ["python3", "run_matrix.py", *made, "--seed", "7"]
    alone = shlex.split(again(EVERY, ["a", "b"]))
    assert alone == ["python3", "run_matrix.py", *made[:4], *made[6:], "-k", "a", "-k", "b", "--seed", "7"]


@pytest.mark.parametrize(
    "words",
    [
        *[("--shard", "1/3"), ("--shard=1/3",), ("--junit", "x.xml"), ("--bench-json=x",), ("--history", "d"), ("--out=o",)],
        *[("--resume", "latest"), ("--seed=4",), ("--inconclusive=fail",), ("--inconclusive", "fail"), ("--bisect",)],
        *[("--json",), ("-q",), ("-v",), ("-x",)],
    ],
)
def test_what_was_done_with_a_check_is_no_part_of_its_command_line(words: tuple[str, ...]) -> None:
    header = replace(CHECK_HEADER, argv=("check", *words, "--candidate", "a==1"))
    assert again(replace(EVERY, headers=(header,))) == "python3 run_matrix.py check --candidate a==1 --seed 7"


def test_the_cells_that_were_chosen_by_hand_are_replaced_by_those_that_are_asked_for() -> None:
    header = replace(CHECK_HEADER, argv=("check", "-k*json", "-k", "u*", "--app", "check"))
    report = replace(EVERY, headers=(header,))
    assert again(report) == "python3 run_matrix.py check '-k*json' -k 'u*' --app check --seed 7"
    assert again(report, ["x"]) == "python3 run_matrix.py check --app check -k x --seed 7"
    assert again(replace(EVERY, headers=())) == ""


def test_shards_have_a_column_each_and_are_said_to_be_several() -> None:
    (runs,) = (table for table in tables(to_markdown(SHARDS)) if table[0][0] == "what" and len(table[0]) == 4)
    assert runs[0][1:] == [header.id for header in SHARDS.headers]
    assert ["cpu", "CPU 0 @ 3 GHz", "CPU 1 @ 3 GHz", "CPU 2 @ 3 GHz"] in runs
    assert "Measured in 3 runs; both sides of a cell are always of one run on one machine." in to_markdown(SHARDS)


def test_only_the_words_that_occur_are_explained() -> None:
    assert "- gone: " in to_markdown(EVERY)
    assert "- gone: " not in to_markdown(QUIET)
    assert "- no change: " in to_markdown(QUIET)


@each_example
@pytest.mark.parametrize("width", [160, 80, 60, 40])
def test_only_the_line_for_machines_may_be_wider_than_the_terminal(name: str, width: int) -> None:
    first, *lines = to_terminal(CHECK_EXAMPLES[name], width=width, colour=True).splitlines()
    assert first == first_line(CHECK_EXAMPLES[name])
    assert max(cell_len(line) for line in to_terminal(CHECK_EXAMPLES[name], width=width, colour=False).splitlines()[1:]) <= width
    assert any("\x1b[" in line for line in lines)


@each_example
def test_without_colour_a_check_has_no_escape_sequence(name: str) -> None:
    assert "\x1b" not in to_terminal(CHECK_EXAMPLES[name], width=100, colour=False)


def test_a_narrow_terminal_keeps_the_verdict_the_cell_and_its_requests() -> None:
    def header(width: int) -> str:
        lines = to_terminal(EVERY, width=width, colour=False).splitlines()
        return next(line for line in lines if line.startswith("verdict"))

    assert header(160).split("  ")[-1].strip() == "stage"
    assert "CPU us/request" in header(110)
    assert header(60).split()[:3] == ["verdict", "cell", "requests/s"]
    assert "CPU" not in header(60)


def test_a_terminal_tells_every_change_and_of_what_is_inconclusive_the_first_few() -> None:
    cells = [replace(SAME, pair=f"s{number}/h1", change=Change.INCONCLUSIVE, sentence="too noisy") for number in range(9)]
    text = to_terminal(replace(EVERY, cells=(WORSE, BETTER, *cells)), width=200, colour=False)
    assert "and 6 more cells, which report.md lists" in text
    assert f"{WORSE.pair}: {WORSE.sentence}" in text


def test_numbers_that_are_not_known_are_null_in_the_document() -> None:
    document = to_document(UNFIT)
    assert document["detectable"] is None
    odd = replace(SAME, beyond=float("inf"), shifts=(Shift(metric=Metric.RPS, ratio=about(float("nan")), p=float("nan")),))
    (cell,) = json.loads(to_json(replace(EVERY, cells=(odd,))))["cells"]
    assert cell["beyond"] is None
    assert cell["rps"] == {"ratio": None, "stage": 1, "p": None, "beyond": None}
    assert cell["cpu_us_per_request"] is None


def test_a_side_that_does_not_have_a_cell_is_null_in_the_document() -> None:
    gone, new = json.loads(to_json(replace(EVERY, cells=(GONE, NEW))))["cells"]
    assert gone["candidate"] is None
    assert new["baseline"]["status"] == "failed"
    assert new["baseline"]["rps"] is None


def test_a_row_that_failed_has_no_number_in_the_document_whatever_some_rounds_gave() -> None:
    assert WORSE.candidate is not None
    broken = replace(WORSE, candidate=replace(WORSE.candidate, status="failed", reason="it died"))
    (cell,) = json.loads(to_json(replace(EVERY, cells=(broken,))))["cells"]
    assert [cell["candidate"][key] for key in ("status", "reason", "rps", "cpu_us_per_request")] == [
        "failed",
        "it died",
        None,
        None,
    ]


def test_the_document_has_the_line_for_machines() -> None:
    assert to_document(EVERY)["line"] == first_line(EVERY)


@given(text=TEXT)
@settings(max_examples=60)
def test_any_text_stands_in_the_tables_of_a_check_as_it_is(text: str) -> None:
    cell = replace(WORSE, sentence=text, pair=text)
    report = replace(EVERY, cells=(cell,), canaries=(replace(CANARY, sentence=text),), headers=(CHECK_HEADER,))
    found = tables(to_markdown(report))
    assert [found[0][1][1], found[0][1][-1]] == [plain(text), plain(text)]
    assert any(row[-1] == plain(text) for table in found if table[0][0] == "fit" for row in table[1:])
    assert json.loads(to_json(report))["cells"][0]["sentence"] == text


def test_the_same_check_gives_the_same_text_in_every_form() -> None:
    assert to_markdown(AWKWARD) == to_markdown(replace(AWKWARD))
    assert to_terminal(AWKWARD, width=90, colour=True) == to_terminal(replace(AWKWARD), width=90, colour=True)
