from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from servermatrix.errors import Unfit, UsageProblem
from servermatrix.model import NIGHT_SCHEMA, Excluded, Load
from servermatrix.store import history
from servermatrix.store.codec_night import decode_night, encode_night
from tests.full_disk import no_file_larger_than
from tests.unit.night_values import FIRST, XEON, A, B, night, told

LOAD = Load(generator="wrk", connections=64, threads=2, duration_s=5, warmup_s=1, windows=2)
DRIVEN = replace(told(A), generator="wrk 4.1.0", load=LOAD)
NIGHT = replace(
    night(1, [DRIVEN, told(B, rps=None, cpu=None)]), simulated=True, left_out=(Excluded(id="x/h1", reason="it cannot run"),)
)

# Several processes add the same night or nights of their own at the same moment; each says what came of it.
WRITER = """
import sys, time
from pathlib import Path
from servermatrix.errors import UsageProblem
from servermatrix.store import history
from servermatrix.store.codec_night import decode_night
folder, source, when = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
night = decode_night(source.read_bytes())
time.sleep(max(0.0, when - time.time()))
try:
    history.append(folder, night)
    print("stored")
except UsageProblem:
    print("refused")
"""


def text_of(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted(folder.iterdir())}


def test_a_night_is_read_back_as_it_was_stored(tmp_path: Path) -> None:
    path = history.append(tmp_path / "new" / "nights", NIGHT)
    assert path == tmp_path / "new" / "nights" / f"{NIGHT.id}.json"
    assert history.read(path.parent) == ((NIGHT,), ())
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_nights_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    made = [night(day) for day in (5, 1, 9, 3)]
    for one in made:
        history.append(tmp_path, one)
    found, told = history.read(tmp_path)
    assert [one.id for one in found] == sorted(one.id for one in made)
    assert told == ()


def test_the_same_night_again_changes_nothing(tmp_path: Path) -> None:
    path = history.append(tmp_path, NIGHT)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))  # as git may do
    before = path.read_bytes()
    assert history.append(tmp_path, NIGHT) == path
    assert path.read_bytes() == before


@pytest.mark.parametrize("there", ["", "{", "not json", encode_night(night(1, [told(rps=0.5)]))])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    path = tmp_path / f"{NIGHT.id}.json"
    path.write_text(there)
    with pytest.raises(UsageProblem, match="nothing in a history is overwritten"):
        history.append(tmp_path, NIGHT)
    assert text_of(tmp_path) == {path.name: there}


@pytest.mark.parametrize("name", ["", "../elsewhere", "a/b", ".hidden", "x" * 300, "a\0b", "a\n"])
def test_a_night_whose_id_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageProblem, match="cannot be the name"):
        history.append(tmp_path / "nights", replace(NIGHT, id=name))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_part_of_a_night(tmp_path: Path) -> None:
    history.append(tmp_path, night(0))
    before = text_of(tmp_path)
    with no_file_larger_than(100), pytest.raises(Unfit, match="cannot store the night"):
        history.append(tmp_path, NIGHT)
    assert text_of(tmp_path) == before
    history.append(tmp_path, NIGHT)


def test_a_folder_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unfit, match="cannot store the night"):
        history.append(tmp_path / "file" / "nights", NIGHT)
    with pytest.raises(Unfit, match="cannot read the history"):
        history.read(tmp_path / "file")


def without_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", without_links)
    history.append(tmp_path, NIGHT)
    with pytest.raises(UsageProblem, match="overwritten"):
        history.append(tmp_path, replace(NIGHT, detectable=0.5))
    assert history.read(tmp_path) == ((NIGHT,), ())
    assert [file.name for file in tmp_path.iterdir()] == [f"{NIGHT.id}.json"]


def test_a_disk_that_is_full_in_the_last_moment_leaves_no_part_of_a_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as full:

        def link(*_: object, **__: object) -> None:
            full.enter_context(no_file_larger_than(100))
            without_links()

        monkeypatch.setattr(os, "link", link)
        with pytest.raises(Unfit, match="cannot store the night"):
            history.append(tmp_path, NIGHT)
    assert not list(tmp_path.iterdir())


def test_two_threads_of_one_process_do_not_disturb_each_other(tmp_path: Path) -> None:
    made = [night(day) for day in range(8)] * 4
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda one: history.append(tmp_path, one), made))
    assert len(set(paths)) == 8
    assert len(history.read(tmp_path)[0]) == len(list(tmp_path.iterdir())) == 8


def test_of_many_processes_with_one_id_one_writes_and_the_others_are_told(tmp_path: Path) -> None:
    folder, when = tmp_path / "nights", time.time() + 1.5
    sources = [tmp_path / f"source{number}" for number in range(4)]
    for number, source in enumerate(sources):
        source.write_text(encode_night(replace(NIGHT, detectable=0.01 * (number + 1))))
    argv = [sys.executable, "-c", WRITER, str(folder)]
    root = str(Path(__file__).parents[2])
    writers = [
        subprocess.Popen(
            [*argv, str(source), str(when)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
        )
        for source in sources
    ]
    said = [writer.communicate(timeout=30)[0].strip() for writer in writers]
    assert sorted(said) == ["refused", "refused", "refused", "stored"]
    winner = sources[said.index("stored")]
    assert text_of(folder) == {f"{NIGHT.id}.json": winner.read_text()}


def only(folder: Path, content: str | bytes, name: str = "2026-11-02T03-00-00Z-aaaa.json") -> str:
    """Read a folder with a good night and this file; return what is said of it."""
    history.append(folder, night(0))
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    found, (told,) = history.read(folder)
    assert [one.id for one in found] == [night(0).id]
    assert (folder / name).read_bytes() == data
    assert name in told
    return told


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_a_night_that_was_cut_off_is_told_and_left_out(tmp_path: Path, share: float) -> None:
    whole = encode_night(NIGHT)
    assert "cut off" in only(tmp_path, whole[: int(share * len(whole))])


def test_an_empty_file_is_told_and_left_out(tmp_path: Path) -> None:
    assert "it is empty, as a night that was cut off leaves it" in only(tmp_path, " \n")


def test_what_git_leaves_of_a_conflict_is_told_and_left_out(tmp_path: Path) -> None:
    assert "no whole JSON" in only(tmp_path, f"<<<<<<< HEAD\n{encode_night(NIGHT)}=======\n>>>>>>> other\n")


def test_a_night_of_a_newer_schema_is_told_with_both_numbers(tmp_path: Path) -> None:
    newer = {**json.loads(encode_night(NIGHT)), "schema": NIGHT_SCHEMA + 1, "cells": "kept elsewhere"}
    said = only(tmp_path, json.dumps(newer))
    assert f"schema {NIGHT_SCHEMA + 1}" in said
    assert f"up to {NIGHT_SCHEMA}; update it" in said


@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"kind": "header"}', '"night"', "null"])
def test_json_of_something_else_is_told_and_left_out(tmp_path: Path, content: str) -> None:
    assert "it is no night of a history" in only(tmp_path, content)


def test_what_is_no_text_is_told_and_left_out(tmp_path: Path) -> None:
    assert "it is not text in UTF-8" in only(tmp_path, b"\xff\xfe\x00")
    assert "no whole JSON" in only(tmp_path / "deep", "[" * 100_000)


def spoilt(path: list[str | int], value: object) -> str:
    raw = json.loads(encode_night(NIGHT))
    at = raw
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(raw)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["id"], 3),
        (["hosts"], {}),
        (["started_at"], "yesterday"),
        (["started_at"], "2026-11-01T03:00:00"),
        (["trial"], {}),
        (["trial", "margin"], -2),
        (["schema"], "1"),
        (["cells", 0, "change"], "worse"),
        (["cells", 0, "rps", "value"], 0),
        (["cells", 0, "rps", "value"], 1e300),
        (["cells", 0, "rps", "low"], -1),
        (["cells", 0, "cpu", "n"], 2.5),
        (["cells", 0, "host"], 1),
        (["cells", 0, "load"], 3),
        (["cells", 0, "load", "threads"], "two"),
        (["simulated"], 1),
        (["cells", 1, "pair"], A),
    ],
)
def test_damage_is_told_and_left_out(tmp_path: Path, path: list[str | int], value: object) -> None:
    assert "left out" in only(tmp_path, spoilt(path, value))


def test_a_number_that_is_none_is_damage(tmp_path: Path) -> None:
    assert "NaN is no number" in only(tmp_path, encode_night(NIGHT).replace("0.038", "NaN"))


def test_keys_of_later_versions_are_ignored() -> None:
    raw = json.loads(encode_night(NIGHT))
    raw["weather"] = raw["cells"][0]["weather"] = "rain"
    assert decode_night(json.dumps(raw).encode()) == NIGHT
    del raw["left_out"], raw["detectable"], raw["simulated"]
    del raw["cells"][0]["host"], raw["cells"][0]["generator"], raw["cells"][0]["load"]
    plain = replace(NIGHT, left_out=(), detectable=None, simulated=False, cells=(told(A), NIGHT.cells[1]))
    assert decode_night(json.dumps(raw).encode()) == plain


def test_a_copied_night_counts_once(tmp_path: Path) -> None:
    path = history.append(tmp_path, NIGHT)
    shutil.copy(path, tmp_path / "a copy.json")
    found, (said,) = history.read(tmp_path)
    assert found == (NIGHT,)
    assert said == f"a copy.json is left out: it is the same night as {path.name}"


def test_of_two_nights_with_one_id_the_one_whose_file_has_its_name_counts(tmp_path: Path) -> None:
    path = history.append(tmp_path, NIGHT)
    (tmp_path / "0.json").write_text(encode_night(replace(NIGHT, hosts=(XEON,))))
    found, (said,) = history.read(tmp_path)
    assert found == (NIGHT,)
    assert said == f"0.json is left out: it is another night under the same id, {NIGHT.id}, as {path.name}"


def test_foreign_files_are_named_once_and_left_alone(tmp_path: Path) -> None:
    history.append(tmp_path, NIGHT)
    for name in ("README.md", "trend.md", "trend-a-1.svg", ".gitattributes", "a.csv", "b.csv", "c.csv", "d.csv", "e.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "2026.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    found, (said,) = history.read(tmp_path)
    assert found == (NIGHT,)
    assert said == "left alone, for a night ends in .json: a.csv, b.csv, c.csv and 2 more"


def test_what_a_killed_writer_left_is_no_night(tmp_path: Path) -> None:
    path = history.append(tmp_path, NIGHT)
    for share in (0, 20, None):
        (tmp_path / f".{night(2).id}.json-{share}").write_text(path.read_text()[:share])
    assert history.read(tmp_path) == ((NIGHT,), ())
    assert list(tmp_path.glob("*.json")) == [path]  # what is pushed and fetched


def test_a_folder_that_is_not_there_holds_no_night(tmp_path: Path) -> None:
    found, (said,) = history.read(tmp_path / "missing")
    assert found == ()
    assert "there is no such folder" in said
    (tmp_path / "empty").mkdir()
    assert history.read(tmp_path / "empty") == ((), ())


def test_names_and_times_that_disagree_are_told_and_the_times_count(tmp_path: Path) -> None:
    back = replace(night(4), started_at=f"{FIRST + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}")
    for one in (night(0), night(2), back):
        history.append(tmp_path, one)
    found, (said,) = history.read(tmp_path)
    assert [one.id for one in found] == [night(0).id, back.id, night(2).id]
    assert "a clock was changed" in said
    assert back.id in said
    assert night(2).id in said


def test_two_nights_within_one_second_need_no_order(tmp_path: Path) -> None:
    for ending, zone in (("b", "2026-11-01T03:00:00.1+00:00"), ("a", "2026-11-01T04:00:00.2+01:00")):
        history.append(tmp_path, replace(night(0), id=f"2026-11-01T03-00-00Z-{ending}", started_at=zone))
    found, said = history.read(tmp_path)
    assert [one.id[-1] for one in found] == ["b", "a"]
    assert said == ()


def git(folder: Path, *words: str) -> str:
    argv = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.org", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_git_merges_two_branches_of_nights_without_a_conflict(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "one")
    both, ones, others = night(0), [night(1), night(3)], [night(2), night(3)]  # the last is on both branches
    for branch, made in (("one", [both]), ("other", others), ("one", ones)):
        git(tmp_path, "switch", "-q", *(["-c"] if branch == "other" else []), branch) if made != [both] else None
        for one in made:
            history.append(tmp_path, one)
            git(tmp_path, "add", "-A")
            git(tmp_path, "commit", "-q", "-m", one.id)
    git(tmp_path, "merge", "-q", "other")
    assert git(tmp_path, "status", "--porcelain") == ""
    assert history.read(tmp_path) == (tuple(night(day) for day in range(4)), ())
