"""What goes before a race: the app imported in its own interpreter, and started once under every setting."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from servermatrix.errors import Exit, MatrixError, Unfit
from servermatrix.experiment import Listener
from servermatrix.measure import importing, rehearsal
from servermatrix.measure.process import Guard, adopt_orphans
from servermatrix.model import App, Cell, Excluded, Plan, Race
from servermatrix.prepare import PREPARE, Prepared, Setup
from servermatrix.racing import REHEARSAL_S, competing, needed_s, too_short, with_references
from servermatrix.reports import REHEARSED
from servermatrix.venues import built
from servermatrix.workbench import make_bench

LENIENCE = 1.25  # times the budget that two rounds may be expected to take once the app is known, for that is no exact number
MEND = "mend the app, or what is asked of it"
TIPS = {
    "401": "give what it asks for, such as --header 'Authorization: Bearer ...'",
    "403": "give what it asks for, such as --header 'Authorization: Bearer ...'",
    "404": "name a path that the app has with --path; --openapi lists those of its schema",
    "405": "name the method with --method",
    "422": "give what it needs with --path, --body and --header 'content-type: application/json'",
}


class AppUnfit(MatrixError):
    """The app cannot be imported, or answers rightly under no server."""

    exit_code = Exit.CELL_FAILED


def rehearsed(prepared: Prepared, setup: Setup, listener: Listener) -> Prepared:
    """Leave out the settings under which the app does not answer as under the others, and say what was seen of it."""
    plan = prepared.plan
    app = plan.apps[0]
    if dict(prepared.settings).get(PREPARE):
        look_at(app, setup, listener)  # else it was looked at before anything was asked
    venues = built(prepared.servers, plan.cells, setup.python, listener.preparing, overlay=setup.overlay)
    settings = [cell for cell in plan.cells if cell.app == app.name]
    adopt_orphans()
    guard, began_s = Guard(), time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="servermatrix-rehearsal-") as logs:
            bench = make_bench(prepared, setup, venues, guard, Path(logs), tell=listener.preparing)
            found = rehearsal.rehearse(bench, settings, app, before=lambda name: listener.preparing(f"rehearsing {name}"))
    finally:
        guard.close()
    if found.nothing:
        raise (Unfit if found.unfit else AppUnfit)(found.nothing, _tip(found.nothing, unfit=found.unfit))
    remarks = (*found.warnings, *_left_out(settings, found.excluded))
    for sentence in remarks:
        listener.preparing(sentence)
    left, spent_s = without(plan, found.excluded), time.monotonic() - began_s
    _check_slow(left, spent_s, starts=len({cell.setting for cell in settings}))
    return replace(
        prepared,
        plan=replace(left, budget_s=max(1, plan.budget_s - int(spent_s))),
        settings=(*prepared.settings, (REHEARSED, "\n".join(remarks))),
    )


def _left_out(cells: Iterable[Cell], reasons: Mapping[str, str]) -> Iterable[str]:
    """Say of each setting once that it takes no part, and why."""
    names = {cell.setting: reasons[cell.id] for cell in cells if cell.id in reasons}
    return tuple(f"{name} takes no part: {reason}" for name, reason in names.items())


def _check_slow(plan: Plan, rehearsed_s: float, *, starts: int) -> None:
    """Refuse a budget that is far too short for an app that proved to be slow to start: it takes that long in every round."""
    slower_s = max(0.0, (rehearsed_s - rehearsal.BETWEEN_S) / starts - REHEARSAL_S)
    need_s = rehearsed_s + needed_s(plan, slower_s)
    if need_s > LENIENCE * plan.budget_s:
        raise too_short(plan, plan.budget_s + (plan.race.holding_s if plan.race else 0), need_s)


def _tip(sentence: str, *, unfit: bool) -> str:
    """Say what to do about an answer that is wrong everywhere."""
    if unfit:
        return "install what is missing, or choose other servers with -k"
    found = re.search(r"answered (\d{3}) instead", sentence)
    return TIPS.get(found[1], MEND) if found else MEND


def look_at(app: App, setup: Setup, listener: Listener) -> None:
    """Import the app in the interpreter of the servers; AppUnfit with its own traceback when that fails."""
    seen = importing.look_at(setup.python, app)
    if seen.failure:
        raise AppUnfit("\n".join(filter(None, (seen.failure, seen.traceback.rstrip()))), seen.tip)
    listener.preparing(seen.sentence)


def without(plan: Plan, reasons: Mapping[str, str]) -> Plan:
    """Leave cells out of a race, by id, with the reasons; the plaintext app then runs beside those that are left.

    Raises AppUnfit when none is left.
    """
    left = tuple(cell for cell in competing(plan) if cell.id not in reasons)
    if not left:
        name, reason = next(iter(reasons.items()), ("", "there is no cell"))
        raise AppUnfit(f"the app answers rightly under no server; {name}: {reason}", MEND)
    excluded = tuple(Excluded(id=cell_id, reason=reason) for cell_id, reason in reasons.items())
    return with_references(replace(plan, cells=left, excluded=(*plan.excluded, *excluded)), plan.race or Race())
