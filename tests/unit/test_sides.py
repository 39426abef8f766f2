"""The sides of a check: what may be typed, and the plan in which every cell is there on both of them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from servermatrix.errors import Exit, MatrixError, NothingSelected, UsageProblem
from servermatrix.model import BASELINE, CANDIDATE, Cell, Load, Look, Plan, Side, Trial
from servermatrix.outlook import outlook
from servermatrix.render import check_ahead
from servermatrix.sides import CLOSED_ONLY, by_servers_alone, double, read_side

OLD, NEW = ("uvicorn==0.52.0",), ("uvicorn==0.54.0",)
TRIAL = Trial(baseline=Side(name=BASELINE, requires=OLD), candidate=Side(name=CANDIDATE, requires=NEW))


def cell(server: str, rate: int = 0, *, generator: str = "wrk", **more: object) -> Cell:
    load = Load(generator=generator, connections=8, threads=1, duration_s=1, warmup_s=0, windows=1, rate_percent=rate)
    plain = Cell(server=server, options=(), label="", protocol="h1", workers=1, app="a", load=load)
    return replace(plain, **more)  # type: ignore[arg-type]


def plan(*cells: Cell, rounds: int = 1, seed: int = 1) -> Plan:
    return Plan(cells=cells, excluded=(), apps=(), rounds=rounds, seed=seed)


A, B, C = cell("a"), cell("b"), cell("c")


def test_every_cell_is_there_on_both_sides_next_to_each_other_with_what_its_side_requires() -> None:
    made = double(plan(A, B, C), TRIAL)
    pairs = [
        (pair, [one.side for one in group if not one.duplicate]) for pair, group in groupby(made.cells, lambda one: one.pair)
    ]
    assert pairs == [(each.id, [BASELINE, CANDIDATE]) for each in (A, B, C)]
    assert {one.side: one.requires for one in made.cells} == {BASELINE: OLD, CANDIDATE: NEW}
    assert made.trial == TRIAL


def test_one_baseline_is_there_twice_even_of_a_single_cell_or_in_few_rounds_and_over_the_seeds_each() -> None:
    chosen = Counter[str]()
    for seed in range(200):
        (again,) = [one for one in double(plan(A, B, C, seed=seed), TRIAL, first=4, confirm=7).cells if one.duplicate]
        assert (again.side, again.id) == (BASELINE, f"{replace(again, duplicate=False).id}/again")
        chosen[again.server] += 1
    assert min(chosen["a"], chosen["b"], chosen["c"]) > 40
    assert [one.duplicate for one in double(plan(A), TRIAL).cells] == [False, True, False]


def test_what_an_ordinary_plan_measures_twice_is_no_cell_of_a_check() -> None:
    made = double(plan(A, replace(A, duplicate=True), B), TRIAL)
    assert len(made.cells) == 5
    assert sum(one.duplicate for one in made.cells) == 1


def test_a_cell_whose_generator_is_missing_is_not_the_canary() -> None:
    other = cell("d", generator="h2load")
    made = [double(plan(A, other, seed=seed), TRIAL, missing=["h2load"]) for seed in range(30)]
    assert {one.server for each in made for one in each.cells if one.duplicate} == {"a"}


def test_the_two_looks_are_at_the_ends_of_the_two_stages() -> None:
    made = double(plan(A), TRIAL, first=6, confirm=9)
    assert (made.rounds, made.looks) == (15, (Look(round=6, alpha=0.10), Look(round=15, alpha=0.01)))
    assert double(plan(A), TRIAL).looks == (Look(round=10, alpha=0.10), Look(round=26, alpha=0.01))


def test_cells_at_a_fixed_rate_are_excluded_and_alone_they_are_nothing_to_check() -> None:
    made = double(plan(A, cell("a", 30)), TRIAL)
    assert [(each.id, each.reason) for each in made.excluded] == [("a/h1/w1/c8r30/a", CLOSED_ONLY)]
    assert len(made.cells) == 3
    with pytest.raises(NothingSelected):
        double(plan(cell("a", 30)), TRIAL)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ((A, cell("b", requires=("h11==0.16.0",))), "the axis `requires` cannot be used in a check"),
        ((cell("a", python="3.12"), cell("a", python="3.13")), "a check is done on one Python, but the cells want 3.12, 3.13"),
    ],
)
def test_cells_that_want_environments_of_their_own_are_refused(cells: tuple[Cell, ...], said: str) -> None:
    with pytest.raises(UsageProblem, match=re.escape(said)):
        double(plan(*cells), TRIAL)


def test_the_starts_of_a_pair_follow_each_other_in_every_round_and_in_either_order() -> None:
    made = double(plan(A, B, C), TRIAL)
    first = Counter[str]()
    for _, steps in groupby(made.steps(), lambda step: step.round):
        pairs = [(pair, [step.cell for step in group]) for pair, group in groupby(steps, lambda step: step.cell.pair)]
        assert len(pairs) == 3
        first.update(group[0].side for _, group in pairs)
    assert min(first.values()) > 20


def needs(one: Cell) -> tuple[str, ...]:
    return ("gunicorn", "uvicorn") if one.server == "b" else (one.server,)


SERVERS = ("uvicorn", "gunicorn", "c")


def test_where_only_a_server_differs_the_cells_that_do_not_use_it_are_left_out_with_the_reason() -> None:
    made = by_servers_alone(plan(cell("uvicorn"), B, C), TRIAL, SERVERS, needs)
    assert [one.server for one in made.cells] == ["uvicorn", "b"]
    assert [(each.id, "uvicorn alone" in each.reason) for each in made.excluded] == [(C.id, True)]


@pytest.mark.parametrize(
    "trial",
    [
        pytest.param(replace(TRIAL, candidate=replace(TRIAL.candidate, requires=(*NEW, "h11==0.16.0"))), id="h11 is no server"),
        pytest.param(replace(TRIAL, candidate=replace(TRIAL.candidate, requires=OLD)), id="nothing differs"),
        pytest.param(replace(TRIAL, candidate=replace(TRIAL.candidate, app_dir="/other")), id="the app differs, too"),
    ],
)
def test_where_anything_else_may_differ_no_cell_is_left_out(trial: Trial) -> None:
    whole = plan(cell("uvicorn"), B, C)
    assert by_servers_alone(whole, trial, SERVERS, needs) == whole


def test_a_check_of_a_server_that_no_cell_uses_selects_nothing() -> None:
    with pytest.raises(NothingSelected, match="no cell of the matrix uses uvicorn"):
        by_servers_alone(plan(C), TRIAL, SERVERS, needs)


def written(folder: Path, text: str) -> str:
    file = folder / "set.txt"
    file.write_text(text)
    return str(file)


def test_a_set_is_read_from_words_and_from_a_file_in_the_same_canonical_spelling(tmp_path: Path) -> None:
    text = "# good\n\nUvicorn [standard] == 0.52.0   # pinned\nflask>=3,<4\n"
    expected = ("flask<4,>=3", "uvicorn[standard]==0.52.0")
    assert read_side(BASELINE, written(tmp_path, text), None) == Side(name=BASELINE, requires=expected)
    assert read_side(CANDIDATE, "Uvicorn[standard]==0.52.0 flask>=3,<4", None) == Side(name=CANDIDATE, requires=expected)


def test_the_folder_of_an_app_is_kept_as_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_side(BASELINE, None, ".") == Side(name=BASELINE, app_dir=str(tmp_path.resolve()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "set.txt is empty"),
        ("# nothing\n\n", "set.txt is empty"),
        ("uvicorn==\n", "set.txt:1: 'uvicorn==' is no requirement"),
        ("h11\nuvicorn 0.52.0\n", "set.txt:2: 'uvicorn 0.52.0' is no requirement"),
        ("h11\n-r other.txt\n", "set.txt:2: options of pip such as -r"),
        ("--index-url https://example.org\n", "set.txt:1: options of pip such as --index-url"),
        ("uvicorn==0.52.0 --hash=sha256:12\n", "set.txt:1: hashes are not read"),
        ("uvicorn==0.52.0 \\\n    --hash=sha256:12\n", "set.txt:1: hashes are not read"),
        ("a @ file:///a.whl\n", "set.txt:1: 'a @ file:///a.whl' names an address"),
        ("https://example.org/a.whl\n", "set.txt:1: 'https://example.org/a.whl' is no requirement"),
        ("a==1; python_version>'3'\n", "has a condition"),
        ("a==1\nb==1\nA==2\n", "set.txt:3: a is there twice, first in line 1"),
        (
            "# Accepted by servermatrix, the candidate of check 1: 3 packages\na==1\nb==2\n",
            "lists 2 packages and says itself that there are 3: it was cut off",
        ),
        (
            "# Accepted by servermatrix, the candidate of check 1: 2 packages\na==1\nb==2.1",
            "set.txt was cut off within its last line",
        ),
    ],
)
def test_what_is_no_plain_requirements_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageProblem, match=re.escape(said)):
        read_side(BASELINE, written(tmp_path, text), None)


def test_a_file_that_is_no_text_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "set.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageProblem, match=r"set\.bin is not text in UTF-8"):
        read_side(BASELINE, str(tmp_path / "set.bin"), None)
    with pytest.raises(UsageProblem, match="cannot be read: Is a directory"):
        read_side(BASELINE, str(tmp_path), None)


def test_a_byte_order_mark_is_no_part_of_the_first_requirement(tmp_path: Path) -> None:
    assert read_side(BASELINE, written(tmp_path, "\ufeffa==1\nb==2"), None).requires == ("a==1", "b==2")


def test_a_folder_that_is_named_like_a_package_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uvicorn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_side(BASELINE, "uvicorn", None).requires == ("uvicorn",)
    with pytest.raises(UsageProblem, match="cannot be read: Is a directory"):
        read_side(BASELINE, "./uvicorn", None)


def test_a_file_that_is_whole_by_its_own_count_is_read(tmp_path: Path) -> None:
    for head in ("# Accepted by servermatrix, the candidate of check 1: 2 packages", "# these 5 packages are pinned"):
        assert read_side(BASELINE, written(tmp_path, f"{head}\na==1\nb==2\n"), None).requires == ("a==1", "b==2")


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        (BASELINE, "good.txt", Exit.NOTHING),
        (BASELINE, "sets/good", Exit.NOTHING),
        (CANDIDATE, "new.txt", Exit.USAGE),
        (BASELINE, "", Exit.USAGE),
        (CANDIDATE, "uvicorn = 1", Exit.USAGE),
    ],
)
def test_a_baseline_that_is_not_there_yet_is_something_else_than_a_misspelt_side(
    name: str, given: str, code: Exit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MatrixError) as caught:
        read_side(name, given, None)
    assert caught.value.exit_code == code
    assert caught.value.tip


def test_a_missing_folder_of_an_app_names_the_option_to_mend() -> None:
    with pytest.raises(UsageProblem, match="no folder nowhere to import the app of the candidate from") as caught:
        read_side(CANDIDATE, None, "nowhere")
    assert "--candidate-app-dir" in caught.value.tip


def told(made: Plan) -> str:
    return "\n".join(check_ahead.sentences(made, outlook(made)))


def test_what_a_check_will_take_is_told_by_stage() -> None:
    said = told(double(plan(A, B), TRIAL, first=6, confirm=8))
    # Two settings on two sides and one generator, then 6 rounds of 5 cells; 8 rounds of one pair.
    assert (
        "2 cells on both sides, one baseline twice: 6 rounds = 30 starts, about 1 min 4 s; then 8 fresh rounds, about 30 s"
        in said
    )
    assert "baseline: uvicorn==0.52.0\ncandidate: uvicorn==0.54.0\n" in said


def test_both_sides_being_the_same_is_said() -> None:
    same = replace(TRIAL, candidate=replace(TRIAL.candidate, requires=OLD))
    assert "this is an A/A check" in told(double(plan(A), same))
    assert "A/A" not in told(double(plan(A), TRIAL))


def test_a_side_of_many_requirements_is_told_by_those_that_the_other_has_not() -> None:
    many = tuple(f"p{number}==1" for number in range(100))
    trial = Trial(baseline=Side(name=BASELINE, requires=(*many, *OLD)), candidate=Side(name=CANDIDATE, requires=(*many, *NEW)))
    assert "candidate: uvicorn==0.54.0, 100 requirements as on the other side\n" in told(double(plan(A), trial))


def test_cells_that_a_check_leaves_out_are_counted_by_reason() -> None:
    made = by_servers_alone(plan(cell("uvicorn"), cell("uvicorn", 30), C), TRIAL, SERVERS, needs)
    said = told(double(made, TRIAL))
    assert f"1 cell left out: {CLOSED_ONLY}" in said
    assert "1 cell left out: the sides differ in uvicorn alone" in said


def test_rounds_that_could_confirm_too_little_are_told_before_the_run() -> None:
    said = "no more than 1 change could be confirmed"
    assert said in told(double(plan(A), TRIAL, confirm=7))
    assert "could be confirmed" not in told(double(plan(A), TRIAL, confirm=8))
    assert "could be confirmed" not in told(double(plan(A, B, C), TRIAL))
