"""Of cells that are tied in what is preferred, the cheapest: fewest workers, then least memory, then least CPU; and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from servermatrix.analysis.field import cell_of
from servermatrix.analysis.picks.words import mebibytes, number
from servermatrix.analysis.summarise import Row

MOST = float("inf")


def cheapest(tied: Sequence[Row]) -> Row:
    """Return the cheapest of cells that are tied; raises ValueError when there is none."""
    return min(tied, key=_cost)


def why(picked: Row, tied: Sequence[Row]) -> str:
    """Say in which way the picked cell is the cheapest of those tied, empty where it is the only one."""
    others = [row for row in tied if row.id != picked.id]
    if not others:
        return ""
    return f"of the {len(others) + 1:,} that are tied it has {next(_ways(picked, others))}"


def _ways(picked: Row, others: Sequence[Row]) -> Iterator[str]:
    own, workers = picked.summary, cell_of(picked).workers
    same = [row for row in others if cell_of(row).workers == workers]
    if not same:
        yield "the fewest workers"
    even = "" if len(same) == len(others) else "the fewest workers and "
    if all(_memory(row) > _memory(picked) for row in same) and own.pss_bytes is not None:
        yield f"{even}the least memory, {mebibytes(own.pss_bytes)}"
    if all(_cost(row) > _cost(picked) for row in same) and own.cpu_us_per_request is not None:
        yield f"{even}the least CPU time per request, {number(own.cpu_us_per_request.value)} us"
    yield f"{even}the first place in the plan"


def _cost(row: Row) -> tuple[int, float, float]:
    cpu = row.summary.cpu_us_per_request
    return cell_of(row).workers, _memory(row), cpu.value if cpu else MOST


def _memory(row: Row) -> float:
    return MOST if row.summary.pss_bytes is None else float(row.summary.pss_bytes)
