"""What a matrix expands to: cells and their ids, what is excluded and why, selection by id, the time it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.config.matrix import Axes, LoadSettings, Matrix
from servermatrix.contracts import Choice, Count, Launch, Server
from servermatrix.errors import ConfigProblems, Exit, NothingSelected, UsageProblem
from servermatrix.model import App, Load, Noise, Plan
from servermatrix.plan import estimate_s, fit_rounds, make_plan, matches, seconds_per_step

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
        "parser": Choice(values=("python", "c"), default="python", when={"worker": ("own",)}, in_id=False),
    },
    protocols=("h1",),
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
SERVERS = {"alpha": ALPHA, "beta": BETA}
APPS = {name: App(name=name, target=f"apps.{name}:app", folder=".") for name in ("plaintext", "json", "body")}
MATRIX = Matrix(
    servers=(("beta", (("loop", ("asyncio", "uvloop")),)),),
    axes=Axes(protocol=("h1",), workers=(1,), app=("plaintext",), connections=(64,)),
    load=LoadSettings(generator=None, threads=1, duration_s=2, warmup_s=1, windows=2),
    rounds=3,
    noise=Noise(steal=0.5),
)


def plan(matrix: Matrix, keep: tuple[str, ...] = ()) -> Plan:
    return make_plan(matrix, SERVERS, APPS, "wrk", 7, keep=keep)


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
    made = make_plan(replace(MATRIX, axes=axes), {"beta": replace(BETA, objection=ask)}, APPS, "wrk", 1)
    assert len(made.cells) == 48
    assert len(asked) == 8
    assert {(launch.protocol, launch.workers, launch.options["loop"]) for launch in asked} == {
        (protocol, workers, loop) for protocol in ("h1", "h2") for workers in (1, 2) for loop in LOOP.values
    }


def test_a_protocol_that_server_or_generator_does_not_speak_is_excluded() -> None:
    matrix = replace(MATRIX, servers=(("alpha", ()), ("beta", ())), axes=replace(MATRIX.axes, protocol=("h1", "h2")))
    both = make_plan(matrix, SERVERS, APPS, "h2load", 1, spoken=("h1", "h2"))
    assert [item.reason for item in both.excluded] == ["alpha does not speak h2"]
    one = make_plan(matrix, SERVERS, APPS, "wrk", 1, spoken=("h1",))
    assert [item.reason for item in one.excluded] == ["alpha does not speak h2", "wrk does not speak h2"]


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


def test_a_step_takes_its_load_and_what_goes_on_around_it() -> None:
    load = Load(generator="wrk", connections=64, threads=1, duration_s=2, warmup_s=1, windows=3)
    assert seconds_per_step(load) == pytest.approx(1 + 3 * 2 + 0.9)


def test_an_estimate_counts_steps_and_one_proof_per_setting_protocol_and_workers() -> None:
    matrix = replace(MATRIX, axes=replace(MATRIX.axes, app=("plaintext", "json")))
    assert estimate_s(plan(matrix)) == pytest.approx(3 * 4 * 5.9 + 2)


def test_a_budget_is_filled_with_rounds() -> None:
    made = plan(MATRIX)
    assert fit_rounds(made, 2 + 2 * 5.9 * 20 + 11.7).rounds == 20
    assert fit_rounds(made, 60).cells == made.cells


def test_a_budget_for_less_than_a_round_is_refused_with_what_a_round_takes() -> None:
    with pytest.raises(UsageProblem, match="10 s are too short: one round of 2 cells takes 14 s") as caught:
        fit_rounds(plan(MATRIX), 10)
    assert caught.value.exit_code == Exit.USAGE
