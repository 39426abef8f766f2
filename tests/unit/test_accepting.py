from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from servermatrix import cli, store
from servermatrix.accepting import NotAccepted, accept
from servermatrix.analysis.regress import judge
from servermatrix.errors import Exit, Unfit, UsageProblem
from servermatrix.merging import Merged
from servermatrix.model import BASELINE, CANDIDATE, Cause, Run, Side, Trial, VersionChange
from servermatrix.shards import SETTING
from servermatrix.sides import read_side
from tests.architecture.test_rules import ENGINE, imports
from tests.unit.regress_runs import Give, candidate, conducted, fails, plan_of, start

INSTALLED = (("granian", "2.8.0"), ("pip", "26.1"), ("setuptools", "80"), ("uvicorn", "0.54.0"), ("wheel", "1"))
TRIAL = Trial(
    baseline=Side(name=BASELINE, requires=("uvicorn==0.52.0",), versions=(("granian", "2.8.0"), ("uvicorn", "0.52.0"))),
    candidate=Side(name=CANDIDATE, requires=("uvicorn==0.54.0",), versions=INSTALLED),
)
GOOD = "granian==2.8.0\nuvicorn==0.54.0\n"


def check(give: Give = start, trial: Trial = TRIAL, until: int = 26) -> Run:
    run = conducted(plan_of("one", "two"), give, trial, until=until)
    return replace(run, header=replace(run.header, generators=(("wrk", "4.1.0"),)))


@cache
def unchanged() -> Run:
    return check()


def night(*runs: Run) -> Merged:
    return Merged(runs=runs, report=judge(runs), lacking=())


def pins(file: Path) -> str:
    return "".join(line for line in file.read_text().splitlines(keepends=True) if not line.startswith("#"))


def test_what_the_candidate_had_installed_becomes_the_baseline(tmp_path: Path) -> None:
    file = tmp_path / "requirements-good.txt"
    accepted = accept(night(unchanged()), file)
    assert pins(file) == GOOD
    assert (accepted.written, accepted.packages, accepted.notes) == (True, 2, ())
    assert [file.name for file in tmp_path.iterdir()] == [file.name]


def test_check_reads_what_accept_wrote_and_sees_when_it_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "requirements-good.txt"
    accept(night(unchanged()), file)
    assert read_side(BASELINE, str(file), None).requires == ("granian==2.8.0", "uvicorn==0.54.0")
    file.write_text(file.read_text().rpartition("uvicorn")[0])
    with pytest.raises(UsageProblem, match="cut off"):
        read_side(BASELINE, str(file), None)


def test_what_changes_from_the_old_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "good.txt"
    file.write_text("# ours\nUvicorn==0.52.0\nh11>=0.14\ngranian\n")
    accepted = accept(night(unchanged()), file)
    assert accepted.changes == (
        VersionChange(name="granian", baseline="any version", candidate="2.8.0"),
        VersionChange(name="h11", baseline=">=0.14", candidate=""),
        VersionChange(name="uvicorn", baseline="0.52.0", candidate="0.54.0"),
    )
    assert accepted.notes == ()


def test_a_file_that_holds_the_same_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "good.txt"
    file.write_text(f"# kept\n{GOOD}")
    accepted = accept(night(unchanged()), file)
    assert (accepted.written, accepted.changes) == (False, ())
    assert file.read_text().startswith("# kept")


@pytest.mark.parametrize(
    ("run", "code", "said"),
    [
        pytest.param(lambda: check(candidate("one", rps=0.8, cpu=1.25)), Exit.REGRESSION, "1 regressed (one/", id="regressed"),
        pytest.param(lambda: check(fails("one", CANDIDATE, range(1, 27))), Exit.REGRESSION, "1 regressed", id="broke"),
        pytest.param(lambda: check(fails("one", BASELINE, range(3, 27, 4))), Exit.CELL_FAILED, "1 failed (one/", id="failed"),
        pytest.param(lambda: check(until=3), Exit.UNFIT, "it is incomplete", id="incomplete"),
        pytest.param(
            lambda: replace(unchanged(), header=replace(unchanged().header, generators=(("fake", "1"),))),
            Exit.UNFIT,
            "it was simulated",
            id="simulated",
        ),
    ],
)
def test_a_check_that_does_not_speak_for_its_candidate_is_not_accepted(
    tmp_path: Path, run: object, code: Exit, said: str
) -> None:
    file, made = tmp_path / "good.txt", run()  # type: ignore[operator]
    file.write_text("uvicorn==0.52.0\n")
    with pytest.raises(NotAccepted, match=re.escape(said)) as refusal:
        accept(night(made), file)
    assert refusal.value.exit_code == code
    assert "--force" in refusal.value.tip
    assert file.read_text() == "uvicorn==0.52.0\n"
    accepted = accept(night(made), file, force=True)
    assert pins(file) == GOOD
    assert said in accepted.notes[0]


def test_a_failure_weighs_more_than_a_regression(tmp_path: Path) -> None:
    slow, broken = candidate("one", rps=0.8, cpu=1.25), fails("two", BASELINE, range(3, 27, 4))
    run = check(lambda cell, number: (slow if cell.server == "one" else broken)(cell, number))
    with pytest.raises(NotAccepted, match=r"1 failed .*; 1 regressed") as refusal:
        accept(night(run), tmp_path / "good.txt")
    assert refusal.value.exit_code == Exit.CELL_FAILED


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (replace(TRIAL, candidate=replace(TRIAL.candidate, requires=())), "no requirement set"),
        (replace(TRIAL, candidate=replace(TRIAL.candidate, versions=())), "not stored what"),
    ],
)
def test_what_has_no_set_to_accept_is_refused_even_by_force(tmp_path: Path, trial: Trial, said: str) -> None:
    run = replace(unchanged(), header=replace(unchanged().header, trial=trial))
    with pytest.raises(UsageProblem, match=said):
        accept(night(run), tmp_path / "good.txt", force=True)
    assert not list(tmp_path.iterdir())


def test_cells_of_which_nothing_is_known_are_noted_and_no_reason_to_refuse(tmp_path: Path) -> None:
    accepted = accept(night(check(fails("one", CANDIDATE, range(1, 27), Cause.NOISE))), tmp_path / "good.txt")
    assert pins(tmp_path / "good.txt") == GOOD
    (note,) = accepted.notes
    assert note == "1 of 3 cells inconclusive (one/h1/w1/c64/plaintext): whether the candidate is worse there is not known"


@pytest.mark.parametrize("content", ["# My project\n\nIt is good.\n", "\xff", "-r other.txt\n", "{}"])
def test_a_file_that_is_something_else_is_not_overwritten(tmp_path: Path, content: str) -> None:
    file = tmp_path / "README.md"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageProblem, match="is no requirements file"):
        accept(night(unchanged()), file)
    assert file.read_bytes() == content.encode("latin-1")
    accept(night(unchanged()), file, force=True)
    assert pins(file) == GOOD


def test_an_empty_file_may_be_filled(tmp_path: Path) -> None:
    file = tmp_path / "good.txt"
    file.touch()
    assert len(accept(night(unchanged()), file).changes) == 2


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageProblem, match="is no file"):
            accept(night(unchanged()), place, force=True)
    with pytest.raises(Unfit, match="cannot write"):
        accept(night(unchanged()), tmp_path / "missing" / "good.txt")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "good.txt").symlink_to(Path("kept") / "good.txt")
    accept(night(unchanged()), tmp_path / "good.txt")
    assert (tmp_path / "good.txt").is_symlink()
    assert pins(tmp_path / "kept" / "good.txt") == GOOD


def test_a_check_against_something_else_than_the_file_held_is_told(tmp_path: Path) -> None:
    file = tmp_path / "good.txt"
    file.write_text("uvicorn==0.51.0\n")
    assert accept(night(unchanged()), file).notes == (
        f"the check did not compare with what {file} held before: uvicorn differed from its baseline",
    )


def test_a_version_that_is_none_is_written_so_that_it_reads_back(tmp_path: Path) -> None:
    trial = replace(TRIAL, candidate=replace(TRIAL.candidate, versions=(("a", "1.0+cpu"), ("b", "2004d-x_y z"[:7]))))
    accept(night(check(trial=trial, until=26)), tmp_path / "good.txt")
    assert pins(tmp_path / "good.txt") == "a==1.0+cpu\nb===2004d-x\n"


def test_nothing_accepts_but_the_command_of_that_name() -> None:
    assert [module for module, file in ENGINE.items() if "servermatrix.accepting" in imports(file)] == ["servermatrix.cli.accept"]


def stored(out: Path, run: Run) -> str:
    with store.open_run(out, run.header) as writer:
        for record in (*run.samples, *run.decisions):
            writer.append(record)
    return run.header.id


def shard(index: int, count: int, give: Give = start, trial: Trial = TRIAL) -> Run:
    run = conducted(plan_of(f"s{index}", canary=f"c{index}"), give, trial)
    which = (SETTING, f"{index}/{count} of 1a2b3c4d")
    return replace(run, header=replace(run.header, id=f"r-{index}", settings=(which,), generators=(("wrk", "4.1.0"),)))


def artifact(place: Path, run: Run) -> Path:
    """Lay a run out as the artifact of its job is unpacked: a folder named after the shard, the runs below."""
    folder = place / "servermatrix-nightly-runs" / run.header.id
    stored(folder, run)
    return folder


def test_the_command_takes_the_folders_out_of_the_artifacts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (artifact(tmp_path / "art", shard(index, 2)) for index in (1, 2))
    for number, words in enumerate(([str(one), str(two)], [str(tmp_path / "art")])):
        file = tmp_path / f"good{number}.txt"
        assert cli.guarded(["accept", *words, "--to", str(file), "--out", str(tmp_path / "none")]) == Exit.OK
        assert pins(file) == GOOD
        assert "r-1 and r-2" in file.read_text()
        capsys.readouterr()


def test_a_shard_alone_is_not_taken_for_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, file = artifact(tmp_path, shard(1, 3)), tmp_path / "good.txt"
    assert cli.guarded(["accept", str(place), "--to", str(file)]) == Exit.UNFIT
    assert "it is incomplete, without shard 2/3, 3/3" in capsys.readouterr().err
    assert not file.exists()
    assert cli.guarded(["accept", str(place), "--to", str(file), "--force"]) == Exit.OK


def test_shards_of_other_candidates_are_refused_even_by_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = replace(TRIAL, candidate=replace(TRIAL.candidate, versions=(("uvicorn", "0.55.0"),)))
    for run in (shard(1, 2), shard(2, 2, trial=other)):
        artifact(tmp_path, run)
    words = ["accept", str(tmp_path), "--to", str(tmp_path / "good.txt"), "--force"]
    assert cli.guarded(words) == Exit.UNFIT
    assert "what was installed as candidate" in capsys.readouterr().err


def test_an_ordinary_run_has_no_candidate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = stored(tmp_path, replace(unchanged(), header=replace(unchanged().header, trial=None)))
    words = ["accept", name, "--to", str(tmp_path / "good.txt"), "--out", str(tmp_path), "--force"]
    assert cli.guarded(words) == Exit.USAGE
    assert "is not the run of a check" in capsys.readouterr().err


def test_the_command_takes_the_latest_run_and_tells_in_both_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, file = tmp_path / "reports", tmp_path / "good.txt"
    file.write_text("uvicorn==0.52.0\n")
    stored(out, unchanged())
    assert cli.guarded(["accept", "--to", str(file), "--out", str(out)]) == Exit.OK
    assert capsys.readouterr().out.splitlines() == [
        f"accept: {file} holds 2 packages, 2 changes",
        "  granian: not there -> 2.8.0",
        "  uvicorn: 0.52.0 -> 0.54.0",
    ]
    assert cli.guarded(["accept", "latest", "--to", str(file), "--out", str(out), "--json"]) == Exit.OK
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["written"], document["packages"]) == (1, False, 2)
    assert document["changes"] == []


def test_the_command_ends_as_the_check_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = stored(tmp_path, check(candidate("one", rps=0.8, cpu=1.25)))
    words = ["accept", name, "--to", str(tmp_path / "good.txt"), "--out", str(tmp_path)]
    assert cli.guarded(words) == Exit.REGRESSION
    assert "1 regressed" in capsys.readouterr().err
    assert not (tmp_path / "good.txt").exists()
    assert cli.guarded([*words, "--force"]) == Exit.OK
    assert "note: accepted by force" in capsys.readouterr().err


def test_without_a_run_or_a_file_the_command_says_what_is_missing(tmp_path: Path) -> None:
    assert cli.guarded(["accept", "--out", str(tmp_path)]) == Exit.USAGE
    assert cli.guarded(["accept", "--to", str(tmp_path / "good.txt"), "--out", str(tmp_path)]) == Exit.NOTHING
