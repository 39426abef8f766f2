from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from servermatrix import cli
from servermatrix.errors import Exit
from servermatrix.model import NIGHT_SCHEMA
from servermatrix.store import history
from servermatrix.store.codec_night import encode_night
from tests.unit.night_values import A, B, night, told

Captured = pytest.CaptureFixture[str]
NOW = datetime.now(UTC).replace(microsecond=0)
YESTERDAY, BEFORE = NOW - timedelta(hours=26), NOW - timedelta(hours=50)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A history of two nights, of which one cell is only in the first."""
    history.append(tmp_path / "nights", night(0, [told(A), told(B)], at=BEFORE))
    history.append(tmp_path / "nights", night(1, [told(A)], at=YESTERDAY))
    return tmp_path / "nights"


def test_a_cell_that_stopped_reporting_ends_with_1(folder: Path, capsys: Captured) -> None:
    assert cli.guarded(["trend", str(folder)]) == Exit.REGRESSION
    out = capsys.readouterr().out
    assert out.startswith("trend: 2 cells over 2 nights, 0 change points, 1 stopped reporting\n")
    assert f"ALARM: {B} stopped reporting" in out


@pytest.mark.parametrize("words", [["-k", "uvicorn*"], ["--last", "1"], ["--since", f"{YESTERDAY:%Y-%m-%dT%H-%M-%SZ}-0001"]])
def test_what_was_removed_on_purpose_need_not_alarm(folder: Path, words: list[str]) -> None:
    assert cli.guarded(["trend", str(folder), *words]) == Exit.OK


def test_since_takes_a_date_and_a_time(folder: Path) -> None:
    assert cli.guarded(["trend", str(folder), "--since", f"{BEFORE - timedelta(days=1):%Y-%m-%d}"]) == Exit.REGRESSION
    assert cli.guarded(["trend", str(folder), "--since", f"{YESTERDAY:%Y-%m-%dT%H:%M:%S+00:00}"]) == Exit.OK


@pytest.mark.parametrize(
    ("age", "code"), [("1d", Exit.REGRESSION), ("25.5h", Exit.REGRESSION), ("2d", Exit.OK), ("27h", Exit.OK)]
)
def test_a_nightly_that_stopped_ends_with_1(folder: Path, capsys: Captured, age: str, code: Exit) -> None:
    assert cli.guarded(["trend", str(folder), "-k", "uvicorn*", "--max-age", age]) == code
    assert ("the nights have stopped" in capsys.readouterr().out) == (code != Exit.OK)


@pytest.mark.parametrize(
    "words", [["--max-age", "soon"], ["--max-age", "-3d"], ["--since", "yesterday"], ["--last", "0"], ["--since", "2026-13-01"]]
)
def test_what_cannot_be_meant_is_a_mistake_of_usage(folder: Path, words: list[str]) -> None:
    assert cli.guarded(["trend", str(folder), *words]) == Exit.USAGE


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_a_night_ends_with_5(tmp_path: Path, capsys: Captured, *, made: bool) -> None:
    folder = tmp_path / "nights"
    if made:
        folder.mkdir()
        (folder / "2026-11-22T03-00-00Z-aaaa.json").write_text('{"kind": "night", "sch')
    assert cli.guarded(["trend", str(folder)]) == Exit.NOTHING
    said = capsys.readouterr().err
    assert ("cut off" if made else "there is no such folder") in said
    assert "check --history DIR" in said


def test_a_selection_of_nothing_ends_with_5(folder: Path, capsys: Captured) -> None:
    assert cli.guarded(["trend", str(folder), "-k", "daphne*"]) == Exit.NOTHING
    assert "no cell of these nights matches daphne*" in capsys.readouterr().err
    assert cli.guarded(["trend", str(folder), "--since", "2999-01-01"]) == Exit.NOTHING
    assert "no night began since" in capsys.readouterr().err


def test_a_cell_of_simulated_nights_alone_is_nothing_to_choose(folder: Path) -> None:
    history.append(folder, replace(night(2, [told("daphne/h1")], at=NOW), simulated=True))
    assert cli.guarded(["trend", str(folder), "-k", "daphne*"]) == Exit.NOTHING


def test_a_folder_of_nights_still_to_come_ends_with_5(tmp_path: Path, capsys: Captured) -> None:
    history.append(tmp_path, night(0, at=NOW + timedelta(days=9)))
    assert cli.guarded(["trend", str(tmp_path)]) == Exit.NOTHING
    assert "still to come" in capsys.readouterr().err


def test_what_is_left_out_is_told_beside_the_trend(folder: Path, capsys: Captured) -> None:
    (folder / "notes.txt").write_text("x")
    newer = {**json.loads(encode_night(night(2, at=NOW))), "schema": NIGHT_SCHEMA + 1}
    (folder / "newer.json").write_text(json.dumps(newer))
    cli.guarded(["trend", str(folder), "--json"])
    seen = capsys.readouterr()
    document = json.loads(seen.out)
    assert len(document["nights"]) == 2
    assert len(document["notes"]) == 2
    assert [f"note: {note}" for note in document["notes"]] == seen.err.splitlines()
    assert "schema 2" in seen.err


def test_the_page_and_its_images_can_be_written_beside_the_nights(folder: Path, capsys: Captured) -> None:
    nights = {file.name: file.read_text() for file in folder.iterdir()}
    for _ in range(2):
        assert cli.guarded(["trend", str(folder), "--out", str(folder)]) == Exit.REGRESSION
        assert capsys.readouterr().err == ""
    written = {file.name: file.read_text() for file in folder.iterdir()}
    assert nights.items() <= written.items()
    assert sorted(name.rpartition(".")[2] for name in set(written) - set(nights)) == ["md", "svg", "svg"]
    assert all(name in written["trend.md"] for name in set(written) - set(nights) - {"trend.md"})


def test_a_page_that_cannot_be_written_ends_with_3(folder: Path, capsys: Captured) -> None:
    assert cli.guarded(["trend", str(folder), "--out", str(folder / next(folder.iterdir()).name / "x")]) == Exit.UNFIT
    assert "Name another folder" in capsys.readouterr().err


def test_an_output_that_cannot_take_every_sign_is_no_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr("sys.stdout", plain)
    assert cli.guarded(["trend", str(folder)]) == Exit.REGRESSION
    plain.flush()
    assert b"stopped reporting" in plain.buffer.getvalue()
