"""How a cell is driven: in a closed loop of its protocol, or at a fixed rate, which a closed loop of the same comparison sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from servermatrix.analysis.grouping import comparison
from servermatrix.contracts import LoadGenerator
from servermatrix.model import Cell

OPEN_LOOP = "open loop"

# Lane - a protocol in a closed loop, or OPEN_LOOP - -> what drives it: the name of a generator and its plug-in.
Drivers = Mapping[str, tuple[str, LoadGenerator]]

NO_CAPACITY = "no cell of a closed loop is compared with it, so that nothing says what its rate is a part of"


def lane(protocol: str, rate_percent: int) -> str:
    """Return how a cell of this protocol and rate is driven."""
    return OPEN_LOOP if rate_percent else protocol


def lanes(cells: Iterable[Cell]) -> tuple[str, ...]:
    """List the lanes of these cells, each once."""
    return tuple(dict.fromkeys(lane(cell.protocol, cell.load.rate_percent) for cell in cells))


def closed_twin(cell: Cell) -> Cell:
    """Return the cell of a closed loop that has all else in common with it; their ids differ in the rate alone."""
    return replace(cell, load=replace(cell.load, rate_percent=0))


def without_capacity(cells: Mapping[str, Cell]) -> frozenset[str]:
    """Name the cells of an open loop that have no cell of a closed loop in their comparison."""
    opened = {cell_id: cell for cell_id, cell in cells.items() if cell.load.rate_percent}
    if not opened:
        return frozenset()
    closed = {comparison(cell) for cell_id, cell in cells.items() if cell_id not in opened}
    return frozenset(cell_id for cell_id, cell in opened.items() if comparison(cell) not in closed)
