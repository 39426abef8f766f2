"""What each option, and each further worker, bought for this app: cells of a search that differ in nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from servermatrix.analysis.field import cell_of
from servermatrix.analysis.picks.versus import Versus, logs
from servermatrix.analysis.race.duels import duels
from servermatrix.analysis.stats import ALPHA
from servermatrix.analysis.summarise import Row
from servermatrix.model import Cell, Effect, EffectIn, Flag

WORKERS = "workers"
Change = tuple[str, str, str]  # option, value, the value that it is told instead of


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two rows that differ in one thing alone, and what else is set, in words."""

    change: Change
    where: str
    having: Row
    without: Row


def bought(rows: Sequence[Row], versus: Versus) -> tuple[Effect, ...]:
    """Return what every value of an option does to requests/s instead of one that the plan has before it, and every more workers.

    An effect is shown where 1 is outside of its interval when those of all effects, and of all differences of one effect between
    two settings, hold together with 95 % at every look (Bonferroni). Rows that the generator limited say nothing of an option.
    """
    fit = [row for row in rows if row.rps and Flag.GENERATOR_BOUND not in row.summary.flags]
    groups: dict[Change, list[Contrast]] = defaultdict(list)
    for one in _contrasts(fit):
        groups[one.change].append(one)
    comparisons = sum(len(group) + len(group) * (len(group) - 1) // 2 for group in groups.values())
    told = (_effect(change, group, versus, comparisons) for change, group in groups.items())
    return tuple(effect for effect in told if effect.seen)


def _effect(change: Change, group: Sequence[Contrast], versus: Versus, comparisons: int) -> Effect:
    option, value, instead_of = change
    seen = tuple(_seen(group, versus, comparisons))
    return Effect(option=option, value=value, instead_of=instead_of, seen=seen, differs=_differing(group, versus, comparisons))


def _seen(group: Sequence[Contrast], versus: Versus, comparisons: int) -> Iterator[EffectIn]:
    for one in group:
        ratio, surely = (versus.ratio(one.having.id, one.without.id, count) for count in (1, comparisons))
        if ratio and surely:
            shown = surely.low is not None and surely.high is not None and not surely.low <= 1 <= surely.high
            yield EffectIn(where=one.where, ratio=ratio, shown=shown)


def _differing(group: Sequence[Contrast], versus: Versus, comparisons: int) -> tuple[tuple[str, str], ...]:
    """Name the pairs of settings between which the effect itself surely differs, the one where it is the larger first."""
    if len(group) < 2:  # noqa: PLR2004 - a pair
        return ()
    series = [
        {number: rate / one.without.rps[number] for number, rate in one.having.rps.items() if number in one.without.rps}
        for one in group
    ]
    better = duels(logs(series), ALPHA / 2 / versus.looks / comparisons).better
    pairs = [*combinations(range(len(group)), 2)]
    found = [(i, j) if better[i, j] else (j, i) for i, j in pairs if better[i, j] or better[j, i]]
    return tuple((group[i].where, group[j].where) for i, j in found)


def _contrasts(rows: Sequence[Row]) -> Iterator[Contrast]:
    for option in dict.fromkeys(name for row in rows for name, _ in cell_of(row).options):
        values = dict.fromkeys(value for row in rows if (value := dict(cell_of(row).options).get(option)) is not None)
        groups: dict[object, dict[str, Row]] = defaultdict(dict)
        for row in rows:
            if (value := dict(cell_of(row).options).get(option)) is not None:
                groups[_but_for(option, cell_of(row))][value] = row
        for earlier, later in combinations(values, 2):
            yield from _between(option, later, earlier, [*groups.values()], rows)
    yield from _of_workers(rows)


def _of_workers(rows: Sequence[Row]) -> Iterator[Contrast]:
    """Yield, for every worker count and the next one that was measured of the same setting, the two rows."""
    groups: dict[object, dict[str, Row]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: cell_of(row).workers):
        groups[_but_for(WORKERS, cell_of(row))][str(cell_of(row).workers)] = row
    counts = sorted({cell_of(row).workers for row in rows})
    for fewer, more in pairwise(counts):
        yield from _between(WORKERS, str(more), str(fewer), [*groups.values()], rows)


def _between(
    option: str, later: str, earlier: str, groups: Sequence[Mapping[str, Row]], rows: Sequence[Row]
) -> Iterator[Contrast]:
    for group in groups:
        if earlier in group and later in group:
            where = _where(option, cell_of(group[later]), rows)
            yield Contrast(change=(option, later, earlier), where=where, having=group[later], without=group[earlier])


def _but_for(option: str, cell: Cell) -> tuple[object, ...]:
    others = tuple(pair for pair in cell.options if pair[0] != option)
    workers = None if option == WORKERS else cell.workers
    return cell.server, others, cell.protocol, cell.interface, cell.load, cell.python, cell.requires, workers


def _where(option: str, cell: Cell, rows: Sequence[Row]) -> str:
    """Name what else is set: the setting but for the option, with protocol and workers where these are several."""
    label = ",".join(part for part in cell.label.split(",") if part.partition("=")[0] != option)
    several = {(each.protocol, 0) for each in map(cell_of, rows)} | {("", each.workers) for each in map(cell_of, rows)}
    protocol = [cell.protocol] if sum(1 for _, count in several if not count) > 1 else []
    workers = [f"w{cell.workers}"] if option != WORKERS and sum(1 for _, count in several if count) > 1 else []
    return " ".join((replace(cell, label=label).setting, *protocol, *workers))
