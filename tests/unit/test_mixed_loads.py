"""Mixes of requests: the order they are sent in, and that wrk and the built-in generator send them so, byte for byte."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.loads import builtin, wrk
from runners.loads._builtin_task import Tally, Task, turns
from servermatrix.contracts import Asked, LoadFailure, Outcome, Request, Shot
from servermatrix.measure import tools
from servermatrix.model import Expect
from tests.unit.counting_server import Count, Manner, counting, fire

ITEMS = Request(path="/items?id=7", headers=(("Authorization", "Bearer a\\b"),))
POSTED = Request(
    method="POST", path="/items", headers=(("Content-Type", "text/plain"), ("X-Two", "1"), ("X-Two", "2")), body="zwölf\n"
)
HEALTH = Request(path="/health")
MIX = (Asked(request=ITEMS, weight=5), Asked(request=POSTED, weight=2), Asked(request=HEALTH))
MISSING = Asked(request=Request(path="/404"), expect=Expect(status=404))
SHOT = Shot(
    program="",
    url="http://127.0.0.1:8000/items?id=7",
    request=ITEMS,
    connections=8,
    threads=2,
    duration_s=1,
    timeout_s=6,
    folder="/cell",
    result="/cell/result",
    expect_status=200,
    mix=MIX,
)
mixes = st.lists(st.integers(1, 40), min_size=1, max_size=6).map(
    lambda weights: tuple(Asked(request=Request(path=f"/{n}"), weight=weight) for n, weight in enumerate(weights))
)


# --- the order


def test_without_a_mix_it_is_the_one_request() -> None:
    alone = replace(SHOT, mix=())
    assert alone.cycle() == (ITEMS,)


def test_the_order_is_that_of_nginx_for_its_own_example() -> None:
    """Source: the comment on smooth weighted round robin in nginx's commit 52327e0627f4: 5, 1, 1 gives a a b a c a a."""
    names = {name: Request(path=f"/{name}") for name in "abc"}
    asked = tuple(Asked(request=names[name], weight=weight) for name, weight in zip("abc", (5, 1, 1), strict=True))
    assert "".join(request.path[1:] for request in replace(SHOT, mix=asked).cycle()) == "aabacaa"


@given(mixes)
def test_every_request_stands_in_the_cycle_as_often_as_its_weight_and_never_far_from_its_share(mix: tuple[Asked, ...]) -> None:
    cycle = replace(SHOT, mix=mix).cycle()
    assert Counter(cycle) == {each.request: each.weight for each in mix}
    for each in mix:
        for sent in range(1, len(cycle) + 1):
            assert abs(cycle[:sent].count(each.request) - sent * each.weight / len(cycle)) < len(mix)


def wire_of(asked: Asked, *, last: bool = False) -> bytes:
    return replace(SHOT, request=asked.request).wire(last=last)


# --- the order of the built-in generator


def places(mix: tuple[Asked, ...], index: int, rounds: int) -> list[bytes]:
    """Return the requests that a process sends in so many rounds."""
    [text] = builtin.files(replace(SHOT, mix=mix)).values()
    task = Task(**json.loads(text))
    return [wanted.request for wanted in islice(turns(task, Tally(), index), rounds * len(task.order))]


@given(mixes, st.integers(0, 7))
def test_every_round_of_the_built_in_generator_has_each_request_as_often_as_its_weight(
    mix: tuple[Asked, ...], index: int
) -> None:
    sent, length = places(mix, index, 3), sum(each.weight for each in mix)
    expected = Counter({wire_of(each): each.weight for each in mix})
    assert [Counter(sent[begin : begin + length]) for begin in range(0, 3 * length, length)] == [expected] * 3


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(1, 8))
def test_connections_that_take_turns_are_each_sent_every_request(length: int, times: int) -> None:
    """As many connections as the cycle is long, or a multiple: the worst case for an order that is always the same."""
    mix, connections = tuple(Asked(request=Request(path=f"/{n}")) for n in range(length)), length * times
    sent = places(mix, 0, 400 * times)
    for connection in range(connections):
        found = Counter(sent[connection::connections])
        assert len(found) == length
        assert max(found.values()) < 2 * min(found.values())


# --- the scripts


def test_the_script_of_wrk_has_every_request_once_and_the_order_in_numbers() -> None:
    lines = wrk.files(SHOT)["report.lua"].splitlines()
    assert lines[1] == "local TEXTS = {" + ", ".join(wrk.lua_string(wire_of(each)) for each in MIX) + "}"
    assert lines[2] == "local LASTS = {}"
    assert lines[3] == "local ORDER = {1, 2, 1, 1, 3, 1, 2, 1}"
    assert lines[4] == "local EVERY = 0"


def test_the_script_of_wrk_knows_the_last_request_of_a_connection_for_each() -> None:
    lasts = "{" + ", ".join(wrk.lua_string(wire_of(each, last=True)) for each in MIX) + "}"
    script = wrk.files(replace(SHOT, requests_per_connection=7))["report.lua"].splitlines()
    assert script[2] == f"local LASTS = {lasts}"
    always = wrk.files(replace(SHOT, requests_per_connection=1))["report.lua"].splitlines()
    assert (always[1], always[2]) == (f"local TEXTS = {lasts}", "local LASTS = {}")


# --- real runs


@pytest.fixture(name="wrk_program")
def _wrk_program(request: pytest.FixtureRequest) -> str:
    """The wrk that the tests share, under a name that the plug-in does not have."""
    found: tools.Tool = request.getfixturevalue("wrk")
    return found.path


def aimed(folder: Path, count: Count, shot: Shot = SHOT, program: str = "") -> Shot:
    url = f"http://127.0.0.1:{count.port}{ITEMS.path}"
    return replace(shot, program=program, url=url, folder=str(folder), result=str(folder / "result"))


def laid_out(shot: Shot, mix: tuple[Asked, ...] = MIX) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield each request as sent to the port, the same as a last one, and its weight."""
    for each in mix:
        alone = replace(shot, request=each.request)
        yield alone.wire(), alone.wire(last=True), each.weight


def check_shares(shot: Shot, count: Count, slack: int) -> None:
    """Demand that nothing else came, and each request as often as its weight says but for the cycles cut short at the end."""
    lines, asked = list(laid_out(shot)), count.asked
    assert set(asked) <= {wire for wire, _, _ in lines} | {last for _, last, _ in lines}
    assert asked.total() == count.requests > 100
    for wire, last, weight in lines:
        assert abs(asked[wire] + asked[last] - count.requests * weight / 8) <= slack, wire


@pytest.mark.servers
@pytest.mark.parametrize("every", [0, 1, 5])
def test_wrk_sends_every_request_as_often_as_its_weight_says(wrk_program: str, tmp_path: Path, every: int) -> None:
    with counting() as count:
        shot = aimed(tmp_path, count, replace(SHOT, requests_per_connection=every), wrk_program)
        stats = wrk.parse(shot, fire(wrk.LOAD, shot))
    assert stats.requests <= count.requests <= stats.requests + shot.connections
    check_shares(shot, count, 2 * shot.threads)
    expected = count.requests // every if every else 0
    assert expected - 2 <= count.closes <= expected + 2


@pytest.mark.servers
def test_wrk_and_the_built_in_generator_send_the_same_order(wrk_program: str, tmp_path: Path) -> None:
    """Of wrk without the first request, which it looks at and never sends."""
    shot = replace(SHOT, threads=1, connections=1)
    with counting() as count:
        fire(wrk.LOAD, aimed(tmp_path, count, shot, wrk_program))
    order = places(MIX, 0, 10 + count.requests // 8)
    on_port = [wire.replace(b":8000\r\n", b":%d\r\n" % count.port) for wire in order]
    assert count.sent == on_port[1 : 1 + len(count.sent)]
    assert len(count.sent) > 100


@pytest.mark.servers
def test_no_connection_of_wrk_is_bound_to_one_request(wrk_program: str, tmp_path: Path) -> None:
    """Eight connections take turns, and the cycle has eight requests: in an order that is always the same each would send one."""
    with counting(delay_s=0.004) as count:
        shot = aimed(tmp_path, count, replace(SHOT, threads=1), wrk_program)
        wrk.parse(shot, fire(wrk.LOAD, shot))
    assert [len(seen) for seen in count.by_connection] == [len(MIX)] * shot.connections


@pytest.mark.servers
def test_wrk_sends_a_mix_with_a_long_cycle_and_many_requests(wrk_program: str, tmp_path: Path) -> None:
    mix = tuple(Asked(request=Request(path=f"/{n}"), weight=199 - n) for n in range(200))
    with counting() as count:
        shot = aimed(tmp_path, count, replace(SHOT, mix=mix[:199]), wrk_program)
        wrk.parse(shot, fire(wrk.LOAD, shot))
    assert set(count.asked) <= {wire for wire, _, _ in laid_out(shot, mix)}
    assert len(count.asked) > 150


@pytest.mark.parametrize(("every", "rate_per_s"), [(0, 0.0), (3, 0.0), (0, 200.0)])
def test_the_built_in_generator_sends_every_request_as_often_as_its_weight_says(
    tmp_path: Path, every: int, rate_per_s: float
) -> None:
    with counting() as count:
        shot = aimed(tmp_path, count, replace(SHOT, requests_per_connection=every, rate_per_s=rate_per_s))
        result = json.loads(fire(builtin.LOAD, shot).result or "")
    assert result["errors"] == {"status": 0}
    assert result["requests"] <= count.requests <= result["requests"] + shot.connections
    check_shares(shot, count, 2 * shot.threads)
    assert sum(counts[0][1] for counts in result["answers"]) == result["requests"]
    if every:
        assert max(count.per_connection) == every


def test_no_connection_of_the_built_in_generator_is_bound_to_one_request(tmp_path: Path) -> None:
    with counting() as count:
        shot = aimed(tmp_path, count, replace(SHOT, threads=1, rate_per_s=300.0))
        fire(builtin.LOAD, shot)
    assert [len(seen) for seen in count.by_connection] == [len(MIX)] * shot.connections


# --- statuses


def test_the_built_in_generator_holds_every_answer_against_the_status_of_its_own_request(tmp_path: Path) -> None:
    with counting(manner=Manner(statuses=(b"404",))) as count:
        shot = aimed(tmp_path, count, replace(SHOT, mix=(*MIX, MISSING)))
        stats = builtin.parse(shot, fire(builtin.LOAD, shot))
    assert {status for status, _ in stats.statuses} == {200, 404}
    assert dict(stats.statuses)[404] / stats.requests == pytest.approx(1 / 9, abs=0.02)


def test_a_wrong_answer_to_one_request_of_a_mix_is_told_with_that_request() -> None:
    answers = [[[200, 5]], [[201, 1], [500, 2]], [[200, 1]]]
    found = {"schema": 1, "errors": {"status": 2}, "statuses": [[200, 6], [201, 1], [500, 2]], "answers": answers}
    mix = (MIX[0], replace(MIX[1], expect=Expect(status=201)), MIX[2])
    with pytest.raises(LoadFailure) as caught:
        builtin.parse(replace(SHOT, mix=mix), ended(found))
    assert str(caught.value) == (
        "the built-in generator counted 2 status errors; the answers were 6 of status 200, 1 of status 201, 2 of status 500; "
        "POST /items: 2 of status 500 instead of 201"
    )


@pytest.mark.parametrize("swapped", [False, True])
def test_two_right_statuses_for_the_wrong_requests_are_errors(tmp_path: Path, *, swapped: bool) -> None:
    """The statuses as a whole are as expected either way."""
    with counting(manner=Manner(statuses=(b"404",))) as count:
        mix = (Asked(request=ITEMS, expect=Expect(status=404 if swapped else 200)), MISSING)
        mix = (mix[0], replace(MISSING, expect=Expect(status=200 if swapped else 404)))
        shot = aimed(tmp_path, count, replace(SHOT, mix=mix))
        found = json.loads(fire(builtin.LOAD, shot).result or "")
    assert found["errors"]["status"] == (found["requests"] if swapped else 0)


def ended(document: object) -> Outcome:
    return Outcome(exit_code=0, stdout="", stderr="", result=json.dumps(document))


def counted(status: int) -> Outcome:
    errors = {"connect": 0, "read": 0, "write": 0, "status": status, "timeout": 0}
    latency = {"source": "ffi", "max": 400, "histogram": [[400, 4]]}
    whole = {"schema": 1, "duration_us": 1_000_000, "requests": 4, "bytes": 512, "errors": errors, "latency_us": latency}
    return ended(whole)


def test_wrk_takes_a_mix_of_successes_and_one_of_nothing_but_errors() -> None:
    created = replace(MIX[1], expect=Expect(status=201))
    assert wrk.parse(replace(SHOT, mix=(MIX[0], created)), counted(0)).requests == 4
    gone = replace(MISSING, request=HEALTH, expect=Expect(status=410))
    assert wrk.parse(replace(SHOT, mix=(MISSING, gone), expect_status=404), counted(4)).requests == 4


@pytest.mark.parametrize(
    ("mix", "status", "sentence"),
    [
        (MIX, 1, "wrk counted 1 status error: answers had an unexpected status"),
        ((MISSING,), 1, "wrk counted 3 status errors: answers had an unexpected status"),
        (
            (*MIX, MISSING),
            1,
            "wrk counts every status above 399 as an error and cannot tell where 404 is right: leave that request out of the mix",
        ),
    ],
)
def test_wrk_refuses_what_it_cannot_tell_or_what_is_wrong(mix: tuple[Asked, ...], status: int, sentence: str) -> None:
    with pytest.raises(LoadFailure) as caught:
        wrk.parse(replace(SHOT, mix=mix), counted(status))
    assert str(caught.value) == sentence
