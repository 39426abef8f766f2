"""What each option buys: cells side by side that differ in its value alone, and whether it buys the same everywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import log, nan

from servermatrix.analysis.claims import Looks, claimed
from servermatrix.analysis.field import cell_of
from servermatrix.analysis.pairs import effect_differences
from servermatrix.analysis.ranking import beyond, ratio_to
from servermatrix.analysis.summarise import Row
from servermatrix.model import Cell, Effect, EffectIn

Change = tuple[str, str, str]  # option, value, the value that it is told instead of


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two rows that differ in the value of one option alone, and what else is set, in words."""

    change: Change
    where: str
    having: Row
    without: Row


def effects(entrants: Sequence[Row], ranked: Collection[str], looks: Looks, floor: float = 1.0) -> tuple[tuple[Effect, ...], int]:
    """Return what each option buys, of the rows that are `ranked`, and how many comparisons Holm's correction held.

    The effects of all options in all settings and, between every two settings, the differences of an effect are one family: the
    chance of a single false claim among all of them is at most 5 %. `entrants` are the rows of one table that make up the
    family, in the order of the plan: a value is told instead of one that the plan has before it.
    Source: Wilcoxon (1945) and Holm (1979), see stats.py; over several looks see claims.py.
    """
    contrasts = list(_contrasts(entrants))
    both = [(i, j) for group in _by_change(contrasts).values() for i, j in combinations(group, 2)]
    claims = _claims(entrants, contrasts, both, looks, floor) if contrasts else []
    differing = {pair for pair, claim in zip(both, claims[len(contrasts) :], strict=True) if claim}
    told = []
    for change, group in _by_change(contrasts).items():
        fit = [i for i in group if contrasts[i].having.id in ranked and contrasts[i].without.id in ranked]
        seen = [(contrasts[i].where, ratio_to(contrasts[i].having, contrasts[i].without, looks), claims[i]) for i in fit]
        known = tuple(EffectIn(where=where, ratio=ratio, shown=claim) for where, ratio, claim in seen if ratio)
        pairs = [pair for pair in combinations(fit, 2) if pair in differing]
        if known:
            told.append(_effect(change, known, tuple((contrasts[i].where, contrasts[j].where) for i, j in pairs)))
    return tuple(told), len(contrasts) + len(both)


def _effect(change: Change, seen: tuple[EffectIn, ...], differs: tuple[tuple[str, str], ...]) -> Effect:
    option, value, instead_of = change
    return Effect(option=option, value=value, instead_of=instead_of, seen=seen, differs=differs)


def _by_change(contrasts: Sequence[Contrast]) -> Mapping[Change, Sequence[int]]:
    groups: dict[Change, list[int]] = defaultdict(list)
    for index, one in enumerate(contrasts):
        groups[one.change].append(index)
    return groups


def _contrasts(rows: Sequence[Row]) -> Iterator[Contrast]:
    """Yield, for every option and every two of its values, the rows that have all else in common."""
    for option in dict.fromkeys(name for row in rows for name, _ in cell_of(row).options):
        groups: dict[object, dict[str, Row]] = defaultdict(dict)
        for row in rows:
            if (value := dict(cell_of(row).options).get(option)) is not None:
                groups[_but_for(option, cell_of(row))][value] = row
        values = dict.fromkeys(dict(cell_of(row).options).get(option) for row in rows)
        for earlier, later in combinations([value for value in values if value is not None], 2):
            for group in groups.values():
                if earlier in group and later in group:
                    where = _where(option, group[later])
                    yield Contrast(change=(option, later, earlier), where=where, having=group[later], without=group[earlier])


def _but_for(option: str, cell: Cell) -> tuple[object, ...]:
    others = tuple(pair for pair in cell.options if pair[0] != option)
    return cell.server, others, cell.protocol, cell.load, cell.python, cell.requires


def _where(option: str, row: Row) -> str:
    """Name a row as its table does, but for the option."""
    cell = cell_of(row)
    label = ",".join(part for part in cell.label.split(",") if part.partition("=")[0] != option)
    return replace(cell, label=label).setting + row.summary.name.removeprefix(cell.setting)


def _claims(
    entrants: Sequence[Row], contrasts: Sequence[Contrast], both: Sequence[tuple[int, int]], looks: Looks, floor: float
) -> list[bool]:
    """Tell, of the contrasts and then of both differences, which can be claimed."""
    rounds = sorted(set().union(*(row.rps for row in entrants)))
    if not rounds:
        return [False] * (len(contrasts) + len(both))
    place = {row.id: i for i, row in enumerate(entrants)}
    logs = [[log(row.rps[number]) if number in row.rps else nan for number in rounds] for row in entrants]
    pairs = [(place[one.having.id], place[one.without.id]) for one in contrasts]
    differences = effect_differences(logs, pairs, both)
    own = [looks.end(one.having.id, one.without.id) for one in contrasts]
    ways = claimed(differences, rounds, [*own, *(min(own[i], own[j]) for i, j in both)], looks)
    return [bool(way) and far for way, far in zip(ways, beyond(differences, ways, floor), strict=True)]
