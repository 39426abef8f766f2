"""A rehearsal: answers side by side by value, and small real servers that answer otherwise, change or break."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.measure.answers import Said, Seen, compared, differing, volatile
from servermatrix.measure.bench import Bench, Venue, wanted
from servermatrix.measure.rehearsal import Rehearsal, rehearse
from servermatrix.model import App, Asked, Cell, Expect, Request
from tests.room import ANSWERING, guarded, make_bench, make_cell, small_app, small_server

# Answers on the port argv[1] with what a Python expression gives for a path, evaluated anew for each request.
TELLING = "import json, os, time, uuid\nSTART = uuid.uuid4().hex\n" + ANSWERING.replace(
    "body = sys.argv[3].encode()", "body = str(eval(sys.argv[3], globals(), {'path': self.path})).encode()"
)
ANY = Expect()


def said(text: str, status: int = 200) -> Said:
    return Said(status=status, body=text.encode())


def steady(text: str, status: int = 200) -> Seen:
    return Seen(first={"GET /": said(text, status)}, second={"GET /": said(text, status)})


def changing(text: str, then: str) -> Seen:
    return Seen(first={"GET /": said(text)}, second={"GET /": said(then)})


def test_the_first_byte_that_differs_is_named_with_what_stands_there_and_around_it() -> None:
    assert differing(said('{"id": 1}'), said('{"id": 2}')) == "from byte 7 on, first '{\"id\": 1}', then '{\"id\": 2}'"
    long = "x" * 100
    assert differing(said(long + "a" + long), said(long + "b" + long)) == (
        f"from byte 100 on, first ...'{'x' * 12}a{'x' * 27}'..., then ...'{'x' * 12}b{'x' * 27}'..."
    )


def test_an_answer_that_goes_on_where_the_other_ends_differs_from_its_end_on() -> None:
    assert differing(said("ab"), said("abc")) == "from byte 2 on, first 'ab', then 'abc' (2 and 3 bytes long)"


def test_bytes_that_are_no_text_are_shown() -> None:
    assert "'\\\\xff'" in differing(Said(status=200, body=b"\xff"), Said(status=200, body=b"\xfe"))


def test_another_status_is_said_before_any_bytes() -> None:
    assert differing(said("a"), said("b", 500)) == "first status 200, then 500"


def test_an_answer_that_changes_from_call_to_call_is_found() -> None:
    assert volatile([steady("a"), steady("b")]) == {}
    assert volatile([steady("a"), changing("a1", "a2")]) == {
        "GET /": "the answers to GET / differ from call to call: from byte 1 on, first 'a1', then 'a2'"
    }


def test_who_answers_otherwise_than_most_is_named_with_the_bytes() -> None:
    seen = {"p": steady("hello"), "q": steady("help"), "r": steady("hello")}
    found = compared(seen, [*seen.values()])
    assert found.others == {
        "q": "it answers GET / otherwise than most: from byte 3 on, p has 'hello', q has 'help' (5 and 4 bytes long)"
    }
    assert found.most == "p"
    assert found.warnings == ()


def test_where_most_do_not_agree_nobody_is_left_out() -> None:
    seen = {"p": steady("a"), "q": steady("b")}
    found = compared(seen, [*seen.values()])
    assert found.others == {}
    assert found.warnings == (
        "most settings do not agree on the answer to GET /, which is not compared: from byte 0 on, p has 'a', q has 'b'",
    )


def test_answers_that_change_are_compared_by_status_and_length_alone() -> None:
    seen = {"p": changing("a1", "a2"), "q": steady("a3"), "r": steady("a4"), "s": steady("long"), "t": steady("a5", 500)}
    assert set(compared(seen, [*seen.values()]).others) == {"s", "t"}


def test_answers_whose_length_changes_are_compared_by_status_alone() -> None:
    seen = {"p": changing("a", "ab"), "q": steady("abc"), "r": steady("abcd"), "s": steady("a", 500)}
    assert set(compared(seen, [*seen.values()]).others) == {"s"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench on which what is answered is set by `answers`."""
    with guarded() as guard:
        yield make_bench(tmp_path, guard, app=replace(small_app(), expect=ANY))


def answers(bench: Bench, **by_server: str) -> tuple[Bench, list[Cell]]:
    """Let each server answer with what an expression gives."""
    servers = {name: small_server(TELLING, "200", expression) for name, expression in by_server.items()}
    cells = [make_cell(name) for name in by_server]
    venues = {wanted(cell): Venue(path=sys.executable) for cell in cells}
    return replace(bench, servers=servers, venues=venues), cells


def rehearsed(bench: Bench, cells: list[Cell], app: App | None = None, *, between_s: float = 0.0) -> Rehearsal:
    return rehearse(bench, cells, app or replace(small_app(), expect=ANY), between_s=between_s)


def test_each_setting_is_started_once_with_one_worker_whatever_the_numbers_of_workers(bench: Bench) -> None:
    ready, (cell,) = answers(bench, a="'fine'")
    told: list[str] = []
    cells = [replace(cell, workers=number) for number in (2, 1, 4)]
    found = rehearse(ready, cells, replace(small_app(), expect=ANY), before=told.append, between_s=0.0)
    assert told == ["a/h1/w1"]
    assert found == Rehearsal(excluded={}, answers={"a/h1/w1": {"GET /": said("fine").digest}})


def test_a_setting_that_answers_otherwise_is_left_out_with_all_its_numbers_of_workers(bench: Bench) -> None:
    ready, cells = answers(bench, a="'fine'", b="'fine'", c="'fyne'")
    found = rehearsed(ready, [*cells, replace(cells[2], workers=2)])
    assert set(found.excluded) == {cells[2].id, replace(cells[2], workers=2).id}
    assert "from byte 1 on, a/h1/w1 has 'fine', c/h1/w1 has 'fyne'" in found.excluded[cells[2].id]
    assert found.warnings == ()


def test_a_uuid_in_the_answer_is_told_and_nobody_is_left_out_for_it(bench: Bench) -> None:
    ready, cells = answers(bench, **dict.fromkeys("abc", "json.dumps({'id': str(uuid.uuid4())})"))
    found = rehearsed(ready, cells)
    assert found.excluded == {}
    assert found.warnings[0].startswith("the answers to GET / differ from call to call: from byte ")
    assert found.warnings[0].endswith("; they are compared by status and length alone")
    assert found.changing.keys() == {"GET /"}


def test_a_time_of_day_shows_in_the_second_that_is_waited_for(bench: Bench) -> None:
    ready, cells = answers(bench, a="int(time.time())")
    assert "differ from call to call" in rehearsed(ready, cells, between_s=1.1).warnings[0]


def test_an_answer_that_has_changed_since_is_no_reason_to_leave_a_setting_out(bench: Bench, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    counting = f"open({str(starts)!r}, 'a').write('x') and len(open({str(starts)!r}).read()) > 12 and 'late' or 'soon'"
    ready, cells = answers(bench, **dict.fromkeys("abcde", counting))
    found = rehearsed(ready, cells)
    assert found.excluded == {}
    assert "differ from start to start: from byte 0 on, first 'soon', then 'late'" in found.warnings[0]


def test_a_setting_that_does_not_start_is_left_out_with_its_last_words(bench: Bench) -> None:
    ready, cells = answers(bench, a="'fine'", b="'fine'")
    broken = replace(ready, servers={**ready.servers, "b": small_server("raise RuntimeError('out of milk')")})
    found = rehearsed(broken, cells)
    assert set(found.excluded) == {cells[1].id}
    assert found.excluded[cells[1].id].endswith("RuntimeError: out of milk")
    assert found.nothing == ""


def test_a_setting_whose_interpreter_is_not_there_is_left_out_without_a_start(bench: Bench) -> None:
    ready, cells = answers(bench, a="'fine'", b="'fine'")
    venues = {**ready.venues, ("b", "", ()): Venue(path="nowhere", failure="it cannot be installed")}
    assert rehearsed(replace(ready, venues=venues), cells).excluded == {cells[1].id: "it cannot be installed"}


def test_where_nothing_answers_rightly_that_is_said_once(bench: Bench) -> None:
    ready, cells = answers(bench, a="'fine'", b="'fine'")
    found = rehearsed(ready, cells, replace(small_app(), expect=Expect(status=404)))
    assert set(found.excluded) == {cell.id for cell in cells}
    assert found.nothing.startswith("the app does not answer rightly: none of the 2 settings does; a/h1/w1: not ready after")
    assert "answered 200 instead of 404" in found.nothing


def test_every_request_of_a_mix_is_asked_and_a_wrong_answer_to_one_is_named(bench: Bench) -> None:
    ready, cells = answers(bench, a="path", b="path", c="'always this'")
    right = [Asked(request=Request(path=path), expect=Expect(contains="/")) for path in ("/one", "/two")]
    app = replace(small_app(), request=right[0].request, expect=ANY, mix=tuple(right))
    found = rehearsed(ready, cells, app)
    assert set(found.excluded) == {cells[2].id}
    assert "asked GET /one" in found.excluded[cells[2].id]
    assert found.answers["a/h1/w1"] == {"GET /one": said("/one").digest, "GET /two": said("/two").digest}


def test_requests_that_look_alike_but_are_not_are_kept_apart(bench: Bench) -> None:
    ready, cells = answers(bench, a="'fine'")
    twice = tuple(Asked(request=Request(headers=(("x", value),)), expect=ANY) for value in "12")
    app = replace(small_app(), expect=ANY, mix=twice)
    assert set(rehearsed(ready, cells, app).answers["a/h1/w1"]) == {"GET /", "GET / (2)"}
