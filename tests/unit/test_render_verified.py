"""What `verify` prints: a line per start, tables by server, the page and the document, from values."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from servermatrix.model import Cell, Load, Proof, Validity, Verified
from servermatrix.render.verified import line, summary, to_json, to_markdown, to_text

LOAD = Load(generator="wrk", connections=64, threads=1, duration_s=1, warmup_s=0, windows=1)
CELL = Cell(
    server="uvicorn",
    options=(("http", "zttp"), ("loop", "uvloop")),
    label="http=zttp,loop=uvloop",
    protocol="h2",
    workers=1,
    app="plaintext",
    load=LOAD,
    python="3.13",
    requires=("uvicorn==0.54.0",),
)
PROOF = Proof(
    key="uvicorn[http=zttp,loop=uvloop]/h2/w1",
    loop="uvloop.Loop",
    http="zttp_h2_impl.Stream",
    http_version="2",
    workers=1,
    python="3.13.0",
    versions=(("uvicorn", "0.54.0"), ("zttp", "0.0.35")),
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
)
GOOD = Verified(cell=CELL, validity=Validity.VALID, reason="", proof=PROOF, ready_s=0.151, exit_code=-15, stop_s=0.209, left="")
TWO = replace(GOOD, cell=replace(CELL, workers=2), proof=replace(PROOF, workers=2), ready_s=0.28, exit_code=0, stop_s=1.4)
BAD = Verified(
    cell=replace(CELL, workers=2, protocol="h1", python="", requires=()),
    validity=Validity.FAILED,
    reason="the server exited with code 3\nbefore it answered | really",
    exit_code=3,
    stop_s=0.0,
)
LOST = Verified(cell=replace(BAD.cell, server="daphne"), validity=Validity.MISSING, reason="daphne is not installed; type: x")
REFUSED = Verified(
    cell=replace(BAD.cell, protocol="h2c"),
    validity=Validity.CONFIRMED,
    reason="not ready after 20 s",
    objection="uvicorn speaks HTTP/2 by zttp alone",
    exit_code=1,
    stop_s=0.1,
)
WRONG = Verified(
    cell=replace(REFUSED.cell, workers=1),
    validity=Validity.REFUTED,
    reason="",
    objection=REFUSED.objection,
    proof=PROOF,
    ready_s=1.0,
)


def test_a_line_says_what_was_started_and_what_it_showed() -> None:
    setting = "uvicorn[http=zttp,loop=uvloop]"
    assert line(GOOD, 7, 120) == f"[  7/120] {setting}@3.13+uvicorn==0.54.0/h2/w1  valid, ready after 0.15 s"
    assert line(BAD, 8, 9) == (f"[8/9] {setting}/h1/w2  failed: the server exited with code 3 before it answered | really")
    assert line(WRONG, 9, 9) == f"[9/9] {setting}/h2c/w1  runs after all, ready after 1.00 s"


def test_a_summary_counts_every_outcome_that_there_was() -> None:
    assert summary([GOOD]) == "1 start: 1 valid"
    everything = [GOOD, TWO, BAD, LOST, REFUSED, WRONG]
    assert summary(everything) == "6 starts: 2 valid, 1 failed, 1 not installed, 1 confirmed, 1 runs after all"


def rows(text: str) -> list[list[str]]:
    """Take the tables apart; a pipe that is part of a value is escaped in them."""
    lines = [each for each in text.splitlines() if each.startswith("|") and not each.startswith("| -")]
    return [[cell.strip().replace("\\|", "|") for cell in each.strip("| ").split(" | ")] for each in lines]


def test_the_starts_of_one_setting_and_protocol_are_one_row_one_worker_before_two() -> None:
    header, row = rows(to_text([GOOD, TWO]))
    assert dict(zip(header, row, strict=True)) == {
        "setting": "uvicorn[http=zttp,loop=uvloop]@3.13+uvicorn==0.54.0",
        "protocol": "h2",
        "result": "valid",
        "loop": "uvloop.Loop",
        "http": "zttp_h2_impl.Stream",
        "TLS": "TLSv1.3 TLS_AES_256_GCM_SHA384",
        "ready s": "0.15 / 0.28",
        "exit code": "-15 / 0",
        "stop s": "0.21 / 1.40",
        "left": "nothing",
    }


def test_what_differs_between_one_worker_and_two_is_shown_of_both() -> None:
    leaving = replace(
        TWO,
        validity=Validity.FAILED,
        reason="left behind after the stop: process 7",
        left="process 7",
        proof=replace(PROOF, loop="other.Loop", tls=""),
    )
    header, row = rows(to_text([GOOD, leaving]))
    found = dict(zip(header, row, strict=True))
    assert found["result"] == "valid / failed (left behind after the stop: process 7)"
    assert (found["loop"], found["TLS"]) == ("uvloop.Loop / other.Loop", "TLSv1.3 TLS_AES_256_GCM_SHA384 / none")
    assert found["left"] == "nothing / process 7"


def test_a_start_that_showed_nothing_has_no_blank_cell() -> None:
    header, row = rows(to_text([LOST]))
    assert row[header.index("result")] == "not installed (daphne is not installed; type: x)"
    assert {row[header.index(name)] for name in ("loop", "http", "TLS", "ready s", "exit code", "stop s")} == {"n/a"}


def test_a_reason_of_several_lines_and_with_pipes_stays_in_its_cell() -> None:
    header, row = rows(to_text([BAD]))
    assert len(row) == len(header)
    assert row[2] == "failed (the server exited with code 3 before it answered | really)"


def test_each_server_has_its_table_and_what_is_excluded_comes_last() -> None:
    text = to_text([GOOD, LOST, REFUSED, WRONG])
    assert [each for each in text.splitlines() if each.startswith("#")] == [
        "# uvicorn",
        "# daphne",
        "# Excluded, and started nevertheless",
    ]
    _, _, _, _, header, confirmed, refuted = rows(text)
    assert dict(zip(header, confirmed, strict=True)) == {
        "setting": "uvicorn[http=zttp,loop=uvloop]",
        "protocol": "h2c",
        "workers": "2",
        "why it is excluded": "uvicorn speaks HTTP/2 by zttp alone",
        "result": "confirmed",
        "what happened": "not ready after 20 s",
    }
    assert refuted[-2:] == ["runs after all", "it ran as its label says"]
    assert text.splitlines()[-1] == "4 starts: 1 valid, 1 not installed, 1 confirmed, 1 runs after all"


def test_without_excluded_ones_there_is_no_table_of_them() -> None:
    assert "xcluded" not in to_text([GOOD, TWO, BAD])


def test_the_page_says_where_it_is_from_and_which_versions_ran() -> None:
    text = to_markdown([GOOD, replace(TWO, proof=replace(PROOF, python="3.11.7", versions=(("h11", "0.16.0"),)))])
    head, *_ = text.split("## uvicorn\n")
    assert head.startswith("# Servers: every combination, started\n\nWritten by `verify --excluded --markdown`; ")
    assert "\n\n2 starts: 2 valid. Python 3.11.7, Python 3.13.0, h11 0.16.0, uvicorn 0.54.0, zttp 0.0.35.\n\n" in head
    assert text.endswith("|\n")
    assert [row[1] for row in rows(text)] == ["protocol", "h2"]


@pytest.mark.parametrize("seen", [LOST, BAD])
def test_a_page_on_which_nothing_ran_names_no_version(seen: Verified) -> None:
    assert f"\n\n{summary([seen])}.\n\n## " in to_markdown([seen])


def test_the_document_has_a_start_per_entry_with_all_that_was_seen() -> None:
    document = json.loads(to_json([GOOD, REFUSED]))
    assert document["schema"] == 1
    good, refused = document["starts"]
    assert good == {
        "id": "uvicorn[http=zttp,loop=uvloop]@3.13+uvicorn==0.54.0/h2/w1",
        "server": "uvicorn",
        "options": {"http": "zttp", "loop": "uvloop"},
        "protocol": "h2",
        "workers": 1,
        "interface": "asgi",
        "python": "3.13",
        "requires": ["uvicorn==0.54.0"],
        "result": "valid",
        "reason": "",
        "objection": "",
        "proof": {
            "key": "uvicorn[http=zttp,loop=uvloop]/h2/w1",
            "loop": "uvloop.Loop",
            "http": "zttp_h2_impl.Stream",
            "http_version": "2",
            "workers": 1,
            "python": "3.13.0",
            "versions": {"uvicorn": "0.54.0", "zttp": "0.0.35"},
            "interface": "asgi",
            "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
        },
        "ready_s": 0.151,
        "exit_code": -15,
        "stop_s": 0.209,
        "left": "",
    }
    assert (refused["result"], refused["objection"]) == ("confirmed", "uvicorn speaks HTTP/2 by zttp alone")
    assert (refused["proof"], refused["ready_s"]) == (None, None)
