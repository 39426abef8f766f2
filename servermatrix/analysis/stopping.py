"""Nights -> the cells that ceased to report, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from servermatrix.model import Change, Excluded, Night, NightCell
from servermatrix.model.trends import Stopped
from servermatrix.sides import ONLY_IN

PATIENCE = 3  # nights: noise takes the figures of a cell now and then, and a failure has an exit code of its own in its night
REMOVED = "Renamed or removed on purpose? Say --since with the date of the change, or choose what is left with -k GLOB."
LEFT_OUT = "Mend what the reason says; where it is meant, say --since with the date of the change, or choose with -k GLOB."
NOISY = (
    "Look at the report of the latest night for why; fewer or longer cells, more rounds or a quieter machine give figures again."
)
BROKEN = "Look at the report of the latest night for what failed, and repair it, or remove the cell from the matrix."


def stopped(past: Sequence[Night], shown: Sequence[Night], pairs: Sequence[str]) -> Iterator[Stopped]:
    """Yield the cells that had figures and report no more.

    One that is not in the latest of the nights shown, though that was to measure it, has stopped at once when it had figures in
    one of these nights. One that is there has stopped with the third night in a row without figures.
    """
    latest = shown[-1]
    there = {cell.pair: cell for cell in latest.cells}
    for pair in pairs:
        nights = [night for night in (past if pair in there else shown) if not _unconcerned(night, pair)]
        without = len(list(takewhile(lambda night: not _reports(night, pair), reversed(nights))))  # noqa: B023 - used at once
        last = nights[-without - 1] if without < len(nights) else None
        if last is not None and without >= (PATIENCE if pair in there else 1) and nights[-1] is latest:
            said, advice = _said(there.get(pair), _left_out(latest, pair), without)
            said = f"{said}; its last figures are those of {last.id}"
            yield Stopped(pair=pair, night=last.id, started_at=last.started_at, sentence=said, advice=advice)


def waiting(past: Sequence[Night], pairs: Sequence[str]) -> Iterator[str]:
    """Yield a sentence about the cells that have no figures in the latest night, and had some not long before."""
    latest, before = past[-1], past[-PATIENCE:-1]
    bare = [cell.pair for cell in latest.cells if cell.pair in pairs and not _has_figures(cell)]
    if found := [pair for pair in bare if any(_reports(night, pair) for night in before)]:
        yield (
            f"without figures in the latest night, and no alarm before {PATIENCE} nights in a row ({len(found)}): "
            f"{', '.join(found[:PATIENCE])}{' ...' if len(found) > PATIENCE else ''}"
        )


def not_concerned(latest: Night, pairs: Sequence[str]) -> Iterator[str]:
    """Yield a sentence about the cells that the latest night left out because nothing of them differs."""
    idle = [each for each in latest.left_out if each.id in pairs and _unconcerned(latest, each.id)]
    if idle:
        yield f"left out of the latest night, and no alarm ({len(idle)}): {idle[0].reason}"


def _has_figures(cell: NightCell) -> bool:
    return cell.rps is not None or cell.cpu is not None


def _reports(night: Night, pair: str) -> bool:
    return any(_has_figures(cell) for cell in night.cells if cell.pair == pair)


def _left_out(night: Night, pair: str) -> Excluded | None:
    # Of two reasons the later one counts, as in the report.
    return next((each for each in reversed(night.left_out) if each.id == pair), None)


def _unconcerned(night: Night, pair: str) -> bool:
    """Tell whether the check left a cell out because its sides do not differ in anything that it uses."""
    found = _left_out(night, pair)
    return found is not None and found.reason.startswith(ONLY_IN) and all(cell.pair != pair for cell in night.cells)


def _said(cell: NightCell | None, left_out: Excluded | None, without: int) -> tuple[str, str]:
    if cell is not None:
        advice = BROKEN if cell.change is Change.FAILED else NOISY
        return f"it has had no figures for {without} nights in a row, of which the latest says: {cell.sentence}", advice
    if left_out is not None:
        return f"the latest night left it out: {left_out.reason}", LEFT_OUT
    return "it is not in the latest night", REMOVED
