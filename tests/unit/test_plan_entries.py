"""exclude and include: GitHub Actions semantics, and what is different because options have defaults."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.config.matrix import Axes, LoadSettings, Matrix
from servermatrix.contracts import Choice, Count, Server
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


def plan(**changes: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] | tuple[tuple[tuple[str, str], ...], ...]) -> Plan:
    return make_plan(replace(MATRIX, **changes), {"alpha": ALPHA, "beta": BETA}, APPS, "wrk", 1)  # type: ignore[arg-type]


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
