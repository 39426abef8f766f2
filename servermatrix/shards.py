"""Parts a plan into shards for as many machines, and says which shard of how many a stored run is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from servermatrix.analysis.durations import seconds_per_step
from servermatrix.errors import UsageProblem
from servermatrix.lanes import closed_twin
from servermatrix.model import Cell, Plan, RunHeader
from servermatrix.suggest import listed

MOST_SHARDS = 256  # what a matrix of GitHub's may have at most
SETTING = "shard"  # of a stored run: `2/3 of 1a2b3c4d`
DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of `count` parts of a plan, from 1 on."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def name(self) -> str:
        """Name it so that files and artifacts may be called so: `1-of-3`."""
        return f"{self.index}-of-{self.count}"


def read(text: str) -> Shard:
    """Read `1/3`, or its name `1-of-3`; raises ValueError, with what is wrong in its text, for anything that is no shard."""
    match = re.fullmatch(r"([1-9]\d{0,2})(?:/|-of-)([1-9]\d{0,2})", text.strip(), re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not of the form I/N, such as 1/3")
    shard = Shard(index=int(match[1]), count=int(match[2]))
    if shard.index > shard.count or shard.count > MOST_SHARDS:
        raise ValueError(f"there is no shard {text}: I goes from 1 to N, and N to {MOST_SHARDS}")
    return shard


def part(plan: Plan, index: int, count: int) -> Plan:
    """Return the cells of one shard of a plan whose cells do not have their sides yet, so that pairs stay together.

    Every cell is in exactly one shard, whatever the seed; the shards take about the same time. What was to be measured twice is
    not, for a check chooses that in every shard. Raises UsageProblem for a shard without a cell.
    """
    cells = [cell for cell in plan.cells if not cell.duplicate]
    places = _places(cells, count)
    kept = tuple(cell for cell in cells if places[cell.id] == index)
    if not any(_is_closed(cell) for cell in kept):
        closed = sum(map(_is_closed, cells))
        raise UsageProblem(f"shard {index}/{count} would be empty: there are {closed} cells", f"make it {closed} shards at most")
    apps = {cell.app for cell in kept}
    return replace(plan, cells=kept, apps=tuple(app for app in plan.apps if app.name in apps))


def parts(plan: Plan, most: int) -> tuple[tuple[Shard, Plan], ...]:
    """Return all shards with their parts: as many as wished for, or one per cell where there are fewer cells."""
    cells = sum(_is_closed(cell) for cell in plan.cells if not cell.duplicate)
    count = max(1, min(most, cells))
    return tuple((Shard(index=index, count=count), part(plan, index, count)) for index in range(1, count + 1))


def _places(cells: Sequence[Cell], count: int) -> dict[str, int]:
    """Give every cell the number of its shard: the longest first, each to the shard that has least to do until then.

    That is Graham's longest processing time first (1969), no more than a third over the best there is. A cell of an open loop
    goes where the closed loop is that its rate is a part of.
    """
    loads = dict.fromkeys(range(1, count + 1), 0.0)
    places: dict[str, int] = {}
    for cell in sorted(filter(_is_closed, cells), key=lambda cell: (-seconds_per_step(cell.load), cell.id)):
        least = min(loads, key=lambda number: (loads[number], number))
        loads[least] += seconds_per_step(cell.load)
        places[cell.id] = least
    return places | {cell.id: places.get(closed_twin(cell).id, 1) for cell in cells if not _is_closed(cell)}


def _is_closed(cell: Cell) -> bool:
    return cell.load.rate_percent == 0


def setting(plan: Plan, shard: Shard) -> tuple[str, str]:
    """Return what the run of a shard stores: which one it is, and of which list of cells, given before they are parted."""
    return SETTING, f"{shard} of {digest(plan.cells)}"


def digest(cells: Iterable[Cell]) -> str:
    """Return eight digits that stand for a whole list of cells and the seconds by which it is parted, in whatever order."""
    lines = sorted(f"{cell.pair} {seconds_per_step(cell.load)!r}" for cell in cells if not cell.duplicate)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGITS]


def shard_of(header: RunHeader) -> Shard | None:
    """Say which shard a stored run is; None for one that is no shard."""
    return _stored(header)[0]


def _stored(header: RunHeader) -> tuple[Shard | None, str]:
    """Read which shard a run is, and the digits of the list that it is a part of."""
    text, _, digits = dict(header.settings).get(SETTING, "").partition(" of ")
    try:
        return read(text), digits
    except ValueError:
        return None, ""


def lacking(headers: Iterable[RunHeader]) -> tuple[Shard, ...]:
    """Name the shards that are not among these runs of one check.

    Raises UsageProblem where these are no shards of one check: another number of them or other cells, one twice, a whole run
    beside a shard.
    """
    found = [(header.id, *_stored(header)) for header in headers]
    there = [(run, shard) for run, shard, _ in found]
    shards = [shard for _, shard in there if shard is not None]
    if not shards:
        if len(there) > 1:
            raise UsageProblem(f"{listed(run for run, _ in there)} are whole runs, not shards of one", "name one of them")
        return ()
    if len(shards) < len(there) or len({shard.count for shard in shards}) > 1:
        said = listed(f"{run} is {f'shard {shard}' if shard else 'a whole run'}" for run, shard in there)
        raise UsageProblem(f"these are not the shards of one check: {said}", "name all shards of one check, and nothing else")
    if len({digits for *_, digits in found}) > 1:
        said = listed(f"{run} of {digits or 'an unknown one'}" for run, _, digits in found)
        raise UsageProblem(
            f"these are shards of different lists of cells: {said}",
            "run all shards of one check with the same options that choose the cells, the same matrix.yaml and the same tools",
        )
    for shard in shards:
        if shards.count(shard) > 1:
            twice = listed(run for run, one in there if one == shard)
            raise UsageProblem(f"shard {shard} is there twice: {twice}", "leave out the one that does not count")
    return tuple(one for one in _all(shards[0].count) if one not in shards)


def _all(count: int) -> Iterator[Shard]:
    return (Shard(index=index, count=count) for index in range(1, count + 1))
