"""What matrix.yaml turns into when it is right: the base, the profiles, the many ways to write the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from servermatrix.config.applications import app_names
from servermatrix.config.axes import Axes
from servermatrix.config.matrix import LoadSettings, Matrix, read_matrix
from servermatrix.contracts import Choice, Count, Flag, LoadGenerator, LoadStats, Server
from servermatrix.errors import Exit, UsageProblem
from servermatrix.model import Noise
from servermatrix.plugins import load_generators, load_servers

ROOT = Path(__file__).parents[2]
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

WHOLE = """\
servers:
  uvicorn: {loop: [asyncio, uvloop], http: [h11]}
  granian: {threads: [1, 2]}
axes:
  protocol: [h1, h2]
  workers: [1, 2]
  app: [plaintext, json]
  connections: [64, 128]
  streams: [1, 10]
  requests_per_connection: [0, 100]
  rate: [30%, 60 %, 090%]
  python: [default, 3.10, /opt/python3]
  requires: [default, 'uvloop<0.23 uvicorn==0.52.0']
load: {duration: 1m, warmup: 0s, windows: 3, threads: 2, generator: wrk}
rounds: 7
noise: {foreign_cpu: 0.5, steal: 0.25}
exclude: [{server: [uvicorn, granian], workers: 2}]
include: [{server: uvicorn, http: httptools, connections: 32}]
"""


def read(folder: Path, text: str, profile: str = "quick") -> Matrix:
    path = folder / "matrix.yaml"
    path.write_text(text, encoding="utf-8")
    servers = {"uvicorn": UVICORN, "granian": GRANIAN}
    return read_matrix(path, profile, servers, {"wrk": WRK}, ("json", "plaintext"))


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE) == Matrix(
        servers=(
            ("uvicorn", (("loop", ("asyncio", "uvloop")), ("http", ("h11",)))),
            ("granian", (("threads", ("1", "2")),)),
        ),
        axes=Axes(
            protocol=("h1", "h2"),
            workers=(1, 2),
            app=("plaintext", "json"),
            connections=(64, 128),
            streams=(1, 10),
            requests_per_connection=(0, 100),
            rate=(30, 60, 90),
            python=("default", "3.10", "/opt/python3"),
            requires=("default", "uvicorn==0.52.0 uvloop<0.23"),
        ),
        load=LoadSettings(generator="wrk", threads=2, duration_s=60, warmup_s=0, windows=3),
        rounds=7,
        noise=Noise(foreign_cpu=0.5, steal=0.25),
        exclude=((("server", ("uvicorn", "granian")), ("workers", ("2",))),),
        include=((("server", "uvicorn"), ("http", "httptools"), ("connections", "32")),),
    )


def test_servers_alone_are_enough(tmp_path: Path) -> None:
    matrix = read(tmp_path, "servers: {uvicorn: {}}")
    assert matrix.servers == (("uvicorn", ()),)
    assert matrix.axes == Axes(
        protocol=("h1",),
        workers=(1,),
        app=("plaintext",),
        connections=(64,),
        streams=(1,),
        requests_per_connection=(0,),
        rate=(),
        python=("default",),
        requires=("default",),
    )
    assert matrix.load == LoadSettings(generator=None, threads=1, duration_s=2, warmup_s=1, windows=2)
    assert (matrix.rounds, matrix.noise, matrix.exclude, matrix.include) == (11, Noise(), (), ())


def test_keys_without_a_value_count_as_empty(tmp_path: Path) -> None:
    text = "servers:\n  uvicorn:\naxes:\nload:\nnoise:\nexclude:\ninclude:\nprofiles:\n"
    assert read(tmp_path, text) == read(tmp_path, "servers: {uvicorn: {}}")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("servers: {uvicorn: {loop: uvloop}}", "servers: {uvicorn: {loop: [uvloop]}}"),
        ("servers: {uvicorn: }\naxes: {workers: 2, app: json}", "servers: {uvicorn: {}}\naxes: {workers: [2], app: [json]}"),
        ("servers: {granian: {threads: 02}}", "servers: {granian: {threads: ['2']}}"),
        ("servers: {uvicorn: {log: [true, false]}}", "servers: {uvicorn: {log: ['on', off]}}"),
        ("servers: {uvicorn: {}}\nload: {duration: 2}", "servers: {uvicorn: {}}\nload: {duration: 2s}"),
        ("servers: {uvicorn: {}}\nload: {duration: 120s}", "servers: {uvicorn: {}}\nload: {duration: 2m}"),
        (
            "servers: {uvicorn: {}}\naxes: {streams: 08, requests_per_connection: 00, python: 3.13}",
            "servers: {uvicorn: {}}\naxes: {streams: [8], requests_per_connection: [0], python: ['3.13']}",
        ),
        ("servers: {uvicorn: {}}\naxes: {rate: 5 %}", "servers: {uvicorn: {}}\naxes: {rate: [5%]}"),
        ("servers: {uvicorn: {}}\naxes: {rate: []}", "servers: {uvicorn: {}}"),
        ("servers: {uvicorn: {}}\naxes: {rate: }", "servers: {uvicorn: {}}"),
        (
            "servers: {uvicorn: {}}\nexclude: [{rate: 05 %}]\ninclude: [{server: uvicorn, rate: 7 %}]",
            "servers: {uvicorn: {}}\nexclude: [{rate: [5%]}]\ninclude: [{server: uvicorn, rate: 7%}]",
        ),
        (
            "servers: {uvicorn: {}}\naxes: {requires: 'UvLoop<0.23,>=0.22  uvicorn==0.52.0'}",
            "servers: {uvicorn: {}}\naxes: {requires: ['uvicorn==0.52.0 uvloop>=0.22,<0.23']}",
        ),
        ("servers: {uvicorn: {}}\nexclude: [{app: json}]", "servers: {uvicorn: {}}\nexclude: [{app: [json]}]"),
    ],
)
def test_two_ways_to_write_the_same_are_the_same(tmp_path: Path, short: str, long: str) -> None:
    assert read(tmp_path, short) == read(tmp_path, long)


def test_entries_hold_canonical_values(tmp_path: Path) -> None:
    text = """\
servers: {uvicorn: {}}
exclude: [{log: true, workers: 02, streams: [01, 10], requires: [default, 'Uvicorn==0.52.0']}]
include: [{server: uvicorn, log: false, requests_per_connection: 00, python: 3.10, requires: 'b==1 a==2'}]
"""
    matrix = read(tmp_path, text)
    assert matrix.exclude == (
        (("log", ("on",)), ("workers", ("2",)), ("streams", ("1", "10")), ("requires", ("default", "uvicorn==0.52.0"))),
    )
    assert matrix.include == (
        (
            *(("server", "uvicorn"), ("log", "off"), ("requests_per_connection", "0")),
            *(("python", "3.10"), ("requires", "a==2 b==1")),
        ),
    )


def test_the_protocols_of_a_matrix_are_those_of_its_axis_and_of_include(tmp_path: Path) -> None:
    text = "servers: {granian: {}}\naxes: {protocol: h2}\ninclude: [{server: uvicorn, protocol: h1}, {protocol: h2, app: json}]"
    assert read(tmp_path, text).protocols() == ("h2", "h1")


def test_anchors_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    text = "\ufeffservers:\n  uvicorn: {loop: &loops [asyncio]}\n  granian: {loop: *loops}\n"
    assert [options for _, options in read(tmp_path, text).servers] == [(("loop", ("asyncio",)),)] * 2


def test_on_and_no_stay_words_as_in_yaml_1_2(tmp_path: Path) -> None:
    text = "servers: {uvicorn: {log: [on, off]}}"
    assert read(tmp_path, text).servers == (("uvicorn", (("log", ("on", "off")),)),)


PROFILES = """\
servers: {uvicorn: {loop: [asyncio, uvloop]}, granian: {}}
axes: {workers: [1, 2], connections: [64]}
load: {duration: 5s, windows: 4}
noise: {foreign_cpu: 0.3}
rounds: 9
exclude: [{server: granian, workers: 2}]
profiles:
  quick:
  smoke:
    load: {duration: 1s}
    axes: {connections: [8]}
    noise: {steal: 1.0}
    rounds: 1
    servers: {granian: {}}
    exclude: []
    include: [{server: uvicorn}]
  empty: {load: , axes: ~}
"""


def test_a_profile_merges_load_axes_and_noise_key_by_key(tmp_path: Path) -> None:
    smoke = read(tmp_path, PROFILES, "smoke")
    assert smoke.load == LoadSettings(generator=None, threads=1, duration_s=1, warmup_s=1, windows=4)
    assert smoke.axes == Axes(protocol=("h1",), workers=(1, 2), app=("plaintext",), connections=(8,))
    assert smoke.noise == Noise(foreign_cpu=0.3, steal=1.0)


def test_a_profile_replaces_servers_rounds_exclude_and_include(tmp_path: Path) -> None:
    smoke = read(tmp_path, PROFILES, "smoke")
    assert smoke.servers == (("granian", ()),)
    assert smoke.rounds == 1
    assert smoke.exclude == ()
    assert smoke.include == ((("server", "uvicorn"),),)


def test_a_profile_that_says_nothing_is_the_base(tmp_path: Path) -> None:
    base = read(tmp_path, PROFILES.split("profiles:", maxsplit=1)[0])
    assert read(tmp_path, PROFILES, "quick") == base
    assert read(tmp_path, PROFILES, "empty") == base


def test_without_a_quick_profile_quick_is_the_base(tmp_path: Path) -> None:
    assert read(tmp_path, "servers: {uvicorn: {}}\nprofiles: {smoke: {rounds: 1}}", "quick").rounds == 11


def test_an_unknown_profile_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        UsageProblem, match=r"has no profile 'smok'; it has quick, smoke, empty; did you mean 'smoke'\?"
    ) as caught:
        read(tmp_path, PROFILES, "smok")
    assert caught.value.exit_code == Exit.USAGE


def test_a_profile_of_a_file_without_any_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="it has nothing"):
        read(tmp_path, "servers: {uvicorn: {}}", "full")


def test_a_missing_file_is_refused_with_the_way_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"there is no file .*none\.yaml") as caught:
        read_matrix(tmp_path / "none.yaml", "quick", {}, {}, ())
    assert "init" in caught.value.tip
    assert caught.value.exit_code == Exit.USAGE


def test_a_folder_is_refused_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        read_matrix(tmp_path, "quick", {}, {}, ())


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_bytes(b"servers: \xff")
    with pytest.raises(UsageProblem, match="not UTF-8 text"):
        read_matrix(tmp_path / "matrix.yaml", "quick", {}, {}, ())


def shipped(profile: str) -> Matrix:
    return read_matrix(ROOT / "matrix.yaml", profile, load_servers(), load_generators(), app_names())


@pytest.mark.parametrize("profile", ["quick", "smoke", "wide", "h2", "latency"])
def test_the_shipped_file_compares_the_four_servers(profile: str) -> None:
    assert [name for name, _ in shipped(profile).servers] == ["uvicorn", "gunicorn", "hypercorn", "granian"]


def test_the_shipped_full_profile_names_every_server_and_every_value_of_its_choices() -> None:
    asked = {name: dict(options) for name, options in shipped("full").servers}
    servers = load_servers()
    assert set(asked) == set(servers)
    for name, server in servers.items():
        choices = {option: choice.values for option, choice in server.options.items() if isinstance(choice, Choice)}
        assert {option: set(values) for option, values in asked[name].items()} == {
            option: set(values) for option, values in choices.items()
        }
    assert shipped("full").protocols() == ("h1", "h1s", "h2c", "h2")
