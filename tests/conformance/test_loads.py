"""What every load plug-in keeps to; a new file in runners/loads/ is covered as it is."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.contracts import Asked, LoadFailure, LoadGenerator, LoadStats, Outcome, Question, Shot
from servermatrix.model import ENCRYPTED, HTTP2, PROTOCOLS, Request
from servermatrix.plugins import load_generators

LOADS = load_generators()
KEYS = ("schema", "requests", "duration_us", "bytes", "errors", "statuses", "latency_us", "histogram", "status", "connect")

every_load = pytest.mark.parametrize("load", [pytest.param(load, id=name) for name, load in LOADS.items()])
real_load = pytest.mark.parametrize(
    "load", [pytest.param(load, id=name) for name, load in LOADS.items() if load.simulate is None]
)


open_loads = pytest.mark.parametrize(
    "load", [pytest.param(load, id=name) for name, load in LOADS.items() if load.open_loop and load.simulate is None]
)


def shot(
    *, connections: int = 64, threads: int = 2, duration_s: int = 3, path: str = "/", protocol: str = "h1", streams: int = 1
) -> Shot:
    return Shot(
        program="/bin/loader",
        url=f"http{'s' if protocol in ENCRYPTED else ''}://127.0.0.1:8123{path}",
        request=Request(path=path),
        connections=connections,
        threads=threads,
        duration_s=duration_s,
        timeout_s=duration_s + 5,
        folder="/cell",
        result="/cell/result",
        expect_status=200,
        protocol=protocol,
        streams=streams,
    )


def shot_for(load: LoadGenerator) -> Shot:
    """Ask for the last protocol that the generator speaks."""
    return shot(protocol=load.protocols[-1], streams=10 if load.protocols[-1] in HTTP2 else 1)


def shots_of(load: LoadGenerator) -> st.SearchStrategy[Shot]:
    """Ask for anything that the generator can do."""
    plain = st.builds(
        shot,
        connections=st.integers(1, 4096),
        threads=st.integers(1, 16),
        duration_s=st.integers(1, 600),
        path=st.sampled_from(("/", "/a?b=c&d", "/%20")),
        protocol=st.sampled_from(load.protocols),
    )
    streams = st.builds(lambda asked, n: replace(asked, streams=n if asked.protocol in HTTP2 else 1), plain, st.integers(1, 200))
    every = st.integers(0, 1000) if load.reconnects else st.just(0)
    reused = st.builds(lambda asked, n: replace(asked, requests_per_connection=n), streams, every)
    rates = st.just(0.0) | st.floats(0.1, 1e6) if load.open_loop else st.just(0.0)
    at_rates = st.builds(lambda asked, rate: replace(asked, rate_per_s=rate), reused, rates)
    mixes = st.lists(st.integers(1, 9), max_size=3).map(mix_of) if load.mixes else st.just(())
    return st.builds(lambda asked, mix: replace(asked, mix=mix), at_rates, mixes)


def mix_of(weights: list[int]) -> tuple[Asked, ...]:
    """Make a mix of requests to as many places."""
    return tuple(Asked(request=Request(path=f"/place{n}"), weight=weight) for n, weight in enumerate(weights))


# Infinite numbers are in a test of their own, below.
numbers = st.integers(-3, 2_000_000) | st.floats() | st.integers(2**63, 2**70)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
results = st.none() | st.text(max_size=40) | st.binary(max_size=40).map(lambda data: data.decode(errors="replace"))
codes = st.just(0) | st.integers(-64, 255)
outcomes = st.builds(
    Outcome, exit_code=codes, stdout=st.text(max_size=60), stderr=st.text(max_size=60), result=results | anything.map(json.dumps)
)

# A whole result as the shipped generators write theirs, and what may stand in it after an accident.
PAIRS = [[100, 4], [200, 6]]
WHOLE: dict[str, object] = {
    "schema": 1,
    "requests": 10,
    "duration_us": 3_000_000,
    "bytes": 5,
    "errors": dict.fromkeys(("connect", "read", "write", "status", "timeout"), 0),
    "statuses": [[200, 10]],
    "histogram": PAIRS,
    "latency_us": {"histogram": PAIRS},
}
# The same in an open loop, of which one answer did not come in time.
AT_RATE: dict[str, object] = {
    "due": 11,
    "unanswered": 1,
    "late": 0,
    "own_late": [[5, 11]],
    "waited_us": 2_000_000,
}
RATE_PER_S = 11 / 3
pairs = st.lists(st.lists(numbers | anything, min_size=2, max_size=2) | st.sampled_from(PAIRS), max_size=4)
errors = st.dictionaries(st.sampled_from(("connect", "read", "write", "status", "timeout")), numbers, max_size=5)
KINDS = {
    "schema": anything,
    "requests": numbers,
    "duration_us": numbers,
    "bytes": numbers,
    "errors": errors | anything,
    "statuses": pairs | anything,
    "histogram": pairs,
    "latency_us": st.fixed_dictionaries({"histogram": pairs}) | anything,
}
KINDS_AT_RATE = {
    **KINDS,
    **dict.fromkeys(("due", "unanswered", "late", "waited_us"), numbers | anything),
    "own_late": pairs | anything,
}
damage_at_rate = st.one_of(*(st.fixed_dictionaries({name: kind}) for name, kind in KINDS_AT_RATE.items()))
json_damage = st.one_of(*(st.fixed_dictionaries({name: kind}) for name, kind in KINDS.items()))

# The same of h2load: what it prints, and its log of three requests at a time of a third of a second each.
PRINTED = """Application protocol: h2c
finished in 3.00s, 9.00 req/s, 1B/s
requests: 27 total, 30 started, 27 done, 27 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 27 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 5B (5) total, 1B (1) headers (space savings 0.00%), 3B (3) data
"""
LOGGED = "".join(f"{1_795_346_857_000_000 + 333_333 * turn}\t200\t333333\n" for turn in range(9) for _ in range(3))


def ended(result: str | None, stdout: str = "") -> Outcome:
    return Outcome(exit_code=0, stdout=stdout, stderr="", result=result)


UNDAMAGED = {
    "wrk": (shot(), ended(json.dumps(WHOLE)), 10),
    "builtin": (shot(), ended(json.dumps(WHOLE)), 10),
    "h2load": (shot(connections=1, protocol="h2c", streams=3), ended(LOGGED, PRINTED), 27),
}
undamaged = pytest.mark.parametrize("name", UNDAMAGED)


@st.composite
def text_damages(draw: st.DrawFn, text: str) -> str:
    """Draw what may become of a text: a piece is gone, doubled, moved to another place, or something else is there."""
    start, end, place = (draw(st.integers(0, len(text))) for _ in range(3))
    start, end = min(start, end), max(start, end)
    rest = text[:start] + text[end:]
    lines = text.splitlines(keepends=True)
    line = draw(st.integers(0, len(lines)))
    return draw(
        st.sampled_from(
            (
                rest,
                text[:place] + text[start:end] + text[place:],
                rest[:place] + text[start:end] + rest[place:],
                "".join([*lines[:line], *lines[line + 1 :]]),
                "".join([*lines[: line + 1], *lines[line:]]),
            )
        )
        | st.text(min_size=1, max_size=3).map(lambda put: text[:start] + put + text[start:])
        | st.sampled_from("0123456789-\t").map(lambda put: text[:start] + put + text[start + 1 :])
    )


def words(load: LoadGenerator, asked: Shot) -> list[str]:
    """Return all that the generator is given."""
    return [*load.argv(asked), *load.env(asked).values(), *load.files(asked).values()]


def test_the_shipped_generators_are_found() -> None:
    assert {"wrk", "h2load", "builtin", "fake"} <= set(LOADS)
    assert {name for name in ("wrk", "h2load", "builtin", "fake") if LOADS[name].mixes} == {"wrk", "builtin", "fake"}


@every_load
def test_protocols_are_those_of_the_contract(load: LoadGenerator) -> None:
    assert load.protocols
    assert set(load.protocols) <= set(PROTOCOLS)


@every_load
@given(data=st.data())
def test_the_same_shot_has_the_same_command_files_and_environment(load: LoadGenerator, data: st.DataObject) -> None:
    asked = data.draw(shots_of(load))
    first, second = ((load.argv(asked), dict(load.env(asked)), dict(load.files(asked))) for _ in range(2))
    assert first == second
    assert all(type(word) is str and word for word in first[0])


@real_load
@given(data=st.data())
def test_the_command_and_its_files_say_where_how_many_and_how_long(load: LoadGenerator, data: st.DataObject) -> None:
    asked = data.draw(shots_of(load))
    for fact in (8123, asked.connections, asked.threads, asked.duration_s, *((asked.streams,) if asked.streams > 1 else ())):
        assert any(re.search(rf"(?<!\d){fact}(?!\d)", word) for word in words(load, asked)), fact
    assert any(asked.result in word for word in words(load, asked))


@real_load
def test_every_protocol_is_asked_for_in_its_own_way(load: LoadGenerator) -> None:
    asked = {protocol: tuple(words(load, shot(protocol=protocol))) for protocol in load.protocols}
    assert len(set(asked.values())) == len(load.protocols)


@real_load
@pytest.mark.parametrize("every", [1, 2, 7])
def test_only_a_generator_that_reconnects_asks_for_the_end_of_a_connection(load: LoadGenerator, every: int) -> None:
    for protocol in load.protocols:
        kept = shot(protocol=protocol)
        ending = words(load, replace(kept, requests_per_connection=every))
        assert (ending != words(load, kept)) == load.reconnects
        assert any("Connection: close" in word for word in ending) == load.reconnects


@every_load
def test_only_a_generator_with_an_open_loop_is_told_a_rate(load: LoadGenerator) -> None:
    for protocol in load.protocols if load.simulate is None else ():
        closed = words(load, shot(protocol=protocol))
        at_rate = words(load, replace(shot(protocol=protocol), rate_per_s=1234.5))
        assert (at_rate != closed) == load.open_loop
        assert any("1234.5" in word for word in at_rate) == load.open_loop


@real_load
def test_a_generator_that_mixes_is_given_every_request_of_the_mix_and_any_other_keeps_to_the_one(load: LoadGenerator) -> None:
    for protocol in load.protocols:
        mixed = replace(shot(protocol=protocol), mix=mix_of([2, 3]))
        found = [any(f"GET /place{n} HTTP/1.1" in word for word in words(load, mixed)) for n in range(2)]
        assert found == [load.mixes] * 2
        assert (words(load, mixed) != words(load, shot(protocol=protocol))) == load.mixes
        assert not load.mixes or words(load, mixed) != words(load, replace(mixed, mix=mix_of([3, 2])))


@real_load
def test_files_stay_within_the_work_folder(load: LoadGenerator) -> None:
    posted = replace(shot_for(load), request=Request(method="POST", body="{}"))
    for name in load.files(posted):
        assert not PurePosixPath(name).is_absolute()
        assert ".." not in PurePosixPath(name).parts


@real_load
def test_method_headers_and_body_of_the_request_are_given(load: LoadGenerator) -> None:
    request = Request(method="PUT", path="/there", headers=(("X-Some", "thing"),), body="such a body")
    given_words = words(load, replace(shot_for(load), request=request, url="http://127.0.0.1:8123/there"))
    for part in ("PUT", "/there", "X-Some: thing", "such a body"):
        assert any(part in word for word in given_words), part


def parsed_or_refused(load: LoadGenerator, asked: Shot, outcome: Outcome) -> LoadStats | str:
    """Return the result, or the sentence of the refusal; anything else that is raised is a mistake of the plug-in."""
    try:
        return load.parse(asked, outcome)
    except LoadFailure as failure:
        return str(failure)


def check(load: LoadGenerator, asked: Shot, outcome: Outcome) -> None:
    """Demand a whole result or a refusal with a sentence."""
    found = parsed_or_refused(load, asked, outcome)
    if isinstance(found, str):
        assert len(found.split()) > 2
        return
    assert outcome.exit_code == 0
    assert found.requests > 0
    assert found.duration_us > 0
    assert found.errors.total == 0
    assert sum(count for _, count in found.histogram) == found.requests
    assert sum(count for _, count in found.statuses) in {0, found.requests}
    assert found.due == (found.requests + found.unanswered if asked.rate_per_s else 0)
    assert found.unanswered >= 0


@every_load
@given(outcome=outcomes, data=st.data())
def test_garbage_is_refused_with_a_sentence(load: LoadGenerator, outcome: Outcome, data: st.DataObject) -> None:
    check(load, data.draw(shots_of(load)), outcome)


@undamaged
def test_the_undamaged_result_is_taken(name: str) -> None:
    asked, outcome, requests = UNDAMAGED[name]
    assert LOADS[name].parse(asked, outcome).requests == requests


@open_loads
def test_a_result_of_an_open_loop_says_what_was_due_and_what_was_not_answered(load: LoadGenerator) -> None:
    asked, document = replace(shot_for(load), rate_per_s=RATE_PER_S), {**WHOLE, **AT_RATE}
    found = load.parse(asked, ended(json.dumps(document)))
    assert (found.due, found.unanswered, found.requests) == (11, 1, 10)
    closed = load.parse(replace(asked, rate_per_s=0), ended(json.dumps(WHOLE)))
    assert (closed.due, closed.unanswered) == (0, 0)


@open_loads
@pytest.mark.parametrize("missing", AT_RATE)
def test_a_result_without_the_facts_of_an_open_loop_is_none_of_one(load: LoadGenerator, missing: str) -> None:
    document = {**WHOLE, **{name: value for name, value in AT_RATE.items() if name != missing}}
    with pytest.raises(LoadFailure):
        load.parse(replace(shot_for(load), rate_per_s=RATE_PER_S), ended(json.dumps(document)))


@undamaged
@pytest.mark.parametrize("code", [1, -9, -15])
def test_a_generator_that_did_not_end_well_has_no_result(name: str, code: int) -> None:
    asked, outcome, _ = UNDAMAGED[name]
    assert isinstance(parsed_or_refused(LOADS[name], asked, replace(outcome, exit_code=code)), str)


@every_load
@settings(max_examples=1000)
@given(connections=st.integers(1, 64), damaged=json_damage)
def test_a_damaged_document_is_whole_or_refused_with_a_sentence(
    load: LoadGenerator, connections: int, damaged: dict[str, object]
) -> None:
    text = json.dumps({**WHOLE, **damaged})
    check(load, replace(shot_for(load), connections=connections), ended(text))


@open_loads
@settings(max_examples=1000)
@given(damaged=damage_at_rate)
def test_a_damaged_document_of_an_open_loop_is_whole_or_refused_with_a_sentence(
    load: LoadGenerator, damaged: dict[str, object]
) -> None:
    check(load, replace(shot_for(load), rate_per_s=RATE_PER_S), ended(json.dumps({**WHOLE, **AT_RATE, **damaged})))


@undamaged
@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_text_is_whole_or_refused_with_a_sentence(name: str, data: st.DataObject) -> None:
    asked, outcome, _ = UNDAMAGED[name]
    check(LOADS[name], asked, replace(outcome, result=data.draw(text_damages(outcome.result or ""))))
    check(LOADS[name], asked, replace(outcome, stdout=data.draw(text_damages(outcome.stdout))))


@every_load
@pytest.mark.parametrize("result", [None, "", "{}", "[]", "null", "\0", '{"schema": 1}', '{"schema": 2}'])
def test_what_is_no_result_is_refused(load: LoadGenerator, result: str | None) -> None:
    for stdout in ("", PRINTED):
        with pytest.raises(LoadFailure):
            load.parse(shot_for(load), ended(result, stdout))


IMPOSSIBLE = {
    "infinite latency": "[[Infinity, 4], [200, 6]]",
    "infinite count": "[[100, Infinity], [200, 6]]",
    "endless nesting": "[" * 100_000,
    "negative latency": "[[-100, 4], [200, 6]]",
    "negative count": "[[100, -1], [200, 11]]",
    "too few": "[[100, 4], [200, 5]]",
    "no pairs": "[[100, 4, 0], [200, 6, 0]]",
    "words": '[["x", 4], [200, 6]]',
    "none": "[]",
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
@pytest.mark.parametrize("name", ["wrk", "builtin"])
def test_a_histogram_that_cannot_be_is_refused(name: str, kind: str) -> None:
    text = json.dumps(WHOLE).replace(json.dumps(PAIRS), IMPOSSIBLE[kind])
    with pytest.raises(LoadFailure):
        LOADS[name].parse(shot(), ended(text))


@pytest.mark.parametrize("row", ["-1\t200\t5", "1\t200\t-5", "1\t200\tInfinity", f"1\t200\t{2**63}", "1\t200", "1\tx\t5"])
def test_a_request_that_cannot_be_is_refused(row: str) -> None:
    asked, outcome, _ = UNDAMAGED["h2load"]
    with pytest.raises(LoadFailure, match="damaged"):
        LOADS["h2load"].parse(asked, replace(outcome, result=LOGGED.replace(LOGGED.splitlines()[4], row)))


@every_load
@given(text=st.text(max_size=80))
def test_a_version_is_read_or_refused_with_a_sentence(load: LoadGenerator, text: str) -> None:
    with contextlib.suppress(LoadFailure):
        assert load.version(text).strip()


@real_load
def test_a_program_of_its_own_comes_with_the_package_that_has_it(load: LoadGenerator) -> None:
    assert bool(load.program) == bool(load.packages) == bool(load.version_args)
    command = load.argv(shot_for(load))
    assert command[0] == "/bin/loader" if load.program else command[0]


@every_load
def test_a_generator_that_simulates_answers_or_refuses(load: LoadGenerator) -> None:
    if load.simulate is None:
        assert load.argv(shot_for(load))
        return
    asked = Question(cell_id="x", round=1, window=0, workers=1, duration_s=1, seed=1, model={})
    with pytest.raises(LoadFailure):
        load.simulate(asked)
    model = {"cells": {"*": {"rps": 10, "cpu_us": 9}}}
    closed = load.simulate(replace(asked, model=model)).stats
    assert closed.requests > 0
    assert (closed.due, closed.unanswered) == (0, 0)
    if load.open_loop:
        at_rate = load.simulate(replace(asked, model=model, duration_s=10, rate_per_s=5.0)).stats
        assert at_rate.due == at_rate.requests + at_rate.unanswered == 5 * 10
