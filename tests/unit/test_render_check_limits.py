from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.model import Change, CheckReport
from servermatrix.render.check_issue import issue_body, issue_title
from servermatrix.render.check_lines import first_line
from servermatrix.render.check_pieces import Piece, fitted
from servermatrix.render.check_summary import step_summary
from tests.golden.check_examples import AWKWARD, CHECK_EXAMPLES, EVERY, QUIET, SAME, WORSE
from tests.golden.markdown_reader import tables

MANY = replace(
    EVERY,
    cells=(
        *(replace(WORSE, pair=f"é{number}/h1/w1", sentence=f"{number} % fewer requests/s: é|`") for number in range(40)),
        *(replace(SAME, pair=f"ü{number}/h1/w1") for number in range(60)),
    ),
)
CUT = re.compile(
    r"Cut to fit into [\d,]+ bytes; left out here: (\d+ lines?)?( and )?(\d+ sections?)?\. The report has all of it\."
)
each_example = pytest.mark.parametrize("name", CHECK_EXAMPLES)


def size(text: str) -> int:
    return len(text.encode())


def whole(text: str) -> bool:
    """Tell whether what is opened is closed and every row of every table is as wide as its head."""
    lines = text.split("\n")
    rows = all({len(row) for row in table} == {len(table[0])} for table in tables(text))
    opened, closed = sum(line.startswith("<details>") for line in lines), lines.count("</details>")
    return rows and opened == closed and sum(line.startswith("```") for line in lines) % 2 == 0


def test_a_summary_that_fits_is_not_cut() -> None:
    text = step_summary(EVERY)
    assert "Cut to fit" not in text
    assert step_summary(EVERY, size(text)) == text
    assert "Cut to fit" in step_summary(EVERY, size(text) - 1)


@given(limit=st.integers(min_value=0, max_value=30_000))
@settings(max_examples=60, deadline=None)
def test_a_summary_keeps_to_any_limit_in_bytes_and_is_whole_markdown(limit: int) -> None:
    text = step_summary(MANY, limit)
    assert size(text) <= limit
    assert whole(text)
    assert "Cut to fit" in text or size(step_summary(MANY)) <= limit or limit < 160
    assert all(CUT.fullmatch(line) for line in text.split("\n") if line.startswith("Cut"))


def test_a_summary_that_is_cut_says_how_much_is_missing() -> None:
    full, text = step_summary(MANY), step_summary(MANY, 4_000)
    shown = len(tables(text)[0]) - 1
    assert 0 < shown < 40
    sections = full.count("\n### ") + full.count("<details>") - 1
    missing = f"left out here: {40 - shown} lines and {sections} sections"
    assert text.endswith(f"\n\nCut to fit into 4,000 bytes; {missing}. The report has all of it.\n")


def test_a_summary_cut_inside_something_folded_closes_it() -> None:
    text = step_summary(MANY, 15_000)
    assert text.count("<details>") == text.count("</details>") == 1
    assert text.index("</details>") < text.index("Cut to fit")


@each_example
def test_what_changed_is_in_sight_and_the_rest_is_folded(name: str) -> None:
    report = CHECK_EXAMPLES[name]
    text = step_summary(report)
    assert whole(text)
    assert first_line(report) in text.split("\n<details>", maxsplit=1)[0]
    folded = text[text.index("\n<details>") :]
    assert "\n### " not in folded
    for heading in ("How it was run", "How to read this", "Reproduce", "Canary"):
        assert f"<details><summary>{heading}</summary>\n\n" in folded


def test_what_closes_a_part_is_counted_before_a_line_of_it_is_taken() -> None:
    piece = Piece(head=("open",), lines=tuple("é" * 99 for _ in range(9)), tail=("x" * 500, "close"))
    for limit in range(0, 2_400, 7):
        text = fitted([Piece(head=("first",)), piece], limit)
        assert size(text) <= limit
        assert text or limit < 160
        assert ("open\n" in text) == ("close\n" in text)
        assert ("é" in text) == ("open\n" in text)


def test_a_reason_of_any_length_leaves_room_for_the_others() -> None:
    long = replace(WORSE, sentence="x" * 5_000_000, pair="long/h1")
    text = step_summary(replace(EVERY, cells=(long, WORSE)))
    assert size(text) < 20_000
    assert WORSE.sentence in text


def test_nothing_in_a_summary_opens_or_closes_what_folds() -> None:
    text = step_summary(AWKWARD)
    assert text.count("</details>") - text.count("\\</details>") == text.count("<details><summary>")


def test_an_issue_says_what_is_needed_and_leaves_hidden_lines_to_what_publishes_it() -> None:
    body = issue_body(EVERY)
    assert "<!--" not in body
    for needed in (first_line(EVERY), WORSE.pair, WORSE.sentence, "-12.0 % [-13.1, -10.9]", "| uvloop | 0.21.0 | 0.22.1 |"):
        assert needed in body
    assert "python3 run_matrix.py check --baseline 'uvicorn==0.52.0 uvloop==0.21.0' --candidate=new.txt" in body
    assert f"-k '{WORSE.pair}'" in body
    assert whole(body)


def test_an_issue_lists_what_changed_and_not_what_did_not() -> None:
    assert f"| {SAME.pair} |" not in issue_body(EVERY)
    assert "No cell was confirmed to be worse or better, and none failed." in issue_body(QUIET)


@given(limit=st.integers(min_value=0, max_value=20_000))
@settings(max_examples=30, deadline=None)
def test_an_issue_keeps_to_any_limit_and_is_whole_markdown(limit: int) -> None:
    text = issue_body(MANY, limit)
    assert size(text) <= limit
    assert whole(text)


def test_an_issue_of_a_very_bad_night_is_one_that_github_takes() -> None:
    cells = tuple(replace(WORSE, pair=f"s{number}/h1", sentence="é" * 900) for number in range(900))
    body = issue_body(replace(EVERY, cells=cells))
    assert size(body) < 65_536
    assert "Cut to fit" in body


def test_an_issue_calls_nobody_and_links_no_other_issue() -> None:
    body = issue_body(AWKWARD)
    outside_code = re.sub(r"```.*?```", "", body, flags=re.DOTALL)
    assert not re.search(r"(?<!\w)@\w|#\d", outside_code.replace("&#8203;", "\u200b"))
    assert "@&#8203;someone #&#8203;12" in body


def test_the_at_sign_of_a_python_version_stays_as_it_is() -> None:
    assert "uvicorn@3.13/h1" in issue_body(replace(EVERY, cells=(replace(WORSE, pair="uvicorn@3.13/h1"),)))


def of(*changes: Change) -> CheckReport:
    return replace(EVERY, cells=tuple(replace(SAME, pair=f"s{n}/h1", change=change) for n, change in enumerate(changes)))


@pytest.mark.parametrize(
    ("report", "title"),
    [
        (of(Change.UNCHANGED, Change.REGRESSION), "Nightly check: 1 cell regressed: s1/h1"),
        (of(Change.FAILED, *[Change.REGRESSION] * 3), "Nightly check: 3 cells regressed: s1/h1 and 2 more"),
        (of(Change.IMPROVEMENT, Change.FAILED), "Nightly check: 1 cell failed: s1/h1"),
        (of(Change.UNCHANGED, Change.GONE), "Nightly check: 1 cell gone: s1/h1"),
        (of(Change.INCONCLUSIVE), "Nightly check: 1 cell inconclusive: s0/h1"),
        (of(Change.IMPROVEMENT), "Nightly check: no regression"),
    ],
)
def test_the_title_of_an_issue_names_what_is_worst(report: CheckReport, title: str) -> None:
    assert issue_title(report) == title


def test_the_title_of_an_issue_is_one_short_line_whatever_the_name() -> None:
    title = issue_title(replace(EVERY, cells=(replace(WORSE, pair="x\n" * 4_000), WORSE)))
    assert len(title) == 200
    assert "\n" not in title
    assert title.endswith("... and 1 more")
