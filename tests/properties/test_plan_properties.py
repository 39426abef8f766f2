"""What holds for the plan of every matrix: unique and lasting ids, exact exclusion and selection, fair rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby, product

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from servermatrix.config.axes import DEFAULT, SHARED_AXES, Axes
from servermatrix.config.matrix import ExcludeEntry, IncludeEntry, LoadSettings, Matrix
from servermatrix.contracts import Choice, Count, Flag, LoadGenerator, LoadStats, Option, Server
from servermatrix.effort import estimate_s, fit_budget
from servermatrix.errors import ConfigProblems
from servermatrix.globs import matches
from servermatrix.lanes import NO_CAPACITY, OPEN_LOOP
from servermatrix.model import App, Cell, Noise, Plan
from servermatrix.plan import EXCLUDED_BY_USER, make_plan

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
        "http": Choice(values=("h11", "httptools"), default="h11", when={"protocol": ("h1",)}),
        "threads": Count(default="1", when={"http": ("h11",), "loop": ("uvloop",)}, in_id=False),
    },
    protocols=("h1", "h2"),
    argv=lambda _: [],
    proof=lambda _: {},
    objection=lambda launch: "no" if launch.workers == 3 else None,
)
SERVERS = {"alpha": ALPHA, "beta": BETA}
APPS = {name: App(name=name, target=f"apps.{name}:app", folder=".") for name in ("plaintext", "json", "body")}
LOAD = LoadGenerator(
    protocols=("h1", "h2"),
    version=lambda text: text,
    argv=lambda _: [],
    parse=lambda _, __: LoadStats(requests=1, duration_us=1, histogram=()),
    reconnects=True,
)
OPEN = replace(LOAD, protocols=("h1",), open_loop=True)
DRIVERS = {**dict.fromkeys(LOAD.protocols, ("load", LOAD)), OPEN_LOOP: ("open", OPEN)}
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
    "streams": ("1", "10"),
    "requests_per_connection": ("0", "1", "100"),
    "rate": ("30%", "60%", "90%"),
    "python": (DEFAULT, "3.13"),
    "requires": (DEFAULT, "a==1 b>=2"),
}
COUNTED = ("workers", "connections", "streams", "requests_per_connection")


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
def shared_axes(draw: st.DrawFn) -> Axes:
    """Draw axes of which at most four have several values: all eight at once would be thousands of cells."""
    several = draw(st.lists(st.sampled_from(SHARED_AXES), max_size=4, unique=True))
    values = {axis: draw(some(AXES[axis])) if axis in several else (draw(st.sampled_from(AXES[axis])),) for axis in SHARED_AXES}
    values["rate"] = draw(some(AXES["rate"])) if "rate" in several else ()
    numbers = {axis: tuple(int(value.removesuffix("%")) for value in values[axis]) for axis in (*COUNTED, "rate")}
    return Axes(**{**values, **numbers})  # type: ignore[arg-type]


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    return Matrix(
        servers=draw(server_rows()),
        axes=draw(shared_axes()),
        load=LoadSettings(generator=None, threads=1, duration_s=1, warmup_s=1, windows=1),
        rounds=draw(st.integers(1, 4)),
        noise=Noise(),
    )


KEYS: Mapping[str, tuple[str, ...]] = {**AXES, **VALUES, "server": tuple(SERVERS)}


def entries() -> st.SearchStrategy[ExcludeEntry]:
    keys = st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=3, unique=True)
    return keys.flatmap(lambda names: st.tuples(*(st.tuples(st.just(name), some(KEYS[name])) for name in names)))


def inclusions() -> st.SearchStrategy[IncludeEntry]:
    """Draw entries that name a server, and of its options only those that it has, as the check of matrix.yaml demands."""

    def of(server: str) -> st.SearchStrategy[IncludeEntry]:
        known = {**AXES, **{name: VALUES[name] for name in SERVERS[server].options}}
        keys = st.lists(st.sampled_from(sorted(known)), max_size=4, unique=True)
        return keys.flatmap(
            lambda names: st.tuples(
                st.just(("server", server)), *(st.tuples(st.just(name), st.sampled_from(known[name])) for name in names)
            )
        )

    return st.sampled_from(sorted(SERVERS)).flatmap(of)


def plan_or_none(matrix: Matrix, seed: int = 1) -> Plan | None:
    try:
        return make_plan(matrix, SERVERS, APPS, DRIVERS, seed)
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
        "streams": str(cell.load.streams) if cell.protocol == "h2" else None,
        "requests_per_connection": str(cell.load.requests_per_connection),
        "rate": f"{cell.load.rate_percent}%" if cell.load.rate_percent else None,
        "python": cell.python or DEFAULT,
        "requires": " ".join(cell.requires) or DEFAULT,
    }
    return own[key] if key in own else dict(cell.options).get(key)


# --- exclude and include again, in the words of their documentation and in no hurry


@dataclass
class Combination:
    """A combination of the product: what is its own, and what `include` added."""

    own: dict[str, str]
    added: dict[str, str] = field(default_factory=dict)

    def effective(self) -> dict[str, str]:
        """Return all that it has a value of: options that do not apply have none."""
        options = SERVERS[self.own["server"]].options
        chosen = {**{name: option.default for name, option in options.items()}, **self.own, **self.added}

        def applies(name: str) -> bool:
            option: Option | None = options.get(name)
            return option is None or all(applies(other) and chosen[other] in allowed for other, allowed in option.when.items())

        return {name: found for name, found in chosen.items() if applies(name)}

    def id(self) -> str:
        """Spell the id as CONTRIBUTING.md does."""
        found = self.effective()
        options = SERVERS[found["server"]].options
        shown = [
            f"{name}={found[name]}"
            for name in sorted(set(options) & set(found))
            if options[name].in_id or found[name] != options[name].default
        ]
        setting = found["server"] + (f"[{','.join(shown)}]" if shown else "")
        setting += f"@{found['python']}" if found["python"] != DEFAULT else ""
        setting += "".join(f"+{each}" for each in found["requires"].split()) if found["requires"] != DEFAULT else ""
        load = f"c{found['connections']}"
        load += f"m{found['streams']}" if found.get("streams", "1") != "1" else ""
        load += f"n{found['requests_per_connection']}" if found["requests_per_connection"] != "0" else ""
        load += f"r{found['rate'].removesuffix('%')}" if "rate" in found else ""
        return f"{setting}/{found['protocol']}/w{found['workers']}/{load}/{found['app']}"


def written(axes: Axes, axis: str) -> list[str | None]:
    """Write the values of an axis; beside its rates there is always the closed loop, which has none."""
    return [None, *(f"{rate}%" for rate in axes.rate)] if axis == "rate" else [*map(str, getattr(axes, axis))]


def all_combinations(matrix: Matrix) -> list[Combination]:
    found = []
    for server, listed in matrix.servers:
        names = ["server", *SHARED_AXES, *(name for name, _ in listed)]
        shared = [written(matrix.axes, axis) for axis in SHARED_AXES]
        for row in product([server], *shared, *(some for _, some in listed)):
            own = {name: found for name, found in zip(names, row, strict=True) if found is not None}
            if own["protocol"] == "h1":
                del own["streams"]
            found.append(Combination(own))
    return found


def excluded_by(entry: ExcludeEntry, combination: Combination) -> bool:
    return all(combination.effective().get(key) in wanted for key, wanted in entry)


def extend(entry: IncludeEntry, combination: Combination) -> bool:
    """Add the entry unless it would overwrite what is the combination's own, or the combination has no such key."""
    own, options = combination.own, SERVERS[combination.own["server"]].options
    for key, wanted in entry:
        if key in own and own[key] != wanted:
            return False
        if key not in own and key not in options:
            return False
    combination.added |= {key: wanted for key, wanted in entry if key not in own}
    return True


def of_its_own(matrix: Matrix, entry: IncludeEntry) -> Combination:
    first = {axis: value for axis in SHARED_AXES if (value := written(matrix.axes, axis)[0]) is not None}
    own = first | dict(entry)
    if own["protocol"] == "h1":
        del own["streams"]
    return Combination(own)


def modelled(matrix: Matrix) -> tuple[set[str], set[str]]:
    """Return the ids that stand after exclude and include, and those that exclude removed for good."""
    kept: list[Combination] = []
    gone: set[str] = set()
    for each in all_combinations(matrix):
        if any(excluded_by(entry, each) for entry in matrix.exclude):
            gone.add(each.id())
        else:
            kept.append(each)
    own = [of_its_own(matrix, entry) for entry in matrix.include if sum(extend(entry, each) for each in kept) == 0]
    standing = {each.id() for each in [*kept, *own]}
    return standing, gone - standing


@settings(max_examples=200)
@given(matrices(), st.lists(entries(), max_size=2), st.lists(inclusions(), max_size=3))
def test_a_plan_holds_what_the_documentation_of_exclude_and_include_says(
    matrix: Matrix, exclude: list[ExcludeEntry], include: list[IncludeEntry]
) -> None:
    matrix = replace(matrix, exclude=tuple(exclude), include=tuple(include))
    standing, gone = modelled(matrix)
    made = plan(matrix)
    by_user = {item.id for item in made.excluded if item.reason == EXCLUDED_BY_USER}
    assert set(ids(made)) | {item.id for item in made.excluded} - by_user == standing
    assert by_user == gone


@given(matrices())
def test_ids_are_unique_and_a_cell_is_planned_or_excluded_never_both(matrix: Matrix) -> None:
    made = plan(matrix)
    every = ids(made) + [item.id for item in made.excluded]
    assert len(set(every)) == len(every)


@given(matrices())
def test_one_id_is_one_combination(matrix: Matrix) -> None:
    made = plan(matrix)
    combinations = {
        (cell.server, cell.options, cell.protocol, cell.workers, cell.app, cell.load, cell.python, cell.requires)
        for cell in made.cells
    }
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
            streams=tuple(data.draw(st.lists(st.sampled_from(matrix.axes.streams), min_size=1, unique=True))),
            python=data.draw(some(matrix.axes.python)),
            requires=data.draw(some(matrix.axes.requires)),
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


def closed_loop_of(cell: Cell) -> str:
    """Spell the id of the cell whose capacity a rate is a part of, in another way than the product code does."""
    return cell.id.replace(f"r{cell.load.rate_percent}/{cell.app}", f"/{cell.app}") if cell.load.rate_percent else cell.id


@given(matrices(), st.data())
def test_an_id_selects_exactly_its_cell_and_a_rate_the_closed_loop_as_well(matrix: Matrix, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(plan(matrix).cells))
    selected = make_plan(matrix, SERVERS, APPS, DRIVERS, 1, keep=(chosen.id,)).cells
    assert [cell.id for cell in selected] == list(dict.fromkeys((closed_loop_of(chosen), chosen.id)))
    assert chosen in selected


@given(matrices(), st.data())
def test_selection_is_a_filter_that_keeps_the_order(matrix: Matrix, data: st.DataObject) -> None:
    made = plan(matrix)
    chosen = data.draw(st.sampled_from(made.cells))
    pattern = data.draw(st.sampled_from((f"{chosen.setting}*", f"*/{chosen.app}", f"*/w?/{chosen.load.label}/*")))
    kept = make_plan(matrix, SERVERS, APPS, DRIVERS, 1, keep=(pattern,))
    matching = [cell for cell in made.cells if matches(cell.id, pattern)]
    wanted = {cell.id for cell in matching} | {closed_loop_of(cell) for cell in matching}
    assert ids(kept) == [cell_id for cell_id in ids(made) if cell_id in wanted]
    assert chosen in kept.cells


@given(matrices(), st.lists(inclusions(), max_size=2), st.lists(entries(), max_size=2))
def test_every_rate_is_a_part_of_what_some_closed_loop_of_its_comparison_serves(
    matrix: Matrix, include: list[IncludeEntry], exclude: list[ExcludeEntry]
) -> None:
    def compared(cell: Cell) -> tuple[object, ...]:
        in_flight = cell.load.connections * cell.load.streams
        return cell.app, cell.workers, in_flight, cell.load.requests_per_connection

    made = plan(replace(matrix, include=tuple(include), exclude=tuple(exclude)))
    closed = {compared(cell) for cell in made.cells if not cell.load.rate_percent}
    for cell in made.cells:
        assert (cell.load.generator == "open") == (cell.load.rate_percent > 0)
        if cell.load.rate_percent:
            assert compared(cell) in closed
            assert (cell.protocol, cell.load.requests_per_connection) == ("h1", 0)
    assert all("r" in item.id.split("/")[-2] for item in made.excluded if item.reason == NO_CAPACITY)


@given(st.text(), st.text())
def test_a_text_without_wildcards_matches_itself_alone(text: str, other: str) -> None:
    assume("*" not in text and "?" not in text)
    assert matches(text, text)
    assert matches(other, text) is (other == text)
    assert matches(other + text, f"*{text}")


def counted(made: Plan) -> tuple[int, int]:
    """Count the cells of closed loops, each once, and the duplicates."""
    twice = [cell for cell in made.cells if cell.duplicate]
    return sum(not cell.load.rate_percent for cell in made.cells) - len(twice), len(twice)


@given(matrices(), st.integers(1, 12), st.integers(0, 2**32))
def test_one_cell_is_measured_twice_where_there_are_two_and_the_rounds_can_rank(matrix: Matrix, rounds: int, seed: int) -> None:
    made = plan(replace(matrix, rounds=rounds), seed)
    closed, twice = counted(made)
    assert twice == int(rounds >= 6 and closed >= 2)
    for cell in made.cells:
        if cell.duplicate:
            original = replace(cell, duplicate=False)
            assert made.cells.index(original) + 1 == made.cells.index(cell)
            assert not cell.load.rate_percent
    assert plan(replace(matrix, rounds=rounds), seed).cells == made.cells
    assert tuple(cell for cell in made.cells if not cell.duplicate) == plan(replace(matrix, rounds=1)).cells


def whole_s(made: Plan, rounds: int) -> float:
    """Add up what a plan takes, in another way than the product code does."""
    proofs = len({(cell.setting, cell.protocol, cell.workers) for cell in made.cells})
    ceilings = len({(cell.load.generator, cell.protocol) for cell in made.cells if not cell.load.rate_percent})
    return proofs * 1.0 + ceilings * 3.0 + rounds * len(made.cells) * (1 + 1 + 0.9)


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(matrices(), st.floats(0, 12), st.floats(0, 0.999))
def test_a_budget_is_never_exceeded_and_never_leaves_room_for_another_round(matrix: Matrix, more: float, part: float) -> None:
    once = plan(replace(matrix, rounds=1))
    rounds = 2 ** (more / 2) + part
    budget_s = whole_s(once, 0) + rounds * len(once.cells) * 2.9 + 0.01
    fitted = fit_budget(once, budget_s)
    closed, twice = counted(fitted)
    fits = max(number for number in range(1, 100) if whole_s(fitted, number) <= budget_s)
    assert (fitted.budget_s, estimate_s(fitted) <= budget_s) == (int(budget_s), True)
    assert twice == int(fitted.rounds >= 6 and closed >= 2)
    if fitted.looks:
        assert fitted.rounds == fitted.looks[-1].round
        assert [look.round for look in fitted.looks] == sorted({look.round for look in fitted.looks})
        assert sum(look.alpha for look in fitted.looks) <= 0.05 + 1e-9
    # Not the sixth, where the duplicate that it needs does not fit.
    planned = {min(fits, 5) if closed >= 2 and not twice else fits}
    assert fitted.rounds in planned or planned <= {look.round for look in fitted.looks}
    if len(fitted.cells) > closed + twice:
        assert fitted.rounds in planned
