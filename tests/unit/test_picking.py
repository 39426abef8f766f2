"""What was typed of a search -> the plan of a race; and what is left of it after a rehearsal."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.config.overrides import Overrides
from servermatrix.errors import UsageProblem
from servermatrix.model import LATENCY, App, Limit, Race
from servermatrix.picking import Wished, levels, plan_pick
from servermatrix.prepare import Wishes
from servermatrix.rehearsing import AppUnfit, without

APP = App(name="shop:app", target="shop:app", folder="/shop")
LIMIT = Limit(metric="latency", bound=50_000, text="p99<50ms", percent=99.0)
MATRIX = """\
servers:
  uvicorn: {loop: [asyncio, uvloop], http: [h11, httptools]}
  granian: {loop: [asyncio, uvloop]}
load: {duration: 1s, warmup: 0s, windows: 1}
"""


def wishes(folder: Path, text: str = MATRIX, **overrides: object) -> Wishes:
    file = folder / "matrix.yaml"
    file.write_text(text)
    given = Overrides(app=APP, generator="fake", seed=3)
    return Wishes(matrix=file, overrides=replace(given, **overrides))  # type: ignore[arg-type]


def wished(race: Race | None = None, budget_s: int = 900) -> Wished:
    return Wished(race=race or Race(cores=2), budget_s=budget_s)


@pytest.mark.parametrize(
    ("cores", "found"),
    [(1, (1,)), (2, (1, 2)), (4, (1, 2, 3, 4)), (6, (1, 2, 3, 4, 6)), (8, (1, 2, 3, 4, 8)), (12, (1, 2, 3, 4, 8, 12))],
)
def test_every_number_of_workers_up_to_four_is_tried_then_twice_as_many_then_all(cores: int, found: tuple[int, ...]) -> None:
    assert levels(cores) == found


def test_all_settings_race_with_every_number_of_workers_and_none_is_measured_twice(tmp_path: Path) -> None:
    plan = plan_pick(wishes(tmp_path), wished()).plan
    assert plan.race is not None
    racing = [cell for cell in plan.cells if cell.id not in plan.race.references]
    assert len(racing) == len({cell.id for cell in racing}) == 12
    assert {cell.workers for cell in racing} == {1, 2}
    assert not any(cell.duplicate for cell in plan.cells)
    assert [look.round for look in plan.looks][:2] == [3, 5]


def test_each_server_runs_the_plaintext_app_once_with_what_is_fast_where_it_has_that(tmp_path: Path) -> None:
    plan = plan_pick(wishes(tmp_path), wished()).plan
    assert plan.race is not None
    assert plan.race.references == (
        "uvicorn[http=httptools,loop=uvloop]/h1/w1/c64/plaintext",
        "granian[loop=uvloop]/h1/w1/c64/plaintext",
    )
    assert [app.name for app in plan.apps] == ["shop:app", "plaintext"]


def test_workers_that_were_typed_are_the_only_ones(tmp_path: Path) -> None:
    plan = plan_pick(wishes(tmp_path, sets=(("workers", ("3",)),)), wished(Race(cores=4))).plan
    assert {cell.workers for cell in plan.cells if cell.app == APP.name} == {3}


def test_a_part_of_the_budget_is_kept_for_fixed_rates_only_where_there_are_limits_of_latency(tmp_path: Path) -> None:
    free = plan_pick(wishes(tmp_path), wished())
    held = plan_pick(wishes(tmp_path), wished(Race(cores=2, limits=(LIMIT,))))
    preferred = plan_pick(wishes(tmp_path), wished(Race(cores=2, prefer=LATENCY)))
    assert free.plan.race is not None
    assert (free.plan.budget_s, free.plan.race.holding_s, free.plan.race.generator) == (900, 0, "")
    for one in (held, preferred):
        assert one.plan.race is not None
        assert (one.plan.budget_s, one.plan.race.holding_s, one.plan.race.generator) == (585, 315, "fake")


def test_a_budget_without_two_rounds_says_what_is_needed_and_that_suffices(tmp_path: Path) -> None:
    with pytest.raises(
        UsageProblem, match=r"^60 s are too short: two rounds of 12 cells, and 2 for comparison, take \d+ s$"
    ) as caught:
        plan_pick(wishes(tmp_path), wished(budget_s=60))
    need = re.search(r"--budget (\d+)s", caught.value.tip)
    assert need is not None
    assert plan_pick(wishes(tmp_path), wished(budget_s=int(need[1]))).plan.budget_s == int(need[1])


def test_the_budget_that_is_asked_for_with_limits_of_latency_suffices_too(tmp_path: Path) -> None:
    limited = Race(cores=2, limits=(LIMIT,))
    with pytest.raises(UsageProblem) as caught:
        plan_pick(wishes(tmp_path), wished(limited, budget_s=60))
    need = re.search(r"--budget (\d+)s", caught.value.tip)
    assert need is not None
    assert plan_pick(wishes(tmp_path), wished(limited, budget_s=int(need[1])))


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        ((("rate", ("30%",)),), "a search takes no axis rate"),
        ((("connections", ("16", "64")),), "a search is for one load"),
        ((("requests_per_connection", ("0", "10")),), "a search is for one load"),
    ],
)
def test_what_does_not_belong_into_a_search_is_refused(
    tmp_path: Path, sets: tuple[tuple[str, tuple[str, ...]], ...], sentence: str
) -> None:
    with pytest.raises(UsageProblem, match=f"^{sentence}$"):
        plan_pick(wishes(tmp_path, sets=sets), wished())


def test_a_rate_at_which_nothing_is_judged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"^nothing is to be judged at 500 requests/s$"):
        plan_pick(wishes(tmp_path), wished(Race(cores=2, rate_per_s=500)))


def test_more_workers_than_cores_that_were_named_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"^4 workers are more than 2 cores$"):
        plan_pick(wishes(tmp_path, sets=(("workers", ("4",)),)), wished())


def test_the_plaintext_app_runs_with_the_fewest_workers_there_are(tmp_path: Path) -> None:
    plan = plan_pick(wishes(tmp_path, sets=(("workers", ("2", "3")),)), wished(Race(cores=4))).plan
    assert plan.race is not None
    assert plan.race.references[0] == "uvicorn[http=httptools,loop=uvloop]/h1/w2/c64/plaintext"


def test_a_search_without_an_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no app is named"):
        plan_pick(wishes(tmp_path, app=None), wished())


def test_what_failed_at_the_rehearsal_is_excluded_with_the_reason_and_the_others_race_on(tmp_path: Path) -> None:
    plan = plan_pick(wishes(tmp_path), wished()).plan
    gone = {cell.id: "it answered 500 instead of 200" for cell in plan.cells if cell.server == "granian" and cell.app == APP.name}
    left = without(plan, gone)
    assert left.race is not None
    assert {cell.id for cell in plan.cells} - {cell.id for cell in left.cells} == {
        *gone,
        "granian[loop=uvloop]/h1/w1/c64/plaintext",
    }
    assert left.race.references == ("uvicorn[http=httptools,loop=uvloop]/h1/w1/c64/plaintext",)
    assert {one.id: one.reason for one in left.excluded} == gone


def test_an_app_that_answers_under_no_server_is_told_with_what_the_first_said(tmp_path: Path) -> None:
    plan = plan_pick(wishes(tmp_path), wished()).plan
    gone = {cell.id: "it answered 404 instead of 200" for cell in plan.cells if cell.app == APP.name}
    with pytest.raises(AppUnfit, match=r"under no server; uvicorn\[.*: it answered 404 instead of 200"):
        without(plan, gone)
