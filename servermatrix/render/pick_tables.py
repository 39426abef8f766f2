"""The tables of a search, as values: its cells with their figures, what they held at fixed rates, what each option bought."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from servermatrix.model import CPU, MEMORY, Candidate, Effect, Estimate, Percentile, PickReport, Scaling
from servermatrix.render import pick_lines
from servermatrix.render.table import (
    ABSENT,
    Column,
    Grid,
    amount,
    change,
    counted,
    estimate,
    figure,
    figures,
    mebibytes,
    milliseconds,
)

CELL, AGAINST, HOLDS = "setting", "vs picked", "holds requests/s"
MORE_CPU, MORE_MEMORY, THERE = "+CPU", "+MiB", "ms there"
_TAKEN = {MEMORY: "memory", CPU: "CPU"}
_NOTHING = ("0.0 %", "0.0 % [0.0, 0.0]")
_SIGNED_NOTHING = re.compile(r"[+-](0(?:\.0)?)(?=[ ,\]])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A column of the table of cells: its header, what stands under it, and whether a terminal and a page have it.

    One that is `seldom` known is left out of a table in which it is known of no cell.
    """

    header: str
    value: Callable[[Candidate, PickReport], str]
    right: bool = True
    brief: bool = True
    full: bool = True
    seldom: bool = False


def against(one: Candidate, report: PickReport) -> str:
    """Write how much better a cell is than the picked one in what is preferred; of memory and CPU time how much more it takes."""
    if one is report.picked:
        return "picked"
    score = _known(one.score)
    return ABSENT if score is None else changed(_taken(score) if report.race.prefer in _TAKEN else score)


def beside_picked(report: PickReport) -> str:
    """Head the column of what `against` writes."""
    return " ".join(filter(None, (_TAKEN.get(report.race.prefer), AGAINST)))


def _taken(score: Estimate) -> Estimate:
    """Turn a ratio that is above 1 where less is taken into one of what is taken."""
    low, high = (1 / each if each else None for each in (score.high, score.low))
    return Estimate(value=1 / score.value if score.value else inf, low=low, high=high, n=score.n)


def changed(ratio: Estimate) -> str:
    """Write what a ratio changes, without a sign before what is 0 when written; `0 %` where nothing changes at all."""
    text = _SIGNED_NOTHING.sub(r"\1", change(ratio))
    return "0 %" if text in _NOTHING else text


def _known(found: Estimate | None) -> Estimate | None:
    return found if found is not None and isfinite(found.value) else None


def _value(found: Estimate | None, digits: int = 0) -> str:
    known = _known(found)
    return ABSENT if known is None else amount(known.value, digits)


def _rate(found: Estimate | None) -> str:
    return ABSENT if found is None else figure(found.value)


def _ms(found: Percentile | None) -> str:
    return milliseconds(None if found is None else found.value_us)


def at_rate(one: Candidate) -> str:
    """Write the latency of a cell at the rate that it held, in milliseconds."""
    return ABSENT if one.held is None or (found := _known(one.held.latency_us)) is None else milliseconds(found.value)


FIGURES: Sequence[Figure] = (
    Figure(header="standing", value=lambda one, _: one.standing.value, right=False, brief=False),
    Figure(header=CELL, value=pick_lines.name, right=False),
    Figure(header="workers", value=lambda one, _: amount(one.summary.planned.cell.workers)),
    Figure(header=HOLDS, value=lambda one, _: pick_lines.bracket(one.held), seldom=True),
    Figure(header=THERE, value=lambda one, _: at_rate(one), seldom=True),
    Figure(header="requests/s", value=lambda one, _: _rate(_known(one.summary.rps)), full=False),
    Figure(header="requests/s [95 %]", value=lambda one, _: figures(_known(one.summary.rps)), brief=False),
    Figure(header=AGAINST, value=against),
    Figure(header="p50 ms", value=lambda one, _: _ms(one.summary.p50_us)),
    Figure(header="p99 ms", value=lambda one, _: _ms(one.summary.p99_us)),
    Figure(header="CPU us", value=lambda one, _: _value(one.summary.cpu_us_per_request, 1), full=False),
    Figure(header="CPU us/request [95 %]", value=lambda one, _: estimate(_known(one.summary.cpu_us_per_request), 1), brief=False),
    Figure(header=MORE_CPU, value=lambda one, report: pick_lines.more_cpu(one, report.picked), full=False),
    Figure(header="CPU vs picked", value=lambda one, report: pick_lines.more_cpu(one, report.picked), brief=False),
    Figure(header="MiB", value=lambda one, _: mebibytes(one.summary.pss_bytes), full=False),
    Figure(header="memory MiB", value=lambda one, _: mebibytes(one.summary.pss_bytes), brief=False),
    Figure(header=MORE_MEMORY, value=lambda one, report: pick_lines.more_memory(one, report.picked), full=False),
    Figure(header="MiB vs picked", value=lambda one, report: pick_lines.more_memory(one, report.picked), brief=False),
    Figure(header="rounds", value=lambda one, _: amount(one.rounds), brief=False),
    Figure(header="why", value=lambda one, _: one.reason, right=False, brief=False),
)
# Beside nothing that was picked these say nothing.
_BESIDE_PICKED = frozenset({AGAINST, MORE_CPU, MORE_MEMORY, "CPU vs picked", "MiB vs picked"})


def cells(of: Sequence[Candidate], report: PickReport, *, full: bool) -> Grid:
    """Lay out cells with their figures, with the columns of a page or with those of a terminal."""
    shown = [each for each in FIGURES if (each.full if full else each.brief) and _stands(each, of, report)]
    headers = (beside_picked(report) if each.header == AGAINST else each.header for each in shown)
    return Grid(
        columns=tuple(Column(header=header, right=each.right) for header, each in zip(headers, shown, strict=True)),
        rows=tuple(tuple(each.value(one, report) for each in shown) for one in of),
    )


def _stands(each: Figure, of: Sequence[Candidate], report: PickReport) -> bool:
    if report.race.prefer == CPU and each.header in {MORE_CPU, "CPU vs picked"}:
        return False  # what is preferred has that column, with its interval
    if each.header in _BESIDE_PICKED:
        return report.picked is not None
    return not each.seldom or any(each.value(one, report) != ABSENT for one in of)


def held(report: PickReport) -> Grid:
    """Lay out what was tried at fixed rates."""
    headers = ("setting", "held up to", "not held at", "latency ms [95 %]", "starts", "what was found")
    rights = (False, True, True, True, True, False)
    rows = (
        (
            pick_lines.name(one, report),
            _per_s(found.low_per_s),
            _per_s(found.high_per_s),
            _latency(found.latency_us),
            amount(found.starts),
            found.sentence,
        )
        for one in report.candidates
        if (found := one.held) is not None
    )
    return Grid(
        columns=tuple(Column(header=each, right=right) for each, right in zip(headers, rights, strict=True)), rows=tuple(rows)
    )


def _per_s(per_s: float) -> str:
    return f"{pick_lines.per_s(per_s)}/s" if per_s else "none"


def _latency(latency_us: Estimate | None) -> str:
    found = _known(latency_us)
    if found is None:
        return ABSENT
    low, high = (None if each is None else each / 1_000 for each in (found.low, found.high))
    return estimate(Estimate(value=found.value / 1_000, low=low, high=high, n=found.n), 2)


def pareto(report: PickReport) -> Grid:
    """Lay out the cells beside which no other is better in one respect and as good in the rest."""
    headers = (("setting", False), ("requests/s", True), ("p99 ms", True), ("memory MiB", True), ("standing", False))
    rows = (
        (
            pick_lines.name(one, report),
            _rate(_known(one.summary.rps)),
            _ms(one.summary.p99_us),
            mebibytes(one.summary.pss_bytes),
            one.standing.value,
        )
        for one in report.candidates
        if one.pareto
    )
    return Grid(columns=tuple(Column(header=header, right=right) for header, right in headers), rows=tuple(rows))


def effects(found: Sequence[Effect]) -> Grid:
    """Lay out what each option bought, in each setting that has it."""
    headers = (("option", False), ("instead of", False), ("where", False), ("requests/s", True), ("shown", False))
    rows = (
        (f"{effect.option}={effect.value}", effect.instead_of, one.where, changed(one.ratio), "yes" if one.shown else "not shown")
        for effect in found
        for one in effect.seen
    )
    return Grid(columns=tuple(Column(header=header, right=right) for header, right in headers), rows=tuple(rows))


def differing(found: Sequence[Effect]) -> list[str]:
    """Say which options do not do the same everywhere."""
    return [
        f"{effect.option}={effect.value} instead of {effect.instead_of}: its effect under {one} differs from that under {other}."
        for effect in found
        for one, other in effect.differs
    ]


def scaling(found: Scaling) -> Grid:
    """Lay out a fit of throughput over workers."""
    peak = f"beyond {counted(found.farthest, 'worker')}" if found.peak is None else counted(found.peak, "worker")
    rows = (
        ("setting", found.setting),
        ("rate of one worker, requests/s", figure(found.rate_per_s)),
        ("contention", amount(found.contention, 4)),
        ("coherency", amount(found.coherency, 5)),
        ("highest throughput", peak),
        ("worker counts measured", amount(found.points)),
        ("may be read up to", counted(found.farthest, "worker")),
    )
    return Grid(columns=(Column(header="fit of throughput over workers"), Column(header="value", right=True)), rows=rows)
