"""What a search must not leave out, and how it is told: what was asked for, what a command needs, small rates, secrets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.model import CPU, MEMORY, THROUGHPUT, Asked, Capacity, Estimate, Held, PickReport, Request
from servermatrix.render import pick_facts, pick_lines
from servermatrix.render.pick_markdown import to_markdown
from servermatrix.render.pick_tables import MORE_CPU, cells, changed
from servermatrix.render.pick_terminal import to_terminal
from servermatrix.render.table import escaped
from servermatrix.secret_headers import without_header_values
from tests.golden.markdown_reader import tables
from tests.golden.pick_examples import AT_RATE, CAPACITY, MIX, PICKED, SCALING, TIED, USUAL, about


def screen(report: PickReport, where: str = "") -> str:
    return to_terminal(report, width=400, colour=False, where=where)


def row(report: PickReport, number: int, *, full: bool) -> dict[str, str]:
    grid = cells(report.candidates, report, full=full)
    return dict(zip((column.header for column in grid.columns), grid.rows[number], strict=True))


def called(*words: str, files: tuple[str, ...] = ()) -> PickReport:
    """Return the usual search as `words` asked for it, with a command that names files of settings."""
    assert USUAL.deployed
    named = (*USUAL.deployed.files, *((name, "workers = 2\n", "It is needed.") for name in files))
    argv = (*USUAL.deployed.argv, *(f"file:{name}" for name in files))
    deployed = replace(USUAL.deployed, argv=argv, files=named, env=())
    return replace(USUAL, deployed=deployed, header=replace(USUAL.header, argv=("pick", *words)))


NOT_ASKED = replace(CAPACITY, workers_fit=None, connections=None)


@pytest.mark.parametrize(
    ("capacity", "kept"),
    [
        (NOT_ASKED, [True, True, False, False]),
        (replace(NOT_ASKED, connections=20), [True, False, False, True]),
        (CAPACITY, [False, False, True, True]),
    ],
)
def test_what_was_asked_for_by_option_is_on_a_terminal_before_all_else(capacity: Capacity, kept: list[bool]) -> None:
    report = replace(USUAL, capacity=capacity)
    text, page = screen(report), to_markdown(report)
    assert [pick_lines.sentence(each) in text for each in capacity.sentences] == kept
    assert all(escaped(pick_lines.sentence(each)) in page for each in capacity.sentences)


def test_a_fit_over_workers_is_on_the_terminal_with_all_else_that_was_asked_for() -> None:
    text = screen(SCALING)
    assert [part in text for part in ("Throughput over workers", "has room for 10 workers", "20 connections")] == [True] * 3


@pytest.mark.parametrize("words", [("--app-dir", "src"), ("--app-dir=src",), ("--app-dir", ".", "--app-dir", "src")])
def test_under_the_command_stands_which_files_it_needs_and_in_which_folder_it_is_run(words: tuple[str, ...]) -> None:
    told = "Run it in the folder of the app, src. It needs hypercorn_config.py from {}/deploy in the folder of the app."
    report = called(*words, files=("hypercorn_config.py",))
    lines = screen(report, where="reports/x/").splitlines()
    assert lines[lines.index(pick_lines.command(report)) + 1] == told.format("reports/x")
    assert told.format(report.header.id) in to_markdown(report).split("## Why")[0]


@pytest.mark.parametrize("words", [(), ("--app-dir", "."), ("--app-dir=./",)])
def test_a_command_that_needs_no_file_names_none_and_the_folder_only_where_it_is_another(words: tuple[str, ...]) -> None:
    assert pick_lines.needs(called(*words)) == "Run it in the folder of the app."
    assert pick_lines.needs(replace(USUAL, deployed=None)) == ""


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("python:hypercorn_config", True),
        ("./hypercorn_config.py", True),
        ("--config=hypercorn_config.py", True),
        ("hypercorn_config", False),
        ("hypercorn_config:app", False),
    ],
)
def test_a_file_is_needed_where_the_command_names_it_or_its_module(word: str, named: bool) -> None:  # noqa: FBT001 - a parameter
    report = called(files=("hypercorn_config.py",))
    assert report.deployed
    found = replace(report, deployed=replace(report.deployed, argv=("python", "-m", "hypercorn", word)))
    assert ("hypercorn_config.py" in pick_lines.needs(found)) is named


def test_the_command_is_at_once_followed_by_what_it_needs_on_the_page() -> None:
    page = to_markdown(called(files=("gunicorn.conf.py",)))
    assert page.index("```sh") < page.index("Run it in the folder of the app.") < page.index("## Why")


def test_the_last_line_names_the_folder_of_the_files() -> None:
    end = "Everything else: r/report.md, with app.service, Dockerfile and compose.yaml in r/deploy/.\n"
    assert screen(USUAL, where="r/").endswith(end)


@pytest.mark.parametrize(
    ("prefer", "header", "told"),
    [
        (MEMORY, "memory vs picked", "+25 % [24, 26]"),
        (CPU, "CPU vs picked", "+25 % [24, 26]"),
        (THROUGHPUT, "vs picked", "-20 % [-21, -19]"),
    ],
)
def test_the_column_beside_the_picked_cell_names_what_it_compares(prefer: str, header: str, told: str) -> None:
    cheaper = replace(TIED[0], score=about(0.8, 0.01))
    report = replace(USUAL, race=replace(USUAL.race, prefer=prefer), candidates=(PICKED, cheaper))
    for full in (True, False):
        headers = [column.header for column in cells(report.candidates, report, full=full).columns]
        assert headers.count(header) == 1
        assert row(report, 1, full=full)[header] == told
    assert (MORE_CPU in row(report, 1, full=False)) is (prefer != CPU)
    assert [rule for rule in pick_facts.rules(report) if rule.startswith(f"{header}: ")]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Estimate(value=1, low=1, high=1, n=3), "0 %"),
        (Estimate(value=1, low=None, high=None, n=1), "0 %"),
        (Estimate(value=1 - 1e-9, low=1 - 2e-9, high=1, n=3), "0 %"),
        (Estimate(value=0.9999, low=0.9998, high=1.02, n=3), "0.0 % [0.0, 2.0]"),
        (Estimate(value=1.2, low=0.999, high=1.4, n=3), "+20 % [0, 40]"),
        (Estimate(value=0.95, low=0.9, high=0.995, n=3), "-5.0 % [-10.0, -0.5]"),
    ],
)
def test_nothing_has_no_sign(found: Estimate, told: str) -> None:
    assert changed(found) == told


def test_a_held_rate_below_one_keeps_three_digits_wherever_it_is_told() -> None:
    held = Held(cell_id="x", low_per_s=0.125, high_per_s=1.5, latency_us=None, starts=3, sentence="it held that")
    slow = replace(TIED[0], held=held, summary=replace(TIED[0].summary, rps=about(0.305)))
    report = replace(AT_RATE, race=replace(AT_RATE.race, rate_per_s=0.125), candidates=(PICKED, slow))
    page = to_markdown(report)
    assert pick_lines.bracket(held) == "0.125-1.5"
    assert "in an open loop at 0.125 requests/s" in page
    assert [line for line in tables(page) if any({"0.125/s", "1.5/s"} <= set(each) for each in line)]
    assert row(report, 1, full=False)["requests/s"] == row(report, 1, full=True)["requests/s [95 %]"].split()[0] != "0"


def test_the_page_lists_all_requests_with_weights_and_of_secret_headers_the_names_alone() -> None:
    names = ("Authorization", "COOKIE", "X-Api-Key", "proxy-authorization", "X-Auth-Token")
    secret = Request(path="/me", headers=(*((name, "hush") for name in names), ("Accept", "text/html")))
    mix = (Asked(request=secret, weight=3), *(Asked(request=Request(path=f"/{number}")) for number in range(9)))
    page = to_markdown(replace(MIX, header=replace(MIX.header, apps=tuple(replace(app, mix=mix) for app in MIX.header.apps))))
    (grid,) = (table for table in tables(page) if table[0][0] == "request")
    assert grid[0] == ["request", "weight", "share", "headers"]
    assert grid[1] == ["GET /me", "3", "25 %", "; ".join((*(f"{name}: ..." for name in names), "Accept: text/html"))]
    assert grid[-1] == ["GET /8", "1", "8 %", "none"]
    assert len(grid) == 11
    assert "hush" not in page


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        (("h2load", "-H", "authorization: Bearer hush", "http://x"), ("h2load", "-H", "authorization: ...", "http://x")),
        (("--header=Cookie: a=hush",), ("--header=Cookie: ...",)),
        (("-H", "accept: */*", "--app", "auth.main:app"), ("-H", "accept: */*", "--app", "auth.main:app")),
        (("-H", "author: me", "-H", "x-author: me"), ("-H", "author: me", "-H", "x-author: me")),
    ],
)
def test_of_a_shown_command_secret_headers_are_told_by_their_names_alone(argv: tuple[str, ...], kept: tuple[str, ...]) -> None:
    assert without_header_values(argv) == kept


def test_secret_headers_that_were_not_kept_are_to_be_filled_in_again() -> None:
    words = ("pick", "--header", "Cookie: ...", "--env", "A=...")
    assert "Values of --env and secret headers are not shown" in pick_facts.left_out(replace(USUAL.header, argv=words))
    assert pick_facts.left_out(replace(USUAL.header, argv=("pick", "--header", "Accept: */*"))) == ""


def test_what_shows_an_effect_is_told_by_the_right_name() -> None:
    assert "(Bonferroni)" in to_markdown(USUAL)
    assert "Holm" not in to_markdown(USUAL)
