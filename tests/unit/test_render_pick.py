from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from servermatrix.model import Estimate, Held, PickReport, Standing
from servermatrix.render import pick_facts, pick_lines
from servermatrix.render.pick_document import to_document, to_json
from servermatrix.render.pick_markdown import to_markdown
from servermatrix.render.pick_tables import MORE_CPU, MORE_MEMORY, cells
from servermatrix.render.pick_terminal import MOST_ROWS, to_terminal
from servermatrix.render.table import ABSENT, plain
from tests.golden.markdown_reader import tables
from tests.golden.pick_examples import (
    ALL_FAILED,
    ALONE,
    AT_RATE,
    AWKWARD,
    BEATEN,
    BRACKETS,
    INTERRUPTED,
    LATENCY_ONLY,
    MANY,
    MIX,
    NO_MATTER,
    NOBODY,
    OPEN,
    PICK_EXAMPLES,
    PICKED,
    SCALING,
    SHARE,
    TIED,
    TWO_LOADS,
    USUAL,
)

TEXT = st.text() | st.text(alphabet="\\|`*_<>[]~&\n\r\t\x00\x1b\u2028# -:@é")
each_example = pytest.mark.parametrize("name", PICK_EXAMPLES)
LINES_OF_A_SCREEN = 26


def screen(report: PickReport, width: int = 120, where: str = "") -> str:
    return to_terminal(report, width=width, colour=False, where=where)


def row(report: PickReport, number: int, *, full: bool) -> dict[str, str]:
    grid = cells(report.candidates, report, full=full)
    return dict(zip((column.header for column in grid.columns), grid.rows[number], strict=True))


def held(low: float, high: float) -> Held:
    return Held(cell_id="x", low_per_s=low, high_per_s=high, latency_us=None, starts=3, sentence="")


@pytest.mark.parametrize("report", [USUAL, ALONE, BRACKETS, NO_MATTER, SCALING, MANY], ids=lambda report: report.line)
def test_the_usual_search_fits_one_screen(report: PickReport) -> None:
    assert len(screen(report).splitlines()) <= LINES_OF_A_SCREEN


@each_example
@pytest.mark.parametrize("width", [200, 120, 80, 40])
def test_no_line_of_a_search_is_wider_than_the_terminal_but_those_to_be_pasted(name: str, width: int) -> None:
    report = PICK_EXAMPLES[name]
    first, *rest = screen(report, width).splitlines()
    assert first == plain(report.line)
    assert [line for line in rest if cell_len(line) > width] in ([], [pick_lines.command(report)])


def test_a_terminal_has_the_line_then_the_answer_then_the_command_then_the_table_then_where_the_rest_is() -> None:
    text = screen(USUAL, where="reports/x/")
    order = [USUAL.line, "Take uvicorn", "python -m uvicorn --host", "Picked; 3 cells", SHARE.sentence, "reports/x/report.md"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_the_command_is_not_folded_and_a_shell_takes_it_apart_into_the_words_that_were_tested() -> None:
    assert USUAL.deployed
    for text in (screen(USUAL, 40), to_markdown(USUAL)):
        (line,) = (line for line in text.splitlines() if line.startswith("python -m uvicorn"))
        assert tuple(shlex.split(line)) == USUAL.deployed.argv


def test_what_the_command_needs_in_its_environment_is_named_where_it_needs_something() -> None:
    assert "It needs DATABASE_URL and SECRET_KEY in its environment." in screen(USUAL)
    assert "in its environment." not in screen(ALONE)


def test_a_terminal_sends_the_reader_to_the_run_where_nobody_says_its_folder() -> None:
    assert f"Everything else: report.md of {USUAL.header.id}, with app.service, Dockerfile" in screen(USUAL)
    assert screen(ALONE, where="r").endswith("Everything else: r/report.md.\n")


def test_no_more_than_a_few_tied_cells_are_on_a_terminal_and_the_others_are_counted() -> None:
    text = screen(MANY)
    assert text.count("granian/h1/w") == MOST_ROWS - 1
    assert "15 more of these are in report.md." in text
    assert to_markdown(MANY).count("granian/h1/w") >= 20


def test_what_is_not_told_apart_yet_stands_beside_the_picked_cell() -> None:
    assert "Picked; 3 cells not told apart from it yet" in screen(INTERRUPTED)
    both = replace(USUAL, candidates=(PICKED, TIED[0], *OPEN[1:]))
    assert "Picked; 1 cell tied with it and 2 cells not told apart from it yet" in screen(both)
    assert "Picked; no cell is tied with it" in screen(ALONE)


def test_what_is_open_where_nothing_was_picked_is_told_by_itself() -> None:
    text = to_markdown(replace(NOBODY, candidates=OPEN))
    assert "## Not told apart yet: 3 cells" in text
    assert "## Not told apart yet" not in to_markdown(INTERRUPTED)


def test_an_alternative_is_told_with_what_it_costs_beside_the_picked_cell() -> None:
    found = row(USUAL, 1, full=False)
    assert (found[MORE_CPU], found[MORE_MEMORY], found["vs picked"]) == ("-2 %", "+11.8", "+1.7 % [-0.3, 3.7]")
    assert (row(USUAL, 3, full=False)[MORE_CPU], row(USUAL, 3, full=False)[MORE_MEMORY]) == ("+5 %", "0")
    assert row(USUAL, 1, full=True)["CPU vs picked"] == "-2 %"
    assert row(USUAL, 0, full=True)["vs picked"] == "picked"


def test_what_an_alternative_costs_is_not_told_where_it_is_not_known() -> None:
    found = row(AWKWARD, 1, full=True)
    assert {found[each] for each in ("CPU vs picked", "MiB vs picked", "vs picked", "p99 ms")} == {ABSENT}
    nothing = replace(PICKED, summary=replace(PICKED.summary, cpu_us_per_request=None, pss_bytes=None))
    assert pick_lines.more_cpu(TIED[0], nothing) == pick_lines.more_memory(TIED[0], nothing) == ABSENT


def test_a_number_that_is_none_never_reaches_a_table_or_the_json() -> None:
    none = Estimate(value=float("nan"), low=None, high=None, n=3)
    other = replace(TIED[0], score=none, summary=replace(TIED[0].summary, cpu_us_per_request=none))
    report = replace(SCALING, candidates=(PICKED, other))
    assert {row(report, 1, full=True)[each] for each in ("vs picked", "CPU vs picked", "CPU us/request [95 %]")} == {ABSENT}
    assert row(report, 1, full=False)["CPU us"] == ABSENT
    assert SCALING.capacity
    assert SCALING.capacity.scaling
    unknown = replace(SCALING.capacity, scaling=replace(SCALING.capacity.scaling, contention=float("inf")))
    document = json.loads(to_json(replace(report, capacity=unknown)))
    assert document["candidates"][1]["score"] is document["capacity"]["scaling"]["contention"] is None


def test_where_nothing_was_picked_there_is_no_column_beside_it_and_no_command() -> None:
    assert not {"vs picked", "CPU vs picked", "MiB vs picked"} & set(row(NOBODY, 0, full=True))
    assert "## Use it" not in to_markdown(NOBODY)
    text = screen(NOBODY)
    assert "Best that was reached" in text
    assert "p99 is 61 ms at 400 requests/s, over the 50 ms" in text
    assert "Over a limit:" not in text


def test_where_everything_failed_the_reasons_are_told_and_no_table() -> None:
    text = screen(ALL_FAILED)
    assert "Failed: 3 cells; daphne/h1/w1 and hypercorn[loop=trio]/h1/w1: answered 500" in text
    assert "requests/s" not in text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (410, 440, "410-440"),
        (410, 0, "410 or more"),
        (0, 50, "none, not even 50"),
        (0, 0, "none"),
        (12_345.6, 13_000, "12,346-13,000"),
    ],
)
def test_a_bracket_names_the_rate_that_held_and_the_one_that_did_not(low: float, high: float, text: str) -> None:
    assert pick_lines.bracket(held(low, high)) == text


def test_a_cell_that_was_not_tried_at_a_rate_has_no_bracket() -> None:
    assert pick_lines.bracket(None) == ABSENT
    assert "holds requests/s" not in row(USUAL, 0, full=True)
    assert row(BRACKETS, 0, full=True)["holds requests/s"] == "3,200-3,400"


def test_how_limits_were_judged_is_said_with_the_rate_where_there_was_one() -> None:
    assert "p99<50ms: judged in an open loop at 500 requests/s." in pick_facts.judged(AT_RATE)[0]
    assert [text.split(":")[0] for text in pick_facts.judged(BRACKETS)] == ["Errors", "p99<50ms"]
    assert "the highest rate that keeps it" in pick_facts.judged(BRACKETS)[1]
    assert pick_facts.judged(LATENCY_ONLY) == []
    assert "Latency was compared in an open loop, at the same rate for all." in to_markdown(LATENCY_ONLY)


def test_a_search_that_was_cut_off_says_how_it_goes_on_once() -> None:
    assert pick_lines.warnings(INTERRUPTED)[1] == (
        f"INCOMPLETE: 19 of 312 steps; go on with: python3 run_matrix.py pick --resume {INTERRUPTED.header.id}"
    )
    said = replace(INTERRUPTED, warnings=("cut off; go on with: pick --resume latest",))
    assert pick_lines.warnings(said) == list(said.warnings)
    assert pick_lines.warnings(USUAL) == []


def test_cells_that_start_the_same_are_named_by_all_of_their_id() -> None:
    names = [pick_lines.name(one, TWO_LOADS) for one in TWO_LOADS.candidates]
    assert names == [
        "uvicorn[http=httptools,loop=uvloop]/h1/w2/c64/shop.main:app",
        "granian[loop=uvloop]/h1/w2",
        "uvicorn[http=httptools,loop=uvloop]/h1/w2/c256/shop.main:app",
    ]


def test_the_best_of_each_server_leads_what_was_beaten_and_all_of_it_is_folded_away_with_its_figures() -> None:
    text = to_markdown(USUAL)
    assert [one.summary.planned.cell.server for one in pick_lines.best_by_server(BEATEN)] == ["gunicorn", "uvicorn", "hypercorn"]
    assert pick_lines.best_by_server(BEATEN)[1] is BEATEN[1]
    (grid,) = (table for table in tables(text) if table[-1][0] == "beaten")
    assert len(grid) == 1 + len(BEATEN)
    assert text.index("## Beaten: 5 cells") < text.index("<details><summary>All that were beaten")


def test_every_candidate_is_somewhere_on_the_page() -> None:
    for report in (USUAL, BRACKETS, NOBODY, INTERRUPTED, ALL_FAILED, MANY):
        text = to_markdown(report)
        assert [one for one in report.candidates if pick_lines.name(one, report) not in text] == []


def test_every_file_is_on_the_page_whole_in_its_language() -> None:
    assert USUAL.deployed
    text = to_markdown(USUAL)
    assert [text.count(f"\n{fence}\n") for fence in ("```ini", "```dockerfile", "````yaml")] == [1, 1, 1]
    for _, content, comment in USUAL.deployed.files:
        assert content in text
        assert comment in text


def test_the_page_says_what_was_asked_of_which_app() -> None:
    assert ["app", "shop.main:app, with DATABASE_URL and SECRET_KEY in its environment"] in tables(to_markdown(USUAL))[-1]
    mixed = tables(to_markdown(MIX))[-1]
    assert ["app", "made by shop.main:app, lifespan off"] in mixed
    assert ["requests", "GET /items (3 of 4) and POST /orders (1 of 4)"] in mixed


def test_a_search_is_made_again_by_what_made_it_without_what_showed_it() -> None:
    words = shlex.split(pick_facts.again(USUAL.header))
    assert words[:5] == ["python3", "run_matrix.py", "pick", "--app", "shop.main:app"]
    assert words[-2:] == ["--seed", "7"]
    assert words.count("--seed") == 1
    assert not {"-v", "--out=nights", "3"} & set(words)
    assert "SECRET_KEY=..." in words


def test_values_that_were_not_stored_are_to_be_filled_in_again() -> None:
    assert "Values of --env are not shown" in to_markdown(USUAL)
    plain_header = replace(USUAL.header, argv=("pick", "--app", "a:b"))
    assert "are not shown" not in to_markdown(replace(USUAL, header=plain_header))


def test_the_fit_over_workers_says_how_far_it_may_be_read() -> None:
    (grid,) = (table for table in tables(to_markdown(SCALING)) if table[0][0].startswith("fit of"))
    assert ["highest throughput", "beyond 16 workers"] in grid
    assert ["may be read up to", "16 workers"] in grid
    assert "fit of throughput" not in to_markdown(USUAL)


def test_whether_the_server_matters_is_on_the_screen_and_on_the_page() -> None:
    assert NO_MATTER.share
    for text in (to_markdown(NO_MATTER), screen(NO_MATTER)):
        assert NO_MATTER.share.sentence in text
    assert "- the app's share of the CPU time of a request: 97 % [96, 98]." in to_markdown(NO_MATTER)
    assert "not known" in to_markdown(AWKWARD)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("the server matters", "The server matters."),
        ("Ends well!", "Ends well!"),
        ("uvicorn[loop=uvloop] is best", "uvicorn[loop=uvloop] is best."),
        ("", ""),
    ],
)
def test_what_may_also_stand_after_a_name_begins_and_ends_as_a_sentence_where_it_is_one(text: str, told: str) -> None:
    assert pick_lines.sentence(text) == told


def test_a_reason_that_nobody_gave_leaves_no_line() -> None:
    bare = replace(ALONE, candidates=(replace(PICKED, reason=""),), share=None, capacity=None)
    assert "n/a" not in screen(bare)
    assert "\n\nn/a" not in to_markdown(bare)


@each_example
def test_no_cell_of_any_table_of_a_search_is_blank(name: str) -> None:
    found = tables(to_markdown(PICK_EXAMPLES[name]))
    assert found
    for table in found:
        assert {len(each) for each in table} == {len(table[0])}
        assert all(value for each in table for value in each)


@each_example
def test_no_escape_sequence_is_written_without_colour(name: str) -> None:
    assert "\x1b" not in screen(PICK_EXAMPLES[name])
    assert "\x1b[" in to_terminal(USUAL, width=120, colour=True)


def test_the_document_counts_every_standing_and_names_the_picked_cell() -> None:
    document = to_document(USUAL)
    assert document["picked"] == PICKED.summary.planned.cell.id
    assert document["counts"] == {
        **dict.fromkeys((each.value for each in Standing), 0),
        "picked": 1,
        "tied": 3,
        "beaten": 5,
        "failed": 3,
        "skipped": 1,
    }
    assert to_document(NOBODY)["picked"] is None


def test_a_rate_that_was_never_reached_is_null_in_the_document() -> None:
    found = [one["held"] for one in json.loads(to_json(BRACKETS))["candidates"] if one["held"]]
    assert [(one["low_per_s"], one["high_per_s"]) for one in found] == [
        (3_200, 3_400),
        (3_150, 3_350),
        (3_100, None),
        (None, 400),
    ]


@settings(max_examples=40, deadline=None)
@given(TEXT)
def test_any_text_leaves_the_tables_of_a_search_whole_and_the_json_readable(text: str) -> None:
    picked = replace(PICKED, reason=text)
    beaten = replace(BEATEN[0], reason=text)
    report = replace(USUAL, line=text, answer=text, candidates=(picked, beaten), warnings=(text,))
    for table in tables(to_markdown(report)):
        assert {len(each) for each in table} == {len(table[0])}
    assert screen(report).splitlines()[0] == plain(text)
    assert json.loads(to_json(report))["answer"] == text
