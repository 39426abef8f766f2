"""Conducts a verification: every setting of a selection started on the witness, without load and without a report folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from servermatrix import store
from servermatrix.measure.process import Guard, adopt_orphans
from servermatrix.measure.verify import suspects, verify
from servermatrix.model import Cell, Verified
from servermatrix.prepare import Prepared, Setup, Wishes
from servermatrix.venues import built
from servermatrix.workbench import make_bench

LOGS = "verify"


def both_worker_counts(wishes: Wishes) -> Wishes:
    """Add one worker and two to the wishes, unless they say how many."""
    if any(axis == "workers" for axis, _ in wishes.overrides.sets):
        return wishes
    sets = (*wishes.overrides.sets, ("workers", ("1", "2")))
    return replace(wishes, overrides=replace(wishes.overrides, sets=sets))


def total(prepared: Prepared, excluded: tuple[tuple[Cell, str], ...]) -> int:
    """Count the starts."""
    return len(suspects(prepared.plan.cells, excluded))


def verified(
    prepared: Prepared, setup: Setup, excluded: tuple[tuple[Cell, str], ...], tell: Callable[[str], None]
) -> Iterator[Verified]:
    """Yield what was seen of every setting, then of every excluded one; logs of what wrote one stay in `verify/`.

    Raises Unfit when the reports folder cannot be written or another run is active.
    """
    everything = suspects(prepared.plan.cells, excluded)
    cells = tuple(suspect.cell for suspect in everything)
    prepared = replace(prepared, plan=replace(prepared.plan, cells=cells))
    with store.locked(setup.out):
        logs = setup.out / LOGS
        logs.mkdir(exist_ok=True)
        venues = built(prepared.servers, cells, setup.python, tell)
        adopt_orphans()
        with contextlib.closing(Guard()) as guard:
            yield from verify(make_bench(prepared, setup, venues, guard, logs), everything)
