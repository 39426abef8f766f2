"""Reads claims off a report, as a reader does, and holds them against what is true of the world that it is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from runners.loads.fake import CPU_NOISE
from servermatrix.analysis.analyse import analyse
from servermatrix.analysis.stats import ALPHA, subset_sums
from servermatrix.model import Effect, Estimate, Summary, Table
from tests.truth.worlds import CPU_US, RPS, World, run_of

HEADLINE = re.compile(
    r"(?:^|; )(?P<winner>\S+) serves (?:plaintext )?"
    r"(?:(?P<times>[\d.]+)x \[(?P<low>[\d.]+), (?P<high>[\d.]+)\] as many requests per second as"
    r"|more requests per second than) (?P<loser>[^\s;]+)"
)
THIRD = 3  # looks
ROUNDED = 0.005  # headlines have two decimals


def false_claims(world: World, seed: int) -> Counter[str]:
    """Count in which places a report on a world says something untrue: `ranking`, `letters`, `effects`, `headline`, `any`.

    `third look` are runs that came to one, and `left out` those in which cells did not come to the end.
    """
    report = analyse(run_of(world, seed))
    wrong = {place for table in report.tables for place in _untrue(table, world)}
    looks = ["third look"] * (len(report.decisions) > THIRD - 1) + ["left out"] * any(one.dropped for one in report.decisions)
    return Counter(["matrices", *wrong, *(["any"] if wrong else []), *looks])


def _untrue(table: Table, world: World) -> Iterator[str]:
    gains = {row.planned.cell.setting: world.gain(row.planned.cell.id) for row in table.rows}
    ranked = [row for row in table.rows if row.ranking]
    if not all(_rank_is_possible(row, ranked, world) for row in ranked):
        yield "ranking"
    if any(_parted(one, other) and _gain(one, world) == _gain(other, world) for one, other in combinations(ranked, 2)):
        yield "letters"
    if any(_untrue_effect(effect, table, world) for effect in table.effects):
        yield "effects"
    if (said := HEADLINE.search(table.answer)) and not _headline_is_true(said, table.answer, gains):
        yield "headline"
    assert said or " per second" not in table.answer, table.answer


def _gain(row: Summary, world: World) -> float:
    return world.gain(row.planned.cell.id)


def _rank_is_possible(row: Summary, ranked: list[Summary], world: World) -> bool:
    """Tell whether every place that the row may truly have, equals in any order, is within its rank interval."""
    assert row.ranking is not None
    faster = sum(_gain(other, world) > _gain(row, world) for other in ranked)
    slower = sum(_gain(other, world) < _gain(row, world) for other in ranked)
    low, high = row.ranking.rank
    return low <= 1 + faster and len(ranked) - slower <= high


def _parted(one: Summary, other: Summary) -> bool:
    assert one.ranking is not None
    assert other.ranking is not None
    return not set(one.ranking.group) & set(other.ranking.group)


def _untrue_effect(effect: Effect, table: Table, world: World) -> bool:
    true = _true_effects(effect, table, world)
    shown = [(one.ratio.value, true[one.where]) for one in effect.seen if one.shown]
    return any((value - 1) * (truth - 1) <= 0 for value, truth in shown) or any(
        round(true[one], 9) == round(true[other], 9) for one, other in effect.differs
    )


def _true_effects(effect: Effect, table: Table, world: World) -> dict[str, float]:
    """Return by setting what the value of an option truly does there."""
    found: dict[str, dict[str, float]] = {}
    for row in table.rows:
        cell = row.planned.cell
        label = ",".join(part for part in cell.label.split(",") if not part.startswith(f"{effect.option}="))
        found.setdefault(replace(cell, label=label).setting, {})[dict(cell.options).get(effect.option, "")] = _gain(row, world)
    both = {where: by for where, by in found.items() if effect.value in by and effect.instead_of in by}
    return {where: by[effect.value] / by[effect.instead_of] for where, by in both.items()}


def _headline_is_true(said: re.Match[str], answer: str, gains: dict[str, float]) -> bool:
    winner, loser = gains[said["winner"]], gains[said["loser"]]
    alone = "tied for the lead" not in answer
    fastest = sorted(gains.values())[-2:]
    return winner > loser and (not alone or (winner == fastest[-1] and fastest[0] < fastest[-1]))


def coverage(world: World, seed: int) -> Counter[str]:
    """Count intervals of the report, those that miss what is true, and the misses to be expected of exact ones, in millionths.

    `ratio` is against a row chosen beforehand. `rps` and `cpu` are true where they hold the median start of the world.
    """
    run = run_of(world, seed)
    first = run.header.cells[0].cell
    report = analyse(run, reference=first.setting)
    counts: Counter[str] = Counter()
    for row in report.tables[0].rows:
        gain = _gain(row, world)
        if row.planned.cell.setting != first.setting:
            _tally(counts, "ratio", row.ratio, gain / world.gain(first.id))
        _tally(counts, "rps", row.rps, RPS * gain * world.median())
        _tally(counts, "cpu", row.cpu_us_per_request, CPU_US / world.median() ** CPU_NOISE)
    return counts


def unasked(world: World, seed: int) -> Counter[str]:
    """Count, as `coverage` does, intervals of a report for which nothing but the run was given.

    `reference` is the ratio of one row, which the seed chooses, to the row that ratios are against; `headline` the ratio in the
    sentence at the top, of two rows that are chosen by the result.
    """
    counts: Counter[str] = Counter({"matrices": 1})
    run = run_of(world, seed)
    table = analyse(run).tables[0]
    rows = {row.planned.cell.id: row for row in table.rows}
    others = [rows[cell.id] for planned in run.header.cells if (cell := planned.cell).id in rows and cell.id != table.reference]
    row = others[seed % len(others)]
    _tally(counts, "reference", row.ratio, _gain(row, world) / world.gain(table.reference or ""))
    if (said := HEADLINE.search(table.answer)) and said["low"]:
        named = {row.planned.cell.setting: _gain(row, world) for row in table.rows}
        low, high = float(said["low"]) - ROUNDED, float(said["high"]) + ROUNDED
        true = named[said["winner"]] / named[said["loser"]]
        _tally(counts, "headline", Estimate(value=true, low=low, high=high, n=table.rows[0].rounds_ok), true)
    return counts


def _tally(counts: Counter[str], name: str, found: Estimate | None, true: float) -> None:
    if found is None or found.low is None or found.high is None:
        return
    counts[name] += 1
    counts[f"{name} missed"] += not found.low <= true <= found.high
    counts[f"{name} expected"] += round(1e6 * exact_miss(found.n))


def exact_miss(rounds: int, alpha: float = ALPHA) -> float:
    """Return how often the exact interval of so many rounds misses: the largest probability up to alpha that there is."""
    counts, total, sum_of_tail = subset_sums(tuple(range(1, rounds + 1))), float(2**rounds), 0
    for count in counts:
        if 2 * (sum_of_tail + count) > alpha * total:
            break
        sum_of_tail += count
    return 2 * sum_of_tail / total


def power(world: World, seed: int) -> Counter[str]:
    """Count the true differences, those that a report shows, and whether the fastest stands alone; with and without the floor.

    `steps` of the run are counted against those that all its rounds would have been.
    """
    run = run_of(world, seed)
    without = [planned for planned in run.header.cells if not planned.cell.duplicate]
    bare = replace(
        run,
        header=replace(run.header, cells=tuple(without)),
        samples=tuple(sample for sample in run.samples if not sample.cell_id.endswith("/again")),
    )
    counts = Counter({"matrices": 1, "steps": len(run.samples)})
    for name, report in (("shown", analyse(run)), ("bare", analyse(bare))):
        ranked = [row for row in report.tables[0].rows if row.ranking]
        pairs = [pair for pair in combinations(ranked, 2) if _gain(pair[0], world) != _gain(pair[1], world)]
        counts["pairs"] = len(pairs)
        counts[name] = sum(_parted(*pair) for pair in pairs)
        counts[f"{name} alone"] = sum(row.ranking is not None and row.ranking.rank == (1, 1) for row in ranked)
    return counts
