"""The cells that nobody need pass over: none is better in requests/s, 99th percentile or memory, and as good in the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from servermatrix.model import Summary

Figures = tuple[float, ...]  # the less, the better


def pareto(summaries: Sequence[Summary]) -> frozenset[str]:
    """Return the ids of the cells of the Pareto set, by their figures as measured; a cell without one of them is not in it."""
    known = {each.planned.cell.id: figures for each in summaries if (figures := _figures(each)) is not None}
    return frozenset(cell_id for cell_id in known if not _is_dominated(cell_id, known))


def _figures(summary: Summary) -> Figures | None:
    if summary.rps is None or summary.p99_us is None or summary.pss_bytes is None:
        return None
    return -summary.rps.value, summary.p99_us.value_us, float(summary.pss_bytes)


def _is_dominated(cell_id: str, known: Mapping[str, Figures]) -> bool:
    own = known[cell_id]
    return any(each != own and all(one <= other for one, other in zip(each, own, strict=True)) for each in known.values())
