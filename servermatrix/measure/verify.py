"""Starts combinations on the witness, without load: is each what its label says, and does it go away again?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from servermatrix.measure.bench import Bench, Started, Stopped, start_server, stop_server, work_folder
from servermatrix.measure.failure import StepFailure, refused
from servermatrix.measure.logs import log_name
from servermatrix.measure.witness import check_interpreter, testify
from servermatrix.model import Cause, Cell, Validity, Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A combination to be started, and why it is excluded; empty when it is to work."""

    cell: Cell
    objection: str = ""


def suspects(cells: Iterable[Cell], excluded: Iterable[tuple[Cell, str]]) -> list[Suspect]:
    """List what is to be started, each setting, protocol and worker count once.

    What is excluded is so in every environment, and is started in the first of them alone.
    """
    working: dict[str, Suspect] = {}
    for cell in cells:
        working.setdefault(cell.start, Suspect(cell=cell))
    refused: dict[str, Suspect] = {}
    for cell, objection in excluded:
        if cell.start not in working:
            anywhere = replace(cell, python="", requires=())
            refused.setdefault(anywhere.start, Suspect(cell=cell, objection=objection))
    return [*working.values(), *refused.values()]


def verify(bench: Bench, everything: Iterable[Suspect]) -> Iterator[Verified]:
    """Start one after the other and yield what was seen; a combination that fails keeps no other from its turn.

    An excluded one is confirmed by a server that was started and failed, never by an environment that let it not come so far.
    """
    for suspect in everything:
        yield replace(_tried(bench, suspect), objection=suspect.objection)


def _tried(bench: Bench, suspect: Suspect) -> Verified:
    cell = suspect.cell
    try:
        check_interpreter(bench, cell)
    except StepFailure as failure:
        missing = failure.cause is Cause.ENVIRONMENT
        return Verified(cell=cell, validity=Validity.MISSING if missing else Validity.FAILED, reason=failure.reason)
    log = bench.logs / log_name(cell, "verify")
    try:
        with work_folder(log) as folder:
            started = start_server(bench, cell, bench.witness, log, folder)
            try:
                seen = _seen(bench, suspect, started)
            finally:
                stopped = stop_server(bench, started)
            return _with_end(seen, stopped)
    except StepFailure as failure:
        return Verified(cell=cell, validity=Validity.FAILED, reason=failure.reason)
    except OSError as error:
        return Verified(cell=cell, validity=Validity.FAILED, reason=refused(error).reason)


def _seen(bench: Bench, suspect: Suspect, started: Started) -> Verified:
    """Hear the witness of a server that was started."""
    cell, excluded = suspect.cell, bool(suspect.objection)
    try:
        ready, proof = testify(bench, cell, started)
    except StepFailure as failure:
        confirmed = excluded and failure.cause is Cause.SERVER
        return Verified(cell=cell, validity=Validity.CONFIRMED if confirmed else Validity.FAILED, reason=failure.reason)
    validity = Validity.REFUTED if excluded else Validity.VALID
    return Verified(cell=cell, validity=validity, reason="", proof=proof, ready_s=round(ready.after_s, 2))


def _with_end(seen: Verified, stopped: Stopped) -> Verified:
    """Add how it ended; what is left running makes any start a failed one, an excluded one too."""
    left = [f"process {pid}" for pid in stopped.processes] + [f"a listener of process {pid}" for pid in stopped.listeners]
    ended = replace(seen, exit_code=stopped.exit_code, stop_s=round(stopped.after_s, 2), left=", ".join(left))
    if left and seen.validity is not Validity.FAILED:
        return replace(ended, validity=Validity.FAILED, reason=f"left behind after the stop: {ended.left}")
    return ended
