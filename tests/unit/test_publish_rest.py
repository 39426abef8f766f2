"""GitHub's API asked over real connections: pages, limits, failures, redirects, and where a token goes and does not go."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email.message import Message

import pytest

from servermatrix.publish.failure import NotPublished, basic, may_carry_token, one_line
from servermatrix.publish.rest import ATTEMPTS, LONGEST_WAIT_S, Answer, Api, next_page, pause_before_next
from tests.github_stand_in import REPOSITORY, TOKEN, GitHub, serving

ISSUES = f"/repos/{REPOSITORY}/issues"
ALL = f"{ISSUES}?state=open&per_page=100"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving() as found:
        yield found


def api(github: GitHub, pauses: list[float] | None = None, limit_s: float = 5.0) -> Api:
    return Api(root=github.address, token=TOKEN, limit_s=limit_s, pause=(pauses if pauses is not None else []).append)


def answer(status: int, **headers: str) -> Answer:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return Answer(status=status, headers=message, text="")


def test_all_pages_are_read_as_the_link_header_leads(github: GitHub) -> None:
    github.page = 2
    for number in range(5):
        github.add(f"issue {number}", None)
    assert [entry["number"] for entry in api(github).pages(ALL)] == [5, 4, 3, 2, 1]
    assert len(github.asked) == 3


@pytest.mark.parametrize(
    ("link", "onward"),
    [
        ("", ""),
        ('<https://a/x?page=1>; rel="prev"', ""),
        (
            '<https://a/x?page=1>; rel="prev", <https://a/x?page=3>; rel="next", <https://a/x?page=9>; rel="last"',
            "https://a/x?page=3",
        ),
        ("</x?page=2>; rel=next", "https://a/x?page=2"),
    ],
)
def test_the_next_page_is_the_one_that_the_link_header_calls_so(link: str, onward: str) -> None:
    assert next_page(link, "https://a/x") == onward


def test_a_next_page_on_another_server_is_an_error_and_not_a_short_list(github: GitHub) -> None:
    github.wrong = [(200, {"Link": '<http://127.0.0.1:9/steal>; rel="next"'}, "[]")]
    with pytest.raises(NotPublished, match="on another server"):
        list(api(github).pages(ALL))


def test_the_token_is_sent_as_a_bearer_and_shown_nowhere(github: GitHub) -> None:
    client = api(github)
    list(client.pages(ALL))
    assert github.heads[0]["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in repr(client)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "token is not valid"),
        (403, "issues: write"),
        (404, "may not see this repository"),
        (410, "turned off"),
        (422, "why"),
    ],
)
def test_a_refusal_is_a_sentence_with_what_github_says_and_what_to_do(github: GitHub, status: int, said: str) -> None:
    github.wrong = [(status, {}, '{"message": "this is why"}')]
    with pytest.raises(NotPublished) as failure:
        list(api(github).pages(ALL))
    assert str(failure.value).startswith(f"GitHub answered {status} to GET {ISSUES}: this is why")
    assert said in str(failure.value)
    assert len(github.asked) == 1


def test_a_server_error_is_tried_again_a_bounded_number_of_times(github: GitHub) -> None:
    pauses: list[float] = []
    github.wrong = [(502, {}, "<html>bad gateway</html>")] * 9
    with pytest.raises(NotPublished, match="GitHub answered 502"):
        list(api(github, pauses).pages(ALL))
    assert (len(github.asked), pauses) == (ATTEMPTS, [1.0, 2.0])


def test_a_server_error_that_passes_is_not_noticed(github: GitHub) -> None:
    github.add("one", None)
    github.wrong = [(503, {}, ""), (0, {}, "")]
    assert len(list(api(github).pages(ALL))) == 1


@pytest.mark.parametrize("status", [500, 0])
def test_what_may_have_opened_an_issue_is_not_asked_twice(github: GitHub, status: int) -> None:
    github.wrong = [(status, {}, "")]
    with pytest.raises(NotPublished, match=r"GitHub answered 500|no answer from 127\.0\.0\.1"):
        api(github).send("POST", ISSUES, {"title": "t", "body": "b"})
    assert len(github.asked) == 1


def test_a_server_that_does_not_answer_in_time_is_given_up(github: GitHub) -> None:
    github.slow_s = 0.6
    with pytest.raises(NotPublished, match=r"no answer from .*timed out"):
        api(github, limit_s=0.1).send("POST", ISSUES, {"title": "t", "body": "b"})


def test_no_network_is_a_sentence_even_when_something_was_to_be_changed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        pauses: list[float] = []
        client = Api(root=f"http://127.0.0.1:{taken.getsockname()[1]}", token=TOKEN, pause=pauses.append)
        with pytest.raises(NotPublished, match=r"no answer from .*refused"):
            client.send("POST", ISSUES, {})
    assert len(pauses) == ATTEMPTS - 1


@pytest.mark.parametrize("headers", [{"retry-after": "3"}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}])
def test_a_rate_limit_that_ends_soon_is_waited_for_also_by_what_must_not_be_done_twice(
    github: GitHub, headers: dict[str, str]
) -> None:
    pauses: list[float] = []
    github.wrong = [(403, headers, '{"message": "API rate limit exceeded"}')]
    assert api(github, pauses).send("POST", ISSUES, {"title": "t", "body": "b"})["number"] == 1
    assert len(pauses) == 1


def test_a_rate_limit_that_ends_late_is_not_waited_for() -> None:
    assert pause_before_next(answer(429, retry_after="3600"), 1, 0.0, repeatable=True) is None
    assert pause_before_next(answer(403, x_ratelimit_remaining="0", x_ratelimit_reset="1000"), 1, 0.0, repeatable=True) is None
    assert pause_before_next(answer(403, x_ratelimit_remaining="0", x_ratelimit_reset="1010"), 1, 1000.0, repeatable=False) == 11
    assert pause_before_next(answer(429), 1, 0.0, repeatable=True) == LONGEST_WAIT_S
    assert pause_before_next(answer(403), 1, 0.0, repeatable=True) is None


@pytest.mark.parametrize("text", ["<html>welcome to the guest network</html>", "[" * 100_000])
def test_what_is_no_json_is_told_as_something_else_than_github(github: GitHub, text: str) -> None:
    github.wrong = [(200, {}, text)]
    with pytest.raises(NotPublished, match="sent no JSON, so it is not GitHub's API"):
        list(api(github).pages(ALL))


@pytest.mark.parametrize("text", ['{"message": "hello"}', "[1]", "null"])
def test_json_of_another_shape_is_a_sentence_too(github: GitHub, text: str) -> None:
    github.wrong = [(200, {}, text)]
    with pytest.raises(NotPublished, match="is no list of objects"):
        list(api(github).pages(ALL))


def test_a_renamed_repository_is_followed_on_the_same_server(github: GitHub) -> None:
    github.add("one", None)
    github.wrong = [(301, {"Location": f"{github.address}{ALL}"}, "")]
    assert len(list(api(github).pages("/repos/old/name/issues"))) == 1


def test_a_redirect_to_another_server_is_not_followed_so_that_the_token_stays_here(github: GitHub) -> None:
    with serving() as other:
        github.wrong = [(302, {"Location": f"{other.address}{ALL}"}, "")]
        with pytest.raises(NotPublished, match="another server"):
            list(api(github).pages(ALL))
        assert other.asked == []


def test_redirects_without_end_end(github: GitHub) -> None:
    github.wrong = [(307, {"Location": ALL}, "")] * 9
    with pytest.raises(NotPublished, match="more than 3 times"):
        list(api(github).pages(ALL))


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("https://api.github.com", True),
        ("http://127.0.0.1:1234", True),
        ("http://localhost", True),
        ("http://github.example", False),
        ("http://127.0.0.1.example", False),
        ("file:///tmp", False),
        ("ftp://x", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_a_token_goes_over_encrypted_connections_or_stays_on_this_machine(address: str, may: bool) -> None:  # noqa: FBT001
    assert may_carry_token(address) is may


def test_the_token_is_not_sent_in_the_clear() -> None:
    with pytest.raises(NotPublished, match="that is not https"):
        list(Api(root="http://github.example", token=TOKEN).pages(ALL))


def test_words_of_others_are_put_on_one_short_line_without_the_token() -> None:
    said = one_line(f"bad\n::error::{TOKEN}\n{basic(TOKEN)}", TOKEN)
    assert said == "bad ::error::*** ***"
    assert len(one_line("x" * 5000)) < 400
