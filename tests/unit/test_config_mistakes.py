"""What is said about a matrix.yaml that is wrong: every mistake, its place, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from servermatrix.config.matrix import read_matrix
from servermatrix.contracts import Choice, Count, Flag, LoadGenerator, LoadStats, Server
from servermatrix.errors import ConfigProblems, Exit

LOOP = Choice(values=("asyncio", "uvloop"), default="uvloop")
UVICORN = Server(
    requires=(),
    options={"loop": LOOP, "http": Choice(values=("h11", "httptools"), default="httptools"), "log": Flag()},
    protocols=("h1",),
    argv=lambda _: [],
    proof=lambda _: {},
)
GRANIAN = Server(
    requires=(),
    options={"loop": LOOP, "threads": Count(default="1")},
    protocols=("h1", "h2"),
    argv=lambda _: [],
    proof=lambda _: {},
)
WRK = LoadGenerator(
    protocols=("h1",),
    version=lambda text: text,
    argv=lambda _: [],
    parse=lambda _, __: LoadStats(requests=1, duration_us=1, histogram=()),
)


def problems(folder: Path, text: str) -> list[str]:
    """Return the problems with the file named `matrix.yaml`, whatever the folder."""
    path = folder / "matrix.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigProblems) as caught:
        read_matrix(path, "quick", {"uvicorn": UVICORN, "granian": GRANIAN}, {"wrk": WRK}, ("json", "plaintext"))
    assert caught.value.exit_code == Exit.USAGE
    return [problem.replace(str(path), "matrix.yaml") for problem in caught.value.problems]


def first_lines(folder: Path, text: str) -> list[str]:
    return [problem.split("\n")[0].removeprefix("matrix.yaml:") for problem in problems(folder, text)]


def test_a_problem_shows_place_path_sentence_line_and_caret(tmp_path: Path) -> None:
    text = "# comment\nservers:\n  uvicorn:\n    http: [h11]\n    loop: [uvloop, uvlop]\n"
    (problem,) = problems(tmp_path, text)
    assert problem.split("\n") == [
        "matrix.yaml:5:20: servers.uvicorn.loop[1]: 'uvlop' is not one of asyncio, uvloop; did you mean 'uvloop'?",
        "    5 |     loop: [uvloop, uvlop]",
        "      |                    ^",
    ]


BASE = "servers: {uvicorn: {}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "servers: {uvicrn: {}}",
            "1:11: servers.uvicrn: 'uvicrn' is not a server; known are uvicorn, granian; did you mean 'uvicorn'?",
            id="a misspelt server",
        ),
        pytest.param(
            "servers: {uvicorn: {lop: [asyncio]}}",
            "1:21: servers.uvicorn.lop: 'lop' is not an option of uvicorn; known are loop, http, log; did you mean 'loop'?",
            id="a misspelt option",
        ),
        pytest.param(
            "servers: {uvicorn: {loop: asincio}}",
            "1:27: servers.uvicorn.loop: 'asincio' is not one of asyncio, uvloop; did you mean 'asyncio'?",
            id="a misspelt value without a list",
        ),
        pytest.param(
            "servers: {uvicorn: {loop: [auto]}}",
            "1:28: servers.uvicorn.loop[0]: 'auto' is not one of asyncio, uvloop",
            id="auto where the plug-in does not list it",
        ),
        pytest.param(
            "servers: {granian: {threads: [0]}}",
            "1:31: servers.granian.threads[0]: '0' is not a whole number from 1 on",
            id="a count below its minimum",
        ),
        pytest.param(
            "servers: {uvicorn: {log: [true, on]}}",
            "1:33: servers.uvicorn.log[1]: 'on' stands here twice",
            id="a value twice in other words",
        ),
        pytest.param(
            "servers: {uvicorn: {loop: []}}",
            "1:27: servers.uvicorn.loop: is empty; at least one entry is needed",
            id="an option without values",
        ),
        pytest.param(
            "servers:\n  uvicorn:\n    loop:\n  granian: {}",
            "3:5: servers.uvicorn.loop: is empty; at least one entry is needed",
            id="an omitted value is shown at its key",
        ),
        pytest.param(
            "servers: {uvicorn: {loop: [~]}}",
            "1:28: servers.uvicorn.loop[0]: nothing is not a single value",
            id="nothing among the values",
        ),
        pytest.param(
            "servers: {uvicorn: {loop: {a: b}}}",
            "1:27: servers.uvicorn.loop: a mapping is not a list",
            id="a mapping for a list",
        ),
        pytest.param(
            "servers: {uvicorn: [loop]}",
            "1:20: servers.uvicorn: a list is not a mapping of keys to values",
            id="a list for a mapping",
        ),
        pytest.param("servers: {}", "1:10: servers: is empty; at least one entry is needed", id="no servers"),
        pytest.param("rounds: 3", "1:1: the key 'servers' is missing", id="servers left out"),
        pytest.param("", "1:1: the file is empty; at least `servers` is needed", id="an empty file"),
        pytest.param("# nothing\n", "1:1: the file is empty; at least `servers` is needed", id="a file of comments"),
        pytest.param("[1]", "1:1: the file must be a mapping of keys such as `servers` to values", id="not a mapping"),
        pytest.param(
            BASE + "axis: {}",
            "2:1: axis: is no key here; known are servers, axes, load, rounds, noise, exclude, include, profiles;"
            " did you mean 'axes'?",
            id="a misspelt key",
        ),
        pytest.param(
            BASE + "profile: {}",
            "2:1: profile: is no key here; known are servers, axes, load, rounds, noise, exclude, include, profiles;"
            " did you mean 'profiles'?",
            id="profiles misspelt",
        ),
        pytest.param(
            BASE + "axes: {worker: [1]}",
            "2:8: axes.worker: is no key here; known are protocol, workers, app, connections, streams, requests_per_connection,"
            " rate, python, requires; did you mean 'workers'?",
            id="a misspelt axis",
        ),
        pytest.param(
            BASE + "axes: {app: [plaintxt]}",
            "2:14: axes.app[0]: 'plaintxt' is not an app; known are json, plaintext; did you mean 'plaintext'?",
            id="a misspelt app",
        ),
        pytest.param(
            BASE + "axes: {protocol: h3}",
            "2:18: axes.protocol: 'h3' is not a protocol; known are h1, h2",
            id="an unknown protocol",
        ),
        pytest.param(
            BASE + "axes: {workers: [1, 2, 01]}",
            "2:24: axes.workers[2]: '01' stands here twice",
            id="a number twice",
        ),
        pytest.param(
            BASE + "axes: {streams: [8, 0]}", "2:21: axes.streams[1]: '0' is too small; the least is 1", id="no streams"
        ),
        pytest.param(
            BASE + "axes: {stream: 8}",
            "2:8: axes.stream: is no key here; known are protocol, workers, app, connections, streams, requests_per_connection,"
            " rate, python, requires; did you mean 'streams'?",
            id="an axis in the singular",
        ),
        pytest.param(
            BASE + "axes: {streams: many}",
            "2:17: axes.streams: 'many' is not a whole number",
            id="a word for a number of streams",
        ),
        pytest.param(
            BASE + "axes: {streams: [1, 01]}", "2:21: axes.streams[1]: '01' stands here twice", id="a number of streams twice"
        ),
        pytest.param(
            BASE + "axes: {rate: [30%, 60]}",
            "2:20: axes.rate[1]: '60' is not a whole percentage from 1% to 99%; did you mean '60%'?",
            id="a rate without its sign",
        ),
        pytest.param(
            BASE + "axes: {rate: 250}",
            "2:14: axes.rate: '250' is not a whole percentage from 1% to 99%",
            id="a rate without its sign that would be none with it",
        ),
        pytest.param(
            BASE + "axes: {rate: [0%]}",
            "2:15: axes.rate[0]: '0%' is not a whole percentage from 1% to 99%",
            id="a rate of nothing",
        ),
        pytest.param(
            BASE + "axes: {rate: [99%, 100%]}",
            "2:20: axes.rate[1]: '100%' is a rate with which no server keeps up: answers would come later and later;"
            " the most is 99%",
            id="a rate of all that a server serves",
        ),
        pytest.param(
            BASE + "axes: {rate: 33.3%}",
            "2:14: axes.rate: '33.3%' is not a whole percentage from 1% to 99%",
            id="a part of a percent",
        ),
        pytest.param(BASE + "axes: {rate: [30%, 030 %]}", "2:20: axes.rate[1]: '030 %' stands here twice", id="a rate twice"),
        pytest.param(BASE + "axes: {rate: {a: 30%}}", "2:14: axes.rate: a mapping is not a list", id="a mapping of rates"),
        pytest.param(
            BASE + "exclude: [{rate: [30%, half]}]",
            "2:24: exclude[0].rate[1]: 'half' is not a whole percentage from 1% to 99%",
            id="a word as a rate in an entry",
        ),
        pytest.param(
            BASE + "include: [{server: uvicorn, rate: 120%}]",
            "2:35: include[0].rate: '120%' is a rate with which no server keeps up: answers would come later and later;"
            " the most is 99%",
            id="too high a rate in an entry",
        ),
        pytest.param(
            BASE + "axes: {rates: 30%}",
            "2:8: axes.rates: is no key here; known are protocol, workers, app, connections, streams, requests_per_connection,"
            " rate, python, requires; did you mean 'rate'?",
            id="an axis in the plural",
        ),
        pytest.param(
            BASE + "axes: {requests_per_connection: -1}",
            "2:33: axes.requests_per_connection: '-1' is too small; the least is 0",
            id="fewer than no requests per connection",
        ),
        pytest.param(
            BASE + "axes: {python: [3.13, python3]}",
            "2:23: axes.python[1]: 'python3' is neither default, nor a version such as 3.13, nor a path with a slash",
            id="a python that is a name",
        ),
        pytest.param(
            BASE + "axes: {python: 3}",
            "2:16: axes.python: '3' is neither default, nor a version such as 3.13, nor a path with a slash",
            id="half a version of python",
        ),
        pytest.param(
            BASE + "axes: {python: ['']}",
            "2:17: axes.python[0]: '' is neither default, nor a version such as 3.13, nor a path with a slash",
            id="an empty python",
        ),
        pytest.param(
            BASE + "axes: {python: defualt}",
            "2:16: axes.python: 'defualt' is neither default, nor a version such as 3.13, nor a path with a slash;"
            " did you mean 'default'?",
            id="a misspelt default",
        ),
        pytest.param(
            BASE + "axes: {python: [3.13, 3.13]}", "2:23: axes.python[1]: '3.13' stands here twice", id="a python twice"
        ),
        pytest.param(
            BASE + "axes:\n  requires:\n    - default\n    - uvicorn == 0.52.0",
            "5:7: axes.requires[1]: 'uvicorn == 0.52.0' is no requirement set: '==' is no requirement; write name==version,"
            " without spaces around ==, and white space between one requirement and the next",
            id="a requirement with blanks",
        ),
        pytest.param(
            BASE + "axes: {requires: [uvicorn==0.52.0 uvicorn<1]}",
            "2:19: axes.requires[0]: 'uvicorn==0.52.0 uvicorn<1' is no requirement set: uvicorn is there twice; join its"
            " conditions with a comma, as in uvloop>=0.22,<0.23",
            id="a package twice in a set",
        ),
        pytest.param(
            BASE + "axes: {requires: ''}",
            "2:18: axes.requires: '' is empty; write default, or requirements such as uvicorn==0.52.0",
            id="an empty set",
        ),
        pytest.param(
            BASE + "axes: {requires: ['a==1 b==2', 'B==2 a==1']}",
            "2:32: axes.requires[1]: 'B==2 a==1' stands here twice",
            id="a set twice in another order",
        ),
        pytest.param(BASE + "axes: {workers: [0]}", "2:18: axes.workers[0]: '0' is too small; the least is 1", id="no workers"),
        pytest.param(
            BASE + "axes: {connections: -64}",
            "2:21: axes.connections: '-64' is too small; the least is 1",
            id="negative connections",
        ),
        pytest.param(BASE + "axes: {workers: [x]}", "2:18: axes.workers[0]: 'x' is not a whole number", id="a word as number"),
        pytest.param(BASE + "rounds: 0", "2:9: rounds: '0' is too small; the least is 1", id="no rounds"),
        pytest.param(BASE + "rounds: 1.5", "2:9: rounds: '1.5' is not a whole number", id="half a round"),
        pytest.param(
            BASE + "load: {duration: 500ms}",
            "2:18: load.duration: '500ms' is not a duration such as 2s or 1m; wrk takes whole seconds",
            id="milliseconds",
        ),
        pytest.param(
            BASE + "load: {duration: [1s]}",
            "2:18: load.duration: a list is not a duration such as 2s or 1m; wrk takes whole seconds",
            id="a list of durations",
        ),
        pytest.param(BASE + "load: {duration: 0s}", "2:18: load.duration: '0s' is too small; the least is 1", id="no duration"),
        pytest.param(
            BASE + "load: {generator: wrkk}",
            "2:19: load.generator: 'wrkk' is not a load generator; known are wrk; did you mean 'wrk'?",
            id="a misspelt generator",
        ),
        pytest.param(
            BASE + "load: {threads: 3}\naxes: {connections: [63, 64]}",
            "3:26: axes.connections[1]: 64 connections cannot be shared evenly by 3 threads",
            id="connections that threads cannot share",
        ),
        pytest.param(
            BASE + "load: {threads: 3}",
            "2:17: load.threads: 64 connections cannot be shared evenly by 3 threads",
            id="default connections that threads cannot share",
        ),
        pytest.param(
            BASE + "load: {threads: 2}\ninclude: [{server: uvicorn, connections: 3}]",
            "3:42: include[0].connections: 3 connections cannot be shared evenly by 2 threads",
            id="included connections that threads cannot share",
        ),
        pytest.param(BASE + "noise: {steal: 2}", "2:16: noise.steal: '2' is too large; the most is 1.0", id="too much steal"),
        pytest.param(BASE + "noise: {foreign_cpu: a}", "2:22: noise.foreign_cpu: 'a' is not a number", id="a word as share"),
        pytest.param(BASE + "noise: {foreign_cpu: nan}", "2:22: noise.foreign_cpu: 'nan' is not a number", id="not a number"),
        pytest.param(BASE + "exclude: {app: json}", "2:10: exclude: a mapping is not a list", id="one entry without a list"),
        pytest.param(
            BASE + "exclude: [{}]", "2:11: exclude[0]: is empty; at least one entry is needed", id="an entry for everything"
        ),
        pytest.param(
            BASE + "exclude: [{sever: uvicorn}]",
            "2:12: exclude[0].sever: 'sever' is not an axis or option; known are server, protocol, workers, app, connections,"
            " streams, requests_per_connection, rate, python, requires, loop, http, log, threads; did you mean 'server'?",
            id="a misspelt key of an entry",
        ),
        pytest.param(
            BASE + "exclude: [{server: granian, http: h11}]",
            "2:29: exclude[0].http: 'http' is not an axis or option of granian; known are server, protocol, workers, app,"
            " connections, streams, requests_per_connection, rate, python, requires, loop, threads",
            id="an option of another server",
        ),
        pytest.param(
            BASE + "exclude: [{http: [h11, h12]}]",
            "2:24: exclude[0].http[1]: 'h12' is not one of h11, httptools; did you mean 'h11'?",
            id="a misspelt value of an entry",
        ),
        pytest.param(
            BASE + "exclude: [{server: unicorn}]",
            "2:20: exclude[0].server: 'unicorn' is not a server; known are uvicorn, granian; did you mean 'uvicorn'?",
            id="a misspelt server of an entry",
        ),
        pytest.param(
            BASE + "exclude: [{workers: many}]",
            "2:21: exclude[0].workers: 'many' is not a whole number from 1 on",
            id="a word as number in an entry",
        ),
        pytest.param(
            BASE + "exclude: [{streams: [10, 0]}]",
            "2:26: exclude[0].streams[1]: '0' is not a whole number from 1 on",
            id="no streams in an entry",
        ),
        pytest.param(
            BASE + "include: [{server: uvicorn, requests_per_connection: -1}]",
            "2:54: include[0].requests_per_connection: '-1' is not a whole number from 0 on",
            id="fewer than no requests per connection in an entry",
        ),
        pytest.param(
            BASE + "include: [{server: uvicorn, python: py313}]",
            "2:37: include[0].python: 'py313' is neither default, nor a version such as 3.13, nor a path with a slash",
            id="a python that is a name in an entry",
        ),
        pytest.param(
            BASE + "exclude: [{requires: uvicorn=0.52.0}]",
            "2:22: exclude[0].requires: 'uvicorn=0.52.0' is no requirement set: 'uvicorn=0.52.0' is no requirement; write"
            " name==version, without spaces around ==, and white space between one requirement and the next",
            id="no requirement in an entry",
        ),
        pytest.param(
            BASE + "exclude: [{protocol: [h1, h2c]}]",
            "2:27: exclude[0].protocol[1]: 'h2c' is not a protocol; known are h1, h2; did you mean 'h2'?",
            id="a protocol that no server speaks in an entry",
        ),
        pytest.param(
            BASE + "exclude: [{app: jso}]",
            "2:17: exclude[0].app: 'jso' is not an app; known are json, plaintext; did you mean 'json'?",
            id="a misspelt app of an entry",
        ),
        pytest.param(
            BASE + "exclude: [{threads: x}]",
            "2:21: exclude[0].threads: 'x' is not a whole number from 1 on",
            id="a word as count in an entry",
        ),
        pytest.param(
            BASE + "include: [{server: [uvicorn, granian]}]",
            "2:20: include[0].server: a list is not a single value",
            id="a list in an include entry",
        ),
        pytest.param(
            BASE + "rounds: 2\nrounds: 3",
            "3:1: rounds: is given twice; first in line 2",
            id="a key twice",
        ),
        pytest.param(
            "servers: {uvicorn: {loop: asyncio, loop: uvloop}}",
            "1:36: servers.uvicorn.loop: is given twice; first in line 1",
            id="an option twice",
        ),
        pytest.param(
            BASE + "profiles: {smoke: {lod: {}}}",
            "2:20: profiles.smoke.lod: is no key here; known are servers, axes, load, rounds, noise, exclude, include;"
            " did you mean 'load'?",
            id="a misspelt key of a profile",
        ),
        pytest.param(
            BASE + "profiles: {smoke: {load: {durations: 1}}}",
            "2:27: profiles.smoke.load.durations: is no key here; known are generator, threads, duration, warmup, windows;"
            " did you mean 'duration'?",
            id="a misspelt key deep in a profile",
        ),
        pytest.param(
            BASE + "profiles: {smoke: {servers: {uvicrn: {}}}}",
            "2:30: profiles.smoke.servers.uvicrn: 'uvicrn' is not a server; known are uvicorn, granian; did you mean 'uvicorn'?",
            id="a misspelt server of a profile",
        ),
        pytest.param(
            BASE + "axes: {connections: [64]}\nprofiles: {smoke: {load: {threads: 5}}}",
            "3:36: profiles.smoke.load.threads: 64 connections cannot be shared evenly by 5 threads",
            id="threads of a profile that do not suit the base",
        ),
        pytest.param(
            BASE + "load: {threads: 1}\nprofiles: {smoke: {load: 3}}",
            "3:26: profiles.smoke.load: '3' is not a mapping of keys to values",
            id="a profile that replaces a mapping by a word",
        ),
        pytest.param(
            BASE + "profiles: {smoke: {profiles: {}}}",
            "2:20: profiles.smoke.profiles: is no key here; known are servers, axes, load, rounds, noise, exclude, include",
            id="profiles within a profile",
        ),
        pytest.param(
            BASE + "profiles: {smoke: 3}", "2:19: profiles.smoke: must be a mapping of keys to values", id="a profile of nothing"
        ),
        pytest.param(
            BASE + "profiles: [smoke]", "2:11: profiles: must be a mapping of profile names to overrides", id="a list of profiles"
        ),
        pytest.param(BASE + "? [a]\n: 1", "2:3: a key must be a word", id="a list as key"),
        pytest.param(
            "servers: &all\n  uvicorn: *all", "1:10: servers.uvicorn: is an alias of something that contains it", id="a ring"
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    assert first_lines(tmp_path, text) == [expected]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("servers: [1\nrounds: 2", "2:7: "),
        ("servers:\n\tuvicorn: {}", "2:1: "),
        ("servers: *nowhere", "1:10: "),
        ("servers: {}\n---\nrounds: 1", "2:1: "),
        ("a: b\nservers: \x01", "2:10: "),
    ],
)
def test_an_error_of_syntax_has_its_place(tmp_path: Path, text: str, place: str) -> None:
    (line,) = first_lines(tmp_path, text)
    assert line.startswith(place)
    assert len(line) > len(place)


def test_nesting_without_end_is_a_mistake(tmp_path: Path) -> None:
    assert first_lines(tmp_path, "[" * 1000) == ["1:1: is nested too deeply"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
servers:
  uvicorn: {loop: [uvlop]}
  unicorn: {}
rounds: none
load: {duration: 500ms}
load: {}
exclude: [{ap: json}]
profiles:
  quick: {rounds: 0}
"""
    places = [line.split(" ")[1] for line in first_lines(tmp_path, text)]
    assert places == [
        "servers.uvicorn.loop[0]:",
        "servers.unicorn:",
        "rounds:",
        "load.duration:",
        "load:",
        "exclude[0].ap:",
        "profiles.quick.rounds:",
    ]


def test_a_mistake_of_the_base_is_told_once_however_many_profiles_there_are(tmp_path: Path) -> None:
    text = BASE + "axes: {app: [nothing_like_it]}\nprofiles: {a: {}, b: {rounds: 2}, c: {load: {windows: 1}}}"
    assert len(problems(tmp_path, text)) == 1


def test_a_mistake_of_the_base_is_told_even_where_the_chosen_profile_hides_it(tmp_path: Path) -> None:
    assert first_lines(tmp_path, BASE + "rounds: x\nprofiles: {quick: {rounds: 2}}") == ["2:9: rounds: 'x' is not a whole number"]


def test_a_tab_is_shown_as_one_space_so_that_the_caret_stands_right(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "servers: {uvicorn: {}}\r\nrounds:\tx\r\n")
    assert problem.split("\n")[1:] == ["    2 | rounds: x", "      |        ^"]


def test_the_message_of_the_error_is_all_problems(tmp_path: Path) -> None:
    path = tmp_path / "matrix.yaml"
    path.write_text("rounds: x\n", encoding="utf-8")
    with pytest.raises(ConfigProblems) as caught:
        read_matrix(path, "quick", {}, {}, ())
    assert caught.value.message == "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 2
