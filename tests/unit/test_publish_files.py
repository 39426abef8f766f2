"""What GitHub says by its variables, and the files by which a step answers; any of them may be missing or refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servermatrix.publish.failure import NotPublished
from servermatrix.publish.files import SUMMARY_BYTES, add_summary, room_left, set_outputs
from servermatrix.publish.surroundings import Surroundings, read, require

EVERYTHING = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_STEP_SUMMARY": "/somewhere/summary",
    "GITHUB_OUTPUT": "/somewhere/output",
    "GITHUB_REPOSITORY": "team/app",
    "GITHUB_TOKEN": "secret",
    "GITHUB_API_URL": "https://api.github.com/",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_RUN_ID": "7",
}


def test_all_that_github_says_is_read_and_the_token_is_not_shown() -> None:
    place = read(EVERYTHING)
    assert place.in_actions
    assert place.summary == Path("/somewhere/summary")
    assert place.api_url == "https://api.github.com"
    assert place.run_url == "https://github.com/team/app/actions/runs/7"
    assert "secret" not in repr(place)


@given(st.dictionaries(st.sampled_from([*EVERYTHING, "HOME"]), st.sampled_from(["", " ", "x"])))
def test_whatever_is_missing_or_empty_is_no_failure_by_itself(environ: dict[str, str]) -> None:
    place = read(environ)
    assert not place.in_actions
    assert (place.output is None) == (environ.get("GITHUB_OUTPUT", "").strip() == "")


def test_nothing_at_all_is_read_as_nothing() -> None:
    assert read({}) == Surroundings()
    assert read({}).run_url == ""


def test_what_is_missing_for_something_is_named_as_github_calls_it() -> None:
    with pytest.raises(NotPublished, match=r"^no issue: GITHUB_API_URL, GITHUB_TOKEN are not set$"):
        require("no issue", api_url="", repository="team/app", token="")
    with pytest.raises(NotPublished, match="GITHUB_TOKEN is not set"):
        require("no issue", token="")
    require("no issue", api_url="x", repository="team/.app.web_2-x")


@pytest.mark.parametrize("repository", ["app", "team/app/more", "../x", "x/..", "team/a b", "team/app?x", "team/\u00e9"])
def test_a_repository_that_is_none_is_not_put_into_an_address(repository: str) -> None:
    with pytest.raises(NotPublished, match="not of the form OWNER/NAME"):
        require("no issue", repository=repository)


def test_a_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    summary.write_text("before\n")
    add_summary(summary, "## after")
    assert summary.read_text() == "before\n## after\n"


def test_a_summary_that_would_be_refused_as_a_whole_is_not_written(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    summary.write_text("x" * (SUMMARY_BYTES - 10))
    assert room_left(summary) == 10
    with pytest.raises(NotPublished, match="more than 1000000 bytes"):
        add_summary(summary, "\u20ac" * 4)
    assert summary.stat().st_size == SUMMARY_BYTES - 10
    assert room_left(None) == room_left(tmp_path / "new") == SUMMARY_BYTES


def test_outputs_are_one_line_each_whatever_is_in_them(tmp_path: Path) -> None:
    output = tmp_path / "output"
    set_outputs(output, {"line": "one\ntoken=stolen", "count": 3})
    assert output.read_text() == "line=one token=stolen\ncount=3\n"


def test_files_that_are_not_named_or_cannot_be_written_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match="GITHUB_STEP_SUMMARY is not set"):
        add_summary(None, "x")
    with pytest.raises(NotPublished, match="GITHUB_OUTPUT is not set"):
        set_outputs(None, {})
    with pytest.raises(NotPublished, match=r"the step summary was not written: .*Is a directory"):
        add_summary(tmp_path, "x")
    with pytest.raises(NotPublished, match=r"the step's outputs were not set: .*No such file"):
        set_outputs(tmp_path / "no" / "folder", {"a": 1})


SPEAKING = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main"}


@pytest.mark.parametrize(
    ("changed", "event", "said"),
    [
        ({}, '{"repository": {"default_branch": "main"}}', ""),
        ({"GITHUB_EVENT_NAME": "schedule"}, "{}", ""),
        (
            {"GITHUB_EVENT_NAME": "pull_request_target"},
            '{"repository": {"default_branch": "main"}}',
            "runs for pull_request_target",
        ),
        ({"GITHUB_EVENT_NAME": ""}, '{"repository": {"default_branch": "main"}}', "GITHUB_EVENT_NAME is not set"),
        ({"GITHUB_REF": "refs/heads/x"}, '{"repository": {"default_branch": "main"}}', "runs on refs/heads/x, and only"),
        ({"GITHUB_REF": "refs/tags/main"}, '{"repository": {"default_branch": "main"}}', "runs on refs/tags/main"),
        ({}, "no JSON", "does not say which branch"),
        ({}, "[]", "does not say which branch"),
        ({}, '{"repository": {"default_branch": 7}}', "does not say which branch"),
        ({"GITHUB_ACTIONS": "", "GITHUB_REF": "refs/heads/x"}, "{}", ""),
    ],
)
def test_only_the_default_branch_and_no_pull_request_has_a_say(
    tmp_path: Path, changed: dict[str, str], event: str, said: str
) -> None:
    (tmp_path / "event.json").write_text(event)
    found = read({**SPEAKING, "GITHUB_EVENT_PATH": str(tmp_path / "event.json"), **changed})
    assert said in found.silenced
    assert bool(said) == bool(found.silenced)
