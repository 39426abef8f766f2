"""The noise floor: what a cell differs by from itself, measured twice in every round under two names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from servermatrix.analysis.claims import Looks
from servermatrix.analysis.ranking import ratio_to
from servermatrix.analysis.summarise import Row
from servermatrix.model import NoiseFloor


def noise_floor(rows: Iterable[Row], looks: Looks | None = None) -> NoiseFloor | None:
    """Return what the duplicate and its original differed by; None without one, or with too few rounds for an interval."""
    known = {row.id: row for row in rows if row.summary.status == "measured"}
    again = next((row for row in known.values() if row.summary.planned.cell.duplicate), None)
    original = known.get(replace(again.summary.planned.cell, duplicate=False).id) if again else None
    ratio = ratio_to(again, original, looks) if again and original else None
    if original is None or ratio is None or ratio.low is None or ratio.high is None:
        return None
    return NoiseFloor(cell_id=original.id, name=original.summary.name, ratio=ratio, factor=max(ratio.high, 1 / ratio.low))
