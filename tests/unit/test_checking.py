"""What was typed of a check -> its two sides; what a check found -> its exit code; and what surrounds its measuring."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servermatrix.analysis.durations import seconds_per_step
from servermatrix.analysis.regress import judge
from servermatrix.checking import Asked, exit_code, plan_check, read_trial
from servermatrix.config.overrides import Overrides
from servermatrix.effort import confirmation_s, estimate_s, preparation_s, steps_expected
from servermatrix.errors import Exit, NothingSelected, NotInstalled, Unfit, UsageProblem
from servermatrix.header import check_same, describe
from servermatrix.measure.bench import Venue, wanted
from servermatrix.model import (
    BASELINE,
    CANDIDATE,
    App,
    Cause,
    Cell,
    Change,
    CheckReport,
    Decision,
    Plan,
    RunHeader,
    Sample,
    Side,
    Skipped,
    Trial,
)
from servermatrix.prepare import Prepared, Setup, Wishes, prepare_stored
from servermatrix.render.progress import decision_lines
from servermatrix.shards import Shard
from servermatrix.sides import double
from servermatrix.steering import steer
from servermatrix.venues import Venues
from servermatrix.workbench import app_dirs
from tests.conftest import ROOT
from tests.unit.analyse_runs import cell, failed, run
from tests.unit.regress_runs import LOOKS, TRIAL, Give, both, candidate, conducted, fails, plan_of

APP = App(name="shop:app", target="shop:app", folder="/shop")
OLD, NEW = "uvicorn==0.52.0", "uvicorn==0.54.0"


def test_two_sets_are_two_sides_that_share_the_folder_of_the_app() -> None:
    trial = read_trial(Asked(baseline=OLD, candidate=NEW, margin=0.05), APP)
    assert trial == Trial(
        baseline=Side(name=BASELINE, requires=(OLD,)), candidate=Side(name=CANDIDATE, requires=(NEW,)), margin=0.05
    )


def test_of_one_folder_the_other_side_has_that_of_the_app_itself(tmp_path: Path) -> None:
    app, other = tmp_path / "app", tmp_path / "other"
    app.mkdir()
    other.mkdir()
    shop = replace(APP, folder=str(app))
    for asked, expected in (
        (Asked(baseline_app_dir=str(other)), (other, app)),
        (Asked(candidate_app_dir=str(other)), (app, other)),
        (Asked(baseline_app_dir=str(app), candidate_app_dir=str(other)), (app, other)),
    ):
        trial = read_trial(asked, shop)
        assert (trial.baseline.app_dir, trial.candidate.app_dir) == tuple(str(each.resolve()) for each in expected)


@pytest.mark.parametrize(
    "asked", [Asked(), Asked(candidate=NEW), Asked(candidate=NEW, candidate_app_dir=".")], ids=["nothing", "a set", "both"]
)
def test_without_a_baseline_what_to_type_is_said(asked: Asked) -> None:
    with pytest.raises(NothingSelected, match="no baseline is named") as caught:
        read_trial(asked, APP)
    assert "--baseline requirements-good.txt --candidate requirements-new.txt" in caught.value.tip
    assert caught.value.exit_code == Exit.NOTHING


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(baseline=OLD), "a baseline is named, but no candidate"),
        (Asked(baseline_app_dir="."), "a folder of an app is named, but no app"),
        (Asked(baseline=OLD, candidate=NEW, candidate_app_dir="."), "a folder of an app is named, but no app"),
    ],
)
def test_half_of_what_a_side_needs_is_refused(asked: Asked, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        read_trial(asked, None)


def wishes(*keep: str) -> Wishes:
    overrides = Overrides(seed=7, generator="fake")
    return Wishes(matrix=ROOT / "matrix.yaml", profile="smoke", keep=keep, overrides=overrides)


def servers(prepared: Prepared) -> set[str]:
    return {each.server for each in prepared.plan.cells}


def test_a_check_of_a_server_plans_the_cells_that_use_it_on_both_sides() -> None:
    made = plan_check(wishes(), Asked(baseline=OLD, candidate=NEW)).plan
    assert {each.server for each in made.cells} == {"uvicorn", "gunicorn"}
    assert any("hypercorn" in each.id and "uvicorn alone" in each.reason for each in made.excluded)
    assert made.rounds == 26


def test_cells_that_were_chosen_are_all_kept() -> None:
    assert servers(plan_check(wishes("hypercorn*"), Asked(baseline=OLD, candidate=NEW))) == {"hypercorn"}


def of_shards(count: int) -> list[Plan]:
    asked = Asked(baseline=OLD, candidate=NEW)
    return [plan_check(wishes(), replace(asked, shard=Shard(index=number, count=count))).plan for number in range(1, count + 1)]


def test_all_shards_together_measure_the_cells_that_a_whole_check_does() -> None:
    parts = of_shards(2)
    pairs = [{each.pair for each in part.cells} for part in parts]
    assert not pairs[0] & pairs[1]
    whole = plan_check(wishes(), Asked(baseline=OLD, candidate=NEW)).plan
    assert pairs[0] | pairs[1] == {each.pair for each in whole.cells}
    assert [sum(each.duplicate for each in part.cells) for part in parts] == [1, 1]


def test_with_more_shards_than_cells_that_use_what_differs_all_cells_are_measured_so_that_no_shard_is_empty() -> None:
    few = {each.pair for each in plan_check(wishes(), Asked(baseline=OLD, candidate=NEW)).plan.cells}
    pairs = [{each.pair for each in part.cells} for part in of_shards(len(few) + 1)]
    assert all(pairs)
    assert {"hypercorn", "uvicorn"} <= {pair.split("[")[0] for part in pairs for pair in part}


def app_in(folder: Path) -> Wishes:
    app = App(name="shop:app", target="shop:app", folder=str(folder))
    return replace(wishes("uvicorn*"), overrides=Overrides(seed=7, generator="fake", app=app))


@pytest.mark.parametrize("name", ["uvicorn/__init__.py", "uvicorn.py", "h11/__init__.py", "httptools.cpython-312-x86_64.so"])
def test_an_app_in_whose_folder_is_the_server_under_test_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UsageProblem, match=f"holds {re.split('[./]', name)[0]}, which servers would import from there") as caught:
        plan_check(app_in(tmp_path), Asked(baseline=OLD, candidate=NEW))
    assert "a folder of its own" in caught.value.tip
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(UsageProblem, match="the versions in the report would not be those that ran"):
        plan_check(app_in(other), Asked(candidate_app_dir=str(tmp_path)))


def test_what_no_server_of_the_check_needs_and_folders_that_are_no_package_may_be_beside_an_app(tmp_path: Path) -> None:
    for name in ("granian", "shop"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "uvicorn").mkdir()
    assert servers(plan_check(app_in(tmp_path), Asked(baseline=OLD, candidate=NEW))) == {"uvicorn"}


PLAN = plan_of("a", "b")


def judged(give: Give) -> tuple[CheckReport, Exit, Exit]:
    """Conduct a check with this fate; return its report, its exit code, and that where what is inconclusive fails."""
    made = conducted(PLAN, give)
    report = judge((made,))
    codes = [exit_code(report, (made,), inconclusive_fails=fails_too) for fails_too in (False, True)]
    return report, codes[0], codes[1]


def test_the_exit_code_tells_a_regression_from_a_quiet_night() -> None:
    assert judged(candidate("a"))[1:] == (Exit.OK, Exit.OK)
    assert judged(candidate("a", rps=1.2, cpu=0.8))[1:] == (Exit.OK, Exit.OK)
    assert judged(candidate("a", rps=0.8))[1:] == (Exit.REGRESSION, Exit.REGRESSION)


def test_what_is_inconclusive_fails_only_where_that_was_asked_for() -> None:
    report, warned, failed = judged(candidate("a", sd=0.3))
    assert report.of(Change.INCONCLUSIVE)
    assert (warned, failed) == (Exit.OK, Exit.INCONCLUSIVE)


def test_a_failed_cell_comes_before_a_regression_and_an_unfit_machine_before_both() -> None:
    report, _, _ = judged(candidate("a", rps=0.8))
    broken = replace(report.cells[1], change=Change.FAILED)
    worst = replace(report, cells=(*report.cells, broken))
    ok = conducted(PLAN, candidate("a"))
    assert exit_code(worst, (ok,), inconclusive_fails=True) == Exit.CELL_FAILED
    unfit = conducted(PLAN, fails("b", CANDIDATE, [3], Cause.ENVIRONMENT))
    assert exit_code(worst, (ok, unfit), inconclusive_fails=True) == Exit.UNFIT


def test_a_cell_that_fails_on_the_candidate_alone_is_a_regression() -> None:
    assert judged(fails("b", CANDIDATE, range(1, 27)))[1] == Exit.REGRESSION
    assert judged(fails("b", BASELINE, range(1, 27)))[1] != Exit.REGRESSION


@pytest.mark.parametrize(("rounds", "code"), [(3, Exit.INCONCLUSIVE), (9, Exit.INCONCLUSIVE), (10, Exit.OK)])
def test_a_check_that_stopped_before_its_end_never_ends_with_0(rounds: int, code: Exit) -> None:
    made = conducted(PLAN, candidate("a"), until=rounds)
    assert exit_code(judge((made,)), (made,), inconclusive_fails=False) == code


def test_a_check_that_stopped_at_its_first_failure_ends_with_4() -> None:
    made = conducted(PLAN, fails("b", CANDIDATE, [3]), until=3)
    assert exit_code(judge((made,)), (made,), inconclusive_fails=False) == Exit.CELL_FAILED
    lost = conducted(PLAN, fails("b", CANDIDATE, [3], Cause.NOISE), until=3)
    assert exit_code(judge((lost,)), (lost,), inconclusive_fails=False) == Exit.INCONCLUSIVE


def test_a_check_without_a_figure_of_any_cell_never_ends_with_0() -> None:
    def lost(of: Cell, number: int) -> Sample:
        return failed(of, number, Cause.NOISE, "too loud")

    def skipped(of: Cell, number: int) -> Sample:
        return Skipped(cell_id=of.id, round=number, started_at="", reason="wrk is not here")

    assert judged(lost)[1:] == (Exit.INCONCLUSIVE, Exit.INCONCLUSIVE)
    assert judged(skipped)[1:] == (Exit.UNFIT, Exit.UNFIT)
    seen = candidate("a")
    assert judged(lambda of, number: seen(of, number) if of.server in ("b", "canary") else lost(of, number))[1] == Exit.OK


def plan(made: Trial = TRIAL) -> Plan:
    once = Plan(cells=(cell("a"), cell("b"), cell("c")), excluded=(), apps=(), rounds=1, seed=3)
    return double(once, made, first=10, confirm=16)


def test_the_estimate_is_that_of_the_first_stage_and_a_flagged_pair_adds_its_fresh_rounds() -> None:
    made = plan()
    step_s = seconds_per_step(made.cells[0].load)
    assert estimate_s(made) == pytest.approx(preparation_s(made) + 10 * 7 * step_s)
    assert confirmation_s(made) == pytest.approx(16 * 2 * step_s)


def test_the_steps_to_come_are_those_of_the_first_stage_until_something_is_flagged() -> None:
    begun = conducted(PLAN, candidate("a", rps=0.8), until=9)
    assert steps_expected(begun) == 10 * len(PLAN)
    decided = conducted(PLAN, candidate("a", rps=0.8), until=10)
    assert steps_expected(decided) == 10 * len(PLAN) + 16 * (2 + 2)  # the flagged pair, and what is measured twice
    quiet = conducted(PLAN, candidate("a"), until=10)
    assert steps_expected(quiet) == 10 * len(PLAN)


def test_at_its_first_look_a_check_goes_on_with_what_was_flagged_alone() -> None:
    made = plan()
    whole = conducted(made.cells, candidate("b", rps=0.8), until=10)
    ten = replace(whole, decisions=())
    course = steer(made, lambda: ten, lambda estimated_s: estimated_s)
    decision = course.decide(LOOKS[0])
    assert decision == whole.decisions[0]
    left = [each for each in made.cells if each.id not in dict(decision.dropped)]
    canary = next(each for each in made.cells if each.duplicate)
    assert {each.id for each in left if each.server == "b"} == {each.id for each in made.cells if each.server == "b"}
    assert [each for each in left if each.server != "b"] == [replace(canary, duplicate=False), canary]
    assert course.out_of_time(made.cells, made.cells) == ""


def header(of: Trial = TRIAL) -> RunHeader:
    return replace(run(plan(of).cells, (), 26, looks=LOOKS).header, trial=of)


def test_how_many_cells_go_on_after_the_first_stage_is_one_line() -> None:
    some = tuple((each.cell.id, "not flagged") for each in header().cells if each.cell.server != "a" or each.cell.duplicate)
    line = "after the first stage, round 10: 1 cell of 3 will have 16 fresh rounds"
    assert list(decision_lines(Decision(round=10, alpha=0.1, dropped=some), header())) == [line]
    ended = Decision(round=10, alpha=0.1, stopped="nothing was flagged")
    assert list(decision_lines(ended, header())) == ["after the first stage, round 10: no cell needs fresh rounds"]


def venues(**failures: str) -> Venues:
    sides = [(each, (requires,)) for each, requires in ((BASELINE, OLD), (CANDIDATE, NEW))]
    return Venues(
        by_want={
            (name, "", requires): Venue(
                path=f"/env/{name}",
                versions={"uvicorn": requires[0].partition("==")[2], "python": "3.12.1"},
                contents=(("h11", "0.16.0"), ("uvicorn", requires[0].partition("==")[2])),
                failure=failures.get(name, ""),
            )
            for name, requires in sides
        }
    )


def prepared() -> Prepared:
    return plan_check(replace(wishes("uvicorn*h11*")), Asked(baseline=OLD, candidate=NEW))


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(out=tmp_path, argv=("check",), pin="off")


NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_header_of_a_check_says_all_that_each_side_has_installed(setup: Setup) -> None:
    found = describe(prepared(), setup, venues(), NOW)
    assert found.trial is not None
    assert found.trial.baseline == Side(name=BASELINE, requires=(OLD,), versions=(("h11", "0.16.0"), ("uvicorn", "0.52.0")))
    assert dict(found.trial.candidate.versions)["uvicorn"] == "0.54.0"
    assert ("uvicorn (baseline)", "0.52.0") in found.versions
    assert ("uvicorn (candidate)", "0.54.0") in found.versions
    assert {planned.cell.side: planned.argv[0] for planned in found.cells} == {
        BASELINE: "/env/baseline",
        CANDIDATE: "/env/candidate",
    }


def test_in_a_simulation_what_is_pinned_stands_for_what_is_installed(setup: Setup) -> None:
    found = describe(prepared(), setup, Venues(by_want={}), NOW).trial
    assert found is not None
    assert found.candidate.versions == (("uvicorn", "0.54.0"),)


def test_the_state_of_each_folder_of_an_app_is_stored(setup: Setup, tmp_path: Path) -> None:
    trial = replace(
        TRIAL, baseline=replace(TRIAL.baseline, app_dir=str(ROOT)), candidate=Side(name=CANDIDATE, app_dir=str(tmp_path))
    )
    one = prepared()
    found = describe(replace(one, plan=replace(one.plan, trial=trial)), setup, venues(), NOW).trial
    assert found is not None
    assert re.fullmatch(r"[0-9a-f]{12}\+?, files [0-9a-f]{8}", found.baseline.git)
    assert re.fullmatch(r"files [0-9a-f]{8}", found.candidate.git)


def test_a_check_goes_on_with_the_trial_that_it_began_with(setup: Setup) -> None:
    found = describe(prepared(), setup, venues(), NOW)
    assert prepare_stored(found, ()).plan.trial == found.trial
    check_same(found, describe(prepared(), setup, venues(), NOW))


def changed(of: RunHeader, **candidate: object) -> RunHeader:
    assert of.trial is not None
    return replace(of, trial=replace(of.trial, candidate=replace(of.trial.candidate, **candidate)))  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"versions": (("h11", "0.17.0"),)}, {"git": "0123456789ab"}])
def test_a_check_does_not_go_on_with_other_packages_or_other_code(setup: Setup, change: dict[str, object]) -> None:
    found = describe(prepared(), setup, venues(), NOW)
    with pytest.raises(Unfit, match="what one of the sides has installed, or the code of its app, changed"):
        check_same(found, changed(found, **change))


def test_a_folder_that_has_got_changes_of_the_same_commit_is_the_same_for_a_run_may_write_into_it(setup: Setup) -> None:
    found = changed(describe(prepared(), setup, venues(), NOW), git="0123456789ab, files 0a1b2c3d")
    check_same(found, changed(found, git="0123456789ab+, files 0a1b2c3d"))
    with pytest.raises(Unfit, match="the code of its app, changed"):
        check_same(found, changed(found, git="0123456789ab+, files 0a1b2c3e"))


@pytest.mark.parametrize("whose", ["a side", "the app itself"])
def test_a_check_does_not_go_on_with_an_app_that_was_edited_since(whose: str, setup: Setup, tmp_path: Path) -> None:
    shop = tmp_path / "shop.py"
    shop.write_text("app = 1\n")
    asked = Asked(candidate_app_dir=str(tmp_path)) if whose == "a side" else Asked(baseline=OLD, candidate=NEW)
    one = plan_check(app_in(tmp_path), asked)
    found = describe(one, setup, Venues(by_want={}), NOW)
    (tmp_path / "report.json").write_text("{}")
    check_same(found, describe(one, setup, Venues(by_want={}), NOW))
    shop.write_text("app = 2\n")
    with pytest.raises(Unfit, match=r"the code of (its|the) app,? changed since run"):
        check_same(found, describe(one, setup, Venues(by_want={}), NOW))


def test_the_side_whose_environment_cannot_be_had_is_named_with_the_words_of_the_installer() -> None:
    venues().check_sides()
    with pytest.raises(NotInstalled, match="there is no environment for the candidate: no matching distribution") as caught:
        venues(candidate="no matching distribution").check_sides()
    assert caught.value.exit_code == Exit.UNFIT
    with pytest.raises(NotInstalled, match="for the baseline"):
        venues(baseline="no", candidate="no").check_sides()


def test_a_side_has_one_environment_whatever_the_server() -> None:
    assert {wanted(each) for server in ("a", "b") for each in both(server)} == {(BASELINE, "", ()), (CANDIDATE, "", ())}


def test_only_sides_with_a_folder_of_their_own_import_their_app_from_there() -> None:
    assert app_dirs(None) == {}
    assert app_dirs(TRIAL) == {}
    assert app_dirs(replace(TRIAL, candidate=Side(name=CANDIDATE, app_dir="/new"))) == {CANDIDATE: "/new"}
