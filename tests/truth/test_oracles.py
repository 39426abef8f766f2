"""Reports against scipy, statsmodels and scikit-posthocs, which get nothing but the requests per second of the samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import scikit_posthocs
from scipy.stats import wilcoxon
from statsmodels.stats.multitest import multipletests

from servermatrix.analysis.analyse import analyse
from servermatrix.model import Measured, Run, Table
from tests.truth.reading import HEADLINE, ROUNDED
from tests.truth.worlds import NARROW, WIDE, World, run_of

Series = Mapping[str, Mapping[int, float]]

WORLDS = [
    World(servers=NARROW, rounds=10, gains=(("loop=uvloop", 1.1),), floor=False),
    World(
        servers=NARROW, rounds=12, sd=0.03, gains=(("httptools,loop=uvloop", 1.08), ("httptools,loop=asyncio", 0.95)), floor=False
    ),
    World(servers=WIDE, rounds=14, gains=(("granian[loop=uvloop", 1.3), ("uvicorn[http=h11", 0.9)), floor=False),
    World(servers=WIDE, rounds=20, kind="20 % invalid", gains=(("loop=uvloop", 1.15),), floor=False),
]
seeds = pytest.mark.parametrize("seed", [1, 2, 3])
worlds = pytest.mark.parametrize("world", WORLDS, ids=["loops", "apart", "wide", "gaps"])


def logs(run: Run) -> Series:
    """Return the logarithm of requests per second by cell and round."""
    found: dict[str, dict[int, float]] = {planned.cell.id: {} for planned in run.header.cells if not planned.cell.duplicate}
    for sample in run.samples:
        if isinstance(sample, Measured) and sample.cell_id in found:
            stats = sample.windows[0].stats
            found[sample.cell_id][sample.round] = np.log(stats.requests * 1e6 / stats.duration_us)
    return found


def differences(one: Mapping[int, float], other: Mapping[int, float]) -> Mapping[int, float]:
    return {number: one[number] - other[number] for number in one.keys() & other.keys()}


def p_value(values: Iterable[float]) -> float:
    return float(wilcoxon(list(values), method="exact").pvalue)


def rejected(ps: Sequence[float]) -> list[bool]:
    return [bool(one) for one in multipletests(ps, alpha=0.05, method="holm")[0]]


def table_of(run: Run) -> Table:
    (table,) = analyse(run).tables
    return table


@worlds
@seeds
def test_the_rows_told_apart_are_those_of_scipy_and_statsmodels(world: World, seed: int) -> None:
    run = run_of(world, seed)
    series, table = logs(run), table_of(run)
    pairs = list(combinations(series, 2))
    told = rejected([p_value(differences(series[one], series[other]).values()) for one, other in pairs])
    groups = {row.planned.cell.id: set(row.ranking.group) for row in table.rows if row.ranking}
    assert {pair for pair, one in zip(pairs, told, strict=True) if one} == {
        pair for pair in pairs if not groups[pair[0]] & groups[pair[1]]
    }
    assert table.comparisons == len(pairs)


@worlds
@seeds
def test_the_letters_say_the_same_as_those_of_scikit_posthocs(world: World, seed: int) -> None:
    run = run_of(world, seed)
    series, table = logs(run), table_of(run)
    rows = [row for row in table.rows if row.ranking]
    ids = [row.planned.cell.id for row in rows]
    pairs = list(combinations(range(len(ids)), 2))
    ps = np.ones((len(ids), len(ids)))
    found = [p_value(differences(series[ids[i]], series[ids[j]]).values()) for i, j in pairs]
    for (i, j), p in zip(pairs, multipletests(found, method="holm")[1], strict=True):
        ps[i, j] = ps[j, i] = p
    theirs = [set(str(group).replace(" ", "")) for group in scikit_posthocs.compact_letter_display(ps)]
    ours = [set(row.ranking.group) for row in rows if row.ranking]
    assert [bool(ours[i] & ours[j]) for i, j in pairs] == [bool(theirs[i] & theirs[j]) for i, j in pairs]


@worlds
@seeds
def test_the_ends_of_a_ratio_are_where_the_test_of_scipy_turns(world: World, seed: int) -> None:
    run = run_of(world, seed)
    series, table = logs(run), table_of(run)
    for row in table.rows:
        if row.planned.cell.id == table.reference or row.ratio is None or row.ratio.low is None or row.ratio.high is None:
            continue
        found = np.array(list(differences(series[row.planned.cell.id], series[table.reference or ""]).values()))
        low, high = np.log(row.ratio.low), np.log(row.ratio.high)
        assert [p_value(found - shift) > 0.05 for shift in (low - 1e-9, low + 1e-9, high - 1e-9, high + 1e-9)] == [
            False,
            True,
            True,
            False,
        ]


@worlds
@seeds
def test_the_ends_of_the_headlines_ratio_are_where_the_test_of_scipy_turns_at_the_level_of_all_pairs(
    world: World, seed: int
) -> None:
    run = run_of(world, seed)
    series, table = logs(run), table_of(run)
    said = HEADLINE.search(table.answer)
    assert said
    ids = {row.planned.cell.setting: row.planned.cell.id for row in table.rows}
    found = np.array(list(differences(series[ids[said["winner"]]], series[ids[said["loser"]]]).values()))
    level = 0.05 / len(list(combinations(table.rows, 2)))
    low, high = float(said["low"]), float(said["high"])
    shifts = np.log([low - ROUNDED, low + ROUNDED, high - ROUNDED, high + ROUNDED])
    assert [p_value(found - shift) > level for shift in shifts] == [False, True, True, False]


@pytest.mark.parametrize("seed", range(8))
def test_the_effects_shown_are_those_of_scipy_and_statsmodels(seed: int) -> None:
    """In the narrow matrix: two options in two settings each, and for each whether its effect is the same in both."""
    run = run_of(replace(WORLDS[1], sd=0.05), seed)
    series, table = logs(run), table_of(run)

    def cell(http: str, loop: str) -> Mapping[int, float]:
        return series[f"uvicorn[http={http},loop={loop}]/h1/w1/c64/plaintext"]

    http = [differences(cell("httptools", loop), cell("h11", loop)) for loop in ("asyncio", "uvloop")]
    loop = [differences(cell(parser, "uvloop"), cell(parser, "asyncio")) for parser in ("h11", "httptools")]
    contrasts = [*http, *loop, differences(*http), differences(*loop)]
    told = rejected([p_value(one.values()) for one in contrasts])
    by_name = {effect.option: effect for effect in table.effects}
    assert {name: (effect.value, effect.instead_of) for name, effect in by_name.items()} == {
        "http": ("httptools", "h11"),
        "loop": ("uvloop", "asyncio"),
    }
    shown = [one.shown for name in ("http", "loop") for one in by_name[name].seen]
    assert [*shown, bool(by_name["http"].differs), bool(by_name["loop"].differs)] == told
    assert table.effect_comparisons == len(contrasts)


@seeds
def test_the_claims_of_looks_are_those_of_holm_at_each_on_what_is_left(seed: int) -> None:
    run = run_of(
        World(servers=NARROW, budget_rounds=18, gains=(("http=httptools", 1.06), ("h11,loop=uvloop", 1.2)), floor=False), seed
    )
    series, table = logs(run), table_of(run)
    last = {planned.cell.id: run.rounds_of(planned.cell) for planned in run.header.cells}
    told: set[tuple[str, str]] = set()
    for decision in run.decisions:
        left = [pair for pair in combinations(series, 2) if pair not in told]
        ps = [_at(series, pair, decision.round) if min(last[pair[0]], last[pair[1]]) >= decision.round else 1.0 for pair in left]
        told |= {pair for pair, one in zip(left, multipletests(ps, alpha=decision.alpha, method="holm")[0], strict=True) if one}
    groups = {row.planned.cell.id: set(row.ranking.group) for row in table.rows if row.ranking}
    assert told == {pair for pair in combinations(series, 2) if not groups[pair[0]] & groups[pair[1]]}
    assert len(run.decisions) > 1
    assert told


def _at(series: Series, pair: tuple[str, str], number: int) -> float:
    found = differences(series[pair[0]], series[pair[1]])
    return p_value(value for place, value in found.items() if place <= number)
