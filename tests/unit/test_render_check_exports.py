from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.model import Change, CheckReport, Estimate, Metric, Shift
from servermatrix.render import bigger_is_better, check_annotations
from servermatrix.render.check_lines import first_line
from servermatrix.render.junit import to_junit
from servermatrix.render.table import plain
from tests.golden.check_examples import (
    AWKWARD,
    BETTER,
    CANARY,
    CHECK_EXAMPLES,
    CUT_OFF,
    EMPTY,
    EVERY,
    FAILED,
    GONE,
    NEW,
    QUIET,
    SAME,
    UNFIT,
    WORSE,
)

TEXT = st.text() | st.text(alphabet="%\n\r:,|<>&\"'\x00\x1b\ud800\ufffe]")
each_example = pytest.mark.parametrize("name", CHECK_EXAMPLES)
NO_RATIO = Shift(metric=Metric.RPS, ratio=None)
LEVELS = {Change.REGRESSION: "error", Change.FAILED: "error", Change.GONE: "error", Change.INCONCLUSIVE: "warning"}


def parsed(report: CheckReport) -> ET.Element:
    return ET.fromstring(to_junit(report).encode())  # noqa: S314 - text that we wrote


def of(*changes: Change) -> CheckReport:
    return replace(EVERY, cells=tuple(replace(SAME, pair=f"s{n}/h1", change=change) for n, change in enumerate(changes)))


def entries(report: CheckReport) -> dict[str, dict[str, object]]:
    found = json.loads(bigger_is_better.to_json(report))
    by_name = {entry["name"]: entry for entry in found}
    assert len(by_name) == len(found)
    return by_name


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (Change.REGRESSION, "failure"),
        (Change.GONE, "failure"),
        (Change.FAILED, "error"),
        (Change.INCONCLUSIVE, "skipped"),
        (Change.UNCHANGED, None),
        (Change.IMPROVEMENT, None),
        (Change.NEW, None),
    ],
)
def test_each_outcome_of_a_cell_is_the_one_that_junit_has_for_it(change: Change, outcome: str | None) -> None:
    _, case = parsed(of(change)).iter("testcase")
    found = [element for element in case if element.tag in {"failure", "error", "skipped"}]
    assert [element.tag for element in found] == [outcome] * bool(outcome)
    assert all(element.get("message") == SAME.sentence for element in found)


@each_example
def test_junit_counts_what_it_holds(name: str) -> None:
    root = parsed(CHECK_EXAMPLES[name])
    (suite,) = root
    for element in (root, suite):
        assert element.get("tests") == str(len(list(suite.iter("testcase"))))
        for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.get(plural) == str(len(list(suite.iter(tag))))


def test_a_case_of_junit_is_a_cell_grouped_by_its_server() -> None:
    cases = [(case.get("classname"), case.get("name")) for case in parsed(EVERY).iter("testcase")]
    assert cases == [
        ("servermatrix", "the whole night"),
        *((cell.pair.split("[")[0], cell.pair) for cell in EVERY.cells),
    ]


@pytest.mark.parametrize(
    ("report", "outcome", "message"),
    [
        (QUIET, None, ""),
        (EVERY, None, ""),
        (replace(QUIET, complete=False, steps=(37, 260)), "error", "INCOMPLETE: 37 of 260 steps; go on with: "),
        (EMPTY, "error", "No cell was compared."),
        (replace(QUIET, cells=(replace(SAME, shifts=()),)), "error", "No cell has a figure: nothing was measured on both sides."),
        (replace(QUIET, cells=(replace(SAME, shifts=(NO_RATIO,)),)), "error", "No cell has a figure"),
        (UNFIT, "skipped", f"The canary {CANARY.pair} is not fit: the baseline of this cell was told apart from itself"),
        (replace(UNFIT, complete=False), "error", "INCOMPLETE: "),
    ],
)
def test_the_whole_night_is_a_case_that_is_green_only_where_the_night_can_be_believed(
    report: CheckReport, outcome: str | None, message: str
) -> None:
    night = next(parsed(report).iter("testcase"))
    assert (night.get("classname"), night.get("name")) == ("servermatrix", "the whole night")
    found = [element for element in night if element.tag != "system-out"]
    assert [element.tag for element in found] == [outcome] * bool(outcome)
    assert all((element.get("message") or "").startswith(message) for element in found)
    assert night.findtext("system-out") == first_line(report)


@pytest.mark.parametrize("pair", ["uvicorn[a=b]/h1", "uvicorn@3.13/h1", "uvicorn/h1/w1", "uvicorn"])
def test_the_server_of_a_cell_without_rows_is_read_from_its_name(pair: str) -> None:
    _, case = parsed(replace(EVERY, cells=(replace(SAME, pair=pair, baseline=None, candidate=None),))).iter("testcase")
    assert case.get("classname") == "uvicorn"


def test_junit_tells_the_line_for_machines_and_what_makes_it_worth_less() -> None:
    (suite,) = parsed(CUT_OFF)
    told = suite.findtext("system-out") or ""
    assert told.splitlines()[0] == first_line(CUT_OFF)
    assert "INCOMPLETE" in told


@given(text=TEXT)
@settings(max_examples=80)
def test_any_text_is_valid_xml_and_one_line_without_what_xml_forbids(text: str) -> None:
    _, case = parsed(replace(EVERY, cells=(replace(WORSE, sentence=text, pair=f"a{text}"),))).iter("testcase")
    name, message = case.get("name") or "", next(case.iter("failure")).get("message") or ""
    assert name.startswith("a")
    assert "\n" not in name + message
    assert plain(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "", text)) == message


def test_bigger_is_better_for_both_metrics() -> None:
    found = entries(replace(EVERY, cells=(WORSE,)))
    requests, cpu = found[f"{WORSE.pair}: requests/s"], found[f"{WORSE.pair}: requests per CPU second"]
    assert requests["value"] == 88.0
    assert requests["range"] == "86.94 to 89.06"
    assert cpu["value"] == round(100 / 1.136, 2)
    assert cpu["range"] == f"{round(100 / (1.136 * 1.012), 2)} to {round(100 / (1.136 * 0.988), 2)}"
    assert {entry["unit"] for entry in found.values()} == {"% of the baseline"}
    assert requests["extra"] == f"regression: {WORSE.sentence}"


def test_a_cell_without_a_number_is_left_out_of_the_benchmark_and_never_a_zero() -> None:
    bare = replace(SAME, shifts=(Shift(metric=Metric.RPS, ratio=None),))
    odd = [
        replace(SAME, shifts=(Shift(metric=metric, ratio=Estimate(value=value, low=None, high=None, n=3)),))
        for metric, value in ((Metric.CPU, 0.0), (Metric.RPS, float("nan")), (Metric.CPU, float("inf")))
    ]
    assert entries(replace(EVERY, cells=(FAILED, NEW, GONE, bare, *odd))) == {}
    assert json.loads(bigger_is_better.to_json(EMPTY)) == []


def test_a_cell_whose_side_failed_has_no_number_for_the_benchmark_even_where_some_rounds_had_one() -> None:
    assert WORSE.candidate is not None
    broken = replace(WORSE, candidate=replace(WORSE.candidate, status="failed"))
    assert entries(replace(EVERY, cells=(broken,))) == {}


def test_a_night_that_is_not_complete_gives_the_benchmark_no_point() -> None:
    assert len(entries(EVERY)) > 0
    assert json.loads(bigger_is_better.to_json(CUT_OFF)) == []


def test_an_estimate_without_an_interval_has_no_range_for_the_benchmark() -> None:
    ratio = Estimate(value=0.5, low=None, high=None, n=2)
    cell = replace(SAME, shifts=(Shift(metric=Metric.CPU, ratio=ratio),))
    (entry,) = entries(replace(EVERY, cells=(cell,))).values()
    assert entry["value"] == 200.0
    assert "range" not in entry


def test_swapping_the_sides_turns_every_percentage_of_the_benchmark_round() -> None:
    def swapped(shift: Shift) -> Shift:
        found = shift.ratio
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        return replace(shift, ratio=Estimate(value=1 / found.value, low=1 / found.high, high=1 / found.low, n=found.n))

    there = replace(EVERY, cells=(WORSE, BETTER, SAME))
    back = replace(there, cells=tuple(replace(cell, shifts=tuple(map(swapped, cell.shifts))) for cell in there.cells))
    for name, entry in entries(there).items():
        assert float(str(entry["value"])) * float(str(entries(back)[name]["value"])) == pytest.approx(10_000, rel=1e-3)


@each_example
def test_there_is_at_most_one_annotation_for_each_kind_of_outcome(name: str) -> None:
    titles = [line.split("::")[1] for line in check_annotations.annotations(CHECK_EXAMPLES[name])]
    assert len(titles) == len(set(titles)) <= 7


@pytest.mark.parametrize("change", list(Change))
def test_an_outcome_has_the_level_that_somebody_should_look_at_it_with(change: Change) -> None:
    found = check_annotations.annotations(of(change, change))
    if change is Change.UNCHANGED:
        assert found == []
    else:
        (line,) = found
        assert re.match(r"::(\w+) title=servermatrix check%3A 2 cells \w+::s0/h1: ", line)
        assert line.startswith(f"::{LEVELS.get(change, 'notice')} ")


def test_an_annotation_names_the_first_few_cells_and_counts_the_others() -> None:
    (few,), (many,) = (check_annotations.annotations(of(*[Change.REGRESSION] * number)) for number in (4, 5))
    assert few.count("%0A") == 3
    assert "more" not in few
    assert many.count("/h1: ") == 3
    assert many.endswith("%0AAnd 2 more.")


def test_a_check_without_anything_to_look_at_has_no_annotation() -> None:
    assert check_annotations.annotations(QUIET) == []


def test_what_makes_a_check_worth_less_is_an_annotation_too() -> None:
    assert check_annotations.annotations(CUT_OFF)[-1].startswith(
        "::warning title=servermatrix check::INCOMPLETE: 37 of 260 steps"
    )


@given(text=TEXT)
@settings(max_examples=80)
def test_any_text_makes_an_annotation_of_one_line_that_reads_back(text: str) -> None:
    (line,) = check_annotations.annotations(replace(EVERY, cells=(replace(WORSE, sentence=text[:100], pair="p"),)))
    assert len(line.splitlines()) == 1
    _, title, message = line.split("::", 2)
    assert title == "error title=servermatrix check%3A 1 cell regressed"
    back = message.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    assert back.rstrip(".!?") == f"p: {plain(text[:100])}".rstrip(".!?")


def test_an_annotation_is_short_however_long_its_sentence_is() -> None:
    report = replace(EVERY, cells=tuple(replace(WORSE, sentence="x" * 100_000) for _ in range(50)))
    assert max(map(len, check_annotations.annotations(report))) < 1_500


def test_a_count_with_a_comma_does_not_end_the_title() -> None:
    (line,) = check_annotations.annotations(of(*[Change.REGRESSION] * 1_000))
    assert line.startswith("::error title=servermatrix check%3A 1%2C000 cells regressed::s0/h1: ")


def test_a_percent_sign_of_a_sentence_is_none_of_an_escape() -> None:
    (line,) = check_annotations.annotations(replace(EVERY, cells=(replace(WORSE, pair="p", sentence="1 %0A %25 more"),)))
    assert line.endswith("::p: 1 %250A %2525 more.")


def test_a_name_with_a_comma_stays_in_the_message_as_it_is() -> None:
    (line,) = check_annotations.annotations(replace(EVERY, cells=(replace(WORSE, pair="u[http=h11,loop=uvloop]/h1"),)))
    assert "::u[http=h11,loop=uvloop]/h1: " in line


def test_what_is_unsafe_in_one_place_is_safe_in_all_exports() -> None:
    assert parsed(AWKWARD) is not None
    assert all(len(line.splitlines()) == 1 for line in check_annotations.annotations(AWKWARD))
