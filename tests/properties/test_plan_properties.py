"""What holds for the plan of every matrix: unique and lasting ids, exact exclusion and selection, fair rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from servermatrix.config.matrix import Axes, ExcludeEntry, LoadSettings, Matrix
from servermatrix.contracts import Choice, Count, Flag, Server
from servermatrix.errors import ConfigProblems
from servermatrix.model import App, Cell, Noise, Plan
from servermatrix.plan import estimate_s, fit_rounds, make_plan, matches

ALPHA = Server(
    requires=(),
    options={
        "worker": Choice(values=("own", "foreign"), default="own"),
        "loop": Choice(values=("asyncio", "uvloop"), default="uvloop"),
        "http": Choice(values=("h11", "httptools"), default="httptools", when={"worker": ("foreign",)}),
        "log": Flag(in_id=False),
    },
    protocols=("h1",),
    argv=lambda _: [],
    proof=lambda _: {},
)
BETA = Server(
    requires=(),
    options={
        "loop": Choice(values=("asyncio", "uvloop"), default="asyncio"),
        "threads": Count(default="1", in_id=False),
    },
    protocols=("h1", "h2"),
    argv=lambda _: [],
    proof=lambda _: {},
    objection=lambda launch: "no" if launch.workers == 3 else None,
)
SERVERS = {"alpha": ALPHA, "beta": BETA}
APPS = {name: App(name=name, target=f"apps.{name}:app", folder=".") for name in ("plaintext", "json", "body")}
VALUES: Mapping[str, tuple[str, ...]] = {
    "worker": ("own", "foreign"),
    "loop": ("asyncio", "uvloop"),
    "http": ("h11", "httptools"),
    "log": ("on", "off"),
    "threads": ("1", "2", "5"),
}
AXES: Mapping[str, tuple[str, ...]] = {
    "protocol": ("h1", "h2"),
    "workers": ("1", "2", "3"),
    "app": tuple(APPS),
    "connections": ("8", "64"),
}


def some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


@st.composite
def server_rows(draw: st.DrawFn) -> tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]:
    names = draw(st.lists(st.sampled_from(sorted(SERVERS)), min_size=1, unique=True))
    rows = []
    for name in names:
        options = draw(st.lists(st.sampled_from(sorted(SERVERS[name].options)), unique=True))
        rows.append((name, tuple((option, draw(some(VALUES[option]))) for option in options)))
    return tuple(rows)


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    return Matrix(
        servers=draw(server_rows()),
        axes=Axes(
            protocol=draw(some(AXES["protocol"])),
            workers=tuple(int(value) for value in draw(some(AXES["workers"]))),
            app=draw(some(AXES["app"])),
            connections=tuple(int(value) for value in draw(some(AXES["connections"]))),
        ),
        load=LoadSettings(generator=None, threads=1, duration_s=1, warmup_s=1, windows=1),
        rounds=draw(st.integers(1, 4)),
        noise=Noise(),
    )


def entries() -> st.SearchStrategy[ExcludeEntry]:
    known = {**AXES, **VALUES, "server": tuple(SERVERS)}
    keys = st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=3, unique=True)
    return keys.flatmap(lambda names: st.tuples(*(st.tuples(st.just(name), some(known[name])) for name in names)))


def plan_or_none(matrix: Matrix, seed: int = 1) -> Plan | None:
    try:
        return make_plan(matrix, SERVERS, APPS, "wrk", seed)
    except ConfigProblems:
        return None


def plan(matrix: Matrix, seed: int = 1) -> Plan:
    made = plan_or_none(matrix, seed)
    assume(made is not None)
    assert made is not None
    return made


def ids(made: Plan) -> list[str]:
    return [cell.id for cell in made.cells]


def value(cell: Cell, key: str) -> str | None:
    """Say what a cell has under a key of an entry, in another way than the product code does."""
    own = {
        "server": cell.server,
        "protocol": cell.protocol,
        "workers": str(cell.workers),
        "app": cell.app,
        "connections": str(cell.load.connections),
    }
    return own[key] if key in own else dict(cell.options).get(key)


@given(matrices())
def test_ids_are_unique_and_a_cell_is_planned_or_excluded_never_both(matrix: Matrix) -> None:
    made = plan(matrix)
    every = ids(made) + [item.id for item in made.excluded]
    assert len(set(every)) == len(every)


@given(matrices())
def test_one_id_is_one_combination(matrix: Matrix) -> None:
    made = plan(matrix)
    combinations = {(cell.server, cell.options, cell.protocol, cell.workers, cell.app, cell.load) for cell in made.cells}
    assert len(combinations) == len(made.cells)


@given(matrices(), st.data())
def test_ids_do_not_depend_on_what_else_is_in_the_matrix(matrix: Matrix, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.sampled_from(matrix.servers), min_size=1, unique=True))
    smaller = replace(
        matrix,
        servers=tuple((name, tuple((option, data.draw(some(values))) for option, values in options)) for name, options in kept),
        axes=replace(
            matrix.axes,
            app=data.draw(some(matrix.axes.app)),
            connections=tuple(data.draw(st.lists(st.sampled_from(matrix.axes.connections), min_size=1, unique=True))),
        ),
    )
    assert set(plan(smaller).cells) <= set(plan(matrix).cells)


@given(matrices())
def test_cells_of_one_server_stand_together_in_the_order_of_the_matrix(matrix: Matrix) -> None:
    runs = [name for name, _ in groupby(cell.server for cell in plan(matrix).cells)]
    order = [name for name, _ in matrix.servers]
    assert runs == [name for name in order if name in runs]


@given(matrices(), st.lists(entries(), min_size=1, max_size=3))
def test_exclude_removes_exactly_what_matches(matrix: Matrix, exclude: list[ExcludeEntry]) -> None:
    before = plan(matrix)
    expected = [
        cell.id for cell in before.cells if not any(all(value(cell, key) in wanted for key, wanted in entry) for entry in exclude)
    ]
    after = plan_or_none(replace(matrix, exclude=tuple(exclude)))
    assert (ids(after) if after else []) == expected
    if after:
        assert set(ids(before)) - set(expected) <= {item.id for item in after.excluded}


@given(matrices(), st.integers(0, 2**32))
def test_every_round_visits_every_cell_once_and_the_seed_fixes_the_order(matrix: Matrix, seed: int) -> None:
    made = plan(matrix, seed)
    steps = list(made.steps())
    for number in range(1, made.rounds + 1):
        assert sorted(step.cell.id for step in steps if step.round == number) == sorted(ids(made))
    assert len(steps) == made.rounds * len(made.cells)
    assert list(plan(matrix, seed).steps()) == steps


@given(matrices(), st.data())
def test_an_id_selects_exactly_its_cell(matrix: Matrix, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(plan(matrix).cells))
    assert make_plan(matrix, SERVERS, APPS, "wrk", 1, keep=(chosen.id,)).cells == (chosen,)


@given(matrices(), st.data())
def test_selection_is_a_filter_that_keeps_the_order(matrix: Matrix, data: st.DataObject) -> None:
    made = plan(matrix)
    chosen = data.draw(st.sampled_from(made.cells))
    pattern = data.draw(st.sampled_from((f"{chosen.setting}*", f"*/{chosen.app}", f"*/w?/c{chosen.load.connections}/*")))
    kept = make_plan(matrix, SERVERS, APPS, "wrk", 1, keep=(pattern,))
    assert ids(kept) == [cell_id for cell_id in ids(made) if matches(cell_id, pattern)]
    assert chosen in kept.cells


@given(st.text(), st.text())
def test_a_text_without_wildcards_matches_itself_alone(text: str, other: str) -> None:
    assume("*" not in text and "?" not in text)
    assert matches(text, text)
    assert matches(other, text) is (other == text)
    assert matches(other + text, f"*{text}")


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(matrices(), st.floats(1, 10_000))
def test_a_budget_is_never_exceeded_and_never_leaves_room_for_another_round(matrix: Matrix, spare_s: float) -> None:
    one = replace(plan(matrix), rounds=1)
    budget_s = estimate_s(one) + spare_s
    fitted = fit_rounds(one, budget_s)
    assert estimate_s(fitted) <= budget_s + 1e-6
    assert estimate_s(replace(fitted, rounds=fitted.rounds + 1)) > budget_s - 1e-6
