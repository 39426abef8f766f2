"""Requests proposed from an OpenAPI document, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from servermatrix.config.openapi import left_out, proposed
from servermatrix.model import Asked, Expect, Request


def document(path: str, get: Mapping[str, object] | None = None, **more: object) -> dict[str, object]:
    return {"openapi": "3.1.0", "paths": {path: {"get": get or {}}}, **more}


def parameter(name: str, place: str, **more: object) -> dict[str, object]:
    return {"name": name, "in": place, "required": True, **more}


def paths(openapi: dict[str, object]) -> list[str]:
    return [each.request.path for each in proposed(openapi)]


def reason(openapi: dict[str, object]) -> str:
    assert proposed(openapi) == ()
    ((_, why),) = left_out(openapi)
    return why


def test_a_get_without_parameters_is_asked_as_it_stands() -> None:
    answers = {"responses": {"404": {}, "204": {"description": "nothing"}}}
    assert proposed(document("/items", answers)) == (Asked(request=Request(path="/items"), expect=Expect(status=204), weight=1),)
    assert left_out(document("/items", answers)) == ()


def test_what_may_change_something_is_left_out() -> None:
    both: dict[str, object] = {"paths": {"/items": {"post": {}, "get": {}, "delete": {}}}}
    assert paths(both) == ["/items"]
    why = "only GET is proposed, for others may change what is stored"
    assert sorted(left_out(both)) == [("DELETE /items", why), ("POST /items", why)]


@pytest.mark.parametrize(
    "more",
    [
        {"example": "a b/c"},
        {"examples": {"one": {"value": "a b/c"}}},
        {"schema": {"example": "a b/c"}},
        {"schema": {"examples": ["a b/c", "d"]}},
        {"schema": {"default": "a b/c"}},
        {"schema": {"enum": ["a b/c", "d"]}},
        {"schema": {"$ref": "#/components/schemas/Name"}},
    ],
)
def test_a_parameter_is_filled_in_wherever_the_document_has_a_value(more: dict[str, object]) -> None:
    components = {"schemas": {"Name": {"const": "a b/c"}}}
    for place, path, asked in (("path", "/x/{n}", "/x/a%20b%2Fc"), ("query", "/x", "/x?n=a+b%2Fc")):
        assert paths(document(path, {"parameters": [parameter("n", place, **more)]}, components=components)) == [asked]


def test_values_that_are_no_text_are_written_as_in_json_and_lists_one_by_one() -> None:
    wanted = [parameter("flag", "query", example=True), parameter("id", "query", example=[1, 2])]
    assert paths(document("/x", {"parameters": wanted})) == ["/x?flag=true&id=1&id=2"]


def test_a_parameter_without_a_value_leaves_its_request_out() -> None:
    why = "it needs n in its path, of which the document has no example"
    assert reason(document("/x/{n}", {"parameters": [parameter("n", "path", schema={"type": "integer"})]})) == why
    assert reason(document("/x/{n}")) == "the document does not say what stands in its path"


def test_what_need_not_be_given_is_not() -> None:
    assert paths(document("/x", {"parameters": [{"name": "k", "in": "query", "example": "v"}]})) == ["/x"]


def test_the_parameter_of_an_operation_counts_before_that_of_its_path() -> None:
    entry = {"parameters": [parameter("n", "path")], "get": {"parameters": [parameter("n", "path", example=7)]}}
    assert paths({"paths": {"/x/{n}": entry}}) == ["/x/7"]


def test_headers_and_cookies_that_must_be_given_are() -> None:
    wanted = [parameter("X-Key", "header", example="k"), parameter("sid", "cookie", example="s")]
    (asked,) = proposed(document("/x", {"parameters": wanted}), headers=(("x-key", "mine"),))
    assert asked.request.headers == (("x-key", "mine"), ("Cookie", "sid=s"))
    (asked,) = proposed(document("/x", {"parameters": wanted}))
    assert asked.request.headers == (("X-Key", "k"), ("Cookie", "sid=s"))


@pytest.mark.parametrize("where", ["operation", "document"])
def test_what_needs_a_login_is_left_out_unless_headers_are_given(where: str) -> None:
    security: dict[str, object] = {"security": [{"bearer": []}]}
    guarded = document("/x", security) if where == "operation" else document("/x", None, **security)
    assert reason(guarded) == "it needs a login; give that with --header"
    assert len(proposed(guarded, headers=(("Authorization", "Bearer t"),))) == 1


def test_a_login_that_may_be_left_out_is_none() -> None:
    assert paths(document("/x", {"security": [{"bearer": []}, {}]})) == ["/x"]
    assert paths(document("/x", {"security": []}, security=[{"bearer": []}])) == ["/x"]


def test_a_stream_of_events_is_left_out() -> None:
    answers: dict[str, object] = {"responses": {"200": {"content": {"text/event-stream": {}}}}}
    assert reason(document("/x", answers)) == "its answer is a stream of events, which may never end"


@pytest.mark.parametrize("broken", [{}, {"paths": None}, {"paths": {"/x": []}}, {"paths": {"/x": {"$ref": "#/paths/~1x"}}}])
def test_a_document_that_makes_no_sense_proposes_nothing(broken: dict[str, object]) -> None:
    assert (proposed(broken), left_out(broken)) == ((), ())
