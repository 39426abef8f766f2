from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from servermatrix import store
from servermatrix.errors import Exit, NothingSelected, StoredRunUnreadable, Unfit
from servermatrix.model import (
    RUN_SCHEMA,
    App,
    Cause,
    Ceiling,
    Control,
    Decision,
    Failed,
    LoadStats,
    Measured,
    Pace,
    Skipped,
    Usage,
    Window,
    Wire,
)
from servermatrix.store.codec import Record, Resumed, decode, encode
from tests.full_disk import no_file_larger_than
from tests.golden.report_examples import HEADER, PROOF, UVLOOP

USAGE = Usage(
    wall_us=2_000_000,
    server_cpu_us=1_990_000,
    worker_cpu_us=(1_990_000,),
    generator_cpu_us=700_000,
    own_cpu_us=4_000,
    pss_bytes=31_457_280,
    foreign_cpu=0.02,
    steal=0.0,
)
STATS = LoadStats(requests=42_000, duration_us=2_000_000, histogram=((430, 30_000), (812, 12_000)))
MEASURED = Measured(
    cell_id=UVLOOP.cell.id,
    round=1,
    started_at="2026-11-22T15:30:02+00:00",
    startup_s=0.41,
    windows=(Window(stats=STATS, usage=USAGE),),
)
FAILED = Failed(cell_id="b", round=1, started_at="", cause=Cause.SERVER, reason="it ended with code 1", log="logs/b.log")
SKIPPED = Skipped(cell_id="b", round=2, started_at="", reason="it failed in round 1")
# Simulated runs as a servermatrix of that schema stored them.
SCHEMA_1, SCHEMA_2, SCHEMA_3 = (Path(__file__).parents[1] / "golden" / f"schema_{number}" for number in (1, 2, 3))
CEILING = Ceiling(generator="wrk", protocol="h1", threads=1, requests_per_s=81_234.5, cpu_us_per_request=12.25)
PACE = Pace(cell_id="b/h1/w1/c64r30/plaintext", rate_per_s=6_123.4, slowest="b")
DECISION = Decision(round=6, alpha=0.01, dropped=(("b", "shown to be slower than a"),), stopped="all is told apart")
NOON = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)


def stored(out: Path, *records: Record) -> Path:
    with store.open_run(out, HEADER) as writer:
        for record in records:
            writer.append(record)
    return writer.folder


def run_file(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / store.RUN_FILE).write_text(text, encoding="utf-8")
    return folder


def test_a_run_is_read_back_as_it_was_stored(tmp_path: Path) -> None:
    folder = stored(tmp_path / "reports", PROOF, MEASURED, FAILED, SKIPPED)
    run = store.read_run(folder)
    assert (run.header, run.proofs, run.samples) == (HEADER, (PROOF,), (MEASURED, FAILED, SKIPPED))
    assert run == store.read_run(folder / store.RUN_FILE)


def test_each_line_says_of_what_kind_it_is(tmp_path: Path) -> None:
    folder = stored(tmp_path, PROOF, MEASURED, FAILED, SKIPPED, Resumed(started_at="", argv=()))
    kinds = [json.loads(line)["kind"] for line in (folder / store.RUN_FILE).read_text().splitlines()]
    assert kinds == ["header", "proof", "measured", "failed", "skipped", "resumed"]


def test_what_is_settled_on_the_way_is_read_back_beside_the_samples(tmp_path: Path) -> None:
    folder = stored(tmp_path, CEILING, PROOF, MEASURED, DECISION, PACE, SKIPPED)
    kinds = [json.loads(line)["kind"] for line in (folder / store.RUN_FILE).read_text().splitlines()]
    assert kinds == ["header", "ceiling", "proof", "measured", "decision", "pace", "skipped"]
    run = store.read_run(folder)
    assert (run.ceilings, run.decisions, run.paces) == ((CEILING,), (DECISION,), (PACE,))
    assert run.samples == (MEASURED, SKIPPED)
    assert run == store.assemble(HEADER, (CEILING, PROOF, MEASURED, DECISION, PACE, SKIPPED))


def test_a_histogram_is_stored_as_compact_pairs() -> None:
    assert '"histogram":[[430,30000],[812,12000]]' in encode(MEASURED)


def test_a_record_is_on_the_disk_before_append_returns(tmp_path: Path) -> None:
    with store.open_run(tmp_path, HEADER) as writer:
        writer.append(MEASURED)
        assert store.read_run(writer.folder).samples == (MEASURED,)


def test_that_a_run_was_resumed_changes_no_sample(tmp_path: Path) -> None:
    folder = stored(tmp_path, MEASURED)
    with store.reopen_run(folder) as writer:
        writer.append(Resumed(started_at="2026-11-22T16:00:00Z", argv=("run", "--resume", "latest")))
        writer.append(FAILED)
    assert store.read_run(folder).samples == (MEASURED, FAILED)


def test_fields_added_later_have_defaults_in_older_files() -> None:
    line = json.loads(encode(MEASURED))
    for name in ("statuses", "errors", "bytes_read", "due", "unanswered"):
        del line["windows"][0]["stats"][name]
    for name in (
        *("throttled_us", "involuntary_switches"),
        *("worker_connections", "pss_before_bytes", "log_bytes", "connects"),
    ):
        del line["windows"][0]["usage"][name]
    del line["windows"][0]["discarded"], line["wire"]
    assert decode(json.dumps(line)) == MEASURED
    header = json.loads(encode(HEADER))
    for name in ("apps", "settings", "equalised", "looks", "budget_s"):
        del header[name]
    for planned in header["cells"]:
        del planned["cell"]["duplicate"], planned["cell"]["load"]["rate_percent"]
    assert decode(json.dumps(header)) == HEADER


def test_a_run_of_schema_1_is_read_with_what_was_not_stored_then_as_it_was_then() -> None:
    run = store.read_run(SCHEMA_1)
    header = run.header
    assert (header.schema, header.generators, header.equalised) == (1, (("fake", "1"),), ())
    cells = [planned.cell for planned in header.cells]
    assert {(cell.interface, cell.python, cell.requires) for cell in cells} == {("asgi", "", ())}
    assert {(cell.load.streams, cell.load.requests_per_connection) for cell in cells} == {(1, 0)}
    assert {sample.cell_id for sample in run.samples} == {cell.id for cell in cells}
    assert {sample.wire for sample in run.samples if isinstance(sample, Measured)} == {None}
    assert [(proof.interface, proof.tls) for proof in run.proofs] == [("asgi", "")]
    assert [app.twins for app in header.apps] == [()]


def test_a_run_of_schema_2_is_read_with_what_was_not_stored_then_as_it_was_then() -> None:
    run = store.read_run(SCHEMA_2)
    header = run.header
    assert (header.schema, header.generators, header.looks, header.budget_s) == (2, (("fake", "1"),), (), 0)
    cells = [planned.cell for planned in header.cells]
    assert {(cell.duplicate, cell.load.rate_percent) for cell in cells} == {(False, 0)}
    assert {cell.load.streams for cell in cells} == {1, 10}
    assert (run.ceilings, run.paces, run.decisions) == ((), (), ())
    assert run.complete
    assert run.steps_planned == len(run.samples) == 6
    assert [app.control for app in header.apps] == [None]
    windows = [window for sample in run.samples if isinstance(sample, Measured) for window in sample.windows]
    assert {(window.stats.due, window.stats.unanswered) for window in windows} == {(0, 0)}
    usages = [window.usage for window in windows]
    assert {(each.worker_connections, each.pss_before_bytes, each.log_bytes, each.connects) for each in usages} == {
        ((), None, 0, None)
    }
    assert Wire(head_bytes=119, body_bytes=13, framing="content-length") in {
        sample.wire for sample in run.samples if isinstance(sample, Measured)
    }


def test_a_run_of_schema_3_is_read_with_what_was_not_stored_then_as_it_was_then() -> None:
    run = store.read_run(SCHEMA_3)
    header = run.header
    assert (header.schema, header.trial, header.budget_s) == (3, None, 120)
    assert [(look.round, look.alpha) for look in header.looks] == [(8, 0.01), (12, 0.04)]
    cells = [planned.cell for planned in header.cells]
    assert {(cell.side, cell.pair == cell.id) for cell in cells} == {("", True)}
    kinds = sorted((cell.duplicate, cell.load.rate_percent) for cell in cells)
    assert kinds == [(False, 0), (False, 0), (False, 30), (False, 30), (True, 0)]
    assert [(one.generator, one.requests_per_s) for one in run.ceilings] == [("fake", 61000.5)]
    assert [pace.rate_per_s for pace in run.paces] == [5998.65] * 2
    assert [(one.round, bool(one.stopped)) for one in run.decisions] == [(8, True)]


@pytest.mark.parametrize("folder", [SCHEMA_1, SCHEMA_2, SCHEMA_3])
def test_a_run_of_an_older_schema_is_gone_on_with_as_it_was_stored(tmp_path: Path, folder: Path) -> None:
    text = (folder / store.RUN_FILE).read_text()
    here = run_file(tmp_path, text)
    with store.reopen_run(here) as writer:
        writer.append(SKIPPED)
    assert (here / store.RUN_FILE).read_text().startswith(text)
    assert store.read_run(here).samples == (*store.read_run(folder).samples, SKIPPED)


@pytest.mark.parametrize("key", ["generator", "generator_version"])
def test_a_header_of_schema_1_without_its_generator_is_damaged(key: str) -> None:
    header = json.loads((SCHEMA_1 / store.RUN_FILE).read_text().splitlines()[0])
    del header[key]
    with pytest.raises(ValueError, match=key):
        decode(json.dumps(header))


def test_a_header_of_today_does_without_the_keys_of_schema_1() -> None:
    header = json.loads(encode(replace(HEADER, generators=(("wrk", "4.1.0"), ("h2load", "")))))
    assert header["generators"] == [["wrk", "4.1.0"], ["h2load", ""]]
    assert header["schema"] == RUN_SCHEMA == 4
    del header["generators"]
    for schema in (2, 3, 4):
        with pytest.raises(ValueError, match="generators"):
            decode(json.dumps({**header, "schema": schema, "generator": "wrk", "generator_version": "4.1.0"}))


def test_what_an_answer_was_on_the_wire_is_stored() -> None:
    measured = replace(MEASURED, wire=Wire(head_bytes=119, body_bytes=13, framing="chunked"))
    assert '"wire":{"head_bytes":119,"body_bytes":13,"framing":"chunked"}' in encode(measured)
    assert decode(encode(measured)) == measured


def test_the_apps_of_a_run_are_stored_with_what_is_asked_and_expected() -> None:
    header = replace(HEADER, apps=(App(name="mine", target="mine:app", folder="/srv"),), settings=(("pin", "on"),))
    assert decode(encode(header)) == header


def test_what_is_known_of_an_app_before_it_is_measured_is_stored_with_it() -> None:
    known = Control(holds="threads", seconds=0.1, threads=40, burns=0.2, beyond="json")
    header = replace(HEADER, apps=(App(name="slow", target="slow:app", folder=".", control=known),))
    assert decode(encode(header)) == header


@pytest.mark.parametrize(
    "record",
    [
        replace(MEASURED, startup_s=float("nan")),
        replace(CEILING, requests_per_s=float("inf")),
        replace(PACE, rate_per_s=float("nan")),
    ],
)
def test_a_number_that_is_not_finite_is_not_stored(record: Record) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        encode(record)


@pytest.mark.parametrize(
    "line", ['{"kind":"amended"}', "NaN", '{"kind":"skipped","cell_id":"b","round":true}', "[]", "{}", "[" * 99_999]
)
def test_a_line_that_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode(line)


def test_no_number_is_read_from_the_names_that_python_gives_to_what_is_none() -> None:
    with pytest.raises(ValueError, match="NaN is no number"):
        decode(encode(MEASURED).replace("0.41", "NaN"))


@pytest.mark.parametrize("tail", ['{"kind":"measured","cell_', '{"kind":"measured","cell_\n', "\x00\x00\x00", "{}\n"])
def test_a_torn_last_line_is_ignored_and_cut_off_when_the_run_goes_on(tmp_path: Path, tail: str) -> None:
    folder = stored(tmp_path, MEASURED)
    with (folder / store.RUN_FILE).open("a") as file:
        file.write(tail)
    assert store.read_run(folder).samples == (MEASURED,)
    with store.reopen_run(folder) as writer:
        writer.append(FAILED)
    assert store.read_run(folder).samples == (MEASURED, FAILED)


def test_a_whole_last_line_without_its_line_end_counts_and_is_ended_when_the_run_goes_on(tmp_path: Path) -> None:
    folder = run_file(tmp_path, f"{encode(HEADER)}\n{encode(MEASURED)}")
    assert store.read_run(folder).samples == (MEASURED,)
    with store.reopen_run(folder) as writer:
        writer.append(FAILED)
    assert store.read_run(folder).samples == (MEASURED, FAILED)


def test_blank_lines_at_the_end_do_not_damage_a_run_that_goes_on(tmp_path: Path) -> None:
    folder = run_file(tmp_path, f"{encode(HEADER)}\n{encode(MEASURED)}\n\n\n")
    with store.reopen_run(folder) as writer:
        writer.append(FAILED)
    assert store.read_run(folder).samples == (MEASURED, FAILED)


def test_damage_before_the_last_line_is_named_with_its_line_number(tmp_path: Path) -> None:
    folder = run_file(tmp_path, f"{encode(HEADER)}\n{encode(MEASURED)[:50]}\n{encode(FAILED)}\n")
    with pytest.raises(StoredRunUnreadable, match=r"run\.jsonl: line 2 is damaged") as caught:
        store.read_run(folder)
    assert "head -n 1" in caught.value.tip
    assert caught.value.exit_code is Exit.USAGE


@pytest.mark.parametrize("text", ["", "\n", encode(MEASURED), f"{encode(MEASURED)}\n{encode(HEADER)}\n", encode(HEADER)[:-1]])
def test_a_file_that_does_not_begin_with_a_header_is_no_run(tmp_path: Path, text: str) -> None:
    with pytest.raises(StoredRunUnreadable, match="the header is missing"):
        store.read_run(run_file(tmp_path, text))


def test_two_runs_in_one_file_are_not_taken_for_one(tmp_path: Path) -> None:
    with pytest.raises(StoredRunUnreadable, match="a second header"):
        store.read_run(run_file(tmp_path, f"{encode(HEADER)}\n{encode(MEASURED)}\n{encode(HEADER)}\n"))


@pytest.mark.parametrize(
    ("spoil", "writer"),
    [
        ({}, "the one that wrote it (1.0.0)."),
        ({"versions": "unknown"}, "the one that wrote it."),
        ({"versions": [["servermatrix", "9.1"]], "cells": "of another shape"}, "the one that wrote it (9.1)."),
    ],
)
def test_a_run_of_a_newer_schema_says_which_version_reads_it(tmp_path: Path, spoil: dict[str, object], writer: str) -> None:
    line = json.dumps({**json.loads(encode(HEADER)), "schema": RUN_SCHEMA + 1, **spoil})
    with pytest.raises(StoredRunUnreadable, match=rf"run\.jsonl: the run is stored in schema {RUN_SCHEMA + 1}") as caught:
        store.read_run(run_file(tmp_path, line + "\n"))
    assert f"schema {RUN_SCHEMA + 1}, such as {writer}" in caught.value.tip


def test_a_path_without_a_run_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoredRunUnreadable, match=r"run\.jsonl: cannot be read: No such file"):
        store.read_run(tmp_path)


@pytest.mark.parametrize("on", [True, False])
def test_reading_leaves_the_collector_as_it_was(tmp_path: Path, on: bool) -> None:  # noqa: FBT001 - a case
    folder = stored(tmp_path)
    try:
        (gc.enable if on else gc.disable)()
        store.read_run(folder)
        assert gc.isenabled() is on
    finally:
        gc.enable()


def test_a_run_id_is_its_start_in_utc() -> None:
    assert store.new_run_id(NOON, "1a2b") == "2026-11-22T15-30-00Z-1a2b"
    assert store.new_run_id(NOON.astimezone(timezone(timedelta(hours=-8))), "1a2b") == "2026-11-22T15-30-00Z-1a2b"


def test_run_ids_sort_by_time() -> None:
    later = [store.new_run_id(NOON + timedelta(seconds=step), "0000") for step in (0, 1, 60, 86_400, 40_000_000)]
    assert later == sorted(later)


def test_a_run_is_found_by_latest_by_id_by_folder_and_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("reports")
    old, new = (run_file(out / name, "") for name in ("2026-01-01T00-00-00Z-ffff", "2026-11-22T15-30-00Z-1a2b"))
    run_file(out / "renamed", "")
    (out / "2027-01-01T00-00-00Z-0000").mkdir()
    Path("kept.jsonl").touch()
    assert store.find_run("latest", out) == new
    assert store.find_run(old.name, out) == old
    assert store.find_run(str(old), out) == old
    assert store.find_run(str(old / "run.jsonl"), out) == old
    assert store.find_run("kept.jsonl", out) == Path("kept.jsonl")


def test_of_two_runs_of_one_second_the_latest_is_the_one_that_was_written_to_last(tmp_path: Path) -> None:
    first, second = (run_file(tmp_path / f"2026-11-22T15-30-00Z-{name}", "") for name in ("ffff", "0000"))
    for number, folder in enumerate((first, second)):
        os.utime(folder / "run.jsonl", ns=(number, number))
    assert store.find_run("latest", tmp_path) == second


def test_a_renamed_run_is_the_latest_when_it_is_the_only_one(tmp_path: Path) -> None:
    base = run_file(tmp_path / "base", "")
    assert store.find_run("latest", tmp_path) == base


@pytest.mark.parametrize("name", ["latest", "2026", "no/such", "x" * 5_000])
def test_nothing_stored_is_told_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(NothingSelected) as caught:
        store.find_run(name, tmp_path / "reports")
    assert "python3 run_matrix.py run" in caught.value.tip
    assert caught.value.exit_code is Exit.NOTHING


def test_a_name_that_is_not_stored_is_answered_with_the_newest_that_are(tmp_path: Path) -> None:
    for day in range(1, 6):
        run_file(tmp_path / f"2026-01-0{day}T00-00-00Z-0000", "")
    with pytest.raises(NothingSelected, match="nightly: no stored run has this name") as caught:
        store.find_run("nightly", tmp_path)
    days = [f"2026-01-0{day}T00-00-00Z-0000" for day in (5, 4, 3)]
    assert caught.value.tip == f"Newest of the 5 stored: {', '.join(days)}; `latest` names the newest."


def test_a_run_is_never_stored_over_another(tmp_path: Path) -> None:
    folder = stored(tmp_path, MEASURED)
    with pytest.raises(Unfit, match="File exists"):
        store.open_run(tmp_path, HEADER)
    assert store.read_run(folder).samples == (MEASURED,)


def test_a_disk_that_fills_up_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    with store.open_run(tmp_path, HEADER) as writer:
        writer.append(MEASURED)
        size = (writer.folder / store.RUN_FILE).stat().st_size
        with no_file_larger_than(size + 20), pytest.raises(Unfit, match=r"cannot write to .*run\.jsonl: .*too large") as caught:
            writer.append(FAILED)
        assert "--out DIR" in caught.value.tip
        assert (writer.folder / store.RUN_FILE).stat().st_size == size
        writer.append(SKIPPED)
    assert store.read_run(writer.folder).samples == (MEASURED, SKIPPED)


def test_a_run_whose_header_cannot_be_stored_leaves_nothing_behind(tmp_path: Path) -> None:
    with no_file_larger_than(20), pytest.raises(Unfit, match="cannot write"):
        store.open_run(tmp_path, HEADER)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_gone_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="No such file"):
        store.reopen_run(tmp_path)


def test_a_run_that_cannot_be_mended_is_left_as_it_is(tmp_path: Path) -> None:
    folder = run_file(tmp_path, f"{encode(HEADER)}\n{encode(MEASURED)}")
    size = (folder / store.RUN_FILE).stat().st_size
    with no_file_larger_than(size), pytest.raises(Unfit, match="cannot go on with"):
        store.reopen_run(folder)
    assert store.read_run(folder).samples == (MEASURED,)


@pytest.mark.parametrize("expected", [0, 1, 3 * 2**20, 2**40])
def test_room_is_proven_and_given_back(tmp_path: Path, expected: int) -> None:
    out = tmp_path / "deep" / "reports"
    store.check_room(out, expected)
    assert list(out.iterdir()) == []


def test_a_disk_without_room_is_found_before_the_load(tmp_path: Path) -> None:
    store.check_room(tmp_path, 2**20)
    with no_file_larger_than(2**20), pytest.raises(Unfit, match="too large") as caught:
        store.check_room(tmp_path, 2**21)
    assert caught.value.exit_code is Exit.UNFIT
    assert list(tmp_path.iterdir()) == []


def test_where_room_cannot_be_reserved_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    store.check_room(tmp_path, 2**21)
    with no_file_larger_than(2**20), pytest.raises(Unfit, match="too large"):
        store.check_room(tmp_path, 2**21)
    assert list(tmp_path.iterdir()) == []


def test_a_reports_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    with pytest.raises(Unfit, match="File exists") as caught:
        store.check_room(tmp_path / "reports", 0)
    assert "move it away" in caught.value.tip
    with pytest.raises(Unfit, match="Not a directory"):
        store.check_room(tmp_path / "reports" / "deeper", 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_folder_that_not_even_root_may_write_to_is_refused() -> None:
    with pytest.raises(Unfit, match=r"cannot write reports into /proc/reports"):
        store.check_room(Path("/proc/reports"), 0)


def test_a_second_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    with store.locked(tmp_path), pytest.raises(Unfit, match="another run is measuring into") as caught, store.locked(tmp_path):
        pass
    assert "Wait" in caught.value.tip
    with store.locked(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_the_lock_is_gone_when_the_run_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with store.locked(tmp_path / "new"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.locked(tmp_path / "new"):
        pass


def test_the_lock_of_a_killed_run_is_gone(tmp_path: Path) -> None:
    program = """
import pathlib, sys, time
from servermatrix.store import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Unfit, match="another run"), store.locked(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with store.locked(tmp_path):
            pass


def test_a_folder_that_cannot_be_opened_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unfit, match="cannot open"), store.locked(tmp_path / "file"):
        pass


def test_a_report_replaces_the_one_before_it_as_a_whole(tmp_path: Path) -> None:
    store.write_report(tmp_path, "report.md", "old")
    with (tmp_path / "report.md").open() as reader:
        store.write_report(tmp_path, "report.md", "new é\n")
        assert reader.read() == "old"
    assert (tmp_path / "report.md").read_bytes() == "new é\n".encode()
    assert [file.name for file in tmp_path.iterdir()] == ["report.md"]


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    store.write_report(tmp_path, "report.md", "old")
    with no_file_larger_than(100), pytest.raises(Unfit, match=r"cannot write .*report\.md"):
        store.write_report(tmp_path, "report.md", "x" * 1_000)
    assert (tmp_path / "report.md").read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.md"]


def test_a_lone_surrogate_does_not_lose_the_report(tmp_path: Path) -> None:
    store.write_report(tmp_path, "report.md", "name \udcff")
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == "name \\udcff"


def test_the_reports_of_a_run_become_the_latest(tmp_path: Path) -> None:
    folder = stored(tmp_path)
    for name in ("report.md", "report.json"):
        store.write_report(folder, name, name)
    store.publish(tmp_path, folder)
    assert [(tmp_path / name).read_text() for name in ("latest.md", "latest.json")] == ["report.md", "report.json"]


def test_a_run_without_reports_publishes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=r"cannot read .*report\.md"):
        store.publish(tmp_path, stored(tmp_path))
