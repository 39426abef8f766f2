"""One line of a trend -> an SVG that stands by itself: both metrics with their intervals, the margin, the change points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import expm1, floor, log, log1p, log10
from xml.sax.saxutils import escape

from servermatrix.model import Change, Estimate, Metric
from servermatrix.model.trends import Level, Line, Point, Step, Trend
from servermatrix.render.table import change, plain
from servermatrix.render.trend_words import promotion_sentence, step_sentence

WIDTH, HEIGHT = 784, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 744, 58, 258
_LONGEST_TITLE = 100
_MOST_DATES = 6
_NAMES = {Metric.RPS: "rps", Metric.CPU: "cpu"}
_ASIDE = {Metric.RPS: -1.5, Metric.CPU: 1.5}  # so that the intervals of one night do not cover each other
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a } .head { font-weight: 600; fill: #24292f }
.axis { stroke: #8c959f } .grid { stroke: #8c959f; opacity: .25 } .band { fill: #8c959f; opacity: .18 }
.rps { stroke: #0969da } .cpu { stroke: #bc4c00 } text.rps, circle.rps { fill: #0969da } text.cpu, circle.cpu { fill: #bc4c00 }
text.rps, text.cpu { stroke: none } polyline { fill: none; stroke-width: 1.5 } .bar { opacity: .45 }
.step { stroke-dasharray: 4 3 } .anew { stroke: #8c959f; stroke-dasharray: 1 3 }
.accepted { stroke: #1a7f37; stroke-dasharray: 6 2; opacity: .7 } .alarm { stroke: #cf222e; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) { text { fill: #9198a1 } .head { fill: #f0f6fc }
.rps { stroke: #58a6ff } .cpu { stroke: #f0883e }
text.rps, circle.rps { fill: #58a6ff } text.cpu, circle.cpu { fill: #f0883e } .alarm { stroke: #ff7b72 } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where on the paper a night and a level, as a logarithm, are."""

    places: dict[str, int]
    low: float
    high: float

    def x(self, night: str, aside: float = 0.0) -> float:
        """Return how far from the left the middle of a night's column is, or `aside` of it."""
        return LEFT + (self.places[night] + 0.5) * self.column + aside

    @property
    def column(self) -> float:
        """Return how wide a night is."""
        return (RIGHT - LEFT) / len(self.places)

    def y(self, level: float) -> float:
        """Return how far from the top a level is; what is beyond an end is at that end."""
        return BOTTOM - (BOTTOM - TOP) * (min(max(level, self.low), self.high) - self.low) / (self.high - self.low)


def to_svg(line: Line, trend: Trend) -> str:
    """Draw one line of a trend; the same line and trend give the same text."""
    scale = _scale(line, trend)
    said = f"{plain(line.pair)} on {plain(line.machine)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(said)}: accumulated change over {len(trend.nights)} nights</title>",
        f"<style>{_STYLE}</style>",
        *_head(line),
        *_axes(scale, trend),
        *(_upright("accepted", one.night, promotion_sentence(one), scale) for one in trend.promotions),
        *(_upright("anew", one.night, one.sentence, scale) for one in line.breaks),
        *(mark for metric in Metric for mark in _metric(line, metric, scale)),
        *(mark for step in line.steps for mark in _step(step, scale)),
        *_without_figures(line, scale),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _scale(line: Line, trend: Trend) -> Scale:
    """Make room for every level and for the margin around 1; long intervals are cut, for they would press the rest flat."""
    margin = log1p(trend.margin)
    levels = [log(level.total.value) for point in line.points for metric in Metric if (level := point.level(metric))]
    low, high = min([*levels, -margin]), max([*levels, margin])
    room = max(0.2 * (high - low), 0.005)
    places = {night: place for place, (night, _) in enumerate(trend.nights)}
    return Scale(places=places, low=low - room, high=high + room)


def _head(line: Line) -> Iterator[str]:
    title = plain(line.pair)
    shown = title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "\N{HORIZONTAL ELLIPSIS}"
    yield f'<text class="head" x="{LEFT}" y="18">{escape(shown)}</text>'
    yield f'<text class="rps" x="{LEFT}" y="36">{Metric.RPS}</text><text class="cpu" x="{LEFT + 84}" y="36">{Metric.CPU}</text>'
    yield f'<text x="{RIGHT}" y="36" text-anchor="end">{escape(plain(line.machine))}</text>'


def _axes(scale: Scale, trend: Trend) -> Iterator[str]:
    margin = log1p(trend.margin)
    top, bottom = scale.y(margin), scale.y(-margin)
    yield f'<rect class="band" x="{LEFT}" y="{top:.1f}" width="{RIGHT - LEFT}" height="{bottom - top:.1f}"/>'
    for percent in _ticks(scale):
        y = scale.y(log1p(percent / 100))
        yield f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_signed(percent)} %</text>'
    yield f'<line class="axis" x1="{LEFT}" x2="{RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>'
    for night, started_at in _dated(trend.nights):
        yield f'<text x="{scale.x(night):.1f}" y="{BOTTOM + 16}" text-anchor="middle">{escape(plain(started_at[:10]))}</text>'
    yield f'<text x="{(LEFT + RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">nights</text>'
    middle = (TOP + BOTTOM) / 2
    yield f'<text transform="translate(12 {middle:.0f}) rotate(-90)" text-anchor="middle">change since the first baseline</text>'


def _signed(percent: float) -> str:
    return f"{percent:+.3g}" if percent else "0"


def _ticks(scale: Scale) -> list[float]:
    """Return round percentages from the low end to the high one, about five."""
    low, high = 100 * expm1(scale.low), 100 * expm1(scale.high)
    rough = (high - low) / 5
    decade = 10.0 ** floor(log10(rough))
    step = next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= rough)
    first, last = floor(low / step) + 1, floor(high / step)
    return [number * step for number in range(first, last + 1)]


def _dated(nights: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Choose the nights whose date is written: evenly spread, both ends among them where there is room between them."""
    count = min(len(nights), _MOST_DATES)
    return [nights[round(place * (len(nights) - 1) / max(count - 1, 1))] for place in range(count)]


def _upright(name: str, night: str, said: str, scale: Scale) -> str:
    """Draw a line before a night, with what it means."""
    x = scale.x(night) - scale.column / 2
    title = f"<title>{escape(plain(said))}</title>"
    return f'<line class="{name}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{BOTTOM}">{title}</line>'


def _metric(line: Line, metric: Metric, scale: Scale) -> Iterator[str]:
    name, aside = _NAMES[metric], _ASIDE[metric]
    found = [(point, level) for point in line.points if (level := point.level(metric))]
    for _, run in groupby(found, key=lambda one: one[1].segment):
        places = (f"{scale.x(point.night, aside):.1f},{scale.y(log(level.total.value)):.1f}" for point, level in run)
        yield f'<polyline class="{name}" points="{" ".join(places)}"/>'
    for point, level in found:
        yield from _point(point, level, metric, scale)


def _point(point: Point, level: Level, metric: Metric, scale: Scale) -> Iterator[str]:
    name, x, total = _NAMES[metric], scale.x(point.night, _ASIDE[metric]), level.total
    if total.low is not None and total.high is not None:
        low, high = scale.y(log(total.low)), scale.y(log(total.high))
        yield f'<line class="{name} bar" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    alarm = " alarm" if point.change is Change.REGRESSION else ""
    said = escape(plain(f"{point.night}: {metric} {change(total)} in all, {change(level.ratio)} that night ({point.change})"))
    y = scale.y(log(total.value))
    yield f'<circle class="{name}{alarm}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"><title>{said}</title></circle>'


def _step(step: Step, scale: Scale) -> Iterator[str]:
    name, x = _NAMES[step.metric], scale.x(step.night) - scale.column / 2
    y = TOP - 2 if step.metric is Metric.RPS else TOP + 12
    said = escape(plain(step_sentence(step)))
    yield f'<line class="{name} step" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{BOTTOM}"><title>{said}</title></line>'
    yield f'<text class="{name}" x="{x + 3:.1f}" y="{y}">{change(Estimate(value=step.ratio, low=None, high=None, n=0))}</text>'


def _without_figures(line: Line, scale: Scale) -> Iterator[str]:
    """Mark the nights in which the cell was there and had no figures."""
    for point in line.points:
        if point.rps is None and point.cpu is None:
            said = escape(plain(f"{point.night}: {point.change}"))
            yield f'<text x="{scale.x(point.night):.1f}" y="{BOTTOM - 3}" text-anchor="middle">x<title>{said}</title></text>'
