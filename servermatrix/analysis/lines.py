"""The nights of one cell on one machine -> its line: levels, change points, and where it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, log1p

from servermatrix.analysis.changepoints import FEWEST, change_points
from servermatrix.analysis.levels import Known, installed, known, levels
from servermatrix.analysis.phrases import counted, spread
from servermatrix.model import Load, Metric, Night, NightCell, Side, VersionChange
from servermatrix.model.trends import Break, Line, Point, Promotion, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A cell in one night, with what a line says of it."""

    night: Night
    cell: NightCell
    point: Point


def line(pair: str, machine: str, seen: Sequence[tuple[Night, NightCell]], shown: frozenset[str]) -> Line:
    """Make a line of all nights of a cell on one machine, in the order of time; those that are shown have their ids given."""
    whole = _seen(seen)
    part = [one for one in whole if one.night.id in shown]
    order = [one.night.id for one in part]
    steps = sorted((step for metric in Metric for step in _steps(part, metric)), key=lambda step: order.index(step.night))
    breaks = {one.night: one for metric in Metric for one in _breaks(whole, metric)}
    return Line(
        pair=pair,
        machine=machine,
        points=tuple(one.point for one in part),
        steps=tuple(steps),
        breaks=tuple(breaks[night] for night in order[1:] if night in breaks),
    )


def _seen(seen: Sequence[tuple[Night, NightCell]]) -> list[Seen]:
    rates = levels((night.trial, cell.rps, (cell.generator, cell.load)) for night, cell in seen)
    costs = levels((night.trial, cell.cpu, (cell.generator, cell.load)) for night, cell in seen)
    return [
        Seen(
            night=night,
            cell=cell,
            point=Point(night=night.id, started_at=night.started_at, change=cell.change, rps=rps, cpu=cpu),
        )
        for (night, cell), rps, cpu in zip(seen, rates, costs, strict=True)
    ]


def _steps(part: Sequence[Seen], metric: Metric) -> Iterator[Step]:
    """Yield the change points under each baseline by itself.

    Levels of two segments have no known relation, and at a promotion a line moves by the noise of the few nights that its new
    baseline had as a candidate: over all nights it would be found as a step.
    """
    alike: dict[tuple[int, Known], list[tuple[Night, float]]] = {}
    for one in part:
        if level := one.point.level(metric):
            alike.setdefault((level.segment, known(one.night.trial.baseline)), []).append((one.night, log(level.total.value)))
    for found in alike.values():
        for split in change_points([value for _, value in found], log1p(found[-1][0].trial.margin)):
            night = found[split.index][0]
            # Noise may put a step a night or two off; a split has three nights on either side.
            before, after = found[split.index - FEWEST][0], found[split.index + FEWEST - 1][0]
            yield Step(
                metric=metric,
                night=night.id,
                started_at=night.started_at,
                ratio=exp(split.shift),
                p=split.p,
                differing=tuple(differing(before.trial.candidate, after.trial.candidate)),
            )


def _breaks(whole: Sequence[Seen], metric: Metric) -> Iterator[Break]:
    """Yield the nights in which the levels of a metric go to another segment, and why."""
    known_levels = [(one, level.segment) for one in whole if (level := one.point.level(metric))]
    newest = 0
    for (before, was), (one, now) in pairwise(known_levels):
        if now != was:
            how = "begins anew" if now > newest else "goes on with an earlier part of it"
            why = " and ".join(_causes(before.cell, one.cell)) or (
                "whose baseline had been no candidate on this machine" if now > newest else "whose baseline is one of that part"
            )
            said = f"the line {how} in the night {one.night.id}, {why}: before and after have no known relation"
            yield Break(night=one.night.id, sentence=said)
        newest = max(newest, now)


def _causes(before: NightCell, after: NightCell) -> Iterator[str]:
    if before.generator != after.generator:
        was, now = (cell.generator or "an unknown one" for cell in (before, after))
        yield f"in which the generator changed from {was} to {now}"
    if before.load != after.load:
        yield f"in which the load changed from {_load(before.load)} to {_load(after.load)}"


def _load(load: Load | None) -> str:
    if load is None:
        return "an unknown one"
    windows = f"{counted(load.windows, 'window')} of {load.duration_s} s after {load.warmup_s} s of warm-up"
    return f"{windows} with {spread(load)} and {counted(load.threads, 'thread')}"


def promotions(shown: Sequence[Night]) -> Iterator[Promotion]:
    """Yield the nights with another baseline than the night before."""
    for before, night in pairwise(shown):
        was, now = before.trial.baseline, night.trial.baseline
        if known(was) != known(now):
            yield Promotion(night=night.id, started_at=night.started_at, differing=tuple(differing(was, now)))


def differing(before: Side, after: Side) -> Iterator[VersionChange]:
    """Yield the packages in which two sides differ, by name."""
    was, now = installed(before), installed(after)
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield VersionChange(name=name, baseline=was.get(name, ""), candidate=now.get(name, ""))
