"""A mix of requests in a file: what is read from it, how each mistake is told, and that what is written is read as the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servermatrix.config.mix import MOST_IN_ALL, mix_text, read_mix
from servermatrix.errors import ConfigProblems, Exit, UsageProblem
from servermatrix.model import Asked, Expect, Request

LINE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
VALUES = LINE.map(str.strip)
BODIES = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t"), max_size=12)
ASKED = st.builds(
    Asked,
    request=st.builds(
        Request,
        method=st.sampled_from(["GET", "POST", "PATCH"]),
        path=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12).map(lambda text: f"/{text}"),
        headers=st.dictionaries(st.sampled_from(["accept", "X-One", "null", "1", "on"]), VALUES, max_size=3).map(
            lambda found: tuple(found.items())
        ),
        body=BODIES,
    ),
    expect=st.builds(Expect, status=st.integers(100, 399), body=st.none() | BODIES, contains=st.none() | BODIES),
    weight=st.integers(1, 50),
)


def written(folder: Path, text: str) -> Path:
    file = folder / "mix.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def told(folder: Path, text: str) -> str:
    """Return what is said of a file that has mistakes, without its folder."""
    with pytest.raises(ConfigProblems) as caught:
        read_mix(written(folder, text))
    assert caught.value.exit_code is Exit.USAGE
    return caught.value.message.replace(f"{folder}/", "")


def test_a_mix_is_read_with_all_that_can_be_said_of_a_request(tmp_path: Path) -> None:
    text = """\
- path: /items?limit=10
  weight: 8
- {method: post, path: /items, headers: {content-type: application/json}, body: '{"n": 1}',
   expect: {status: 201, body: made, contains: ad}}
"""
    assert read_mix(written(tmp_path, text)) == (
        Asked(request=Request(path="/items?limit=10"), weight=8),
        Asked(
            request=Request(method="POST", path="/items", headers=(("content-type", "application/json"),), body='{"n": 1}'),
            expect=Expect(status=201, body="made", contains="ad"),
        ),
    )


def test_a_header_that_was_typed_is_added_to_every_request_that_has_none_of_that_name(tmp_path: Path) -> None:
    file = written(tmp_path, "- path: /a\n- {path: /b, headers: {Authorization: other}}\n")
    typed = (("authorization", "mine"), ("x-more", "1"))
    first, second = (each.request.headers for each in read_mix(file, typed))
    assert first == typed
    assert second == (("Authorization", "other"), ("x-more", "1"))


def test_words_that_mean_something_in_yaml_stay_the_words_they_are(tmp_path: Path) -> None:
    (asked,) = read_mix(written(tmp_path, "- {path: /, body: no, headers: {x: 1.10}, expect: {contains: 0x10}}"))
    assert (asked.request.body, asked.request.headers, asked.expect.contains) == ("no", (("x", "1.10"),), "0x10")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "mix.yaml:1:1: the file must be a list of requests"),
        ("path: /\n", "mix.yaml:1:1: the file must be a list of requests"),
        ("[]", "mix.yaml:1:1: the file must be a list of requests"),
        ("- path: /\n- /items\n", "mix.yaml:2:3: [1]: must be a mapping such as `path: /items`"),
        ("- method: GET\n", "mix.yaml:1:3: [0]: the key 'path' is missing"),
        ("- {path: /, wieght: 2}\n", "mix.yaml:1:13: [0].wieght: is no key here; known are path"),
        ("- {path: /, wieght: 2}\n", "did you mean 'weight'?"),
        ("- {path: /, expect: {code: 200}}\n", "[0].expect.code: is no key here; known are status"),
        ("- {path: /, expect: 200}\n", "[0].expect: must be a mapping such as `status: 200`"),
        ("- {path: /, headers: [a]}\n", "[0].headers: must be a mapping of names to values"),
        ("- {path: /, headers: {a: [b]}}\n", "[0].headers.a: must be a single text"),
        ("- {path: /, body: {a: 1}}\n", "[0].body: must be a single text; put it in quotes"),
        ("- {path: }\n", "[0].path: must be a single text"),
        *(
            (f"- {{path: /, weight: {weight}}}\n", "[0].weight: must be a whole number from 1")
            for weight in ("0", "-1", "1.5", "x", "²")
        ),
        ("- {path: /, weight: 123456}\n", "[0].weight: must be a whole number from 1"),
        *((f"- {{path: /, expect: {{status: {status}}}}}\n", "must be a status such as 200") for status in ("99", "600", "ok")),
        ("- {path: /, expect: {status: 404}}\n", "404 cannot be right in a mix: generators count it as an error"),
        ("- {path: items}\n", "[0]: the path 'items' cannot be sent as it is; begin with /"),
        ("- {path: /a b}\n", "the path '/a b' cannot be sent as it is"),
        ("- {path: /, method: 'G T'}\n", "'G T' is not an HTTP method"),
        ('- {path: /, headers: {"a b": c}}\n', "the header 'a b': 'c' cannot be sent"),
        ("- path: /\n  path: /b\n", "mix.yaml:2:3: [0].path: is given twice"),
        ("- path: [\n", "mix.yaml:2:1:"),
        (f"- {{path: /a, weight: {MOST_IN_ALL}}}\n- path: /b\n", f"the weights are {MOST_IN_ALL + 1} in all, and the most is"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_column(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in told(tmp_path, text)


def test_all_mistakes_are_told_at_once_each_with_its_line_and_a_caret(tmp_path: Path) -> None:
    said = told(tmp_path, "- {path: /, weight: 0}\n- {pth: /}\n").splitlines()
    assert [line for line in said if line.startswith("mix.yaml:")] == [
        "mix.yaml:1:21: [0].weight: must be a whole number from 1 to 10000",
        "mix.yaml:2:3: [1]: the key 'path' is missing",
        "mix.yaml:2:4: [1].pth: is no key here; known are path, method, headers, body, weight, expect; did you mean 'path'?",
    ]
    assert said[1:3] == ["    1 | - {path: /, weight: 0}", f"      | {' ' * 20}^"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"none\.yaml cannot be read: No such file"):
        read_mix(tmp_path / "none.yaml")
    (tmp_path / "latin").write_bytes(b"- path: /\xe9\n")
    with pytest.raises(UsageProblem, match="latin is not UTF-8 text"):
        read_mix(tmp_path / "latin")


@given(st.lists(ASKED, min_size=1, max_size=4))
def test_what_is_written_is_read_as_the_same(tmp_path_factory: pytest.TempPathFactory, asked: list[Asked]) -> None:
    folder = tmp_path_factory.mktemp("mix")
    assert read_mix(written(folder, mix_text(asked))) == tuple(asked)


def test_a_written_mix_says_what_may_stand_in_it_and_no_more_than_is_needed() -> None:
    one = Asked(request=Request(path="/items"), weight=3)
    comment, _, advice, *lines = mix_text([one, replace(one, expect=Expect(status=201))]).splitlines()
    assert comment.startswith("# Requests and how often each is sent")
    assert "--requests mix.yaml" in advice
    assert lines[:4] == ["- path: /items", "  method: GET", "  weight: 3", "- path: /items"]
    assert lines[-2:] == ["  expect:", "    status: 201"]
