"""Trend -> markdown that names one image per line, and the images; it writes no file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256

from servermatrix.analysis.changepoints import LEAST
from servermatrix.model import Metric
from servermatrix.model.trends import Line, Trend
from servermatrix.render.table import Column, Grid, escaped, to_markdown_table
from servermatrix.render.trend_svg import to_svg
from servermatrix.render.trend_words import (
    advices,
    alarms,
    first_line,
    promoted,
    several_machines,
    stands,
    step_sentence,
)

PAGE = "trend.md"
_LONGEST_SLUG = 80


def files(trend: Trend) -> Mapping[str, str]:
    """Return the page and its images by file name."""
    return {**{image_name(line): to_svg(line, trend) for line in trend.lines}, PAGE: to_markdown(trend)}


def image_name(line: Line) -> str:
    """Name the image of a line: readable, of signs that every file system and address has, and another for every line."""
    slug = re.sub(r"[^A-Za-z0-9.=_]+", "-", line.pair).strip("-.")[:_LONGEST_SLUG]
    whole = f"{line.pair} on {line.machine}".encode("utf-8", "backslashreplace")
    return f"trend-{slug}-{sha256(whole).hexdigest()[:8]}.svg"


def to_markdown(trend: Trend) -> str:
    """Write the page; the images are beside it."""
    return "\n".join(_page(trend)) + "\n"


def _page(trend: Trend) -> Iterator[str]:
    yield from ("# Trend", "", escaped(first_line(trend)), "")
    yield from (f"- **Alarm:** {escaped(sentence)}" for sentence in alarms(trend))
    for advice in advices(trend):
        yield from ("", advice)
    yield from _method(trend)
    yield from to_markdown_table(_table(trend))
    for line in trend.lines:
        yield from ("", *_cell(line, trend))
    if trend.notes:
        yield from ("", "## Notes", "", *(f"- {escaped(note)}" for note in trend.notes))


def _method(trend: Trend) -> Iterator[str]:
    first, last = trend.nights[0][0], trend.nights[-1][0]
    yield from ("", f"Nights {escaped(first)} to {escaped(last)}. {several_machines(trend)}".rstrip())
    yield (
        "Levels are accumulated ratios against the first baseline: an accepted candidate leaves its gain or loss in the line. "
        "Intervals are those of the single nights. Change points are advice, and no alarm; they are looked for under one "
        f"baseline at a time, which takes {LEAST} nights under it at least."
    )
    yield ""
    if trend.promotions:
        yield from (*(f"- {escaped(sentence)}" for sentence in promoted(trend)), "")


def _table(trend: Trend) -> Grid:
    columns = ("cell", *(["machine"] if len(trend.machines) > 1 else []), *Metric, "change points")
    return Grid(
        columns=tuple(Column(header=name, right=name not in {"cell", "machine"}) for name in columns),
        rows=tuple(_row(line, trend) for line in trend.lines),
    )


def _row(line: Line, trend: Trend) -> tuple[str, ...]:
    machine = [line.machine] if len(trend.machines) > 1 else []
    return (line.pair, *machine, *(stands(line, metric) for metric in Metric), str(len(line.steps)))


def _cell(line: Line, trend: Trend) -> Iterator[str]:
    where = f", {line.machine}" if len(trend.machines) > 1 else ""
    yield from (f"## {escaped(line.pair + where)}", "", f"![levels over the nights]({image_name(line)})")
    told = [*(one.sentence for one in line.breaks), *map(step_sentence, line.steps)]
    if told:
        yield from ("", *(f"- {escaped(sentence)}" for sentence in told))
