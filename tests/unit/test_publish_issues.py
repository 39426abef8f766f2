"""The one issue of a nightly check, kept over the API of a stand-in for GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servermatrix.publish.cells import MOST, digits_of, line, read
from servermatrix.publish.failure import NotPublished
from servermatrix.publish.issues import BODY_CHARACTERS, BOT, Tonight, follow, marker
from servermatrix.publish.rest import Api
from tests.github_stand_in import REPOSITORY, TOKEN, GitHub, serving

A, B, C = "uvicorn[loop=uvloop]/h1/w1/c64/plaintext", "granian/h1/w1/c64/json", "hypercorn@3.13/h2/w1/c64/json"
BAD = Tonight(
    name="nightly",
    unsound="",
    regressed=(A,),
    recovered=frozenset({B, C}),
    doubts={},
    title="Nightly check: 1 cell regressed",
    body="what was found",
    run_url="https://github.example/team/app/actions/runs/7",
)
GOOD = replace(BAD, regressed=(), recovered=frozenset({A, B, C}))


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving() as found:
        yield found


def told(github: GitHub, tonight: Tonight) -> str:
    return follow(Api(root=github.address, token=TOKEN, pause=lambda _: None), REPOSITORY, tonight)[0]


def test_a_regression_opens_one_issue_with_what_was_found_and_where(github: GitHub) -> None:
    assert told(github, BAD) == "opened https://github.example/team/app/issues/1"
    (issue,) = github.issues
    assert issue["title"] == BAD.title
    assert issue["body"].splitlines()[0] == marker("nightly")
    assert "what was found" in issue["body"]
    assert BAD.run_url in issue["body"]


def test_the_next_bad_night_updates_that_issue_without_a_mail_to_everybody(github: GitHub) -> None:
    told(github, BAD)
    assert told(github, replace(BAD, title="Nightly check: still", body="the newest")).startswith("updated")
    assert len(github.issues) == 1
    assert github.issues[0]["title"] == "Nightly check: still"
    assert "the newest" in github.issues[0]["body"]
    assert github.comments == []


def test_a_cell_that_regresses_besides_is_told_in_a_comment_once(github: GitHub) -> None:
    told(github, BAD)
    worse = replace(BAD, regressed=(A, B), recovered=frozenset({C}))
    told(github, worse)
    told(github, worse)
    ((number, text),) = github.comments
    assert number == 1
    assert B in text
    assert A not in text


def test_recovery_closes_the_issue_with_a_comment(github: GitHub) -> None:
    told(github, BAD)
    assert told(github, GOOD) == (
        "closed https://github.example/team/app/issues/1: no cell that it named is worse than the baseline any more"
    )
    assert (github.issues[0]["state"], github.issues[0]["state_reason"]) == ("closed", "completed")
    assert [number for number, _ in github.comments] == [1]
    assert told(github, GOOD) == "nothing regressed, and no issue of this check is open"
    assert len(github.comments) == 1


def test_after_a_recovery_the_next_regression_opens_another_issue(github: GitHub) -> None:
    for tonight in (BAD, GOOD, BAD):
        told(github, tonight)
    assert [issue["state"] for issue in github.issues] == ["closed", "open"]


def test_a_night_that_says_nothing_certain_of_the_cell_neither_opens_nor_closes(github: GitHub) -> None:
    unsure = replace(GOOD, recovered=frozenset({B, C}), doubts={A: "is inconclusive tonight"})
    told(github, unsure)
    assert github.issues == []
    told(github, BAD)
    before = len(github.written())
    assert told(github, unsure).endswith(f"stays open: {A} is inconclusive tonight")
    assert len(github.written()) == before


def test_cells_that_were_never_named_may_be_inconclusive_when_the_issue_is_closed(github: GitHub) -> None:
    told(github, BAD)
    assert told(github, replace(GOOD, recovered=frozenset({A}), doubts={B: "fails tonight"})).startswith("closed")


def test_a_cell_stays_named_until_it_has_recovered_itself(github: GitHub) -> None:
    told(github, replace(BAD, regressed=(A, B), recovered=frozenset({C})))
    told(github, replace(BAD, regressed=(A,), recovered=frozenset({C}), doubts={B: "fails tonight"}))
    unsure = replace(GOOD, recovered=frozenset({A, C}), doubts={B: "fails tonight"})
    assert told(github, unsure).endswith(f"stays open: {B} fails tonight")
    assert told(github, GOOD).startswith("closed")


def test_an_unsound_night_asks_nothing_of_github(github: GitHub) -> None:
    for tonight in (BAD, GOOD):
        said = told(github, replace(tonight, unsound="the night is not complete"))
        assert said == "the night is not complete: no issue is opened or closed"
    assert github.asked == []


def test_issues_of_others_and_pull_requests_are_left_alone_on_every_page(github: GitHub) -> None:
    github.page = 1
    text = f"{marker('nightly')}\nx"
    github.add("a pull request that quotes it", text, pull_request={"url": "x"})
    github.add("an issue that quotes it", f"> {text}")
    github.add("an issue that tells of it", f"see {text}")
    github.add("without a body", None)
    github.add("a closed one of ours", text, state="closed")
    github.add("another check of this repository", f"{marker('weekly')}\nx")
    assert told(github, GOOD) == "nothing regressed, and no issue of this check is open"
    assert told(github, BAD).endswith("/issues/7")
    assert github.written() == [("POST", f"/repos/{REPOSITORY}/issues")]


def test_of_two_issues_of_ours_the_older_one_is_updated_and_both_are_closed(github: GitHub) -> None:
    for _ in range(2):
        github.add("ours", f"{marker('nightly')}\r\n{line((A,))}\r\n")
    told(github, BAD)
    assert github.written() == [("PATCH", f"/repos/{REPOSITORY}/issues/1")]
    told(github, GOOD)
    assert [issue["state"] for issue in github.issues] == ["closed", "closed"]


def test_an_issue_whose_list_somebody_removed_is_closed_by_a_night_without_any_doubt(github: GitHub) -> None:
    github.add("ours", f"{marker('nightly')}\nI have tidied this up.")
    assert "stays open: which cells it names cannot be read" in told(github, replace(GOOD, doubts={B: "fails tonight"}))
    assert told(github, GOOD).startswith("closed")


def test_a_body_too_long_for_an_issue_is_cut_and_says_so(github: GitHub) -> None:
    told(github, replace(BAD, body="a line of text\n" * 9_000, title="t" * 999, regressed=tuple(f"{A}{n}" for n in range(500))))
    (issue,) = github.issues
    assert len(issue["body"]) <= 65_536
    assert "The rest does not fit into an issue" in issue["body"]
    assert len(issue["title"]) <= 256


def test_an_issue_without_a_number_is_a_sentence(github: GitHub) -> None:
    github.issues.append({"state": "open", "body": marker("nightly"), "user": {"login": BOT, "type": "Bot"}})
    with pytest.raises(NotPublished, match="without number"):
        told(github, BAD)


def test_hundreds_of_cells_are_named_and_told_by_mail_once(github: GitHub) -> None:
    many = replace(BAD, regressed=tuple(f"{A}-{number}" for number in range(800)), recovered=frozenset())
    for _ in range(3):
        told(github, many)
    assert github.comments == []
    assert len(github.issues[0]["body"]) <= 65_536
    told(github, replace(many, regressed=(*many.regressed, B)))
    ((_, text),) = github.comments
    assert B in text
    assert A not in text


def test_a_named_cell_that_is_no_longer_measured_is_said_and_keeps_nothing_open(github: GitHub) -> None:
    told(github, replace(BAD, regressed=(A, B), recovered=frozenset({C})))
    without = replace(GOOD, recovered=frozenset({A, C}))
    assert told(github, without).endswith(
        "no cell that it named is worse than the baseline any more, and 1 cell that it named is no longer measured"
    )
    assert github.issues[0]["state"] == "closed"
    told(github, BAD)
    assert told(github, replace(GOOD, recovered=frozenset({C}))).endswith(": 1 cell that it named is no longer measured")
    assert github.issues[1]["state"] == "closed"
    assert "1 cell that it named is no longer measured" in github.comments[-1][1]


def test_a_cell_that_is_no_longer_measured_is_dropped_by_a_bad_night(github: GitHub) -> None:
    told(github, replace(BAD, regressed=(A, B), recovered=frozenset({C})))
    said = told(github, replace(BAD, recovered=frozenset({C})))
    assert said.endswith("; 1 of the cells that it named are no longer measured")
    assert read(github.issues[0]["body"].splitlines()).digits == {digits_of(A)}


def test_the_issue_of_a_stranger_is_left_alone_whatever_it_says(github: GitHub) -> None:
    text = f"{marker('nightly')}\n{line((A,))}"
    for user in ({"login": "mallory", "type": "User"}, {"login": "other[bot]", "type": "Bot"}, None):
        github.add("not ours", text, user=user)
    github.add("a name that only looks so", text, user={"login": "github-actions[bot]", "type": "User"})
    assert told(github, GOOD) == "nothing regressed, and no issue of this check is open"
    assert told(github, BAD).endswith("/issues/5")
    assert github.written() == [("POST", f"/repos/{REPOSITORY}/issues")]


def test_with_the_token_of_a_person_our_issue_is_that_of_the_person(github: GitHub) -> None:
    github.add("of the bot", f"{marker('nightly')}\n{line((A,))}")
    github.login = "ada"
    assert told(github, BAD).startswith("opened")
    assert told(github, BAD) == "updated https://github.example/team/app/issues/2"


def test_who_we_are_is_asked_only_where_it_matters_and_a_failure_is_no_answer(github: GitHub) -> None:
    told(github, BAD)
    assert ("GET", "/user") not in github.asked
    github.wrong = [(200, {}, json.dumps(github.issues)), (401, {}, "{}")]
    with pytest.raises(NotPublished, match="401 to GET /user"):
        told(github, BAD)


@given(st.lists(st.text()))
def test_the_hidden_list_is_read_back_and_ends_no_comment(pairs: list[str]) -> None:
    text = line(pairs)
    assert text.count("-->") == 1
    assert "\n" not in text
    assert all(read(["", text]).has(pair) for pair in pairs)
    assert read(["", text]).beyond(pairs) == 0


def test_more_cells_than_fit_are_all_taken_as_named() -> None:
    named = read(["", line([str(number) for number in range(MOST + 1)])])
    assert named.has("any other")
    assert not read(["", line([str(number) for number in range(MOST)])]).has("any other")


@given(st.text())
def test_a_name_cannot_end_the_marker(name: str) -> None:
    assert marker(name).count("-->") == 1
    assert len(marker(name).splitlines()) == 1


assert BODY_CHARACTERS < 65_536
