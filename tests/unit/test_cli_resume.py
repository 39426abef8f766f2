"""What may be typed beside --resume, what a simulation stores, and that a run goes on to the reports it would have had."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from servermatrix import cli, store
from servermatrix.cli.selectors import read_model
from servermatrix.errors import Exit, UsageProblem
from servermatrix.measure.course import NO_PACE
from servermatrix.model import Failed, Run, Skipped
from servermatrix.prepare import Setup


@pytest.mark.parametrize(
    "words",
    [
        ("--python", "python3"),
        ("--pin", "off"),
        ("--pin", "auto"),
        ("--port", "8080"),
        ("--startup-timeout", "30s"),
        ("--load", "fake"),
        ("--fake", "model.yaml"),
        ("--profile", "quick"),
        ("--threads", "2"),
        ("-k", "granian*"),
    ],
)
def test_what_a_stored_run_has_settled_is_refused_by_its_name_even_when_it_says_the_same(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.yaml").write_text("cells: {}\n")
    assert cli.guarded(["run", "--resume", "latest", *words]) == Exit.USAGE
    assert f"cannot be changed with {words[0]}\n" in capsys.readouterr().err


def test_what_is_about_this_start_alone_may_stand_beside_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--out", "here", "-x", "--json", "-q", "-v", "--runners", ".")
    assert cli.guarded(["run", "--resume", "latest", *words]) == Exit.NOTHING
    assert "here" in capsys.readouterr().err


def stored_model(model: dict[str, object]) -> object:
    return json.loads(dict(Setup(out=Path(), argv=(), model=model).stored())["model"])


def test_a_date_in_a_model_is_stored_as_text() -> None:
    assert stored_model({"seed": date(2026, 1, 2)}) == {"seed": "2026-01-02"}


def test_the_entries_of_a_model_are_stored_in_their_order_for_later_ones_override_earlier_ones() -> None:
    cells = {"uvicorn*": {"rps": 1}, "*": {"rps": 2}}
    found = stored_model({"cells": cells})
    assert isinstance(found, dict)
    assert list(found["cells"]) == ["uvicorn*", "*"]


@pytest.mark.parametrize("text", ["cells: {2026-01-02: {rps: 1}}", "cells: &a {b: *a}"])
def test_a_model_that_no_run_file_can_hold_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(text)
    with pytest.raises(UsageProblem, match=r"model\.yaml holds what a run cannot store: "):
        read_model(file)


def test_a_model_with_a_date_as_value_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text("seed: 2026-01-02\n")
    assert read_model(file) == {"seed": date(2026, 1, 2)}


MATRIX = """\
servers:
  uvicorn: {loop: [uvloop], http: [h11, httptools]}
  granian: {loop: [asyncio, uvloop]}
load: {duration: 1s, warmup: 0s, windows: 1}
"""
MODEL = """\
noise: {sd: 0.02}
cells:
  "*": {rps: 20000, cpu_us: 45}
  "granian*": {rps: 30000, cpu_us: 31}
  "uvicorn[http=h11*": {rps: 9000, cpu_us: 105}
"""
BUDGET = ("--budget", "7m")


def conducted(place: Path, *words: str, model: str = MODEL, code: Exit = Exit.OK) -> Path:
    """Run a simulation into a folder of its own and return the run's."""
    place.mkdir(exist_ok=True)
    (place / "matrix.yaml").write_text(MATRIX)
    (place / "model.yaml").write_text(model)
    files = ("--matrix", str(place / "matrix.yaml"), "--fake", str(place / "model.yaml"))
    argv = ["run", *files, "--load", "fake", "--seed", "11", "--out", str(place / "reports"), *words]
    assert cli.guarded(argv) == code
    return store.find_run("latest", place / "reports")


def interrupted(folder: Path, place: Path, lines: int, torn: bytes = b"") -> Path:
    """Make of a stored run what an interruption after so many records had left of it."""
    left = place / "reports" / folder.name
    left.mkdir(parents=True)
    kept = (folder / store.RUN_FILE).read_bytes().splitlines(keepends=True)[:lines]
    (left / store.RUN_FILE).write_bytes(b"".join(kept) + torn)
    return left


def resumed(left: Path, code: Exit = Exit.OK) -> Run:
    assert cli.guarded(["run", "--resume", "latest", "--out", str(left.parent), "-q"]) == code
    return store.read_run(left)


def kinds(folder: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in (folder / store.RUN_FILE).read_text().splitlines()]


@pytest.fixture(scope="module")
def within_budget(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that leaves out clear losers at its first look and goes on with the rest."""
    return conducted(tmp_path_factory.mktemp("budget"), *BUDGET, "-s", "rate=30%", "-q")


def test_a_run_within_a_budget_leaves_out_clear_losers_and_reports_when_and_why(within_budget: Path) -> None:
    run = store.read_run(within_budget)
    first, *_ = run.decisions
    assert [decision.round for decision in run.decisions] == [look.round for look in run.header.looks]
    dropped = dict(first.dropped)
    slow = "uvicorn[http=h11,loop=uvloop]/h1/w1/c64/plaintext"
    assert slow in dropped
    assert max(sample.round for sample in run.samples if sample.cell_id == slow) == first.round
    assert run.complete
    assert len(run.samples) == run.steps_planned < len(run.header.cells) * run.header.rounds
    text = (within_budget / "report.md").read_text()
    assert dropped[slow] in text
    assert "INCOMPLETE" not in text


def places(within_budget: Path) -> dict[str, int]:
    """Name the moments at which an interruption might hurt, as the number of records stored by then."""
    found = kinds(within_budget)
    look, pace = found.index("decision"), found.index("pace")
    return {
        "at once": 1,
        "in a round": 7,
        "before a look": look,
        "after a look": look + 1,
        "in a round after a look": look + 3,
        "before the paces": pace,
        "between two paces": pace + 1,
        "in the open loops": len(found) - 5,
        "at the end": len(found),
    }


@pytest.mark.parametrize("torn", [b"", b'{"kind":"decision","round":'], ids=["whole", "torn"])
def test_a_run_that_was_interrupted_anywhere_comes_to_the_same_reports(within_budget: Path, tmp_path: Path, torn: bytes) -> None:
    for name, lines in places(within_budget).items():
        left = interrupted(within_budget, tmp_path / name, lines, torn)
        run = resumed(left)
        assert run == store.read_run(within_budget), name
        for report in ("report.md", "report.json"):
            assert (left / report).read_bytes() == (within_budget / report).read_bytes(), name
        assert [kind for kind in kinds(left) if kind != "resumed"] == kinds(within_budget), name


def test_what_was_decided_before_the_interruption_is_not_decided_anew(within_budget: Path, tmp_path: Path) -> None:
    lines = places(within_budget)["after a look"]
    left = interrupted(within_budget, tmp_path, lines)
    records = (left / store.RUN_FILE).read_text().splitlines()
    decision = json.loads(records[-1])
    ended = {**decision, "dropped": [], "stopped": "it was late"}
    (left / store.RUN_FILE).write_text("\n".join([*records[:-1], json.dumps(ended)]) + "\n")
    run = resumed(left)
    assert [(one.round, one.stopped) for one in run.decisions] == [(decision["round"], "it was late")]
    closed = {planned.cell.id for planned in run.header.cells if not planned.cell.load.rate_percent}
    assert {sample.round for sample in run.samples if sample.cell_id in closed} == set(range(1, decision["round"] + 1))


def test_a_run_ends_when_its_rows_are_told_apart_though_its_budget_is_not_used_up(tmp_path: Path) -> None:
    model = "noise: {sd: 0.01}\ncells: {'*': {rps: 9000, cpu_us: 99}, 'granian*': {rps: 30000, cpu_us: 30}}\n"
    folder = conducted(tmp_path, "--budget", "10m", "-k", "uvicorn*httptools*", "-k", "granian*uvloop*", "-q", model=model)
    run = store.read_run(folder)
    (decision,) = run.decisions
    assert decision.stopped
    assert run.complete
    assert max(sample.round for sample in run.samples) == decision.round == run.header.looks[0].round < run.header.rounds
    assert decision.stopped in (folder / "report.md").read_text()


def test_open_loops_come_last_at_a_share_of_what_the_slowest_serves(tmp_path: Path) -> None:
    folder = conducted(tmp_path, "--rounds", "2", "-s", "rate=30%,60%", "-q")
    run = store.read_run(folder)
    assert kinds(folder) == ["header", *["measured"] * 8, *["pace"] * 8, *["measured"] * 16]
    low, high = sorted({pace.rate_per_s for pace in run.paces})
    assert {pace.slowest for pace in run.paces} == {"uvicorn[http=h11,loop=uvloop]/h1/w1/c64/plaintext"}
    assert low == pytest.approx(2700, rel=0.1)
    assert high == pytest.approx(2 * low)


def test_an_open_loop_of_which_no_closed_one_worked_is_skipped_with_the_reason(tmp_path: Path) -> None:
    model = MODEL + "fail: {'*/c64/*': out of milk}\n"
    folder = conducted(tmp_path, "--rounds", "2", "-s", "rate=30%", "-q", model=model, code=Exit.CELL_FAILED)
    run = store.read_run(folder)
    skips = [sample for sample in run.samples if isinstance(sample, Skipped)]
    assert {sample.reason for sample in skips} == {NO_PACE}
    assert len(skips) == 8
    assert NO_PACE in (folder / "report.md").read_text()


@pytest.mark.parametrize("words", [("--rounds", "6"), BUDGET])
def test_a_cell_that_fails_hinders_no_look_and_fails_the_run_once_though_it_is_measured_twice(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    folder = conducted(tmp_path, *words, "-q", model=MODEL + "fail: {'uvicorn*': out of milk}\n", code=Exit.CELL_FAILED)
    run = store.read_run(folder)
    assert run.complete
    assert [decision.round for decision in run.decisions] == [look.round for look in run.header.looks][: len(run.decisions)]
    assert bool(run.decisions) == (words == BUDGET)
    report = json.loads((folder / "report.json").read_text())
    assert report["run"]["complete"] is True


def test_a_run_that_is_to_end_with_its_first_failure_ends_there_and_can_be_gone_on_with(tmp_path: Path) -> None:
    model = MODEL + "fail: {'uvicorn[http=h11*': out of milk}\n"
    folder = conducted(tmp_path, *BUDGET, "-x", "-q", model=model, code=Exit.CELL_FAILED)
    stopped = store.read_run(folder)
    assert isinstance(stopped.samples[-1], Failed)
    assert not any(isinstance(sample, Failed) for sample in stopped.samples[:-1])
    assert not stopped.complete
    whole = conducted(tmp_path / "whole", *BUDGET, "-q", model=model, code=Exit.CELL_FAILED)
    assert resumed(folder, Exit.CELL_FAILED).samples == store.read_run(whole).samples


def test_progress_counts_no_step_that_was_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = conducted(tmp_path, *BUDGET, "-s", "rate=30%")
    run, lines = store.read_run(folder), capsys.readouterr().err.splitlines()
    steps = [line for line in lines if line.startswith("[")]
    assert steps[0].startswith(f"[  1/{len(run.header.cells) * run.header.rounds}]")
    assert steps[-1].startswith(f"[{run.steps_planned}/{run.steps_planned}]")
    told = {line for line in lines if line.startswith("look after round ")}
    early = [decision for decision in run.decisions if decision.round < run.header.rounds]
    assert told == {
        f"look after round {one.round}: {cell_id} is left out: {why}" for one in early for cell_id, why in one.dropped
    }
    assert told
    assert sum(line.startswith("open loop: ") for line in lines) == 1


def test_a_run_of_an_older_schema_goes_on_without_what_that_schema_has_no_place_for(tmp_path: Path) -> None:
    """Its servermatrix is this one as far as it knows: the versions stored in it are made those of today."""
    old = (Path(__file__).parents[1] / "golden" / "schema_2" / store.RUN_FILE).read_text().splitlines()
    header = json.loads(old[0])
    left = tmp_path / "reports" / header["id"]
    left.mkdir(parents=True)
    fresh = store.read_run(conducted(tmp_path / "now", "--rounds", "1", "-q")).header
    host = {name: getattr(fresh.host, name) for name in header["host"]}
    header |= {"host": host, "versions": [list(pair) for pair in fresh.versions]}
    (left / store.RUN_FILE).write_text("\n".join([json.dumps(header), *old[1:5]]) + "\n")
    run = resumed(left, Exit.CELL_FAILED)
    assert run.complete
    assert run.header.schema == 2
    assert set(kinds(left)) == {"header", "proof", "measured", "failed", "resumed"}


def test_a_simulated_run_keeps_to_its_budget_by_what_its_steps_would_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing is left out, the look that only freed time would pay for is not reached, however fast a simulation is."""
    model = "noise: {sd: 0.02}\ncells: {'*': {rps: 9000, cpu_us: 99}}\n"
    run = store.read_run(conducted(tmp_path, "--budget", "14m", "-s", "workers=1,2", model=model))
    assert len(run.decisions) == len(run.header.looks) - 1 == 2
    assert "do not fit into the budget" in run.decisions[-1].stopped
    assert max(sample.round for sample in run.samples) == run.header.looks[1].round
    steps = [line.split("]")[0] for line in capsys.readouterr().err.splitlines() if line.startswith("[")]
    assert steps[0].endswith(f"/{len(run.header.cells) * run.header.looks[1].round}"), "those beyond the budget are not counted"
    assert steps[-1].endswith(f"[{len(run.samples)}/{len(run.samples)}")


def test_a_run_whose_time_was_up_stays_complete_when_it_is_gone_on_with(tmp_path: Path) -> None:
    whole = conducted(tmp_path, "--budget", "2m", "-q")
    run = store.read_run(whole)
    (look,) = run.header.looks
    records = (whole / store.RUN_FILE).read_text().splitlines()
    after = 1 + (look.round - 1) * len(run.header.cells)
    late = {"kind": "decision", "round": look.round - 1, "alpha": look.alpha, "dropped": [], "stopped": "the time is up"}
    left = tmp_path / "left" / "reports" / whole.name
    left.mkdir(parents=True)
    (left / store.RUN_FILE).write_text("\n".join([*records[:after], json.dumps(late)]) + "\n")
    found = resumed(left)
    assert found.complete
    assert len(found.samples) == after - 1
    assert [(one.round, one.stopped) for one in found.decisions] == [(look.round - 1, "the time is up")]
    assert "| complete" in (text := (left / "report.md").read_text())
    assert "INCOMPLETE" not in text
    assert "the time is up" in text
