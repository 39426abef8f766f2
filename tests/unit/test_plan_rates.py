"""Cells at a fixed rate: beside which cells they stand, who drives them, what they need, and what excludes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.config.axes import Axes
from servermatrix.config.matrix import LoadSettings, Matrix
from servermatrix.contracts import Choice, LoadGenerator, LoadStats, Server
from servermatrix.errors import ConfigProblems, NothingSelected
from servermatrix.lanes import NO_CAPACITY, OPEN_LOOP, Drivers, lanes
from servermatrix.model import App, Noise, Plan
from servermatrix.plan import EXCLUDED_BY_USER, make_plan

ALPHA = Server(
    requires=(),
    options={"loop": Choice(values=("asyncio", "uvloop"), default="uvloop")},
    protocols=("h1", "h1s", "h2c"),
    argv=lambda _: [],
    proof=lambda _: {},
    objection=lambda launch: "one worker only" if launch.workers > 2 else None,
)
SERVERS = {"alpha": ALPHA, "beta": ALPHA}
APPS = {name: App(name=name, target=f"apps.{name}:app", folder=".") for name in ("plaintext", "json")}
WRK = LoadGenerator(
    protocols=("h1", "h1s"),
    version=lambda text: text,
    argv=lambda _: [],
    parse=lambda _, __: LoadStats(requests=1, duration_us=1, histogram=()),
    reconnects=True,
)
H2LOAD = replace(WRK, protocols=("h1", "h1s", "h2c"), reconnects=False)
BUILTIN = replace(WRK, protocols=("h1",), open_loop=True)
DRIVERS: Drivers = {"h1": ("wrk", WRK), "h1s": ("wrk", WRK), "h2c": ("h2load", H2LOAD), OPEN_LOOP: ("builtin", BUILTIN)}
MATRIX = Matrix(
    servers=(("alpha", ()), ("beta", ())),
    axes=Axes(rate=(30, 90), connections=(8,)),
    load=LoadSettings(generator=None, threads=1, duration_s=2, warmup_s=1, windows=2),
    rounds=3,
    noise=Noise(),
)
LOADS = ("c8", "c8r30", "c8r90")


def cell_id(server: str, load: str = "c8", app: str = "plaintext", *, protocol: str = "h1", workers: int = 1) -> str:
    return f"{server}[loop=uvloop]/{protocol}/w{workers}/{load}/{app}"


def plan(matrix: Matrix = MATRIX, keep: tuple[str, ...] = (), drivers: Drivers = DRIVERS) -> Plan:
    return make_plan(matrix, SERVERS, APPS, drivers, 7, keep=keep)


def with_axes(**changes: tuple[str, ...] | tuple[int, ...]) -> Matrix:
    return replace(MATRIX, axes=replace(MATRIX.axes, **changes))  # type: ignore[arg-type]


def ids(made: Plan) -> list[str]:
    return [cell.id for cell in made.cells]


def excluded(made: Plan) -> dict[str, str]:
    return {item.id: item.reason for item in made.excluded}


def test_without_rates_there_are_closed_loops_alone() -> None:
    assert ids(plan(with_axes(rate=()))) == [cell_id("alpha"), cell_id("beta")]


def test_every_closed_loop_stays_and_has_an_open_loop_beside_it_per_rate() -> None:
    made = plan()
    assert ids(made) == [cell_id(server, load) for server in ("alpha", "beta") for load in LOADS]
    assert [(cell.load.rate_percent, cell.load.generator) for cell in made.cells] == [
        (0, "wrk"),
        (30, "builtin"),
        (90, "builtin"),
    ] * 2


def test_an_open_loop_has_all_else_in_common_with_its_closed_loop() -> None:
    closed, opened, _ = plan(keep=("alpha*",)).cells
    assert replace(opened, load=replace(opened.load, rate_percent=0, generator="wrk")) == closed


def test_open_loops_run_after_all_rounds_of_closed_loops() -> None:
    rates = [step.cell.load.rate_percent > 0 for step in plan().steps()]
    assert rates == [False] * 2 * 3 + [True] * 4 * 3


def test_a_protocol_in_which_the_generator_cannot_send_at_a_rate_keeps_its_closed_loop() -> None:
    made = plan(with_axes(protocol=("h1", "h1s", "h2c"), streams=(1, 10), rate=(30,)), keep=("alpha*",))
    assert ids(made) == [
        cell_id("alpha"),
        cell_id("alpha", "c8r30"),
        cell_id("alpha", protocol="h1s"),
        cell_id("alpha", protocol="h2c"),
        cell_id("alpha", "c8m10", protocol="h2c"),
    ]
    assert excluded(made) == {
        cell_id("alpha", "c8r30", protocol="h1s"): "builtin sends at a fixed rate in h1 only, not in h1s",
        cell_id("alpha", "c8r30", protocol="h2c"): "builtin sends at a fixed rate in h1 only, not in h2c",
        cell_id("alpha", "c8m10r30", protocol="h2c"): "builtin sends at a fixed rate in h1 only, not in h2c",
    }


def test_new_connections_are_not_made_at_a_fixed_rate_even_by_a_generator_that_can_make_them() -> None:
    made = plan(with_axes(requests_per_connection=(0, 5), rate=(30,)), keep=("alpha*",))
    assert ids(made) == [cell_id("alpha"), cell_id("alpha", "c8r30"), cell_id("alpha", "c8n5")]
    reason = "builtin keeps its connections at a fixed rate: it cannot open a new one per 5 requests"
    assert excluded(made) == {cell_id("alpha", "c8n5r30"): reason}


def test_what_a_server_objects_to_it_objects_to_at_every_rate() -> None:
    made = plan(with_axes(workers=(1, 3)), keep=("alpha*",))
    assert excluded(made) == {cell_id("alpha", load, workers=3): "one worker only" for load in LOADS}


def test_an_exclude_entry_with_a_rate_leaves_the_closed_loop_and_the_other_rates() -> None:
    made = plan(replace(MATRIX, exclude=((("server", ("beta",)), ("rate", ("30%",))),)))
    assert excluded(made) == {cell_id("beta", "c8r30"): EXCLUDED_BY_USER}
    assert cell_id("beta") in ids(made)
    assert cell_id("beta", "c8r90") in ids(made)


def test_an_exclude_entry_without_a_rate_takes_the_rates_with_it() -> None:
    made = plan(replace(MATRIX, exclude=((("server", ("beta",)),),)))
    assert set(excluded(made)) == {cell_id("beta", load) for load in LOADS}


def test_an_include_entry_of_another_rate_is_a_cell_of_its_own_and_one_without_a_rate_is_a_closed_loop() -> None:
    made = plan(replace(MATRIX, include=((("server", "beta"), ("rate", "45%")), (("server", "beta"), ("workers", "2")))))
    assert ids(made)[6:] == [cell_id("beta", "c8r45"), cell_id("beta", workers=2)]
    assert made.cells[6].load.generator == "builtin"


def test_an_include_entry_with_a_rate_extends_the_open_loops_of_that_rate() -> None:
    option = {"queue": Choice(values=("1", "2"), default="1", in_id=False)}
    servers = {name: replace(ALPHA, options={**ALPHA.options, **option}) for name in SERVERS}
    matrix = replace(MATRIX, include=((("rate", "30%"), ("queue", "2")),))
    made = make_plan(matrix, servers, APPS, DRIVERS, 1)
    assert [dict(cell.options)["queue"] for cell in made.cells] == ["1", "2", "1"] * 2


def test_a_rate_of_which_nothing_is_compared_is_excluded_with_the_reason() -> None:
    made = plan(replace(MATRIX, include=((("server", "beta"), ("rate", "45%"), ("workers", "2")),)))
    assert excluded(made) == {cell_id("beta", "c8r45", workers=2): NO_CAPACITY}
    assert "closed loop" in NO_CAPACITY


def test_a_rate_may_be_a_part_of_what_another_server_of_the_comparison_serves() -> None:
    matrix = replace(MATRIX, servers=(("alpha", ()),), include=((("server", "beta"), ("rate", "45%")),))
    assert ids(plan(matrix)) == [*(cell_id("alpha", load) for load in LOADS), cell_id("beta", "c8r45")]


@pytest.mark.parametrize("other", [{"app": "json"}, {"workers": "2"}, {"connections": "16"}])
def test_what_is_not_compared_with_a_rate_is_no_capacity_for_it(other: dict[str, str]) -> None:
    made = plan(replace(MATRIX, include=((("server", "beta"), ("rate", "45%"), *other.items()),)))
    assert list(excluded(made).values()) == [NO_CAPACITY]


def test_a_matrix_of_rates_that_nothing_sets_leaves_no_cell() -> None:
    drivers: Drivers = {**DRIVERS, "h1": ("h2only", replace(WRK, protocols=("h2c",)))}
    with pytest.raises(
        ConfigProblems, match=r"leaves no cell to run: 6 excluded \(h2only does not speak h1, no cell of a closed"
    ):
        plan(drivers=drivers)


def test_selecting_a_rate_brings_the_closed_loops_that_it_is_a_part_of() -> None:
    made = plan(keep=("*r30*",))
    assert ids(made) == [cell_id(server, load) for server in ("alpha", "beta") for load in ("c8", "c8r30")]


def test_selecting_a_rate_of_one_server_makes_it_a_part_of_what_that_server_serves() -> None:
    assert ids(plan(keep=("beta*r90*",))) == [cell_id("beta"), cell_id("beta", "c8r90")]


def test_selecting_a_closed_loop_brings_no_rates() -> None:
    assert ids(plan(keep=("*/c8/*",))) == [cell_id("alpha"), cell_id("beta")]


def test_a_selected_rate_whose_capacity_was_not_selected_is_refused_with_the_reason() -> None:
    matrix = replace(MATRIX, servers=(("alpha", ()),), include=((("server", "beta"), ("rate", "45%")),))
    with pytest.raises(NothingSelected, match="selects only what is excluded") as caught:
        plan(matrix, keep=("beta*",))
    assert caught.value.tip == f"{cell_id('beta', 'c8r45')}: {NO_CAPACITY}"
    both = plan(matrix, keep=("beta*", "alpha*"))
    assert cell_id("beta", "c8r45") in ids(both)


def test_selecting_only_rates_that_cannot_be_driven_is_refused_with_the_reason() -> None:
    with pytest.raises(NothingSelected) as caught:
        plan(with_axes(protocol=("h1s",)), keep=("*r30*",))
    assert caught.value.tip.endswith("builtin sends at a fixed rate in h1 only, not in h1s")


def test_a_generator_without_load_sends_at_a_rate_in_whatever_it_speaks() -> None:
    fake = replace(WRK, simulate=lambda _: pytest.fail("nothing is asked while planning"))
    made = plan(with_axes(protocol=("h1s",)), drivers=dict.fromkeys(DRIVERS, ("fake", fake)))
    assert [cell.load.label for cell in made.cells] == [*LOADS, *LOADS]
    assert {cell.load.generator for cell in made.cells} == {"fake"}


def test_the_lanes_of_cells_are_their_protocols_and_the_open_loop() -> None:
    made = plan(with_axes(protocol=("h1", "h1s")))
    assert lanes(made.cells) == ("h1", OPEN_LOOP, "h1s")
    assert lanes(cell for cell in made.cells if not cell.load.rate_percent) == ("h1", "h1s")
