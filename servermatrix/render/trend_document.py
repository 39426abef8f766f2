"""Trend -> a JSON document for machines; what is not known is null."""

from __future__ import annotations

import json
from dataclasses import asdict

from servermatrix.model.trends import TREND_SCHEMA, Line, Point, Step, Trend
from servermatrix.render.trend_words import first_line


def to_json(trend: Trend) -> str:
    """Write a trend as a JSON document."""
    document = {
        "schema": TREND_SCHEMA,
        "line": first_line(trend),
        "nights": [{"id": night, "started_at": started_at} for night, started_at in trend.nights],
        "machines": list(trend.machines),
        "margin": trend.margin,
        "alarmed": trend.alarmed,
        "stale": trend.stale or None,
        "stopped": [asdict(one) for one in trend.stopped],
        "promotions": [asdict(one) for one in trend.promotions],
        "lines": [_line(line) for line in trend.lines],
        "notes": list(trend.notes),
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _line(line: Line) -> dict[str, object]:
    return {
        "pair": line.pair,
        "machine": line.machine,
        "points": [_point(point) for point in line.points],
        "breaks": [asdict(one) for one in line.breaks],
        "change_points": [_step(step) for step in line.steps],
    }


def _point(point: Point) -> dict[str, object]:
    levels = {"rps": point.rps, "cpu": point.cpu}
    return {
        "night": point.night,
        "started_at": point.started_at,
        "change": point.change.value,
        **{name: level and asdict(level) for name, level in levels.items()},
    }


def _step(step: Step) -> dict[str, object]:
    return {**asdict(step), "metric": step.metric.value}
