"""Every verdict and exit code of `check`, from the command line to what it prints, by a generator whose sides differ as told."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from servermatrix.cli import guarded
from tests.integration.test_commands import StartCli

QUIET = "noise: {kind: normal, sd: 0.02}\n"
CELLS = 'seed: 1\ncells: {"*": {rps: 20000, cpu_us: 40}}\n'
TWO = ("-k", "uvicorn[http=h11*", "-k", "granian[loop=uvloop]*")
UVICORN, GRANIAN = "uvicorn[http=h11,loop=asyncio]/h1/w1/c64/plaintext", "granian[loop=uvloop]/h1/w1/c64/plaintext"
OLD, NEW = "h11==0.15.0 httptools==0.7.1 uvloop==0.22.1", "h11==0.16.0 httptools==0.8.0 uvloop==0.23.0"
LINE = r"check: {} regressed, {} improved, {} unchanged, {} inconclusive, {} failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended; `found` reads what it printed as JSON."""

    code: int
    out: str
    err: str

    @property
    def found(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document

    def cell(self, pair: str = UVICORN) -> dict[str, Any]:
        (cell,) = (cell for cell in self.found["cells"] if cell["pair"] == pair)
        return dict(cell)

    @property
    def verdict(self) -> str:
        return str(self.cell()["change"])

    @property
    def sentence(self) -> str:
        return str(self.cell()["sentence"])


Check = Callable[..., Done]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command in an empty folder, within this process."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = guarded(list(words))
        out, err = capsys.readouterr()
        return Done(code=code, out=out, err=err)

    return run


@pytest.fixture
def check(command: Callable[..., Done], tmp_path: Path) -> Check:
    """Check two cells by a model, of which what is given is added to a quiet one."""

    def run(model: str = "", *words: str, noise: str = QUIET, as_json: bool = True, cells: tuple[str, ...] = TWO) -> Done:
        (tmp_path / "fake.yaml").write_text(CELLS + noise + model)
        typed = ("--load", "fake", "--fake", "fake.yaml", "--baseline", OLD, "--candidate", NEW, "--seed", "7", "-q")
        return command("check", *typed, *cells, *(["--json"] if as_json else []), *words)

    return run


def candidate(entry: str, glob: str = "uvicorn*") -> str:
    return f'sides: {{candidate: {{"{glob}": {entry}}}}}\n'


def test_sides_that_are_alike_are_unchanged_and_end_with_0(check: Check) -> None:
    done = check(as_json=False)
    assert done.code == 0, done.err
    first = done.out.splitlines()[0]
    assert first.startswith(LINE.format(0, 0, 2, 0, 0) + " (smallest detectable change ")
    assert first.endswith(" %)")
    assert "no change beyond " in check().sentence


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{rps: x0.9}", "throughput only: look at the environment"),
        ("{cpu_us: x1.1}", "the CPU time per request"),
        ("{rps: x0.9, cpu_us: x1.1}", "as many requests per second and uses 1.1"),
        ("{rps: x1.3, cpu_us: x1.1}", "the CPU time per request, which is worse, but serves 1."),
    ],
)
def test_a_candidate_that_became_worse_is_a_regression_and_ends_with_1(check: Check, entry: str, said: str) -> None:
    done = check(candidate(entry))
    assert (done.code, done.verdict, done.cell(GRANIAN)["change"]) == (1, "regression", "no change")
    assert said in done.sentence
    assert done.found["line"].startswith(LINE.format(1, 0, 1, 0, 0))


@pytest.mark.parametrize("entry", ["{rps: x1.1}", "{cpu_us: x0.9}"])
def test_a_candidate_that_became_better_is_an_improvement_and_ends_with_0(check: Check, entry: str) -> None:
    done = check(candidate(entry))
    assert (done.code, done.verdict) == (0, "improvement")
    assert done.found["line"].startswith(LINE.format(0, 1, 1, 0, 0))


def test_the_same_change_of_the_baseline_is_the_opposite_verdict(check: Check) -> None:
    worse = check('sides: {baseline: {"uvicorn*": {cpu_us: x1.1}}}\n')
    assert (worse.code, worse.verdict) == (0, "improvement")


def test_a_change_within_the_margin_is_none_and_a_wider_margin_lets_more_pass(check: Check) -> None:
    assert check(candidate("{cpu_us: x1.02}")).verdict == "no change"
    assert check(candidate("{cpu_us: x1.06}")).verdict == "regression"
    assert check(candidate("{cpu_us: x1.06}"), "--margin", "8%").verdict == "no change"


def test_a_cell_that_fails_on_the_candidate_alone_is_a_regression(check: Check) -> None:
    done = check(candidate("{fail: it does not start}"))
    assert (done.code, done.verdict) == (1, "regression")
    assert done.sentence.endswith("in none of the baseline: it does not start")
    assert done.cell()["candidate"]["rps"] is None


def test_a_candidate_that_fails_and_twice_again_is_a_regression_whatever_its_speed(check: Check) -> None:
    more = '"uvicorn?*": {fail: it hung, rounds: 17}, "uvicor*": {fail: it hung, rounds: 22}, "uvico*": {rps: x2}'
    done = check(candidate("{fail: it hung, rounds: 3}, " + more))
    assert (done.code, done.verdict) == (1, "regression")
    assert "failed in 3 of 26 starts of the candidate" in done.sentence


def test_a_single_failure_is_looked_at_again_and_stays_open_unless_it_comes_back(check: Check) -> None:
    once = check(candidate("{fail: it hung, rounds: 3}"))
    assert (once.code, once.verdict, once.cell()["flagged"]) == (0, "inconclusive", True)
    assert "failed in 1 of 26 starts of the candidate" in once.sentence
    again = check(candidate("{fail: it hung, rounds: 3}, " + '"uvicorn?*": {fail: it hung, rounds: 20}'))
    assert (again.code, again.verdict) == (0, "inconclusive")
    running = check(candidate("{fail: it hung, rounds: 3}, " + '"uvicorn?*": {fail: it hung, rounds: 19-20}'))
    assert (running.code, running.verdict) == (1, "regression")


def test_a_cell_that_fails_on_both_sides_or_on_the_baseline_at_times_is_failed_and_ends_with_4(check: Check) -> None:
    both = check('fail: {"uvicorn*": it is Monday}\n')
    assert (both.code, both.verdict) == (4, "failed")
    assert "it is Monday" in both.sentence
    at_times = check('sides: {baseline: {"uvicorn*": {fail: it hung, rounds: 4}, "uvicorn?*": {fail: it hung, rounds: 8}}}\n')
    assert (at_times.code, at_times.verdict) == (4, "failed")
    assert "a cell with errors is never a baseline" in at_times.sentence
    assert at_times.found["line"].startswith(LINE.format(0, 0, 1, 0, 1))


def test_a_failed_cell_weighs_more_than_a_regression(check: Check) -> None:
    done = check('fail: {"granian*": it is Monday}\n' + candidate("{cpu_us: x1.2}"))
    assert done.found["line"].startswith(LINE.format(1, 0, 0, 0, 1))
    assert done.code == 4


def test_a_cell_that_only_works_on_the_candidate_is_new_and_the_first_line_says_so(check: Check) -> None:
    done = check('sides: {baseline: {"uvicorn*": {fail: not yet}}}\n')
    assert (done.code, done.verdict) == (0, "new")
    assert done.found["line"].startswith(LINE.format(0, 0, 1, 0, 0) + ", 1 new (smallest")


def test_too_much_noise_is_inconclusive_which_warns_or_ends_with_6(check: Check) -> None:
    loud = "noise: {kind: normal, sd: 0.4}\n"
    done = check(noise=loud)
    assert (done.code, done.verdict) == (0, "inconclusive")
    assert done.found["line"].startswith(LINE.format(0, 0, 0, 2, 0))
    assert "inconclusive" in done.err
    assert check("", "--inconclusive", "fail", noise=loud).code == 6


def test_a_pair_that_lost_too_many_rounds_is_inconclusive(check: Check) -> None:
    done = check(candidate("{invalid: 0.5}"))
    assert (done.code, done.verdict, done.cell(GRANIAN)["change"]) == (0, "inconclusive", "no change")
    assert "of its rounds were lost to noise" in done.sentence


def test_a_pair_that_lost_all_rounds_is_inconclusive_and_has_no_number(check: Check) -> None:
    done = check(candidate("{invalid: 1}"))
    assert (done.code, done.verdict, done.cell()["rps"]) == (0, "inconclusive", None)
    assert check('sides: {baseline: {"*": {invalid: 1}}}\n').code == 6, "of no cell is there a number"


def test_what_only_the_first_stage_saw_is_no_regression(check: Check) -> None:
    done = check(candidate("{cpu_us: x1.3, rounds: 1-10}"))
    assert (done.code, done.verdict, done.cell()["flagged"]) == (0, "no change", True)


def test_a_canary_that_is_too_wide_leaves_nothing_unchanged(check: Check) -> None:
    wide = 'sides: {baseline: {"*/again": {rps: x0.5, rounds: 1-2}, "*/agai?": {rps: x2, rounds: 5-6}}}\n'
    done = check(wide)
    (canary,) = done.found["canaries"]
    assert (canary["fit"], canary["alarmed"]) == (False, False)
    assert done.found["line"].startswith(LINE.format(0, 0, 0, 2, 0))
    assert done.code == 0
    assert check(wide, "--inconclusive", "fail").code == 6


def test_beside_a_wide_canary_a_regression_stands(check: Check) -> None:
    wide = '"*/again": {rps: x0.5, rounds: 1-8}, "*/agai?": {rps: x2, rounds: 11-18}'
    sides = f'{{baseline: {{{wide}}}, candidate: {{"uvicorn*": {{cpu_us: x1.3}}}}}}'
    done = check(f"sides: {sides}\n")
    assert (done.code, done.verdict, done.cell(GRANIAN)["change"]) == (1, "regression", "inconclusive")


def test_beside_a_canary_that_was_told_apart_only_failures_stand(check: Check) -> None:
    apart = 'baseline: {"*/again": {rps: x0.8}}'
    done = check(f'sides: {{{apart}, candidate: {{"uvicorn*": {{cpu_us: x1.3}}, "granian*": {{fail: it broke}}}}}}\n')
    (canary,) = done.found["canaries"]
    assert canary["alarmed"] is True
    assert (done.verdict, done.cell(GRANIAN)["change"]) == ("inconclusive", "regression")
    assert done.code == 1


def test_without_a_baseline_and_without_a_cell_the_code_is_5(command: Callable[..., Done], check: Check) -> None:
    bare = command("check", "--candidate", "h11==0.16.0")
    assert (bare.code, bare.out) == (5, "")
    assert "no baseline is named" in bare.err
    missing = command("check", "--baseline", "gone.txt", "--candidate", "h11==0.16.0")
    assert missing.code == 5
    assert "gone.txt does not exist" in missing.err
    assert check(cells=("-k", "nothing*")).code == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--baseline", "h11=0.15", "--candidate", "h11==1"), "is no requirement"),
        (("--baseline", "h11==0.15 h11==0.16", "--candidate", "h11==1"), "h11 is there twice"),
        (("--baseline", "h11==0.15"), "no candidate"),
        (("--baseline", "h11", "--candidate", "h11==1", "--margin", "-1%"), "margin"),
        (("--baseline", "h11", "--candidate", "h11==1", "--rounds", "2"), "--rounds"),
    ],
)
def test_sides_and_margins_that_are_none_end_with_2(command: Callable[..., Done], words: tuple[str, ...], said: str) -> None:
    done = command("check", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_mistake_in_the_model_fails_the_cells_with_its_sentence(check: Check) -> None:
    done = check(candidate("{rps: 0.9x}"))
    assert (done.code, done.verdict) == (1, "regression")
    assert "which must be a number, or a factor as in x0.9" in done.sentence


def test_a_place_that_cannot_be_written_ends_with_3_before_anything_is_asked(check: Check, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = check("", "--out", "file/reports")
    assert (done.code, done.out) == (3, "")


def test_a_check_that_is_interrupted_ends_with_130_and_goes_on_where_it_was(
    start_cli: StartCli, command: Callable[..., Done], tmp_path: Path
) -> None:
    (tmp_path / "fake.yaml").write_text(CELLS + QUIET + candidate("{cpu_us: x1.3, rounds: 1-300}"))
    words = ("--baseline", OLD, "--candidate", NEW, "--rounds", "300", "--history", "nights", *TWO)
    process = start_cli("check", "--load", "fake", "--fake", "fake.yaml", "--seed", "7", *words)
    deadline = time.monotonic() + 30
    while not has_samples(tmp_path / "reports") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out.startswith("check: ")
    assert "nothing was written, for the check was interrupted" in err
    assert not list((tmp_path / "nights").glob("*.json"))
    resumed = command("check", "--resume", "latest", "-q", "--json")
    assert resumed.code == 0
    assert resumed.found["complete"] is True


def has_samples(reports: Path) -> bool:
    return any(file.stat().st_size > 30_000 for file in reports.glob("*/run.jsonl"))


def test_the_same_seed_gives_the_same_verdicts_and_the_stored_run_prints_them_again(
    check: Check, command: Callable[..., Done]
) -> None:
    one, other = check(candidate("{cpu_us: x1.1}")), check(candidate("{cpu_us: x1.1}"))
    assert one.found["cells"] == other.found["cells"]
    printed = command("report", "latest", "--json")
    assert printed.found == other.found


def test_a_night_is_added_to_the_history_and_no_later_one_overwrites_it(check: Check, tmp_path: Path) -> None:
    check(candidate("{cpu_us: x1.1}"), "--history", "nights")
    (first,) = (tmp_path / "nights").glob("*.json")
    before = first.read_bytes()
    check("", "--history", "nights")
    assert len(list((tmp_path / "nights").glob("*.json"))) == 2
    assert first.read_bytes() == before


PACKAGES = 'packages: {"httptools==0.8.0": {"uvicorn*": {cpu_us: x1.2}}}\n'


def test_the_package_that_did_it_is_named_from_the_command_line(check: Check, tmp_path: Path) -> None:
    done = check(PACKAGES, "--bisect")
    assert (done.code, done.verdict) == (1, "regression")
    found = done.found["attribution"]
    assert found["packages"] == ["httptools"]
    assert found["sentence"].startswith("httptools 0.7.1 -> 0.8.0 made the difference")
    assert [probe["worse"] for probe in found["probes"]] == ["httptools" in probe["upgraded"] for probe in found["probes"]]
    runs = set(stored(tmp_path / "reports"))
    assert runs > {probe["run"] for probe in found["probes"]}


def stored(reports: Path) -> Iterator[str]:
    for file in reports.rglob("run.jsonl"):
        yield file.parent.name


def test_two_packages_that_do_it_together_are_named_together_from_the_command_line(check: Check) -> None:
    done = check('packages: {"h11==0.16.0 uvloop==0.23.0": {"uvicorn*": {rps: x0.8}}}\n', "--bisect")
    assert done.found["attribution"]["packages"] == ["h11", "uvloop"]


def test_cells_with_different_culprits_have_one_each(check: Check) -> None:
    of_granian = '"uvloop==0.23.0": {"granian*": {cpu_us: x1.3}}'
    found = check(PACKAGES.replace("{cpu_us: x1.2}}}", "{cpu_us: x1.2}}, " + of_granian + "}"), "--bisect").found["attribution"]
    assert found["packages"] == ["httptools", "uvloop"]
    assert f"(in {UVICORN})" in found["sentence"]
    assert f"(in {GRANIAN})" in found["sentence"]


def test_a_change_of_two_equal_halves_is_put_down_to_neither(check: Check) -> None:
    half = '{"uvicorn*": {cpu_us: x1.1}}'
    found = check(f'packages: {{"h11==0.16.0": {half}, "uvloop==0.23.0": {half}}}\n', "--bisect").found["attribution"]
    assert found["packages"] == []
    assert found["sentence"].startswith(
        "which package made the difference could not be told: 2 sets between the sides were tried"
    )


def test_without_a_regression_nothing_is_bisected(check: Check, tmp_path: Path) -> None:
    done = check(candidate("{cpu_us: x0.8}"), "--bisect")
    assert done.found["attribution"] is None
    assert len(list(stored(tmp_path / "reports"))) == 1
