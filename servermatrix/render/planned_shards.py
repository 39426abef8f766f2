"""The shards of a check as text and as a matrix of GitHub's: which cells each has, and how long it takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from servermatrix.outlook import Outlook
from servermatrix.render.progress import human_seconds
from servermatrix.render.table import counted, plain
from servermatrix.shards import Shard

Planned = tuple[Shard, Sequence[str], Outlook]


def to_matrix(shards: Iterable[Planned]) -> str:
    """Write the shards on one line, as `fromJSON` takes it for `strategy.matrix`; `name` may be that of an artifact."""
    jobs = [
        {"shard": str(shard), "name": shard.name, "cells": len(cells), "minutes": ceil(ahead.seconds / 60)}
        for shard, cells, ahead in shards
    ]
    return json.dumps({"include": jobs})


def to_text(shards: Iterable[Planned]) -> str:
    """Write the shards for people."""
    return "".join(f"{line}\n" for planned in shards for line in _lines(*planned))


def _lines(shard: Shard, cells: Sequence[str], ahead: Outlook) -> Iterator[str]:
    more = human_seconds(ahead.confirmation_s)
    yield (
        f"shard {shard}: {counted(len(cells), 'cell')} on both sides, about {human_seconds(ahead.seconds)}, "
        f"and {more} for each cell that looks changed"
    )
    yield from (f"    {plain(cell)}" for cell in cells)
