"""`check` from what is typed to its exit code: sides, stages, resuming, history; nearly all of it through the fake generator."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from servermatrix import cli, store
from servermatrix.errors import Exit
from servermatrix.model import CANDIDATE, Cause, Failed, Run
from tests.conftest import RunCli, write_app

MATRIX = """\
servers:
  uvicorn: {loop: [uvloop], http: [h11, httptools]}
  granian: {loop: [asyncio]}
load: {duration: 1s, warmup: 0s, windows: 1}
"""
MODEL = """\
noise: {sd: 0.01}
cells: {"*": {rps: 20000, cpu_us: 45}}
"""
WORSE = MODEL + 'sides: {candidate: {"uvicorn[http=h11*": {rps: x0.8, cpu_us: x1.25}}}\n'
SETS = ("--baseline", "uvicorn==0.52.0", "--candidate", "uvicorn==0.54.0")
# Simulates as fake does, and is interrupted as if by Ctrl-C at a cell's third round.
STOPPED = """\
from dataclasses import replace
from runners.loads import fake
def simulate(question):
    if question.round == 3 and question.side == "candidate":
        raise KeyboardInterrupt
    return fake.simulate(question)
LOAD = replace(fake.LOAD, simulate=simulate)
"""
Out = pytest.CaptureFixture[str]


def check(place: Path, *words: str, model: str = MODEL, sides: tuple[str, ...] = SETS, load: str = "fake") -> int:
    """Check through a simulation, in a folder of its own."""
    place.mkdir(exist_ok=True)
    (place / "matrix.yaml").write_text(MATRIX)
    (place / "model.yaml").write_text(model)
    files = ("--matrix", str(place / "matrix.yaml"), "--fake", str(place / "model.yaml"), "--out", str(place / "reports"))
    return cli.guarded(["check", *sides, *files, "--load", load, "--seed", "11", "-q", *words])


def stored(place: Path) -> Run:
    return store.read_run(store.find_run("latest", place / "reports"))


def nights(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


def test_the_first_line_is_for_machines_and_a_quiet_night_ends_with_0(tmp_path: Path, capsys: Out) -> None:
    assert check(tmp_path) == Exit.OK
    out, err = capsys.readouterr()
    form = r"check: 0 regressed, 0 improved, 2 unchanged, 0 inconclusive, 0 failed \(smallest detectable change \d+\.\d %\)"
    assert re.fullmatch(form, out.splitlines()[0])
    assert "baseline: uvicorn==0.52.0\n" in err
    assert "1 cell left out: the sides differ in uvicorn alone" in err
    assert "2 cells on both sides, one baseline twice: 10 rounds = 50 starts" in err


def test_a_regression_is_confirmed_by_fresh_rounds_of_its_cell_and_the_canary_alone_and_ends_with_1(
    tmp_path: Path, capsys: Out
) -> None:
    assert check(tmp_path, model=WORSE) == Exit.REGRESSION
    assert capsys.readouterr().out.startswith("check: 1 regressed, 0 improved, 1 unchanged, ")
    late = {sample.cell_id for sample in stored(tmp_path).samples if sample.round > 10}
    flagged = {cell_id for cell_id in late if cell_id.startswith("uvicorn[http=h11,loop=uvloop")}
    assert {cell_id.partition(":")[2].partition("/")[0] for cell_id in flagged} == {"baseline", "candidate"}
    assert {cell_id.removesuffix("/again") for cell_id in late - flagged} <= late
    assert len(late) in {3, 4}
    assert max(sample.round for sample in stored(tmp_path).samples) == 26


def test_with_json_standard_output_is_one_document_that_has_the_first_line(tmp_path: Path, capsys: Out) -> None:
    assert check(tmp_path, "--json", model=WORSE) == Exit.REGRESSION
    out = capsys.readouterr().out
    assert "check: 1 regressed, " in json.dumps(json.loads(out))
    assert (store.find_run("latest", tmp_path / "reports") / "report.json").read_text() == out


def test_report_prints_a_stored_check_again(tmp_path: Path, capsys: Out) -> None:
    check(tmp_path, model=WORSE)
    printed = capsys.readouterr().out
    assert cli.guarded(["report", "--out", str(tmp_path / "reports")]) == Exit.OK
    assert capsys.readouterr().out == printed
    assert cli.guarded(["report", "--out", str(tmp_path / "reports"), "--reference", "uvicorn"]) == Exit.USAGE


def test_two_sides_that_are_the_same_are_an_a_a_check_of_all_cells(tmp_path: Path, capsys: Out) -> None:
    assert check(tmp_path, sides=(*SETS[:2], "--candidate", "uvicorn==0.52.0")) == Exit.OK
    out, err = capsys.readouterr()
    assert "both sides are the same: this is an A/A check" in err
    assert out.startswith("check: 0 regressed, 0 improved, 3 unchanged, ")


def test_a_machine_too_noisy_to_tell_is_a_warning_or_exit_code_6(tmp_path: Path, capsys: Out) -> None:
    loud = MODEL.replace("0.01", "0.5")
    assert check(tmp_path / "a", model=loud) == Exit.OK
    out, err = capsys.readouterr()
    assert re.search(r"0 unchanged, [12] inconclusive", out)
    assert "inconclusive; with --inconclusive=fail that would be exit code 6" in err
    assert check(tmp_path / "b", "--inconclusive=fail", model=loud) == Exit.INCONCLUSIVE


def test_a_cell_that_fails_on_both_sides_ends_with_4_and_on_the_candidate_alone_with_1(tmp_path: Path) -> None:
    both = MODEL + 'fail: {"uvicorn[http=h11*": "it does not like Mondays"}\n'
    assert check(tmp_path / "both", model=both) == Exit.CELL_FAILED
    one = MODEL + 'sides: {candidate: {"uvicorn[http=h11*": {fail: "it does not like Mondays"}}}\n'
    assert check(tmp_path / "one", model=one) == Exit.REGRESSION


def test_each_complete_night_is_one_file_of_the_history_and_none_is_touched_again(tmp_path: Path, capsys: Out) -> None:
    history = tmp_path / "history"
    assert check(tmp_path, "--history", str(history)) == Exit.OK
    (first,) = nights(history)
    assert f"history: {history / first}" in capsys.readouterr().err
    assert first == f"{stored(tmp_path).header.id}.json"
    before = (history / first).read_bytes()
    assert check(tmp_path / "again", "--history", str(history), model=WORSE) == Exit.REGRESSION
    assert len(nights(history)) == 2
    assert (history / first).read_bytes() == before


def test_a_check_that_stopped_at_a_failure_is_no_night(tmp_path: Path, capsys: Out) -> None:
    model = MODEL + 'sides: {candidate: {"uvicorn[http=h11*": {fail: "it does not like Mondays"}}}\n'
    assert check(tmp_path, "-x", "--history", str(tmp_path / "history"), model=model) == Exit.CELL_FAILED
    assert len([sample for sample in stored(tmp_path).samples if isinstance(sample, Failed)]) == 1
    assert "no night was written, for the check is not complete" in capsys.readouterr().err
    assert nights(tmp_path / "history") == []


def test_a_round_that_was_lost_to_noise_is_no_failure_to_stop_at(tmp_path: Path) -> None:
    model = MODEL + 'sides: {candidate: {"uvicorn[http=h11*": {invalid: 0.2}}}\n'
    assert check(tmp_path, "-x", "--seed", "3", model=model) == Exit.OK
    causes = {sample.cause for sample in stored(tmp_path).samples if isinstance(sample, Failed)}
    assert causes == {Cause.NOISE}
    assert stored(tmp_path).complete


def test_shards_are_planned_from_the_cells_that_a_check_of_these_sides_measures(tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "matrix.yaml").write_text(MATRIX)
    cells = ("--matrix", str(tmp_path / "matrix.yaml"), "--load", "fake", "--shards", "3", "--github-matrix")
    for words, expected in (((), [1, 1, 1]), (SETS, [1, 1]), ((*SETS, "-k", "*"), [1, 1, 1])):
        assert cli.guarded(["plan", *cells, *words]) == Exit.OK
        assert [shard["cells"] for shard in json.loads(capsys.readouterr().out)["include"]] == expected, words
    assert cli.guarded(["plan", *cells, "--baseline", "uvicorn==0.52.0"]) == Exit.USAGE
    assert cli.guarded(["plan", *cells[:4], *SETS]) == Exit.USAGE
    assert "the sides of a check are only for its shards" in capsys.readouterr().err


def test_files_for_other_programs_are_written_where_they_were_wanted(tmp_path: Path) -> None:
    files = (tmp_path / "new" / "junit.xml", tmp_path / "bench.json")
    assert check(tmp_path, "--junit", str(files[0]), "--bench-json", str(files[1]), model=WORSE) == Exit.REGRESSION
    assert "<testsuite" in files[0].read_text()
    assert json.loads(files[1].read_text())


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (("--history", "matrix.yaml"), Exit.USAGE, "matrix.yaml is a file, and a history is a folder"),
        (("--history", "matrix.yaml/nights"), Exit.UNFIT, "cannot write reports into"),
        (("--junit", "matrix.yaml/junit.xml"), Exit.UNFIT, "cannot make the folder "),
        (("--bench-json", "pipe"), Exit.USAGE, "pipe cannot be written: it is no file"),
        (("--junit", "/proc/junit.xml"), Exit.UNFIT, "/proc/junit.xml cannot be written: "),
        (("--bench-json", "/proc/bench.json"), Exit.UNFIT, "/proc/bench.json cannot be written: "),
    ],
)
def test_places_that_cannot_be_written_are_told_before_anything_is_measured(
    typed: tuple[str, str], code: Exit, said: str, tmp_path: Path, capsys: Out
) -> None:
    option, place = typed
    os.mkfifo(tmp_path / "pipe")
    assert check(tmp_path, option, str(tmp_path / place)) == code
    err = capsys.readouterr().err
    assert err.startswith(f"error: {option}: ")
    assert said in err
    assert not (tmp_path / "reports").exists()


# Simulates as fake does, and takes away meanwhile the folder that exports were to be written into.
TAKING_AWAY = """\
import pathlib, shutil
from dataclasses import replace
from runners.loads import fake
def simulate(question):
    shutil.rmtree(FOLDER, ignore_errors=True)
    pathlib.Path(FOLDER).touch()
    return fake.simulate(question)
LOAD = replace(fake.LOAD, simulate=simulate)
"""


@pytest.mark.parametrize(("model", "code"), [(MODEL, Exit.UNFIT), (WORSE, Exit.REGRESSION)], ids=["quiet", "worse"])
def test_places_that_are_gone_when_the_check_ends_are_said_and_leave_its_verdict(
    model: str, code: Exit, tmp_path: Path, capsys: Out
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (tmp_path / "runners" / "loads").mkdir(parents=True)
    (tmp_path / "runners" / "loads" / "taking.py").write_text(TAKING_AWAY.replace("FOLDER", repr(str(place))))
    wanted = ("--junit", str(place / "j.xml"), "--bench-json", str(place / "b.json"), "--history", str(place / "history"))
    assert check(tmp_path, *wanted, "--runners", str(tmp_path / "runners"), model=model, load="taking") == code
    out, err = capsys.readouterr()
    assert out.startswith(f"check: {int(model == WORSE)} regressed, ")
    for option in ("--junit", "--bench-json", "--history"):
        assert f"\nerror: {option}: cannot " in err


def interrupted(place: Path, history: Path) -> int:
    runners = place / "runners" / "loads"
    runners.mkdir(parents=True)
    (runners / "stopped.py").write_text(STOPPED)
    words = ("--runners", str(place / "runners"), "--history", str(history), "--junit", str(place / "junit.xml"))
    return check(place, *words, model=WORSE, load="stopped")


def test_an_interrupted_check_ends_with_130_keeps_what_it_has_and_is_no_night(tmp_path: Path, capsys: Out) -> None:
    assert interrupted(tmp_path, tmp_path / "history") == Exit.INTERRUPTED
    out, err = capsys.readouterr()
    run = stored(tmp_path)
    assert out.startswith("check: 0 regressed, ")
    assert f"INCOMPLETE: {len(run.samples)} of 130 steps; go on with: python3 run_matrix.py check --resume {run.header.id}" in out
    assert f"{tmp_path / 'history'}: nothing was written, for the check was interrupted" in err
    assert nights(tmp_path / "history") == []
    assert not (tmp_path / "junit.xml").exists()


SETS_OF_TWO = ("--baseline", "uvicorn==0.52.0 h11==0.15.0", "--candidate", "uvicorn==0.54.0 h11==0.16.0")
OWED = MODEL + 'packages: {"h11==0.16.0": {"uvicorn[http=h11*": {rps: x0.8, cpu_us: x1.25}}}\n'
STOPPED_PROBE = STOPPED.replace('question.side == "candidate"', 'question.requires == ("h11==0.15.0", "uvicorn==0.54.0")')


def test_what_a_regression_is_owed_to_is_found_and_shown_whenever_the_check_is_reported(tmp_path: Path, capsys: Out) -> None:
    assert check(tmp_path, "--bisect", model=OWED, sides=SETS_OF_TWO) == Exit.REGRESSION
    out = capsys.readouterr().out
    assert "h11 0.15.0 -> 0.16.0 made the difference" in out
    assert cli.guarded(["report", "latest", "--out", str(tmp_path / "reports")]) == Exit.OK
    assert capsys.readouterr().out == out
    assert "made the difference" in (tmp_path / "reports" / "latest.md").read_text()
    assert len({sample.cell_id.partition("]")[0] for sample in stored(tmp_path).samples}) == 3, "a probe is not the latest run"


def test_without_a_regression_nothing_is_owed_to_anything(tmp_path: Path) -> None:
    assert check(tmp_path, "--bisect", sides=SETS_OF_TWO) == Exit.OK
    assert not list((tmp_path / "reports").glob("*/bisect"))


def test_an_attribution_that_is_interrupted_leaves_the_night_that_was_complete(tmp_path: Path, capsys: Out) -> None:
    runners = tmp_path / "runners" / "loads"
    runners.mkdir(parents=True)
    (runners / "stopped.py").write_text(STOPPED_PROBE)
    words = ("--bisect", "--runners", str(tmp_path / "runners"), "--history", str(tmp_path / "history"))
    assert check(tmp_path, *words, model=OWED, sides=SETS_OF_TWO, load="stopped") == Exit.INTERRUPTED
    out, err = capsys.readouterr()
    assert out.startswith("check: 1 regressed, ")
    assert f"make it again: check --resume {stored(tmp_path).header.id} --bisect" in err
    assert nights(tmp_path / "history") == [f"{stored(tmp_path).header.id}.json"]


def test_an_attribution_that_cannot_be_ended_leaves_the_verdict_and_what_was_wanted(tmp_path: Path, capsys: Out) -> None:
    runners = tmp_path / "runners" / "loads"
    runners.mkdir(parents=True)
    failing = STOPPED_PROBE.replace("raise KeyboardInterrupt", 'raise Unfit("the disk is full", "make room")')
    (runners / "stopped.py").write_text(f"from servermatrix.errors import Unfit\n{failing}")
    words = ("--bisect", "--runners", str(tmp_path / "runners"), "--junit", str(tmp_path / "junit.xml"))
    assert check(tmp_path, *words, model=OWED, sides=SETS_OF_TWO, load="stopped") == Exit.REGRESSION
    out, err = capsys.readouterr()
    assert out.startswith("check: 1 regressed, ")
    again = (
        f"the attribution came to no end: the disk is full; make it again: check --resume {stored(tmp_path).header.id} --bisect"
    )
    assert again in err
    assert err.count("--resume") == 1
    assert "<testsuite" in (tmp_path / "junit.xml").read_text()


def kept(place: Path, other: Path, lines: int) -> Path:
    """Make of a stored check what an interruption after so many records had left of it."""
    folder = store.find_run("latest", place / "reports")
    left = other / "reports" / folder.name
    left.mkdir(parents=True)
    records = (folder / store.RUN_FILE).read_bytes().splitlines(keepends=True)
    (left / store.RUN_FILE).write_bytes(b"".join(records[:lines]))
    return left


def test_a_check_goes_on_wherever_it_was_interrupted_to_the_same_report_and_its_night(tmp_path: Path, capsys: Out) -> None:
    assert check(tmp_path, model=WORSE) == Exit.REGRESSION
    whole = store.find_run("latest", tmp_path / "reports")
    kinds = [json.loads(line)["kind"] for line in (whole / store.RUN_FILE).read_text().splitlines()]
    look = kinds.index("decision")
    for lines in (1, 7, look, look + 1, look + 4, len(kinds)):
        place = tmp_path / str(lines)
        left, history = kept(tmp_path, place, lines), place / "history"
        words = ("--resume", "latest", "--out", str(left.parent), "--history", str(history), "-q")
        assert cli.guarded(["check", *words]) == Exit.REGRESSION, capsys.readouterr().err
        assert store.read_run(left) == store.read_run(whole), lines
        assert (left / "report.md").read_bytes() == (whole / "report.md").read_bytes()
        assert nights(history) == [f"{whole.name}.json"]


def test_a_check_that_goes_on_takes_no_other_sides_and_run_does_not_go_on_with_it(tmp_path: Path, capsys: Out) -> None:
    check(tmp_path)
    resume = ("--resume", "latest", "--out", str(tmp_path / "reports"))
    for words in (("--baseline", "uvicorn==0.51.0"), ("--margin", "3%"), ("--rounds", "12"), ("-k", "*"), ("--shard", "1/2")):
        assert cli.guarded(["check", *resume, *words]) == Exit.USAGE
        assert f"it cannot be changed with {words[0]}\n" in capsys.readouterr().err
    assert cli.guarded(["run", *resume]) == Exit.USAGE
    assert "go on with: python3 run_matrix.py check --resume" in capsys.readouterr().err


def test_an_ordinary_run_is_no_check_to_go_on_with(tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "model.yaml").write_text(MODEL)
    (tmp_path / "matrix.yaml").write_text(MATRIX)
    files = (
        "--matrix",
        str(tmp_path / "matrix.yaml"),
        "--fake",
        str(tmp_path / "model.yaml"),
        "--out",
        str(tmp_path / "reports"),
    )
    assert cli.guarded(["run", *files, "--load", "fake", "--rounds", "1", "-q"]) == Exit.OK
    assert cli.guarded(["check", "--resume", "latest", "--out", str(tmp_path / "reports")]) == Exit.USAGE
    assert "is no check\ngo on with it with: python3 run_matrix.py run --resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), Exit.NOTHING, "no baseline is named"),
        (("--baseline", "good.txt", "--candidate", "uvicorn==0.54.0"), Exit.NOTHING, "python3 -m pip freeze > good.txt"),
        ((*SETS, "--margin", "3"), Exit.USAGE, "'3' is not a percentage"),
        ((*SETS, "--margin", "-1%"), Exit.USAGE, "is not a percentage"),
        ((*SETS, "--confirm-rounds", "6"), Exit.USAGE, "6 is not in the range x>=7"),
        ((*SETS, "--rounds", "7"), Exit.USAGE, "7 is not in the range x>=8"),
        ((*SETS, "--shard", "3/2"), Exit.USAGE, "there is no shard 3/2"),
        ((*SETS, "--shard", "1/2", "--history", "h"), Exit.USAGE, "--history is for a whole check, and this is shard 1/2"),
        ((*SETS, "--shard", "1/2", "--bisect"), Exit.USAGE, "--bisect is for a whole check, and this is shard 1/2"),
        ((*SETS, "--budget", "1h"), Exit.USAGE, "No such option"),
        ((*SETS, "-k", "nothing*"), Exit.NOTHING, "no cell matches nothing*"),
        ((*SETS, "-s", "requires=h11==0.16.0"), Exit.USAGE, "the axis `requires` cannot be used in a check"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_its_exit_code(
    words: tuple[str, ...], code: Exit, said: str, tmp_path: Path, capsys: Out
) -> None:
    assert check(tmp_path, sides=words) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


def test_a_side_without_an_environment_ends_it_before_any_load_and_is_named(tmp_path: Path, run_cli: RunCli) -> None:
    done = run_cli("check", *SETS, "-s", "python=3.99", "--load", "builtin", "--history", "history")
    assert done.returncode == Exit.UNFIT, done.stderr
    assert "error: there is no environment for the baseline: there is no Python 3.99 here" in done.stderr
    assert "nothing was measured" in done.stderr
    assert nights(tmp_path / "history") == []
    assert not list((tmp_path / "reports").glob("*/run.jsonl"))


def saying(text: str) -> str:
    headers = f'[(b"content-length", b"{len(text)}")]'
    return (
        "async def app(scope, receive, send):\n"
        f'    await send({{"type": "http.response.start", "status": 200, "headers": {headers}}})\n'
        f'    await send({{"type": "http.response.body", "body": b"{text}"}})\n'
    )


@pytest.mark.servers
def test_each_side_imports_the_app_from_its_own_folder(tmp_path: Path, run_cli: RunCli) -> None:
    good, bad = write_app(tmp_path / "good", "shop", saying("open")), write_app(tmp_path / "bad", "shop", saying("shut"))
    done = run_cli(
        *("check", "--app", "shop:app", "--app-dir", str(good), "--candidate-app-dir", str(bad), "--expect-contains", "open"),
        *(
            "--profile",
            "smoke",
            "-k",
            "uvicorn[http=httptools*",
            "--rounds",
            "8",
            "--confirm-rounds",
            "7",
            "--history",
            "history",
        ),
        env={"SERVERMATRIX_TOOLS": str(tmp_path / "tools")},
    )
    assert done.returncode == Exit.REGRESSION, done.stdout + done.stderr
    assert done.stdout.startswith("check: 1 regressed, ")
    run = stored(tmp_path)
    failed = {sample.cell_id for sample in run.samples if "open" in getattr(sample, "reason", "")}
    assert {planned.cell.side for planned in run.header.cells if planned.cell.id in failed} == {CANDIDATE}
    trial = run.header.trial
    assert trial is not None
    assert (trial.baseline.app_dir, trial.candidate.app_dir) == (str(good.resolve()), str(bad.resolve()))
    assert trial.baseline.versions == trial.candidate.versions
    assert "uvicorn" in dict(trial.candidate.versions)
    assert nights(tmp_path / "history") == [f"{run.header.id}.json"]
