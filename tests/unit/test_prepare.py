"""From what was typed to a plan: budgets, rates and the duplicate, and the same plan again from a stored run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servermatrix.config.overrides import Overrides
from servermatrix.duplicate import measured_twice
from servermatrix.effort import estimate_s
from servermatrix.errors import Unfit, UsageProblem
from servermatrix.header import describe
from servermatrix.model import Plan, RunHeader
from servermatrix.prepare import Prepared, Setup, Wishes, prepare, prepare_stored
from servermatrix.venues import Venues
from tests.conftest import ROOT


def prepared_with(profile: str = "quick", keep: tuple[str, ...] = (), **overrides: object) -> Prepared:
    changes = Overrides(seed=3, generator="fake", **overrides)  # type: ignore[arg-type]
    return prepare(Wishes(matrix=ROOT / "matrix.yaml", profile=profile, keep=keep, overrides=changes))


def stored(prepared: Prepared, folder: Path) -> RunHeader:
    header = describe(prepared, Setup(out=folder, argv=("run",)), Venues(by_want={}), datetime.now(UTC))
    return replace(header, looks=prepared.plan.looks, budget_s=prepared.plan.budget_s)


def test_a_budget_is_what_the_plan_takes_at_most() -> None:
    made = prepared_with(budget_s=1200.0).plan
    assert (made.budget_s, estimate_s(made) <= 1200) == (1200, True)
    assert len(made.looks) > 1
    assert made.rounds == made.looks[-1].round
    assert measured_twice(made) is not None
    assert prepared_with().plan.looks == ()


def test_a_budget_that_is_too_short_is_refused_however_it_was_typed() -> None:
    with pytest.raises(UsageProblem, match="2 s are too short: one round of 8 cells takes"):
        prepared_with(budget_s=2.0)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(prepared_with, id="a duplicate"),
        pytest.param(lambda: prepared_with(budget_s=1200.0), id="looks"),
        pytest.param(lambda: prepared_with("latency"), id="rates"),
        pytest.param(lambda: prepared_with("latency", budget_s=1800.0), id="all three"),
    ],
)
def test_a_resumed_run_has_the_plan_it_was_stored_with(make: Callable[[], Prepared], tmp_path: Path) -> None:
    prepared = make()
    again = prepare_stored(stored(prepared, tmp_path), ())
    assert again.plan == prepared.plan
    assert list(again.plan.steps()) == list(prepared.plan.steps())
    assert list(again.generators) == list(prepared.generators)


def test_a_stored_run_whose_server_is_not_there_any_more_is_refused(tmp_path: Path) -> None:
    header = stored(prepared_with(), tmp_path)
    cells = tuple(replace(planned, cell=replace(planned.cell, server="gone")) for planned in header.cells)
    with pytest.raises(Unfit, match="the plug-in of server gone is not there any more"):
        prepare_stored(replace(header, cells=cells), ())


def minutes(made: Plan) -> float:
    return estimate_s(made) / 60


def test_the_latency_profile_takes_minutes_and_has_rates_beside_every_closed_loop() -> None:
    made = prepared_with("latency").plan
    assert 5 <= minutes(made) <= 10
    closed = [cell for cell in made.cells if not cell.load.rate_percent and not cell.duplicate]
    assert sorted(cell.load.rate_percent for cell in made.cells if cell.load.rate_percent) == [
        rate for rate in (30, 60, 90) for _ in closed
    ]
    assert made.excluded == ()
