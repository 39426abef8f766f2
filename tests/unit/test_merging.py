"""Several shards judged as one night, simulated: what they say together, and what is refused."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix import cli, store
from servermatrix.errors import Exit, NothingSelected, StoredRunUnreadable, Unfit, UsageProblem
from servermatrix.merging import Merged, find, keep_night, merge
from servermatrix.model import Attribution, Cause, Change, Failed, Probe
from servermatrix.store import history

MATRIX = """\
servers:
  uvicorn: {loop: [uvloop], http: [h11, httptools]}
  granian: {loop: [asyncio, uvloop]}
load: {duration: 1s, warmup: 0s, windows: 1}
"""
MODEL = """\
noise: {sd: 0.01}
cells: {"*": {rps: 20000, cpu_us: 45}}
sides: {candidate: {"uvicorn[http=h11*": {rps: x0.8, cpu_us: x1.25}}}
"""
SLOWER = "uvicorn[http=h11,loop=uvloop]/h1/w1/c64/plaintext"


def checked(place: Path, *words: str) -> Path:
    """Simulate a check into a folder and return its run's."""
    place.mkdir(exist_ok=True)
    (place / "matrix.yaml").write_text(MATRIX)
    (place / "model.yaml").write_text(MODEL)
    files = ("--matrix", str(place / "matrix.yaml"), "--load", "fake", "--fake", str(place / "model.yaml"))
    sides = () if "--baseline" in words else ("--baseline", "uvicorn==0.52.0", "--candidate", "uvicorn==0.54.0 h11==0.16.0")
    argv = ["check", *files, *sides, "--seed", "5", "-q", "--out", str(place / "reports"), *words]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["run_matrix.py", *argv])
        cli.guarded(argv)
    return store.find_run("latest", place / "reports")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("shards")
    return checked(place / "one", "--shard", "1/2"), checked(place / "two", "--shard", "2-of-2")


@pytest.fixture(scope="module")
def night(both: tuple[Path, Path]) -> Merged:
    return merge(both)


def test_all_cells_of_all_shards_are_in_the_night_once(night: Merged) -> None:
    pairs = [cell.pair for cell in night.report.cells]
    assert len(pairs) == len(set(pairs)) == 4
    assert [cell.pair for cell in night.report.of(Change.REGRESSION)] == [SLOWER]
    assert night.report.complete
    assert night.notes == ()
    assert night.exit_code(inconclusive_fails=False) is Exit.REGRESSION


def test_alarms_are_corrected_for_together(both: tuple[Path, Path], night: Merged) -> None:
    (alone,) = [cell for one in both for cell in merge([one]).report.cells if cell.pair == SLOWER]
    (among,) = [cell for cell in night.report.cells if cell.pair == SLOWER]
    smallest = [min(shift.p or 1.0 for shift in cell.shifts) for cell in (alone, among)]
    assert smallest[0] <= smallest[1] <= 0.01


def test_runs_are_found_below_the_folders_that_artifacts_are_unpacked_into(both: tuple[Path, Path], tmp_path: Path) -> None:
    for number, run in enumerate(both):
        shutil.copytree(run, tmp_path / f"artifact-{number}" / run.name)
    below = tmp_path / "artifact-0" / both[0].name / "bisect" / "a-probe"
    shutil.copytree(both[1], below)
    assert [path.name for path in find([str(tmp_path)], tmp_path)] == [run.name for run in both]
    assert [path.name for path in find([str(tmp_path / "artifact-0")], tmp_path)] == [both[0].name]


def test_a_run_that_is_named_twice_counts_once(both: tuple[Path, Path]) -> None:
    assert find([str(both[0]), str(both[0].parent)], both[0].parent) == (both[0],)


def test_a_folder_without_a_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NothingSelected, match="no stored run"):
        find([str(tmp_path)], tmp_path)
    with pytest.raises(NothingSelected, match="no run to judge"):
        merge([])


def test_a_shard_that_is_missing_is_named_and_the_night_is_unfit_whatever_the_others_say(both: tuple[Path, Path]) -> None:
    part = merge(both[:1])
    assert part.notes == ("shards are missing, so the night is not complete: 2/2",)
    assert not part.report.complete
    assert part.exit_code(inconclusive_fails=False) is Exit.UNFIT


def test_a_night_that_is_not_complete_is_not_kept(both: tuple[Path, Path], night: Merged, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="not complete, so nothing was added to the history"):
        keep_night(merge(both[1:]), tmp_path)
    assert list(tmp_path.iterdir()) == []
    kept = keep_night(night, tmp_path)
    assert keep_night(night, tmp_path) == kept
    nights, told = history.read(tmp_path)
    assert [len(one.cells) for one in nights] == [4]
    assert told == ()


def test_a_shard_that_was_cut_off_makes_the_night_incomplete(both: tuple[Path, Path], tmp_path: Path) -> None:
    lines = (both[0] / store.RUN_FILE).read_bytes().splitlines(keepends=True)
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / store.RUN_FILE).write_bytes(b"".join(lines[:20]))
    cut = merge([torn, both[1]])
    assert not cut.report.complete
    assert cut.exit_code(inconclusive_fails=False) is Exit.UNFIT


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--margin", "4%"), "they differ in their margin"),
        (("--baseline", "uvicorn==0.51.0", "--candidate", "uvicorn==0.54.0 h11==0.16.0"), "what was asked for as baseline"),
    ],
)
def test_shards_of_other_checks_are_refused(both: tuple[Path, Path], tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(Unfit, match=said):
        merge([both[0], checked(tmp_path / "other", "--shard", "2/2", *words)])


def test_shards_with_other_versions_installed_are_refused_by_name(both: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / store.RUN_FILE
    text = (both[1] / store.RUN_FILE).read_text()
    header, _, rest = text.partition("\n")
    raw = json.loads(header)
    raw["trial"]["candidate"]["versions"] = [["h11", "0.16.1"], ["uvicorn", "0.54.0"]]
    file.write_text(f"{json.dumps(raw)}\n{rest}")
    with pytest.raises(Unfit, match="what was installed as candidate: h11"):
        merge([both[0], file])


def test_shards_of_other_numbers_of_rounds_are_refused(both: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="have other rounds"):
        merge([both[0], checked(tmp_path / "other", "--shard", "2/2", "--rounds", "11")])


def test_shards_of_other_cells_are_refused_with_what_to_do(
    both: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = checked(tmp_path / "other", "--shard", "2/2", "-k", "granian*")
    with pytest.raises(UsageProblem, match="shards of different lists of cells") as failure:
        merge([both[0], other])
    assert "the same options that choose the cells" in failure.value.tip
    for command in ("merge", "github"):
        assert cli.guarded([command, str(both[0]), str(other)]) == Exit.USAGE
    assert "different lists of cells" in capsys.readouterr().err


def with_header(run: Path, folder: Path, **settings: str) -> Path:
    """Copy a run with other settings."""
    head, _, rest = (run / store.RUN_FILE).read_text().partition("\n")
    raw = json.loads(head)
    raw["settings"] = [[name, settings.get(name, value)] for name, value in raw["settings"]]
    (folder / store.RUN_FILE).write_text(f"{json.dumps(raw)}\n{rest}")
    return folder / store.RUN_FILE


def test_a_cell_in_two_shards_is_refused(both: tuple[Path, Path], tmp_path: Path) -> None:
    settings = dict(merge(both[:1]).runs[0].header.settings)
    again = with_header(both[0], tmp_path, shard=settings["shard"].replace("1/2", "2/2"))
    with pytest.raises(UsageProblem, match="is in more than one of these runs"):
        merge([both[0], again])


def test_a_night_on_a_machine_that_was_not_fit_is_not_kept(night: Merged, tmp_path: Path) -> None:
    first = night.runs[0]
    failed = Failed(cell_id=first.header.cells[0].cell.id, round=1, started_at="", cause=Cause.ENVIRONMENT, reason="disk full")
    unfit = replace(night, runs=(replace(first, samples=(*first.samples, failed)), *night.runs[1:]))
    assert unfit.report.complete
    with pytest.raises(Unfit, match="a machine was not fit for some of the night, so nothing was added to the history"):
        keep_night(unfit, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert night.unsound == ""


def test_an_ordinary_run_is_no_shard(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text(MATRIX)
    (tmp_path / "model.yaml").write_text('cells: {"*": {rps: 20000, cpu_us: 45}}')
    files = ("--matrix", str(tmp_path / "matrix.yaml"), "--load", "fake", "--fake", str(tmp_path / "model.yaml"))
    cli.guarded(["run", *files, "--rounds", "1", "-q", "--out", str(tmp_path / "reports")])
    with pytest.raises(UsageProblem, match="is not the run of a check"):
        merge([store.find_run("latest", tmp_path / "reports")])


def test_a_run_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / store.RUN_FILE).write_text("{}")
    with pytest.raises(StoredRunUnreadable):
        merge([tmp_path])


def test_what_each_shard_was_put_down_to_is_put_together(both: tuple[Path, Path], tmp_path: Path) -> None:
    copies = [Path(shutil.copytree(run, tmp_path / run.name)) for run in both]
    probe = Probe(upgraded=("uvicorn",), worse=True, sentence="s")
    one = Attribution(packages=("uvicorn",), sentence="it is uvicorn", probes=(probe,))
    store.write_attribution(copies[0], one)
    assert merge(copies).report.attribution == one
    store.write_attribution(copies[1], Attribution(packages=("h11", "uvicorn"), sentence="it is both"))
    found = merge(copies).report.attribution
    assert found is not None
    assert (found.packages, found.sentence, len(found.probes)) == (("uvicorn", "h11"), "it is uvicorn; it is both", 1)


def test_the_command_prints_one_line_for_machines_and_writes_what_was_asked_for(
    both: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "new" / name for name in ("junit.xml", "bench.json")]
    words = ["--junit", str(files[0]), "--bench-json", str(files[1]), "--history", str(tmp_path / "history")]
    assert cli.guarded(["merge", *map(str, both), *words]) == Exit.REGRESSION
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("check: 1 regressed, 0 improved, 3 unchanged, 0 inconclusive, 0 failed (smallest detectable change ")
    assert all(file.read_text() for file in files)
    assert len(list((tmp_path / "history").glob("*.json"))) == 1


def test_what_cannot_be_written_loses_neither_the_verdict_nor_the_night(
    both: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    words = ("--junit", str(tmp_path / "file" / "junit.xml"), "--history", str(tmp_path / "nights"))
    assert cli.guarded(["merge", *map(str, both), *words]) == Exit.REGRESSION
    seen = capsys.readouterr()
    assert seen.out.startswith("check: 1 regressed")
    assert "error: --junit: " in seen.err
    assert len(list((tmp_path / "nights").glob("*.json"))) == 1


def test_the_command_prints_one_document_with_json(both: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.guarded(["merge", str(both[0]), "--json"]) == Exit.UNFIT
    out, err = capsys.readouterr()
    assert json.loads(out)
    assert "shards are missing, so the night is not complete: 2/2" in err
