"""Trend -> text for a terminal; the caller prints it."""

from __future__ import annotations

from collections.abc import Iterator
from math import log, log1p

from servermatrix.model import Metric
from servermatrix.model.trends import Line, Trend
from servermatrix.render.table import plain
from servermatrix.render.trend_words import (
    GAP,
    advices,
    alarms,
    first_line,
    promoted,
    several_machines,
    sparkline,
    stands,
    step_sentence,
)


def to_text(trend: Trend) -> str:
    """Write a trend: the line for machines, the alarms, then each cell with its levels from the first night to the last."""
    told = list(_lines(trend))
    return "\n".join([*told, ""])


def _lines(trend: Trend) -> Iterator[str]:
    yield first_line(trend)
    for sentence in alarms(trend):
        yield f"ALARM: {plain(sentence)}"
    yield from advices(trend)
    first, last = trend.nights[0][0], trend.nights[-1][0]
    yield f"{last if first == last else f'{first} to {last}'}; against the first baseline of each line"
    if said := several_machines(trend):
        yield said
    yield from map(plain, promoted(trend))
    for line in trend.lines:
        yield ""
        yield from _cell(line, trend)


def _cell(line: Line, trend: Trend) -> Iterator[str]:
    where = f"  ({plain(line.machine)})" if len(trend.machines) > 1 else ""
    yield plain(line.pair) + where
    width = max(map(len, Metric))
    for metric in Metric:
        yield f"  {metric:<{width}}  {_spark(line, metric, trend)}  {stands(line, metric)}"
    for one in line.breaks:
        yield f"  {plain(one.sentence)}"
    for step in line.steps:
        yield f"  change point: {plain(step_sentence(step))}"


def _spark(line: Line, metric: Metric, trend: Trend) -> str:
    """Draw one sign per night of the trend, the same night at the same place for all cells; each segment on its own scale."""
    found = {point.night: level for point in line.points if (level := point.level(metric))}
    drawn: dict[str, str] = {}
    for segment in {level.segment for level in found.values()}:
        part = {night: log(level.total.value) for night, level in found.items() if level.segment == segment}
        drawn |= zip(part, sparkline(list(part.values()), 2 * log1p(trend.margin)), strict=True)
    return "".join(drawn.get(night, GAP) for night, _ in trend.nights)
