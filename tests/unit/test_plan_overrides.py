"""What the command line changes in a matrix, and what it refuses to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click import BadParameter

from servermatrix.cli.values import Axis
from servermatrix.config.axes import Axes
from servermatrix.config.matrix import LoadSettings, Matrix
from servermatrix.config.overrides import Overrides, override
from servermatrix.contracts import Choice, Count, Flag, Server
from servermatrix.errors import Exit, UsageProblem
from servermatrix.model import App, Noise

ALPHA = Server(
    requires=(),
    options={"loop": Choice(values=("asyncio", "uvloop"), default="uvloop"), "log": Flag()},
    protocols=("h1",),
    argv=lambda _: [],
    proof=lambda _: {},
)
BETA = Server(
    requires=(),
    options={"loop": Choice(values=("asyncio", "rloop"), default="asyncio"), "threads": Count(default="1")},
    protocols=("h1", "h2"),
    argv=lambda _: [],
    proof=lambda _: {},
)
GAMMA = Server(
    requires=(),
    options={"queue": Count(default="1")},
    protocols=("h1",),
    argv=lambda _: [],
    proof=lambda _: {},
)
SERVERS = {"alpha": ALPHA, "beta": BETA, "gamma": GAMMA}
MATRIX = Matrix(
    servers=(("alpha", (("loop", ("asyncio", "uvloop")),)), ("beta", ())),
    axes=Axes(protocol=("h1",), workers=(1,), app=("plaintext",), connections=(64,)),
    load=LoadSettings(generator=None, threads=1, duration_s=2, warmup_s=1, windows=2),
    rounds=3,
    noise=Noise(),
)


def changed(**fields: object) -> Matrix:
    return override(MATRIX, Overrides(**fields), SERVERS)  # type: ignore[arg-type]


def setting(*sets: tuple[str, tuple[str, ...]]) -> Matrix:
    return changed(sets=sets)


def test_no_overrides_leave_the_matrix_as_it_is() -> None:
    assert changed() == MATRIX
    assert changed(seed=3, budget_s=60.0) == MATRIX


def test_a_shared_axis_is_set() -> None:
    matrix = setting(
        ("protocol", ("h2", "h1")),
        ("workers", ("2", "4")),
        ("app", ("json",)),
        ("connections", ("8",)),
        ("streams", ("1", "10")),
        ("requests_per_connection", ("0", "100")),
        ("rate", ("30%", "60 %")),
        ("python", ("default", "3.11", "~/py/bin/python")),
        ("requires", ("default", "uvicorn==0.52.0")),
    )
    assert matrix.axes == Axes(
        protocol=("h2", "h1"),
        workers=(2, 4),
        app=("json",),
        connections=(8,),
        streams=(1, 10),
        requests_per_connection=(0, 100),
        rate=(30, 60),
        python=("default", "3.11", "~/py/bin/python"),
        requires=("default", "uvicorn==0.52.0"),
    )


def test_an_option_is_set_on_every_server_of_the_matrix_that_has_it() -> None:
    assert setting(("loop", ("asyncio",))).servers == (("alpha", (("loop", ("asyncio",)),)), ("beta", (("loop", ("asyncio",)),)))


def test_an_option_that_the_matrix_does_not_list_is_added() -> None:
    assert setting(("threads", ("02", "4"))).servers == (MATRIX.servers[0], ("beta", (("threads", ("2", "4")),)))


def test_values_are_made_canonical_and_counted_once() -> None:
    assert setting(("log", ("true", "on"))).servers[0][1][1] == ("log", ("on",))
    assert setting(("workers", ("2", "02"))).axes.workers == (2,)
    assert setting(("app", ("json", "json"))).axes.app == ("json",)
    assert setting(("streams", ("08", "8")), ("protocol", ("h2",))).axes.streams == (8,)
    assert setting(("rate", ("30%", "030 %"))).axes.rate == (30,)
    assert setting(("requires", ("b==1 A==2", "a==2 b==1"))).axes.requires == ("a==2 b==1",)
    assert changed(connections=(8, 8)).axes.connections == (8,)


def test_the_last_set_of_an_axis_wins_and_a_named_field_wins_over_it() -> None:
    sets = (("connections", ("8",)), ("connections", ("16",)))
    assert setting(*sets).axes.connections == (16,)
    assert changed(sets=sets, connections=(32, 64)).axes.connections == (32, 64)


def test_named_fields_are_set() -> None:
    matrix = changed(rounds=9, duration_s=4, warmup_s=0, threads=2, windows=5, generator="wrk")
    assert matrix == replace(
        MATRIX,
        rounds=9,
        load=LoadSettings(generator="wrk", threads=2, duration_s=4, warmup_s=0, windows=5),
    )


def test_an_app_of_ones_own_is_the_only_app() -> None:
    assert changed(app=App(name="shop:app", target="shop:app", folder=".")).axes.app == ("shop:app",)


@pytest.mark.parametrize(
    ("axis", "values", "message"),
    [
        ("lop", ("asyncio",), r"no server of the matrix has 'lop'; known are .*; did you mean 'loop'\?"),
        ("worker", ("2",), r"no server of the matrix has 'worker'; known are .*; did you mean 'workers'\?"),
        ("queue", ("2",), "no server of the matrix has 'queue'"),
        ("loop", ("uvloop",), "loop of beta: 'uvloop' is not one of asyncio, rloop"),
        ("loop", ("asincio",), r"loop of alpha: 'asincio' is not one of asyncio, uvloop; did you mean 'asyncio'\?"),
        ("loop", ("auto",), "loop of alpha: 'auto' is not one of asyncio, uvloop"),
        ("threads", ("0",), "threads of beta: '0' is not a whole number from 1 on"),
        ("protocol", ("h3",), "'h3' is not one of h1, h2"),
        ("workers", ("two",), "workers takes whole numbers, not 'two'"),
        ("connections", ("8", "-8"), "connections takes whole numbers, not '8,-8'"),
        ("workers", ("0",), "workers is 0, but the least is 1"),
        ("streams", ("8", "0"), "streams is 0, but the least is 1"),
        ("streams", ("ten",), "streams takes whole numbers, not 'ten'"),
        ("stream", ("8",), r"no server of the matrix has 'stream'; known are .*; did you mean 'streams'\?"),
        ("requests_per_connection", ("-1",), "requests_per_connection takes whole numbers, not '-1'"),
        ("rate", ("30%", "60"), r"rate: '60' is not a whole percentage from 1% to 99%; did you mean '60%'\?"),
        ("rate", ("100%",), "rate: '100%' is a rate with which no server keeps up: .*; the most is 99%"),
        ("rate", ("0%",), "rate: '0%' is not a whole percentage from 1% to 99%$"),
        ("rate", ("none",), "rate: 'none' is not a whole percentage"),
        ("rates", ("30%",), r"no server of the matrix has 'rates'; known are .*; did you mean 'rate'\?"),
        ("python", ("3.11", "python3"), "python: 'python3' is neither default, nor a version such as 3.13, nor a path"),
        ("python", ("defualt",), r"python: 'defualt' is neither .*; did you mean 'default'\?"),
        ("requires", ("uvicorn=0.52.0",), "requires: 'uvicorn=0.52.0' is no requirement set: .*; write name==version"),
        ("requires", ("./wheel",), "requires: './wheel' is no requirement set"),
        ("app", ("",), "app is given an empty value"),
        ("app", (), "app is given an empty value"),
    ],
)
def test_what_does_not_exist_is_refused(axis: str, values: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageProblem, match=message) as caught:
        setting((axis, values))
    assert caught.value.exit_code == Exit.USAGE


def test_streams_without_a_protocol_that_has_them_are_refused_and_not_dropped_in_silence() -> None:
    with pytest.raises(UsageProblem, match="streams are requests in flight per connection of HTTP/2") as caught:
        setting(("streams", ("8",)))
    assert "protocol=h2c" in caught.value.tip
    included = replace(MATRIX, include=((("server", "beta"), ("protocol", "h2")),))
    assert override(included, Overrides(sets=(("streams", ("8",)),)), SERVERS).axes.streams == (8,)


def test_who_sets_the_server_is_told_how_to_choose_servers() -> None:
    with pytest.raises(UsageProblem, match="has 'server'") as caught:
        setting(("server", ("alpha",)))
    assert "-k" in caught.value.tip


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("rounds", 0, "rounds is 0, but the least is 1"),
        ("threads", 0, "threads is 0, but the least is 1"),
        ("windows", 0, "windows is 0, but the least is 1"),
        ("duration_s", 0, "duration is 0, but the least is 1"),
        ("warmup_s", -1, "warmup is -1, but the least is 0"),
        ("connections", (0,), "connections is 0, but the least is 1"),
        ("connections", (), "connections is 0, but the least is 1"),
        ("threads", 3, "64 connections cannot be shared evenly by 3 threads"),
    ],
)
def test_numbers_that_cannot_be_are_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(UsageProblem, match=message):
        changed(**{field: value})


def test_rounds_and_a_budget_that_chooses_them_are_not_both_taken() -> None:
    with pytest.raises(UsageProblem, match="--rounds and --budget both say how many rounds"):
        changed(rounds=3, budget_s=60.0)


def test_connections_of_include_entries_must_suit_the_threads_too() -> None:
    matrix = replace(MATRIX, include=((("server", "beta"), ("connections", "9")),))
    with pytest.raises(UsageProblem, match="9 connections cannot be shared evenly by 2 threads"):
        override(matrix, Overrides(threads=2), SERVERS)


@pytest.mark.parametrize(
    ("typed", "axis", "values"),
    [
        ("requires=uvicorn==0.52.0,uvicorn==0.54.0", "requires", ("uvicorn==0.52.0", "uvicorn==0.54.0")),
        ("requires=default, uvicorn==0.52.0 uvloop<0.23", "requires", ("default", "uvicorn==0.52.0 uvloop<0.23")),
        ("requires=uvloop>=0.22,<0.23,uvicorn~=0.54", "requires", ("uvloop>=0.22,<0.23", "uvicorn~=0.54")),
        ("requires=gunicorn[fast,gevent]==27.0.1,uvicorn", "requires", ("gunicorn[fast,gevent]==27.0.1", "uvicorn")),
        ("python=3.11,~/py/bin/python", "python", ("3.11", "~/py/bin/python")),
        ("workers = 1 , 2", "workers", ("1", "2")),
        ("rate=30%,60 %", "rate", ("30%", "60 %")),
    ],
)
def test_values_are_separated_by_commas_but_those_within_a_requirement(typed: str, axis: str, values: tuple[str, ...]) -> None:
    assert Axis().convert(typed, None, None) == (axis, values)


@pytest.mark.parametrize("typed", ["requires", "=a", "requires=", "workers=1,,2", "workers=1,"])
def test_an_axis_without_a_value_is_not_taken(typed: str) -> None:
    with pytest.raises(BadParameter, match=r"is not of the form axis=value\[,value\]"):
        Axis().convert(typed, None, None)
