"""Whether the server matters: which words are said of which spread, and what makes that unknown."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from servermatrix.analysis import picks
from servermatrix.analysis.picks.versus import Versus
from servermatrix.model import Cell, Measured, Share
from tests.unit.pick_runs import Cells, of, raced

THREE = [of("granian"), of("hypercorn"), of("uvicorn")]
LEVEL: Cells = {"granian*": {"rps": 1010}}


def share(cells: Sequence[Cell], numbers: Cells, *, sd: float = 0.005, broken: Sequence[Cell] = ()) -> Share:
    found = picks.judge(raced(cells, numbers, sd=sd, broken={one.id: 1 for one in broken})).share
    assert found is not None
    return found


def test_a_server_that_fails_in_every_setting_is_named_and_then_the_server_does_matter() -> None:
    found = share(THREE, LEVEL, broken=[of("uvicorn")])
    assert found.matters
    assert found.sentence.startswith(
        "of the servers that work (granian and hypercorn): the server does not matter for this app: "
    )
    assert "; uvicorn fails in every setting" in found.sentence


def test_a_server_that_fails_in_one_of_its_settings_is_not_said_to_fail() -> None:
    found = share([*THREE, of("uvicorn", 2)], LEVEL, broken=[of("uvicorn", 2)])
    assert not found.matters
    assert "fails in every setting" not in found.sentence


@pytest.mark.parametrize(
    ("what", "says"),
    [({"busy": 0.5}, "too few connections"), ({"busy": 0.5, "foreign_cpu": 2.0}, "the machine was the limit")],
)
def test_a_small_spread_of_cells_that_something_else_limited_is_not_known(what: dict[str, float], says: str) -> None:
    found = share(THREE, {"*": {"rps": 100_000, "cpu_us": 4, **what}})
    assert found.matters
    assert found.sentence.startswith("whether the server matters is not known: under ")
    assert says in found.sentence


def test_the_spread_is_that_of_cells_that_nothing_but_the_server_limited() -> None:
    both = [of(server, workers) for server in ("granian", "hypercorn") for workers in (1, 2)]
    numbers: Cells = {
        "*": {"rps": 100_000, "cpu_us": 4},
        "granian/h1/w1*": {"rps": 90_000},
        "hypercorn/h1/w1*": {"rps": 60_000},
        "*/w2/*": {"busy": 0.5, "foreign_cpu": 2.0},
    }
    found = share(both, numbers)
    assert found.spread is not None
    assert found.spread.value == pytest.approx(1.5, abs=0.05)
    assert found.sentence.startswith("the server matters for this app: ")


def test_a_small_spread_is_not_told_where_what_was_limited_lay_further_apart() -> None:
    both = [of(server, workers) for server in ("granian", "hypercorn") for workers in (1, 2)]
    numbers: Cells = {
        "*": {"rps": 60_000, "cpu_us": 4},
        "granian/h1/w2*": {"rps": 100_000, "busy": 0.5, "foreign_cpu": 2.0},
    }
    found = share(both, numbers)
    assert found.matters
    assert "does not matter" not in found.sentence


def test_cells_that_wait_for_the_app_may_show_that_the_server_does_not_matter() -> None:
    found = share(THREE, {"*": {"rps": 100, "cpu_us": 40, "busy": 0.01}, "granian*": {"rps": 101}})
    assert not found.matters
    assert "most of the time the best of them waits for the app" in found.sentence


def test_a_spread_between_nothing_and_a_tenth_matters_at_least_a_little() -> None:
    found = share(THREE, {"granian*": {"rps": 1090}}, sd=0.015)
    assert found.spread is not None
    assert found.spread.low is not None
    assert 1 < found.spread.low < 1.1
    assert found.matters
    assert found.sentence.startswith("the server matters at least a little for this app: granian does 1.")


def test_all_pairs_of_cells_of_two_servers_count_in_the_interval_of_the_spread() -> None:
    run = raced([*THREE, of("uvicorn", 2)], LEVEL, sd=0.005)
    series: dict[str, dict[int, float]] = {}
    for one in run.samples:
        assert isinstance(one, Measured)
        series.setdefault(one.cell_id, {})[one.round] = one.windows[0].stats.requests / 2
    found = picks.judge(run).share
    assert found is not None
    versus = Versus(series, len(run.header.looks))
    assert found.spread in [versus.ratio(of("granian").id, own, 5) for own in series]  # 6 pairs, of which one is of one server
