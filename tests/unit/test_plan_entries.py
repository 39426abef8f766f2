"""exclude and include: GitHub Actions semantics, and what is different because options have defaults."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.config.axes import Axes
from servermatrix.config.matrix import LoadSettings, Matrix
from servermatrix.contracts import Choice, Count, LoadGenerator, LoadStats, Server
from servermatrix.errors import ConfigProblems
from servermatrix.model import App, Noise, Plan
from servermatrix.plan import make_plan

LOOP = Choice(values=("asyncio", "uvloop"), default="uvloop")
ALPHA = Server(
    requires=(),
    options={
        "worker": Choice(values=("own", "foreign"), default="own"),
        "loop": LOOP,
        "http": Choice(values=("h11", "httptools"), default="httptools", when={"worker": ("foreign",)}),
    },
    protocols=("h1",),
    argv=lambda _: [],
    proof=lambda _: {},
)
BETA = Server(
    requires=(),
    options={"loop": LOOP, "threads": Count(default="1", in_id=False)},
    protocols=("h1",),
    argv=lambda _: [],
    proof=lambda _: {},
)
MATRIX = Matrix(
    servers=(("alpha", (("worker", ("own", "foreign")),)), ("beta", (("loop", ("asyncio", "uvloop")),))),
    axes=Axes(protocol=("h1",), workers=(1, 2), app=("plaintext", "json"), connections=(64,)),
    load=LoadSettings(generator=None, threads=1, duration_s=1, warmup_s=1, windows=1),
    rounds=1,
    noise=Noise(),
)
APPS = {name: App(name=name, target=f"apps.{name}:app", folder=".") for name in ("plaintext", "json")}
SERVERS = {"alpha": ALPHA, "beta": BETA}
LOAD = LoadGenerator(
    protocols=("h1", "h1s", "h2c", "h2"),
    version=lambda text: text,
    argv=lambda _: [],
    parse=lambda _, __: LoadStats(requests=1, duration_us=1, histogram=()),
    reconnects=True,
)
DRIVERS = dict.fromkeys(LOAD.protocols, ("load", LOAD))


def plan(**changes: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] | tuple[tuple[tuple[str, str], ...], ...]) -> Plan:
    return make_plan(replace(MATRIX, **changes), SERVERS, APPS, DRIVERS, 1)  # type: ignore[arg-type]


def ids(made: Plan) -> set[str]:
    return {cell.id for cell in made.cells}


ALL = ids(plan())


def test_an_entry_excludes_every_cell_that_has_all_of_its_values() -> None:
    made = plan(exclude=((("server", ("beta",)), ("app", ("json",)), ("workers", ("2",))),))
    gone = {"beta[loop=asyncio]/h1/w2/c64/json", "beta[loop=uvloop]/h1/w2/c64/json"}
    assert ids(made) == ALL - gone
    assert {item.id for item in made.excluded} == gone
    assert {item.reason for item in made.excluded} == {"excluded by matrix.yaml"}


def test_an_entry_of_one_key_excludes_whatever_has_the_value() -> None:
    assert ids(plan(exclude=((("loop", ("uvloop",)),),))) == {cell_id for cell_id in ALL if "loop=asyncio" in cell_id}


def test_a_list_of_values_means_any_of_them() -> None:
    made = plan(exclude=((("server", ("alpha", "beta")), ("workers", ("2",))),))
    assert ids(made) == {cell_id for cell_id in ALL if "/w1/" in cell_id}


def test_each_entry_excludes_for_itself() -> None:
    made = plan(exclude=((("server", ("alpha",)),), (("app", ("json",)),)))
    assert ids(made) == {cell_id for cell_id in ALL if cell_id.startswith("beta") and cell_id.endswith("plaintext")}


def test_an_entry_matches_defaults_that_the_matrix_does_not_name() -> None:
    made = plan(exclude=((("server", ("alpha",)), ("loop", ("uvloop",))),))
    assert all(cell_id.startswith("beta") for cell_id in ids(made))


def test_an_option_that_does_not_apply_has_no_value_to_match() -> None:
    made = plan(exclude=((("http", ("httptools",)),),))
    assert ids(made) == {cell_id for cell_id in ALL if "worker=foreign" not in cell_id}


def test_an_entry_that_matches_nothing_excludes_nothing() -> None:
    made = plan(exclude=((("workers", ("4",)),), (("server", ("beta",)), ("http", ("h11",)))))
    assert ids(made) == ALL
    assert made.excluded == ()


def test_include_extends_every_cell_of_which_it_overwrites_nothing() -> None:
    made = plan(include=((("server", "beta"), ("app", "json"), ("threads", "4")),))
    extended = {cell.id for cell in made.cells if dict(cell.options).get("threads") == "4"}
    assert extended == {f"beta[loop={loop},threads=4]/h1/w{n}/c64/json" for loop in LOOP.values for n in (1, 2)}
    assert len(made.cells) == len(ALL)


def test_include_without_own_keys_extends_every_cell_that_has_the_option() -> None:
    made = plan(include=((("threads", "4"),),))
    assert {cell.server for cell in made.cells if ("threads", "4") in cell.options} == {"beta"}
    assert len(made.cells) == len(ALL)


def test_include_may_make_another_option_apply() -> None:
    only_alpha = (("alpha", (("http", ("h11", "httptools")),)),)
    made = plan(servers=only_alpha, include=((("worker", "foreign"), ("app", "json")),))  # type: ignore[arg-type]
    assert {cell.setting for cell in made.cells if cell.app == "json"} == {
        "alpha[http=h11,loop=uvloop,worker=foreign]",
        "alpha[http=httptools,loop=uvloop,worker=foreign]",
    }
    assert {cell.setting for cell in made.cells if cell.app == "plaintext"} == {"alpha[loop=uvloop,worker=own]"}


def test_a_value_that_include_added_may_be_overwritten_by_a_later_entry() -> None:
    made = plan(include=((("threads", "4"),), (("threads", "8"), ("app", "json"))))
    assert {(cell.app, dict(cell.options)["threads"]) for cell in made.cells if cell.server == "beta"} == {
        ("plaintext", "4"),
        ("json", "8"),
    }


def test_include_that_adds_nothing_new_changes_nothing() -> None:
    assert ids(plan(include=((("server", "beta"), ("loop", "uvloop"), ("workers", "2")),))) == ALL


def test_include_that_would_overwrite_becomes_a_cell_of_its_own() -> None:
    made = plan(include=((("server", "beta"), ("workers", "4")),))
    assert ids(made) - ALL == {"beta[loop=uvloop]/h1/w4/c64/plaintext"}
    assert ids(made) > ALL
    assert made.cells[-1].workers == 4


def test_a_cell_of_its_own_is_left_alone_by_later_entries() -> None:
    made = plan(include=((("server", "beta"), ("workers", "4")), (("server", "beta"), ("workers", "4"), ("threads", "8"))))
    assert ids(made) - ALL == {
        "beta[loop=uvloop]/h1/w4/c64/plaintext",
        "beta[loop=uvloop,threads=8]/h1/w4/c64/plaintext",
    }


def test_include_runs_after_exclude_and_may_bring_back_what_is_gone() -> None:
    back = "beta[loop=asyncio]/h1/w2/c64/json"
    made = plan(
        exclude=((("server", ("beta",)),),),
        include=((("server", "beta"), ("loop", "asyncio"), ("workers", "2"), ("app", "json")),),
    )
    assert {cell_id for cell_id in ids(made) if cell_id.startswith("beta")} == {back}
    assert back not in {item.id for item in made.excluded}
    assert len(made.excluded) == 7


def test_include_may_add_a_server_that_the_matrix_does_not_compare() -> None:
    made = plan(servers=MATRIX.servers[:1], include=((("server", "beta"), ("loop", "asyncio")),))  # type: ignore[arg-type]
    assert {cell.id for cell in made.cells if cell.server == "beta"} == {"beta[loop=asyncio]/h1/w1/c64/plaintext"}


def test_an_added_cell_that_is_there_already_is_one_cell() -> None:
    made = plan(
        exclude=((("app", ("json",)),),),
        include=((("server", "beta"), ("app", "json")), (("server", "beta"), ("app", "json"), ("loop", "uvloop"))),
    )
    assert [cell.id for cell in made.cells if cell.app == "json"] == ["beta[loop=uvloop]/h1/w1/c64/json"]


def test_include_that_fits_nowhere_and_names_no_server_is_a_mistake() -> None:
    with pytest.raises(ConfigProblems, match=r"include \{app: json, workers: 4\} extends no combination"):
        plan(include=((("app", "json"), ("workers", "4")),))


# A server that also speaks HTTP/2, with an option that HTTP/1.1 alone has, over every shared axis.
GAMMA = Server(
    requires=(),
    options={
        "parser": Choice(values=("python", "c"), default="python", when={"protocol": ("h1",)}, in_id=False),
        "queue": Count(default="1", in_id=False),
    },
    protocols=("h1", "h2"),
    argv=lambda _: [],
    proof=lambda _: {},
)
WIDE = replace(
    MATRIX,
    servers=(("gamma", (("parser", ("python", "c")),)),),
    axes=Axes(
        protocol=("h1", "h2"),
        connections=(8,),
        streams=(1, 10),
        requests_per_connection=(0, 5),
        python=("default", "3.13"),
        requires=("default", "gamma==1"),
    ),
)


def wide(
    exclude: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = (), include: tuple[tuple[tuple[str, str], ...], ...] = ()
) -> Plan:
    return make_plan(replace(WIDE, exclude=exclude, include=include), {"gamma": GAMMA}, APPS, DRIVERS, 1)


ALL_WIDE = ids(wide())


def test_all_shared_axes_are_multiplied_but_what_does_not_apply() -> None:
    environments = ("", "@3.13", "+gamma==1", "@3.13+gamma==1")
    assert {
        f"gamma{options}{environment}/{load}/plaintext"
        for environment in environments
        for options, loads in (
            ("", ("h1/w1/c8", "h1/w1/c8n5", "h2/w1/c8", "h2/w1/c8n5", "h2/w1/c8m10", "h2/w1/c8m10n5")),
            ("[parser=c]", ("h1/w1/c8", "h1/w1/c8n5")),
        )
        for load in loads
    } == ALL_WIDE


@pytest.mark.parametrize(
    ("entry", "gone"),
    [
        ((("streams", ("1",)),), "/h2/w1/c8/ /h2/w1/c8n5/"),
        ((("streams", ("1", "10")),), "/h2/"),
        ((("streams", ("10",)), ("requests_per_connection", ("5",))), "m10n5/"),
        ((("requests_per_connection", ("0",)), ("protocol", ("h1",))), "/h1/w1/c8/"),
        ((("python", ("3.13",)),), "@3.13"),
        ((("requires", ("gamma==1",)),), "+gamma==1"),
        ((("protocol", ("h2",)), ("python", ("3.13",)), ("requires", ("gamma==1",))), "@3.13+gamma==1/h2/"),
        ((("parser", ("c",)),), "parser=c"),
        ((("parser", ("python", "c")),), "/h1/"),
    ],
)
def test_an_entry_excludes_by_every_shared_axis(entry: tuple[tuple[str, tuple[str, ...]], ...], gone: str) -> None:
    expected = {cell_id for cell_id in ALL_WIDE if not any(part in cell_id for part in gone.split())}
    made = wide(exclude=(entry,))
    assert ids(made) == expected
    assert {item.id for item in made.excluded} == ALL_WIDE - expected


def test_an_entry_for_the_default_environment_leaves_the_others() -> None:
    made = wide(exclude=((("python", ("default",)), ("requires", ("default",))),))
    assert ids(made) == {cell_id for cell_id in ALL_WIDE if "@" in cell_id or "+" in cell_id}


def test_an_entry_for_streams_excludes_no_cell_of_http_1_1() -> None:
    assert ids(wide(exclude=((("streams", ("1", "10")), ("protocol", ("h1",))),))) == ALL_WIDE


def test_include_extends_by_every_shared_axis() -> None:
    entry = (("protocol", "h2"), ("streams", "10"), ("python", "3.13"), ("requires", "gamma==1"), ("queue", "7"))
    made = wide(include=(entry,))
    assert {cell.id for cell in made.cells if dict(cell.options)["queue"] == "7"} == {
        "gamma[queue=7]@3.13+gamma==1/h2/w1/c8m10/plaintext",
        "gamma[queue=7]@3.13+gamma==1/h2/w1/c8m10n5/plaintext",
    }
    assert len(made.cells) == len(ALL_WIDE)


def test_streams_are_not_added_where_http_1_1_has_none() -> None:
    made = wide(include=((("streams", "10"), ("queue", "7")),))
    assert {cell.protocol for cell in made.cells if dict(cell.options)["queue"] == "7"} == {"h2"}
    assert ids(wide(include=((("server", "gamma"), ("protocol", "h1"), ("streams", "10")),))) == ALL_WIDE


def test_a_cell_of_its_own_takes_the_first_value_of_each_axis_it_does_not_name() -> None:
    own = (("server", "gamma"), ("protocol", "h2"), ("requests_per_connection", "9"), ("python", "3.12"))
    assert ids(wide(include=(own,))) - ALL_WIDE == {"gamma@3.12/h2/w1/c8n9/plaintext"}
    own = (("server", "gamma"), ("streams", "100"), ("protocol", "h2"), ("requires", "gamma==2 h2==4.4.1"))
    assert ids(wide(include=(own,))) - ALL_WIDE == {"gamma+gamma==2+h2==4.4.1/h2/w1/c8m100/plaintext"}


def test_an_option_is_not_added_under_a_protocol_that_has_it_no_more() -> None:
    made = make_plan(
        replace(WIDE, servers=(("gamma", ()),), axes=Axes(protocol=("h1", "h2")), include=((("parser", "c"),),)),
        *({"gamma": GAMMA}, APPS, DRIVERS, 1),
    )
    assert ids(made) == {"gamma[parser=c]/h1/w1/c64/plaintext", "gamma/h2/w1/c64/plaintext"}
