"""`compare` as it is typed: simulated runs, exit codes, what it prints where, and runs that cannot be read."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from servermatrix import cli, store
from servermatrix.errors import Exit

MATRIX = """\
servers:
  uvicorn: {loop: [uvloop], http: [h11, httptools]}
  granian: {loop: [asyncio, uvloop]}
load: {duration: 1s, warmup: 0s, windows: 1}
"""
MODEL = """\
noise: {sd: 0.01}
cells:
  "*": {rps: 20000, cpu_us: 45}
"""
SLOWER = MODEL + '  "granian*": {rps: 17000, cpu_us: 53}\n'
FAILING = MODEL + 'fail: {"granian[loop=uvloop*": it is Monday}\n'
WILD = MODEL.replace("sd: 0.01", "sd: 0.3")


def made(place: Path, name: str, seed: int, *words: str, model: str = MODEL) -> Path:
    """Simulate a run and return its folder."""
    (place / "matrix.yaml").write_text(MATRIX)
    (place / f"{name}.yaml").write_text(model)
    files = ("--matrix", str(place / "matrix.yaml"), "--fake", str(place / f"{name}.yaml"), "--out", str(place / name))
    cli.guarded(["run", "-q", *files, "--load", "fake", "--seed", str(seed), *(words or ("--rounds", "12"))])
    return store.find_run("latest", place / name)


def compared(base: Path | str, head: Path | str, *words: str) -> int:
    return cli.guarded(["compare", str(base), str(head), *words])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate the run that others are compared with."""
    return made(tmp_path_factory.mktemp("base"), "base", 1)


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate a run in which two of four cells have become slower."""
    return made(tmp_path_factory.mktemp("slower"), "slower", 2, model=SLOWER)


@pytest.mark.parametrize(
    ("model", "words", "code", "line"),
    [
        (MODEL, (), Exit.OK, "compare: 0 regressed, 0 improved, 4 unchanged, 0 inconclusive, 0 failed ("),
        (SLOWER, (), Exit.REGRESSION, "compare: 2 regressed, 0 improved, 2 unchanged, 0 inconclusive, 0 failed ("),
        (SLOWER, ("--margin", "60%"), Exit.OK, "compare: 0 regressed, 0 improved, 4 unchanged, 0 inconclusive, 0 failed ("),
        (FAILING, (), Exit.REGRESSION, "compare: 1 regressed, 0 improved, 3 unchanged, 0 inconclusive, 0 failed ("),
        (WILD, (), Exit.OK, "compare: 0 regressed, 0 improved, 0 unchanged, 4 inconclusive, 0 failed ("),
        (WILD, ("--inconclusive", "fail"), Exit.INCONCLUSIVE, "compare: 0 regressed, 0 improved, 0 unchanged, 4 inconc"),
    ],
)
def test_every_outcome_has_its_line_and_its_code(  # noqa: PLR0917
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, words: tuple[str, ...], code: Exit, line: str
) -> None:
    head = made(tmp_path, "head", 2, model=model)
    capsys.readouterr()
    assert compared(base, head, *words) == code
    told = capsys.readouterr()
    assert told.out.startswith(line)
    assert ("warning: " in told.err) == (code is Exit.OK and " 0 inconclusive" not in line)


def test_what_fails_now_is_new_when_the_runs_are_swapped(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = made(tmp_path, "head", 2, model=FAILING)
    capsys.readouterr()
    assert compared(head, base) == Exit.OK
    assert "new" in capsys.readouterr().out


def test_a_cell_that_stopped_being_measured_is_named_and_ends_with_1(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = sorted(planned.cell.id for planned in store.read_run(base).header.cells if not planned.cell.duplicate)
    head = made(tmp_path, "head", 2, "--rounds", "12", "-k", cells[0])
    capsys.readouterr()
    assert compared(base, head) == Exit.REGRESSION
    told = capsys.readouterr()
    assert "0 failed, 3 gone (" in told.out.splitlines()[0]
    for cell in cells[1:]:
        assert f"{cell}: only in BASE, a cell that stopped being measured" in told.err


def test_the_help_says_what_each_code_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.guarded(["compare", "--help"]) == Exit.OK
    assert "1 for a regression or for a cell that stopped being measured" in " ".join(capsys.readouterr().out.split())


def test_the_json_is_one_document_and_markdown_is_a_page(base: Path, slower: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert compared(base, slower, "--json") == Exit.REGRESSION
    assert json.loads(capsys.readouterr().out)["counts"]["regression"] == 2
    assert compared(base, slower, "--markdown") == Exit.REGRESSION
    assert "\n# servermatrix compare: " in capsys.readouterr().out


def test_runs_are_found_by_their_names_and_by_latest(
    base: Path, slower: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, name in ((base, "2000-01-01T00-00-00Z-0000"), (slower, "2000-01-02T00-00-00Z-0000")):
        shutil.copytree(folder, tmp_path / name)
    assert compared("2000-01-01T00-00-00Z-0000", "latest", "--out", str(tmp_path), "--markdown") == Exit.REGRESSION
    assert f"{base.name} -> {slower.name}" in capsys.readouterr().out


def test_the_same_run_twice_is_refused_by_any_name(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes((base / store.RUN_FILE).read_bytes())
    assert compared(base, base) == Exit.USAGE
    assert compared(base, copy) == Exit.USAGE
    assert f"BASE and HEAD are the same run, {base.name}" in capsys.readouterr().err


def test_another_load_ends_with_the_list_of_what_differs_and_the_tip(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = made(tmp_path, "head", 2, "--rounds", "12", "--duration", "2s")
    capsys.readouterr()
    assert compared(base, head) == Exit.UNFIT
    told = capsys.readouterr()
    assert told.out == ""
    assert "1 window of 1 s" in told.err
    assert "1 window of 2 s" in told.err
    assert "--force" in told.err
    assert compared(base, head, "--force") == Exit.OK
    assert "COMPARED BY FORCE" in capsys.readouterr().out


def test_too_few_rounds_end_with_how_many_it_takes(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = made(tmp_path, "head", 2, "--rounds", "3")
    capsys.readouterr()
    assert compared(base, head) == Exit.USAGE
    assert "make both runs again with --rounds 7" in capsys.readouterr().err


def test_runs_with_a_budget_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (made(tmp_path, name, seed, "--budget", "9m", model=SLOWER) for name, seed in (("one", 1), ("other", 2)))
    capsys.readouterr()
    assert compared(one, other, "--markdown") == Exit.OK
    times = re.search(r"every p is (\d+) times", capsys.readouterr().out)
    looks = [len(store.read_run(folder).header.looks) for folder in (one, other)]
    assert times is not None
    assert int(times[1]) == looks[0] * looks[1] > 1


def test_a_run_that_was_cut_off_is_compared_and_labelled(
    base: Path, slower: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (slower / store.RUN_FILE).read_bytes().splitlines(keepends=True)
    head = tmp_path / "head.jsonl"
    head.write_bytes(b"".join(lines[:45]) + lines[45][:30])
    capsys.readouterr()
    assert compared(base, head) == Exit.REGRESSION
    told = " ".join(capsys.readouterr().out.split())
    assert f"HEAD is INCOMPLETE: 44 of 60 steps; go on with: python3 run_matrix.py run --resume {slower.name}" in told


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda _: b"", "the header is missing"),
        (lambda data: data[:40], "the header is missing"),
        (lambda data: data.replace(b"}\n", b"\n", 3), "is damaged"),
        (lambda data: data.replace(b'"schema":', b'"schema":9', 1), "schema"),
    ],
)
def test_a_run_that_cannot_be_read_is_a_sentence(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: object, said: str
) -> None:
    head = tmp_path / "damaged.jsonl"
    assert callable(damage)
    head.write_bytes(damage((base / store.RUN_FILE).read_bytes()))
    assert compared(base, head) == Exit.USAGE
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert compared(base, tmp_path / "nothing") == Exit.NOTHING
    assert compared(base, tmp_path) == Exit.NOTHING


@pytest.mark.parametrize("margin", ["3", "-1%", "100%", "x", "0.03"])
def test_a_margin_that_is_none_is_a_mistake_of_the_command_line(
    base: Path, capsys: pytest.CaptureFixture[str], margin: str
) -> None:
    assert compared(base, "latest", "--margin", margin) == Exit.USAGE
    assert "3%" in capsys.readouterr().err
