"""`github` as a step of a workflow runs it: what it tells, and that nothing that goes wrong in telling changes how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from servermatrix import cli, store
from servermatrix.errors import Exit
from servermatrix.publish.issues import marker
from tests.github_job import VARIABLES, Job, a_job, pushing, some_nights, told  # noqa: F401 - fixtures
from tests.github_stand_in import REPOSITORY, TOKEN, on_branch


def test_a_regression_is_told_everywhere_once_and_ends_with_1(
    job: Job, nights: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(nights["bad"], *pushing(job), "--junit", str(job.folder / "j.xml")) == Exit.REGRESSION
    out, err = capsys.readouterr()
    first, *annotations = out.splitlines()
    assert first.startswith("check: 1 regressed, 0 improved, 1 unchanged")
    assert [line.split(" ")[0] for line in annotations if line.startswith("::error")] == ["::error"]
    assert len(annotations) <= 2
    assert job.summary.splitlines()[2] == f"**{first}**"
    assert job.outputs["verdict"] == "regression"
    assert job.outputs["exit-code"] == "1"
    assert job.outputs["line"] == first
    assert job.outputs["issue"].endswith("/issues/1")
    assert job.github.issues[0]["body"].splitlines()[0] == marker("nightly")
    assert f"{job.github.address}/{REPOSITORY}/actions/runs/7" in job.github.issues[0]["body"]
    assert list(on_branch(job.repository, "servermatrix-history")) == [f"{nights['bad'].name}.json"]
    assert "opened https://github.example/team/app/issues/1" in err
    assert "warning" not in err
    assert (job.folder / "j.xml").exists()
    assert TOKEN not in out + err + job.summary


def test_recovery_closes_the_issue_and_a_noisy_night_in_between_leaves_it_open(job: Job, nights: dict[str, Path]) -> None:
    assert told(nights["bad"]) == Exit.REGRESSION
    assert told(nights["noisy"]) == Exit.OK
    assert [issue["state"] for issue in job.github.issues] == ["open"]
    assert told(nights["good"]) == Exit.OK
    assert [issue["state"] for issue in job.github.issues] == ["closed"]
    assert job.outputs["verdict"] == "passed"


def test_a_noisy_night_fails_only_where_that_was_asked_for(
    job: Job, nights: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(nights["noisy"]) == Exit.OK
    assert "with --inconclusive=fail it would end with 6" in capsys.readouterr().err
    assert told(nights["noisy"], "--inconclusive", "fail") == Exit.INCONCLUSIVE
    assert job.outputs["verdict"] == "inconclusive"
    assert job.github.issues == []


def test_the_nights_that_are_there_are_fetched_beside_tonights(job: Job, nights: dict[str, Path]) -> None:
    told(nights["bad"], *pushing(job))
    words = ("--history", str(job.folder / "fresh"), "--push")
    told(nights["good"], *words)
    names = {f"{nights[name].name}.json" for name in ("bad", "good")}
    assert {file.name for file in (job.folder / "fresh").iterdir()} == names
    assert set(on_branch(job.repository, "servermatrix-history")) == names


def test_the_same_night_told_twice_changes_nothing_in_the_history(job: Job, nights: dict[str, Path]) -> None:
    for _ in range(2):
        assert told(nights["good"], *pushing(job)) == Exit.OK
    assert len(on_branch(job.repository, "servermatrix-history")) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410, 422, 429, 0, 200])
@pytest.mark.parametrize("world", ["good", "bad"])
def test_whatever_the_api_answers_the_exit_code_is_that_of_the_check(
    job: Job, nights: dict[str, Path], world: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"retry-after": "3600"} if status == 429 else {}
    job.github.wrong = [(status, headers, '{"message": "no, for a reason"}')] * 9
    assert told(nights[world]) == (Exit.REGRESSION if world == "bad" else Exit.OK)
    assert "warning: " in capsys.readouterr().err
    assert "**Not done:** " in job.summary
    assert job.outputs["exit-code"] == ("1" if world == "bad" else "0")


def test_a_history_that_cannot_be_reached_is_said_in_the_summary_and_the_night_is_kept_here(
    job: Job, nights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "wrong")
    assert told(nights["good"], *pushing(job), "--issue", "false") == Exit.OK
    assert "**Not done:** the history was not fetched: git ls-remote failed: " in job.summary
    assert "**Not done:** the history was not pushed to the branch servermatrix-history: " in job.summary
    assert len(list((job.folder / "history").iterdir())) == 1


@pytest.mark.parametrize("missing", VARIABLES)
def test_any_variable_may_be_missing_and_the_verdict_is_not_lost(
    job: Job, nights: dict[str, Path], missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(f"GITHUB_{missing}")
    words = () if missing == "TOKEN" else pushing(job)
    assert told(nights["bad"], *words) == Exit.REGRESSION
    out, err = capsys.readouterr()
    assert out.startswith("check: 1 regressed")
    said = {"RUN_ID": "no issue of", "REF": "on an unknown branch", "EVENT_PATH": "GITHUB_EVENT_PATH does not say"}
    assert said.get(missing, f"GITHUB_{missing} is not") in err or missing == "RUN_ID"


def test_without_any_variable_it_says_what_is_missing_and_asks_nobody(
    job: Job, nights: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(f"GITHUB_{name}")
    assert told(nights["bad"], *pushing(job)) == Exit.REGRESSION
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert "no issue was looked for: GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN are not set" in err
    assert job.github.asked == []


def test_a_run_that_is_not_there_is_told_in_the_summary_and_is_no_success(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(job.folder / "nothing") == Exit.NOTHING
    assert "no verdict" in job.summary
    assert job.outputs == {"verdict": "unfit", "exit-code": "5"}
    assert "no stored run has this name" in capsys.readouterr().err


def test_an_empty_branch_means_that_nothing_is_pushed(job: Job, nights: dict[str, Path]) -> None:
    assert told(nights["good"], *pushing(job), "--branch", "") == Exit.OK
    assert len(list((job.folder / "history").iterdir())) == 1
    assert not [path for _, path in job.github.asked if ".git/" in path]


def test_a_push_without_a_history_is_a_mistake(job: Job, nights: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert told(nights["good"], "--push") == Exit.USAGE
    assert "name the folder of the history with --history DIR" in capsys.readouterr().err
    assert job.github.asked == []


def test_the_latest_run_is_told_where_none_is_named(
    job: Job, nights: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.guarded(["github", "--out", str(nights["good"].parent), "--issue", "no"]) == Exit.OK
    assert capsys.readouterr().out.startswith("check: 0 regressed")
    assert job.github.asked == []


def test_an_incomplete_night_is_told_and_ends_unfit_without_history_or_issue(
    job: Job, nights: dict[str, Path], tmp_path: Path
) -> None:
    torn = tmp_path / "torn"
    torn.mkdir()
    lines = (nights["bad"] / store.RUN_FILE).read_bytes().splitlines(keepends=True)
    (torn / store.RUN_FILE).write_bytes(b"".join(lines[:30]))
    assert told(torn, *pushing(job)) == Exit.UNFIT
    assert "INCOMPLETE" in job.summary
    assert "the night is not complete, so nothing was added to the history" in job.summary
    assert "nobody looked whether a cell stopped reporting: tonight's night is not among them" in job.summary
    assert job.github.issues == []
    assert not (job.folder / "history").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("EVENT_NAME", "pull_request", "this job runs for pull_request"),
        ("EVENT_NAME", "issue_comment", "this job runs for issue_comment"),
        ("REF", "refs/heads/feature", "this job runs on refs/heads/feature, and only the default branch, main, counts"),
        ("REF", "refs/tags/main", "this job runs on refs/tags/main"),
        ("EVENT_PATH", "/nothing", "GITHUB_EVENT_PATH does not say which branch is the default one"),
    ],
)
def test_other_branches_and_pull_requests_change_no_history_and_no_issue(
    job: Job, nights: dict[str, Path], monkeypatch: pytest.MonkeyPatch, *, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"GITHUB_{name}", value)
    assert told(nights["bad"], *pushing(job)) == Exit.REGRESSION
    assert f"**Not done:** no history and no issue: {said}" in job.summary
    assert job.outputs["verdict"] == "regression"
    assert job.github.asked == []
    assert not (job.folder / "history").exists()


def test_what_is_said_at_the_end_of_the_summary_is_shown_as_it_is(job: Job, nights: dict[str, Path]) -> None:
    job.github.wrong = [(403, {}, '{"message": "<b>no</b> `x`"}')] * 3
    told(nights["bad"])
    assert "\\<b>no\\</b> \\`x\\`" in job.summary
