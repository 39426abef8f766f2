from __future__ import annotations

import json
import shlex
from dataclasses import replace

from servermatrix.model import Report, Table
from servermatrix.render.document import to_json
from servermatrix.render.markdown import to_markdown
from servermatrix.render.terminal import to_terminal
from tests.golden.claims_examples import OPEN_LOOP, OPEN_TABLE, opened
from tests.golden.markdown_reader import tables
from tests.golden.report_examples import ASYNCIO, GRANIAN, HEADER, RANKED, TABLE, UVLOOP, made_by

PACE = "open loop at 30 % of the slowest one's capacity, 3,000 requests/s"
HEADING = f"plaintext, HTTP/1.1, 1 worker, 64 connections, {PACE}, driven by builtin"


def of(*open_tables: Table) -> Report:
    return replace(OPEN_LOOP, tables=(TABLE, *open_tables))


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def test_the_title_names_the_rate() -> None:
    assert f"\n## {HEADING}\n" in to_markdown(OPEN_LOOP)
    assert f"\n{HEADING}\n" in to_terminal(OPEN_LOOP, width=200, colour=False)
    assert "open loop at 60 % of the slowest one's capacity, driven by builtin\n" in to_markdown(
        of(replace(OPEN_TABLE, rate_percent=60, rate_per_s=None))
    )
    assert "open loop" not in to_markdown(RANKED)


def test_its_columns_are_about_latency_and_its_rows_have_no_rank() -> None:
    head, *rows = tables(section(to_markdown(OPEN_LOOP), HEADING))[0]
    assert head[:7] == ["server", "rate kept", "p50 ms", "p99 ms", "p99.9 ms", "p99 ms by start", "CPU us/request"]
    assert head[-2:] == ["flags", "rounds ok"]
    assert {"rank", "group", "requests/s", "limited by"}.isdisjoint(head)
    assert rows[0][:7] == ["granian[loop=uvloop]", "100.0 %", "0.31", "0.91", "2.74", "0.87 to 0.96", "60.0"]
    assert rows[2][1:5] == ["80.4 %", "9.10", "412.00", "n/a"]


def test_a_rate_that_is_not_known_keeps_nothing() -> None:
    unknown = replace(OPEN_TABLE, rate_per_s=None, rows=tuple(replace(row, due_per_s=None) for row in OPEN_TABLE.rows))
    assert [row[1] for row in tables(to_markdown(of(unknown)))[2]] == ["rate kept", "n/a", "n/a", "n/a"]


def test_from_when_latency_counts_and_what_the_rate_is_are_said_under_it() -> None:
    said = (
        "Load: open loop, sent by builtin at a fixed rate, set by the row of the same comparison that serves least in a closed "
        "loop; latency counts from the time a request was due, whether or not it could be sent."
    )
    assert f"- {said}\n" in section(to_markdown(OPEN_LOOP), HEADING)
    assert said in to_terminal(OPEN_LOOP, width=300, colour=False)
    below = section(to_markdown(OPEN_LOOP), HEADING)
    assert "- Ordered by p99 and not ranked; CPU us per request is the Hodges-Lehmann estimate of 11 rounds.\n" in below
    assert "smallest difference" not in below
    assert "A rank is" not in below


def test_the_generator_of_an_open_loop_is_no_substitute_for_another() -> None:
    top = to_markdown(OPEN_LOOP).split("\n## ")[0]
    assert "builtin" not in top
    assert "builtin, not comparable" in to_markdown(made_by("builtin")).split("\n## ")[0]
    closed = replace(ASYNCIO, cell=replace(ASYNCIO.cell, load=replace(ASYNCIO.cell.load, generator="builtin")))
    both = replace(OPEN_LOOP, header=replace(OPEN_LOOP.header, cells=(*OPEN_LOOP.header.cells, closed)))
    assert "builtin, not comparable" in to_markdown(both).split("\n## ")[0]
    assert HEADER.generators == (("wrk", "4.1.0"),)


def test_a_row_is_made_again_with_the_row_whose_capacity_set_its_rate() -> None:
    lines = to_markdown(OPEN_LOOP).split("\n")
    (at,) = [number for number, line in enumerate(lines) if line == f"### {opened(GRANIAN).cell.id}"]
    again = next(shlex.split(line) for line in lines[at:] if line.startswith("python3 run_matrix.py run"))
    kept = [again[number + 1] for number, word in enumerate(again) if word == "-k"]
    assert kept == ["granian[loop=uvloop]/h1/w1/c64r30/plaintext", ASYNCIO.cell.id]


def test_the_row_that_set_a_rate_is_the_stored_one_whatever_came_out_slowest() -> None:
    rows = tuple(replace(row, paced_by=UVLOOP.cell.id) for row in OPEN_TABLE.rows)
    (again, *_) = [
        line for line in to_markdown(of(replace(OPEN_TABLE, rows=rows))).split("\n") if "c64r30" in line and " -k " in line
    ]
    assert UVLOOP.cell.id in again
    assert ASYNCIO.cell.id not in again


def test_a_row_of_which_nobody_knows_what_set_its_rate_is_made_again_alone() -> None:
    rows = tuple(replace(row, paced_by="") for row in OPEN_TABLE.rows)
    lines = to_markdown(of(replace(OPEN_TABLE, rows=rows))).split("\n")
    assert [line.count(" -k ") for line in lines if "c64r30" in line and " -k " in line] == [1, 1, 1]
    assert not [line for line in lines if "whose capacity set the rate" in line]


def test_the_rate_is_in_json() -> None:
    document = json.loads(to_json(OPEN_LOOP))
    assert [(table["rate_percent"], table["rate_per_s"]) for table in document["tables"]] == [(0, None), (30, 3_000.0)]
    cells = {cell["id"]: cell for cell in document["cells"]}
    assert cells[opened(GRANIAN).cell.id]["due_per_s"] == 3_000.0
    assert cells[opened(GRANIAN).cell.id]["load"]["rate_percent"] == 30
    assert cells[GRANIAN.cell.id]["due_per_s"] is None


def test_a_simulated_open_loop_says_that_it_is_one() -> None:
    table = replace(OPEN_TABLE, generator="fake")
    assert "- SIMULATED by the fake generator: no server was started.\n" in to_markdown(of(table))
    simulated = [
        replace(each, cell=replace(each.cell, load=replace(each.cell.load, generator="fake"))) for each in OPEN_LOOP.header.cells
    ]
    header = replace(OPEN_LOOP.header, cells=tuple(simulated), generators=(("fake", "1"),))
    assert "SIMULATED" in to_markdown(replace(OPEN_LOOP, header=header)).split("\n## ")[0]
