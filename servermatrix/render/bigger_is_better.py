"""CheckReport -> the JSON that github-action-benchmark reads as customBiggerIsBetter: the candidate in percent of the baseline.

Source of the format: README of github-action-benchmark, a list of name, unit and value, with range and extra as texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite

from servermatrix.model import CellChange, CheckReport, Estimate, Metric
from servermatrix.render.notes import is_measured
from servermatrix.render.table import plain

_UNIT = "% of the baseline"


def to_json(report: CheckReport) -> str:
    """Write the document, two entries for each cell with numbers; bigger is better in both, so that of CPU is the inverse.

    A check that is not complete has none: github-action-benchmark refuses an empty list and records no point, where it would draw
    the first stage of a night beside the second of others.
    """
    cells = report.cells if report.complete else ()
    entries = [entry for cell in cells if _has_numbers(cell) for entry in _entries(cell)]
    return json.dumps(entries, indent=2, allow_nan=False) + "\n"


def _has_numbers(cell: CellChange) -> bool:
    return all(row is not None and is_measured(row) for row in (cell.baseline, cell.candidate))


def _entries(cell: CellChange) -> Iterator[dict[str, object]]:
    for metric, name in ((Metric.RPS, "requests/s"), (Metric.CPU, "requests per CPU second")):
        shift = cell.shift(metric)
        found = None if shift is None or shift.ratio is None else _better_when_bigger(shift.ratio, metric)
        if found is not None:
            yield {
                "name": f"{plain(cell.pair)}: {name}",
                "unit": _UNIT,
                "value": _percent(found.value),
                **_range(found),
                "extra": plain(f"{cell.change.value}: {cell.sentence}"),
            }


def _better_when_bigger(ratio: Estimate, metric: Metric) -> Estimate | None:
    """Turn the ratio of what it costs into that of what it gives; None where it is no number that can be turned."""
    if not isfinite(ratio.value) or ratio.value <= 0:
        return None
    if metric is Metric.RPS:
        return ratio
    low, high = (1 / each if each else None for each in (ratio.high, ratio.low))
    return Estimate(value=1 / ratio.value, low=low, high=high, n=ratio.n)


def _range(found: Estimate) -> dict[str, str]:
    if found.low is None or found.high is None:
        return {}
    return {"range": f"{_percent(found.low)} to {_percent(found.high)}"}


def _percent(ratio: float) -> float:
    return round(100 * ratio, 2)
