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

from servermatrix.contracts import LoadFailure, LoadGenerator, LoadStats, Outcome, Question, Shot
from servermatrix.model import Request
from servermatrix.plugins import load_generators

LOADS = load_generators()
KEYS = ("schema", "requests", "duration_us", "bytes", "errors", "statuses", "latency_us", "histogram", "status", "connect")

every_load = pytest.mark.parametrize("load", [pytest.param(load, id=name) for name, load in LOADS.items()])
real_load = pytest.mark.parametrize(
    "load", [pytest.param(load, id=name) for name, load in LOADS.items() if load.simulate is None]
)


def shot(connections: int = 64, threads: int = 2, duration_s: int = 3, path: str = "/") -> Shot:
    return Shot(
        program="/bin/loader",
        url=f"http://127.0.0.1:8123{path}",
        request=Request(path=path),
        connections=connections,
        threads=threads,
        duration_s=duration_s,
        timeout_s=duration_s + 5,
        folder="/cell",
        result="/cell/result",
        expect_status=200,
    )


shots = st.builds(shot, st.integers(1, 4096), st.integers(1, 16), st.integers(1, 600), st.sampled_from(("/", "/a?b=c&d", "/%20")))
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
damage = st.one_of(*(st.fixed_dictionaries({name: kind}) for name, kind in KINDS.items()))


def test_the_shipped_generators_are_found() -> None:
    assert {"wrk", "builtin", "fake"} <= set(LOADS)


@every_load
def test_protocols_are_those_of_the_contract(load: LoadGenerator) -> None:
    assert load.protocols
    assert set(load.protocols) <= {"h1", "h1s", "h2c", "h2"}


@every_load
@given(asked=shots)
def test_the_same_shot_has_the_same_command_files_and_environment(load: LoadGenerator, asked: Shot) -> None:
    first, second = ((load.argv(asked), dict(load.env(asked)), dict(load.files(asked))) for _ in range(2))
    assert first == second
    assert all(type(word) is str and word for word in first[0])


@real_load
@given(asked=shots)
def test_the_command_and_its_files_say_where_how_many_and_how_long(load: LoadGenerator, asked: Shot) -> None:
    words = [*load.argv(asked), *load.env(asked).values(), *load.files(asked).values()]
    for fact in (8123, asked.connections, asked.threads, asked.duration_s):
        assert any(re.search(rf"(?<!\d){fact}(?!\d)", word) for word in words), fact
    assert any(asked.result in word for word in words)


@real_load
def test_files_stay_within_the_work_folder(load: LoadGenerator) -> None:
    for name in load.files(shot()):
        assert not PurePosixPath(name).is_absolute()
        assert ".." not in PurePosixPath(name).parts


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


@every_load
@given(asked=shots, outcome=outcomes)
def test_garbage_is_refused_with_a_sentence(load: LoadGenerator, asked: Shot, outcome: Outcome) -> None:
    check(load, asked, outcome)


def test_the_undamaged_result_is_taken_by_the_shipped_generators() -> None:
    whole = Outcome(exit_code=0, stdout="", stderr="", result=json.dumps(WHOLE))
    assert {LOADS[name].parse(shot(), whole).requests for name in ("wrk", "builtin")} == {10}


@every_load
@settings(max_examples=1000)
@given(connections=st.integers(1, 64), damaged=damage)
def test_a_damaged_result_is_whole_or_refused_with_a_sentence(
    load: LoadGenerator, connections: int, damaged: dict[str, object]
) -> None:
    text = json.dumps({**WHOLE, **damaged})
    check(load, shot(connections=connections), Outcome(exit_code=0, stdout="", stderr="", result=text))


@every_load
@pytest.mark.parametrize("result", [None, "", "{}", "[]", "null", "\0", '{"schema": 1}', '{"schema": 2}'])
def test_what_is_no_result_is_refused(load: LoadGenerator, result: str | None) -> None:
    with pytest.raises(LoadFailure):
        load.parse(shot(), Outcome(exit_code=0, stdout="", stderr="", result=result))


# Bugs that are known: take them off the list when they are mended, each then fails as an unexpected success.
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
        LOADS[name].parse(shot(), Outcome(exit_code=0, stdout="", stderr="", result=text))


@every_load
@given(text=st.text(max_size=80))
def test_a_version_is_read_or_refused_with_a_sentence(load: LoadGenerator, text: str) -> None:
    with contextlib.suppress(LoadFailure):
        assert load.version(text).strip()


@real_load
def test_a_program_of_its_own_comes_with_the_package_that_has_it(load: LoadGenerator) -> None:
    assert bool(load.program) == bool(load.packages) == bool(load.version_args)
    assert load.argv(shot())[0] == "/bin/loader" if load.program else load.argv(shot())[0]


@every_load
def test_a_generator_that_simulates_answers_or_refuses(load: LoadGenerator) -> None:
    if load.simulate is None:
        assert load.argv(shot())
        return
    asked = Question(cell_id="x", round=1, window=0, workers=1, duration_s=1, seed=1, model={})
    with pytest.raises(LoadFailure):
        load.simulate(asked)
    model = {"cells": {"*": {"rps": 10, "cpu_us": 9}}}
    assert load.simulate(replace(asked, model=model)).stats.requests > 0
