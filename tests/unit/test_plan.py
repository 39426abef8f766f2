"""What a matrix expands to: cells and their ids, what is excluded and why, selection by id, the time it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.config.axes import Axes
from servermatrix.config.matrix import LoadSettings, Matrix
from servermatrix.config.overrides import Overrides
from servermatrix.contracts import Choice, Count, Launch, LoadGenerator, LoadStats, Server
from servermatrix.errors import ConfigProblems, Exit, NothingSelected, UsageProblem
from servermatrix.globs import any_matches, matches
from servermatrix.lanes import Drivers
from servermatrix.model import App, Load, Noise, Plan
from servermatrix.plan import impossible, make_plan
from servermatrix.prepare import Wishes, prepare
from tests.conftest import ROOT

LOOP = Choice(values=("asyncio", "uvloop"), default="uvloop")


def objection(launch: Launch) -> str | None:
    return "beta has one worker only" if launch.workers > 1 and launch.options["loop"] == "asyncio" else None


ALPHA = Server(
    requires=(),
    options={
        "worker": Choice(values=("own", "foreign"), default="own"),
        "loop": LOOP,
        "http": Choice(values=("h11", "httptools"), default="httptools", when={"worker": ("foreign",)}),
        "strict": Choice(values=("yes", "no"), default="no", when={"http": ("h11",)}),
        "parser": Choice(values=("python", "c"), default="python", when={"worker": ("own",), "protocol": ("h1",)}, in_id=False),
    },
    protocols=("h1", "h1s"),
    argv=lambda _: [],
    proof=lambda _: {},
)
BETA = Server(
    requires=(),
    options={"loop": LOOP, "threads": Count(default="1", in_id=False)},
    protocols=("h1", "h2"),
    argv=lambda _: [],
    proof=lambda _: {},
    objection=objection,
)
GAMMA = Server(
    requires=(),
    options={"interface": Choice(values=("asgi", "wsgi"), default="asgi", in_id=False)},
    protocols=("h1",),
    argv=lambda _: [],
    proof=lambda _: {},
    interface=lambda launch: launch.options["interface"],
)
SERVERS = {"alpha": ALPHA, "beta": BETA, "gamma": GAMMA}
TWINS = (("wsgi", "apps.wsgi.plaintext:app"),)
APPS = {
    "plaintext": App(name="plaintext", target="apps.plaintext:app", folder=".", twins=TWINS),
    **{name: App(name=name, target=f"apps.{name}:app", folder=".") for name in ("json", "body")},
}
WRK = LoadGenerator(
    protocols=("h1", "h1s"),
    version=lambda text: text,
    argv=lambda _: [],
    parse=lambda _, __: LoadStats(requests=1, duration_us=1, histogram=()),
    reconnects=True,
)
H2LOAD = replace(WRK, protocols=("h1", "h1s", "h2c", "h2"), reconnects=False)
DRIVERS: Drivers = {"h1": ("wrk", WRK), "h1s": ("wrk", WRK), "h2c": ("h2load", H2LOAD), "h2": ("h2load", H2LOAD)}


def driven_by(name: str, plugin: LoadGenerator) -> Drivers:
    return dict.fromkeys(DRIVERS, (name, plugin))


MATRIX = Matrix(
    servers=(("beta", (("loop", ("asyncio", "uvloop")),)),),
    axes=Axes(protocol=("h1",), workers=(1,), app=("plaintext",), connections=(64,)),
    load=LoadSettings(generator=None, threads=1, duration_s=2, warmup_s=1, windows=2),
    rounds=3,
    noise=Noise(steal=0.5),
)


def plan(matrix: Matrix, keep: tuple[str, ...] = ()) -> Plan:
    return make_plan(matrix, SERVERS, APPS, DRIVERS, 7, keep=keep)


def ids(matrix: Matrix, keep: tuple[str, ...] = ()) -> list[str]:
    return [cell.id for cell in plan(matrix, keep).cells]


def alpha(**options: tuple[str, ...]) -> Matrix:
    return replace(MATRIX, servers=(("alpha", tuple(options.items())),))


def test_a_plan_carries_rounds_seed_noise_and_the_load_of_each_cell() -> None:
    made = plan(MATRIX)
    assert (made.rounds, made.seed, made.noise) == (3, 7, Noise(steal=0.5))
    assert {cell.load for cell in made.cells} == {
        Load(generator="wrk", connections=64, threads=1, duration_s=2, warmup_s=1, windows=2)
    }


def test_cells_are_the_product_in_the_order_of_the_matrix() -> None:
    axes = Axes(protocol=("h2", "h1"), workers=(1,), app=("plaintext", "json"), connections=(128, 64))
    assert ids(replace(MATRIX, axes=axes, servers=(("beta", (("loop", ("uvloop",)),)),))) == [
        "beta[loop=uvloop]/h2/w1/c128/plaintext",
        "beta[loop=uvloop]/h2/w1/c64/plaintext",
        "beta[loop=uvloop]/h2/w1/c128/json",
        "beta[loop=uvloop]/h2/w1/c64/json",
        "beta[loop=uvloop]/h1/w1/c128/plaintext",
        "beta[loop=uvloop]/h1/w1/c64/plaintext",
        "beta[loop=uvloop]/h1/w1/c128/json",
        "beta[loop=uvloop]/h1/w1/c64/json",
    ]


def test_options_that_the_matrix_does_not_name_have_the_default_of_the_plug_in() -> None:
    (cell,) = plan(replace(MATRIX, servers=(("beta", ()),))).cells
    assert cell.options == (("loop", "uvloop"), ("threads", "1"))


def test_an_option_out_of_the_id_shows_in_it_once_it_is_not_the_default() -> None:
    matrix = replace(MATRIX, servers=(("beta", (("threads", ("1", "4")),)),))
    assert [cell.label for cell in plan(matrix).cells] == ["loop=uvloop", "loop=uvloop,threads=4"]


def test_options_that_do_not_apply_are_dropped_and_equal_cells_are_one() -> None:
    matrix = alpha(worker=("own", "foreign"), http=("h11", "httptools"))
    assert [cell.setting for cell in plan(matrix).cells] == [
        "alpha[loop=uvloop,worker=own]",
        "alpha[http=h11,loop=uvloop,strict=no,worker=foreign]",
        "alpha[http=httptools,loop=uvloop,worker=foreign]",
    ]


def test_an_option_that_depends_on_a_dropped_one_is_dropped_too() -> None:
    matrix = alpha(worker=("own",), http=("h11",), strict=("yes",))
    (cell,) = plan(matrix).cells
    assert cell.options == (("loop", "uvloop"), ("parser", "python"), ("worker", "own"))


def test_a_combination_the_plug_in_objects_to_is_excluded_with_its_sentence() -> None:
    made = plan(replace(MATRIX, axes=replace(MATRIX.axes, workers=(1, 2))))
    assert [(item.id, item.reason) for item in made.excluded] == [
        ("beta[loop=asyncio]/h1/w2/c64/plaintext", "beta has one worker only"),
    ]
    assert len(made.cells) == 3


def test_an_objection_is_asked_for_once_per_setting_protocol_and_workers() -> None:
    asked: list[Launch] = []

    def ask(launch: Launch) -> str | None:
        asked.append(launch)
        return None

    axes = Axes(protocol=("h1", "h2"), workers=(1, 2), app=("plaintext", "json"), connections=(1, 2, 3))
    made = make_plan(replace(MATRIX, axes=axes), {"beta": replace(BETA, objection=ask)}, APPS, DRIVERS, 1)
    assert len(made.cells) == 48
    assert len(asked) == 8
    assert {(launch.protocol, launch.workers, launch.options["loop"]) for launch in asked} == {
        (protocol, workers, loop) for protocol in ("h1", "h2") for workers in (1, 2) for loop in LOOP.values
    }


def excluded(made: Plan) -> list[tuple[str, str]]:
    return [(item.id, item.reason) for item in made.excluded]


def axes(**changes: tuple[str, ...] | tuple[int, ...]) -> Axes:
    return replace(MATRIX.axes, **changes)  # type: ignore[arg-type]


def test_a_protocol_that_the_server_does_not_speak_is_excluded() -> None:
    matrix = replace(MATRIX, servers=(("gamma", ()), ("beta", (("loop", ("uvloop",)),))), axes=axes(protocol=("h1", "h2")))
    made = plan(matrix)
    assert excluded(made) == [("gamma/h2/w1/c64/plaintext", "gamma does not speak h2")]
    assert [(cell.id, cell.load.generator) for cell in made.cells] == [
        ("gamma/h1/w1/c64/plaintext", "wrk"),
        ("beta[loop=uvloop]/h1/w1/c64/plaintext", "wrk"),
        ("beta[loop=uvloop]/h2/w1/c64/plaintext", "h2load"),
    ]


def test_a_protocol_that_the_generator_does_not_speak_is_excluded() -> None:
    matrix = replace(MATRIX, servers=(("beta", ()),), axes=axes(protocol=("h1", "h2")))
    made = make_plan(matrix, SERVERS, APPS, driven_by("wrk", WRK), 1)
    assert excluded(made) == [("beta[loop=uvloop]/h2/w1/c64/plaintext", "wrk does not speak h2")]


def test_the_server_s_own_reason_comes_before_the_generator_s() -> None:
    matrix = replace(MATRIX, axes=axes(protocol=("h2",), workers=(2,)), servers=(("beta", (("loop", ("asyncio",)),)),))
    with pytest.raises(ConfigProblems, match=r"leaves no cell to run: 1 excluded \(beta has one worker only\)"):
        make_plan(matrix, SERVERS, APPS, driven_by("wrk", WRK), 1)


def test_new_connections_are_excluded_where_the_generator_keeps_its_own() -> None:
    matrix = replace(MATRIX, servers=(("beta", ()),), axes=axes(protocol=("h1", "h2"), requests_per_connection=(0, 100)))
    made = plan(matrix)
    reason = "h2load keeps its connections: it cannot open a new one per 100 requests"
    assert excluded(made) == [("beta[loop=uvloop]/h2/w1/c64n100/plaintext", reason)]
    assert [cell.load.label for cell in made.cells] == ["c64", "c64n100", "c64"]


def test_an_app_that_is_not_written_for_the_interface_is_excluded_and_its_twin_is_measured() -> None:
    matrix = replace(MATRIX, servers=(("gamma", (("interface", ("asgi", "wsgi")),)),), axes=axes(app=("plaintext", "json")))
    made = plan(matrix)
    assert excluded(made) == [("gamma[interface=wsgi]/h1/w1/c64/json", "the app json is not written for WSGI")]
    assert [(cell.id, cell.interface) for cell in made.cells] == [
        ("gamma/h1/w1/c64/plaintext", "asgi"),
        ("gamma/h1/w1/c64/json", "asgi"),
        ("gamma[interface=wsgi]/h1/w1/c64/plaintext", "wsgi"),
    ]


def test_an_app_of_ones_own_is_excluded_from_wsgi() -> None:
    matrix = replace(MATRIX, servers=(("gamma", (("interface", ("asgi", "wsgi")),)),), axes=axes(app=("shop.main:app",)))
    own = {"shop.main:app": App(name="shop.main:app", target="shop.main:app", folder=".")}
    made = make_plan(matrix, SERVERS, own, DRIVERS, 1)
    assert [item.reason for item in made.excluded] == ["the app shop.main:app is not written for WSGI"]


def test_streams_and_requests_per_connection_show_in_ids_only_where_they_say_something() -> None:
    matrix = replace(
        MATRIX,
        servers=(("beta", ()),),
        axes=axes(protocol=("h2",), connections=(8,), streams=(1, 10), requests_per_connection=(0, 1)),
    )
    made = make_plan(matrix, SERVERS, APPS, driven_by("both", replace(H2LOAD, reconnects=True)), 1)
    assert [cell.id for cell in made.cells] == [
        "beta[loop=uvloop]/h2/w1/c8/plaintext",
        "beta[loop=uvloop]/h2/w1/c8n1/plaintext",
        "beta[loop=uvloop]/h2/w1/c8m10/plaintext",
        "beta[loop=uvloop]/h2/w1/c8m10n1/plaintext",
    ]
    assert [(cell.load.streams, cell.load.requests_per_connection) for cell in made.cells] == [(1, 0), (1, 1), (10, 0), (10, 1)]


def test_http_1_1_has_no_streams_so_that_it_is_one_cell_whatever_their_axis() -> None:
    matrix = replace(MATRIX, servers=(("beta", ()),), axes=axes(protocol=("h1", "h1s", "h2"), streams=(10, 100)))
    made = make_plan(matrix, {"beta": replace(BETA, protocols=("h1", "h1s", "h2"))}, APPS, DRIVERS, 1)
    assert [cell.id.split("/", maxsplit=1)[1] for cell in made.cells] == [
        "h1/w1/c64/plaintext",
        "h1s/w1/c64/plaintext",
        "h2/w1/c64m10/plaintext",
        "h2/w1/c64m100/plaintext",
    ]
    assert {cell.load.streams for cell in made.cells if cell.protocol != "h2"} == {1}


def test_an_option_that_depends_on_the_protocol_is_dropped_under_the_others() -> None:
    matrix = replace(alpha(parser=("python", "c")), axes=axes(protocol=("h1", "h1s")))
    assert ids(matrix) == [
        "alpha[loop=uvloop,worker=own]/h1/w1/c64/plaintext",
        "alpha[loop=uvloop,worker=own]/h1s/w1/c64/plaintext",
        "alpha[loop=uvloop,parser=c,worker=own]/h1/w1/c64/plaintext",
    ]


def test_a_python_and_a_requirement_set_of_its_own_show_in_the_id_and_default_does_not() -> None:
    matrix = replace(
        MATRIX,
        servers=(("beta", ()),),
        axes=axes(python=("default", "3.13"), requires=("default", "uvicorn==0.52.0 uvloop<0.23")),
    )
    made = plan(matrix)
    assert [cell.setting for cell in made.cells] == [
        "beta[loop=uvloop]",
        "beta[loop=uvloop]+uvicorn==0.52.0+uvloop<0.23",
        "beta[loop=uvloop]@3.13",
        "beta[loop=uvloop]@3.13+uvicorn==0.52.0+uvloop<0.23",
    ]
    assert [(cell.python, cell.requires) for cell in made.cells] == [
        ("", ()),
        ("", ("uvicorn==0.52.0", "uvloop<0.23")),
        ("3.13", ()),
        ("3.13", ("uvicorn==0.52.0", "uvloop<0.23")),
    ]


def test_an_id_of_before_is_the_same_with_every_new_axis_at_its_default() -> None:
    uvicorn = Server(
        requires=(),
        options={
            "loop": LOOP,
            "http": Choice(values=("h11", "httptools"), default="httptools"),
            "access_log": Choice(values=("on", "off"), default="off", in_id=False),
        },
        protocols=("h1",),
        argv=lambda _: [],
        proof=lambda _: {},
    )
    made = make_plan(replace(MATRIX, servers=(("uvicorn", ()),), axes=Axes()), {"uvicorn": uvicorn}, APPS, DRIVERS, 1)
    assert [cell.id for cell in made.cells] == ["uvicorn[http=httptools,loop=uvloop]/h1/w1/c64/plaintext"]


def test_the_shipped_plug_ins_keep_the_ids_under_which_runs_are_stored() -> None:
    wishes = Wishes(matrix=ROOT / "matrix.yaml", profile="wide", overrides=Overrides(seed=1))
    settings = (
        *(f"uvicorn[http={http},loop={loop}]" for loop in LOOP.values for http in ("h11", "httptools")),
        *(f"gunicorn[loop={loop},worker=asgi]" for loop in LOOP.values),
        *(f"gunicorn[http=httptools,loop={loop},worker=uvicorn]" for loop in LOOP.values),
        *(f"{server}[loop={loop}]" for server in ("hypercorn", "granian") for loop in LOOP.values),
    )
    found = {cell.id for cell in prepare(wishes, find_tools=False).plan.cells}
    assert {
        f"{setting}/h1/w{workers}/c64/{app}"
        for setting in settings
        for workers in (1, 2)
        for app in ("plaintext", "json", "body", "sleep")
    } <= found


def test_what_a_server_cannot_do_is_listed_with_the_reason_and_what_the_user_excluded_is_not() -> None:
    matrix = replace(
        MATRIX,
        servers=(("alpha", ()), ("beta", (("loop", ("asyncio", "uvloop")),))),
        axes=axes(protocol=("h1", "h2"), workers=(1, 2)),
        exclude=((("server", ("beta",)), ("protocol", ("h2",))),),
    )
    found = impossible(matrix, SERVERS, DRIVERS)
    assert [(cell.id, reason) for cell, reason in found] == [
        ("alpha[loop=uvloop,worker=own]/h2/w1/c64/plaintext", "alpha does not speak h2"),
        ("alpha[loop=uvloop,worker=own]/h2/w2/c64/plaintext", "alpha does not speak h2"),
        ("beta[loop=asyncio]/h1/w2/c64/plaintext", "beta has one worker only"),
    ]
    assert [cell.server for cell, _ in impossible(matrix, SERVERS, DRIVERS, ("beta*",))] == ["beta"]


def test_what_only_the_generator_or_the_app_cannot_do_is_not_impossible_for_the_server() -> None:
    matrix = replace(
        MATRIX,
        servers=(("gamma", (("interface", ("wsgi",)),)), ("beta", ())),
        axes=axes(protocol=("h1", "h2"), app=("json",), requests_per_connection=(1,)),
    )
    found = impossible(matrix, SERVERS, driven_by("builtin", replace(WRK, protocols=("h1",), reconnects=False)))
    assert [(cell.server, cell.protocol) for cell, _ in found] == [("gamma", "h2")]


def test_a_matrix_that_leaves_no_cell_is_a_mistake_with_the_reasons() -> None:
    matrix = replace(MATRIX, exclude=((("server", ("beta",)),),))
    with pytest.raises(ConfigProblems, match=r"leaves no cell to run: 2 excluded \(excluded by matrix.yaml\)") as caught:
        plan(matrix)
    assert caught.value.exit_code == Exit.USAGE


def test_the_apps_of_a_plan_are_those_of_its_cells() -> None:
    matrix = replace(MATRIX, axes=replace(MATRIX.axes, app=("json", "plaintext")))
    assert [app.name for app in plan(matrix).apps] == ["json", "plaintext"]
    assert [app.name for app in plan(matrix, ("*/plaintext",)).apps] == ["plaintext"]


def test_an_app_that_is_not_there_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageProblem, match=r"there is no app 'jso'; there are .*; did you mean 'json'\?"):
        plan(replace(MATRIX, axes=replace(MATRIX.axes, app=("jso",))))


UVLOOP = "beta[loop=uvloop]/h1/w1/c64/plaintext"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (UVLOOP, True),
        ("beta[*", True),
        ("*loop=uvloop*", True),
        ("*/h1/w?/c64/*", True),
        ("**", True),
        ("beta*/plain", False),
        ("*[l]oop=uvloop]*", False),
        ("beta[loop=uvloop]/h1/w1/c64/plaintext?", False),
        ("BETA*", False),
        ("", False),
        ("beta.loop=uvloop.*", False),
    ],
)
def test_only_stars_and_question_marks_are_wildcards(pattern: str, *, expected: bool) -> None:
    assert matches(UVLOOP, pattern) is expected


def test_several_patterns_match_what_one_of_them_does() -> None:
    assert any_matches(UVLOOP, ("gamma*", "*/plaintext"))
    assert not any_matches(UVLOOP, ("gamma*", "*/json"))
    assert not any_matches(UVLOOP, ())


def test_keep_selects_the_cells_that_match_any_pattern() -> None:
    matrix = replace(MATRIX, axes=replace(MATRIX.axes, app=("plaintext", "json", "body")))
    assert ids(matrix, ("beta[loop=asyncio]/h1/w1/c64/json", "*uvloop*/body")) == [
        "beta[loop=asyncio]/h1/w1/c64/json",
        "beta[loop=uvloop]/h1/w1/c64/body",
    ]


def test_keep_selects_among_the_excluded_too() -> None:
    matrix = replace(MATRIX, axes=replace(MATRIX.axes, app=("plaintext", "json")), exclude=((("loop", ("asyncio",)),),))
    assert [item.id for item in plan(matrix, ("*/json",)).excluded] == ["beta[loop=asyncio]/h1/w1/c64/json"]


def test_a_selection_of_nothing_is_refused_with_some_ids() -> None:
    with pytest.raises(NothingSelected, match=r"no cell matches gamma\*, delta\*") as caught:
        plan(MATRIX, ("gamma*", "delta*"))
    assert UVLOOP in caught.value.tip
    assert "plan" in caught.value.tip
    assert caught.value.exit_code == Exit.NOTHING


def test_a_selection_of_what_is_excluded_is_refused_with_the_reason() -> None:
    matrix = replace(MATRIX, exclude=((("loop", ("uvloop",)),),))
    with pytest.raises(NothingSelected, match="selects only what is excluded") as caught:
        plan(matrix, ("*uvloop*",))
    assert caught.value.tip == f"{UVLOOP}: excluded by matrix.yaml"
