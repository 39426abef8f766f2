"""What is said of a run as a whole: its noise floor, its looks, its controls."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from servermatrix.model import Cell, Decision, Estimate, Look, Report
from servermatrix.render import looks
from servermatrix.render.document import to_json
from servermatrix.render.markdown import to_markdown
from servermatrix.render.terminal import to_terminal
from tests.golden.claims_examples import (
    CHECKS,
    CONTROLS,
    FAILING_CONTROLS,
    LOOKS,
    NOISE_FLOOR,
    STOPPED,
    WENT_ON,
    floor,
    opened,
)
from tests.golden.markdown_reader import tables
from tests.golden.report_examples import ASYNCIO, HEADER, HYPERCORN, RANKED, UVLOOP

FLOOR = (
    "Noise floor: the same cell measured twice (uvicorn[http=httptools,loop=uvloop]) differed by 1.010x [0.970, 1.050]: "
    "differences below 1.050x are not told apart."
)


def how(report: Report) -> dict[str, str]:
    (_, *rows) = next(each for each in tables(to_markdown(report)) if each[0] == ["what", "value"])
    return {row[0]: row[1] for row in rows}


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def test_the_noise_floor_stands_under_the_headline_and_with_the_machine() -> None:
    assert to_markdown(NOISE_FLOOR).split("\n")[4] == FLOOR
    assert to_terminal(NOISE_FLOOR, width=200, colour=False).split("\n")[1] == FLOOR
    assert f"Noise floor: {how(NOISE_FLOOR)['noise floor']}" == FLOOR


def test_with_several_tables_the_noise_floor_says_of_which_its_cell_is() -> None:
    several = replace(NOISE_FLOOR, tables=NOISE_FLOOR.tables * 2)
    assert NOISE_FLOOR.noise_floor is not None
    assert f"Noise floor: the same cell measured twice ({NOISE_FLOOR.noise_floor.cell_id}) differed" in to_markdown(several)
    paced = replace(NOISE_FLOOR.tables[0], rate_percent=30, answer="")
    assert looks.noise_floor(replace(NOISE_FLOOR, tables=(*NOISE_FLOOR.tables, paced))) == looks.noise_floor(NOISE_FLOOR)


def test_a_run_without_a_noise_floor_says_so_with_the_machine() -> None:
    assert how(RANKED)["noise floor"] == "not measured: that takes 6 rounds and two cells to compare"
    lost = replace(NOISE_FLOOR, noise_floor=None)
    assert how(lost)["noise floor"] == "not found: the cell that was measured twice has too few good rounds"
    assert "Noise floor" not in to_terminal(RANKED, width=200, colour=False)
    assert json.loads(to_json(RANKED))["noise_floor"] is None


def test_a_noise_floor_of_a_thousandth_is_not_rounded_away() -> None:
    said = to_markdown(replace(NOISE_FLOOR, noise_floor=floor(1.001, 0.998, 1.003, 1.003)))
    assert "differed by 1.001x [0.998, 1.003]: differences below 1.003x are not told apart." in said


def test_a_noise_floor_of_too_few_rounds_claims_no_limit() -> None:
    report = replace(NOISE_FLOOR, noise_floor=floor(1.02, None, None, 1.02))
    assert "differed by 1.020x, in too few rounds for an interval.\n" in to_markdown(report)
    assert "told apart." not in to_markdown(report).split("\n")[4]


def test_a_noise_floor_above_what_the_test_could_see_is_said_where_that_is_said() -> None:
    said = "could have seen: 1.043x (4.3 %); the noise floor, 1.050x, is above it."
    assert said in to_markdown(NOISE_FLOOR)
    assert "is above it" not in to_markdown(replace(NOISE_FLOOR, noise_floor=floor(1.01, 0.98, 1.04, 1.04)))


def test_the_noise_floor_is_in_json() -> None:
    found = json.loads(to_json(NOISE_FLOOR))["noise_floor"]
    assert found == {
        "cell_id": UVLOOP.cell.id,
        "name": UVLOOP.cell.setting,
        "ratio": {"value": 1.01, "low": 0.97, "high": 1.05, "n": 11},
        "factor": 1.05,
    }


def test_what_was_stopped_is_told_with_round_and_reason() -> None:
    text = section(to_markdown(STOPPED), looks.HEADING)
    assert tables(text)[0] == [
        ["after round", "stopped", "why"],
        ["6", HYPERCORN.cell.id, "shown to be slower than every row that is still in question"],
        ["12", "the whole run", "all pairs of the cells that were left are told apart"],
    ]
    assert (
        "Within a budget of 20 min the results are looked at after round 6 (1 %), 12 (2 %) and 24 (2 %) and at no other time; "
        "in brackets what each look may spend of the 5 % of false claims. "
        "An interval holds with 100 % less what was spent at the look at which its row ended; that of a ratio, at which the first"
    ) in text
    shown = to_terminal(STOPPED, width=250, colour=False)
    assert f"  after round 6: left out from then on: {HYPERCORN.cell.id}: shown to be slower than every row" in shown
    assert "  after round 12: the run was stopped: all pairs of the cells that were left are told apart.\n" in shown


def test_a_look_at_which_nothing_was_stopped_is_told_too() -> None:
    assert tables(section(to_markdown(WENT_ON), looks.HEADING))[0][1:] == [
        ["6", "nothing", "all cells went on"],
        ["12", "nothing", "all cells went on"],
    ]
    assert "  after round 12: nothing was stopped.\n" in to_terminal(WENT_ON, width=120, colour=False)


def test_at_the_last_look_nothing_is_left_to_be_stopped() -> None:
    last = Decision(round=24, alpha=0.02, dropped=((HYPERCORN.cell.id, "too slow"),))
    report = replace(STOPPED, decisions=(*WENT_ON.decisions, last))
    assert tables(section(to_markdown(report), looks.HEADING))[0][-1] == ["24", "nothing", "the run ended here as planned"]
    shown = to_terminal(report, width=120, colour=False)
    assert "  after round 24: the run ended here as planned.\n" in shown
    assert "too slow" not in shown
    assert how(report)["rounds"] == "24 of 24"


def test_cells_that_were_stopped_for_one_reason_are_told_together_on_a_terminal() -> None:
    both = Decision(
        round=6, alpha=0.01, dropped=(("a", "too slow"), ("b", "too slow"), ("c", "broken.")), stopped="nothing is left"
    )
    assert (
        "  after round 6:\n    left out from then on: a and b: too slow.\n    left out from then on: c: broken.\n"
        "    the run was stopped: nothing is left.\n"
    ) in to_terminal(replace(STOPPED, decisions=(both,)), width=120, colour=False)


def test_a_run_that_was_not_looked_at_has_no_section_of_it() -> None:
    for text in (to_markdown(RANKED), to_terminal(RANKED, width=120, colour=False)):
        assert looks.HEADING not in text
    assert "looks" not in how(RANKED)
    assert how(replace(RANKED, header=replace(HEADER, looks=LOOKS, budget_s=90)))["looks"].startswith("Within a budget of 90 s")


def test_one_look_at_the_end_stops_nothing_and_has_no_section() -> None:
    header = replace(HEADER, looks=(Look(round=11, alpha=0.05),), budget_s=1_200)
    last = Decision(round=11, alpha=0.05, dropped=((HYPERCORN.cell.id, "too slow"),))
    report = replace(RANKED, header=header, decisions=(last,))
    once = "Within a budget of 20 min the results are looked at once, after round 11, when all is measured."
    assert how(report)["looks"] == once
    for text in (to_markdown(report), to_terminal(report, width=120, colour=False)):
        assert looks.HEADING not in text


@pytest.mark.parametrize(
    ("report", "cells", "expected"),
    [
        (RANKED, [UVLOOP.cell], "95 %"),
        (STOPPED, [UVLOOP.cell], "98 %"),
        (STOPPED, [HYPERCORN.cell], "99 %"),
        (STOPPED, [UVLOOP.cell, HYPERCORN.cell], "98-99 %"),
        (WENT_ON, [UVLOOP.cell], "98 %"),
        (replace(RANKED, decisions=(Decision(round=11, alpha=0.05, stopped="done"),)), [ASYNCIO.cell], "95 %"),
        (STOPPED, [opened(UVLOOP).cell], "95 %"),
        (RANKED, [], "95 %"),
    ],
)
def test_intervals_are_as_sure_as_the_look_at_which_a_row_ended(report: Report, cells: list[Cell], expected: str) -> None:
    assert looks.confidence(report, cells) == expected


def test_the_confidence_of_intervals_stands_in_the_header_under_the_table_and_in_json() -> None:
    text = to_markdown(STOPPED)
    assert tables(text)[0][0][3] == "requests/s [98-99 %]"
    assert "of up to 11 rounds, with intervals of 98-99 %." in text
    assert "estimates of 11 rounds, with" in to_markdown(RANKED)
    confidences = {cell["name"]: cell["confidence"] for cell in json.loads(to_json(STOPPED))["cells"]}
    assert confidences[HYPERCORN.cell.setting] == 0.99
    assert confidences[UVLOOP.cell.setting] == 0.98
    assert json.loads(to_json(RANKED))["cells"][0]["confidence"] == 0.95


def test_the_steps_and_rounds_of_a_run_that_was_stopped_are_those_that_it_was_to_have() -> None:
    assert how(STOPPED)["steps"] == "54 of 54"
    assert how(STOPPED)["rounds"] == "12 of 24, fewer for some cells; see 'What was stopped, when and why'"
    assert "INCOMPLETE: 61 of 120 steps" in to_markdown(WENT_ON)
    assert how(WENT_ON)["rounds"] == "not all of 24"
    document = json.loads(to_json(STOPPED))["run"]
    assert (document["steps"], document["budget_s"], document["looks"][0]) == (54, 1_200, {"round": 6, "alpha": 0.01})
    assert json.loads(to_json(RANKED))["run"]["steps"] == 33


def test_decisions_are_in_json() -> None:
    assert json.loads(to_json(STOPPED))["decisions"] == [
        {
            "round": 6,
            "alpha": 0.01,
            "dropped": [{"cell": HYPERCORN.cell.id, "reason": "shown to be slower than every row that is still in question"}],
            "stopped": None,
        },
        {"round": 12, "alpha": 0.02, "dropped": [], "stopped": "all pairs of the cells that were left are told apart"},
    ]


def test_a_row_of_a_run_that_was_stopped_is_made_again_with_the_rounds_that_it_had() -> None:
    lines = to_markdown(STOPPED).split("\n")
    again = [shlex.split(line) for line in lines if line.startswith("python3 run_matrix.py run --rounds")]
    assert [words[words.index("--rounds") + 1] for words in again] == ["11", "11", "11", "6"]


def test_a_failing_control_is_said_before_everything_else() -> None:
    alarm = "6 of 12 controls FAILED: do not trust this run"
    assert to_markdown(FAILING_CONTROLS).split("\n")[2:5] == [f"**{alarm}**", "", RANKED.answer]
    assert to_terminal(FAILING_CONTROLS, width=120, colour=False).split("\n")[0] == alarm
    for report in (CONTROLS, RANKED):
        assert "FAILED" not in to_markdown(report) + to_terminal(report, width=120, colour=False)


def test_controls_are_told_with_what_had_to_come_out_and_what_did_failures_first() -> None:
    head, *rows = tables(section(to_markdown(FAILING_CONTROLS), "Controls"))[0]
    assert head == ["result", "what", "what must come out", "unit", "expected", "found"]
    assert [row[0] for row in rows] == [*["FAILED"] * 6, "not measured", *["passed"] * 5]
    assert rows[0] == ["FAILED", "hypercorn, waiting", CHECKS[0].rule, "requests/s", "640", "498 [493, 503]"]
    assert rows[6][4:] == ["1.20", "n/a"]
    assert "Of 12 controls: 5 passed, 6 failed and 1 not measured." in to_markdown(FAILING_CONTROLS)


def test_a_terminal_tells_only_of_controls_that_did_not_pass() -> None:
    shown = to_terminal(FAILING_CONTROLS, width=300, colour=False)
    assert f"  FAILED: hypercorn, waiting: {CHECKS[0].rule}. Found 498 [493, 503], expected 640 requests/s.\n" in shown
    assert "  and 4 more controls, which report.md lists\n" in shown
    text = to_terminal(CONTROLS, width=300, colour=False)
    assert "Of 6 controls: 5 passed and 1 not measured.\n" in text
    assert "passed: uvicorn" not in text
    assert f"not measured: granian, burn: {CHECKS[0].rule}. No numbers to judge it by.\n" in text


def test_a_run_without_controls_does_not_speak_of_them() -> None:
    assert "ontrol" not in to_markdown(RANKED) + to_terminal(RANKED, width=120, colour=False)


def test_controls_are_in_json() -> None:
    checks = json.loads(to_json(CONTROLS))["checks"]
    assert checks[-1] == {
        "subject": "granian, burn",
        "rule": CHECKS[0].rule,
        "expected": 1.2,
        "found": None,
        "unit": "times the CPU us/request",
        "passed": "not measured",
    }
    assert checks[0]["found"]["value"] == pytest.approx(633.4)


def test_a_number_that_is_none_is_null_in_json_here_too() -> None:
    odd = replace(
        NOISE_FLOOR,
        noise_floor=replace(floor(1, None, None, float("inf")), ratio=Estimate(value=float("nan"), low=None, high=None, n=1)),
    )
    found = json.loads(to_json(odd))["noise_floor"]
    assert (found["ratio"], found["factor"]) == (None, None)
