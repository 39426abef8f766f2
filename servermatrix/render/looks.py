"""When a run with a budget was looked at, what was decided there, and how sure its intervals are because of that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from servermatrix.analysis.phrases import joined
from servermatrix.model import Cell, Decision, Report, RunHeader
from servermatrix.render.points import Point, ended
from servermatrix.render.table import Column, Grid

HEADING = "What was stopped, when and why"
_ALPHA = 0.05  # of a run that is looked at once, when all is measured
_SURE = "An interval holds with 100 % less what was spent at the look at which its row ended"
_AS_PLANNED = "the run ended here as planned"
_NO_FLOOR = "not measured: that takes 6 rounds and two cells to compare"
_MINUTE_S = 60


def plan(header: RunHeader, decisions: Iterable[Decision] = ()) -> str:
    """Say when the run is looked at and what each look may spend on false claims; nothing where it is at the end alone.

    A run whose time was up before its next look was looked at then, at what that look might have spent.
    """
    if not header.looks:
        return ""
    looks = joined([f"{look.round} ({_share(look.alpha)})" for look in header.looks])
    budget = f"a budget of {_time(header.budget_s)}" if header.budget_s else "a budget"
    planned = {look.round for look in header.looks}
    late = next((f"round {one.round} ({_share(one.alpha)})" for one in decisions if one.round not in planned), "")
    if len(header.looks) == 1:
        when = f"or when the time is up, as it was after {late}" if late else "when all is measured"
        return f"Within {budget} the results are looked at once, after round {header.looks[0].round}, {when}."
    other = f", or when the time is up before the next, as it was after {late}" if late else " and at no other time"
    spent = f"in brackets what each look may spend of the {_share(_ALPHA)} of false claims"
    return f"Within {budget} the results are looked at after round {looks}{other}; {spent}."


def may_stop(report: Report) -> bool:
    """Tell whether a run was looked at while something was left to be stopped."""
    return any(not _is_last(one, report.header) for one in report.decisions)


def _share(alpha: float) -> str:
    return f"{100 * alpha:g} %"


def _time(seconds: int) -> str:
    return f"{seconds // _MINUTE_S} min" if seconds % _MINUTE_S == 0 else f"{seconds} s"


def decided(report: Report) -> Grid:
    """Lay out each decision, also that nothing was stopped."""
    headers = (Column(header="after round", right=True), Column(header="stopped"), Column(header="why"))
    decisions = report.decisions if may_stop(report) else ()
    rows = ((str(one.round), what, why) for one in decisions for what, why in _outcome(one, report.header))
    return Grid(columns=headers, rows=tuple(rows))


def _outcome(decision: Decision, header: RunHeader) -> Iterator[tuple[str, str]]:
    if _is_last(decision, header):
        yield "nothing", _AS_PLANNED
        return
    yield from decision.dropped
    if decision.stopped:
        yield "the whole run", decision.stopped
    elif not decision.dropped:
        yield "nothing", "all cells went on"


def _is_last(decision: Decision, header: RunHeader) -> bool:
    """Tell whether a look is the one at the end, at which nothing is left to be stopped."""
    return decision.round >= header.rounds


def points(report: Report) -> Iterator[Point]:
    """Say the same for a terminal: cells that were stopped for one reason together."""
    for decision in report.decisions:
        head = f"after round {decision.round}"
        if _is_last(decision, report.header):
            yield Point(text=f"{head}: {_AS_PLANNED}.")
            continue
        reasons: dict[str, list[str]] = defaultdict(list)
        for cell_id, why in decision.dropped:
            reasons[why].append(cell_id)
        dropped = [f"left out from then on: {joined(names)}: {ended(why)}" for why, names in reasons.items()]
        stopped = [f"the run was stopped: {ended(decision.stopped)}"] if decision.stopped else []
        items = (*dropped, *stopped) or ("nothing was stopped.",)
        yield Point(text=f"{head}: {items[0]}") if len(items) == 1 else Point(text=f"{head}:", items=items)


def alpha(report: Report, cell: Cell) -> float:
    """Return the share of false claims that was allowed where a cell ended: its intervals hold with 1 less that.

    Open loops are never looked at before their end.
    """
    if cell.load.rate_percent:
        return _ALPHA
    ends = (one.alpha for one in report.decisions if one.stopped or cell.id in dict(one.dropped))
    last = [one.alpha for one in report.decisions[-1:]]
    return next(ends, *last) if last else _ALPHA


def confidence(report: Report, cells: Iterable[Cell]) -> str:
    """Say with what confidence the intervals of these cells hold, `95 %` or `98-99 %`."""
    found = sorted({round(100 * (1 - alpha(report, cell)), 6) for cell in cells}) or [100 * (1 - _ALPHA)]
    return f"{found[0]:g} %" if len(found) == 1 else f"{found[0]:g}-{found[-1]:g} %"


def intervals(report: Report) -> str:
    """Say what the looks do to the intervals; nothing where there was one look at the end."""
    spread = {alpha(report, planned.cell) for planned in report.header.cells}
    if not report.decisions or spread <= {_ALPHA}:
        return ""
    return f"{_SURE}; that of a ratio, at which the first of its two rows did."


def rounds(report: Report) -> str:
    """Say how many rounds there were."""
    planned = report.header.rounds
    stop = next((one for one in report.decisions if one.stopped), None)
    if stop is not None and stop.round < planned:
        dropped = any(one.dropped for one in report.decisions)
        return f"{stop.round} of {planned}{', fewer for some cells' if dropped else ''}; see {HEADING!r}"
    if report.complete:
        return f"{planned} of {planned}"
    done = report.steps_done // max(1, len(report.header.cells))
    return f"{done} of {planned}" if not report.decisions else f"not all of {planned}"


def no_floor(report: Report) -> str:
    """Say why there is no noise floor."""
    twice = any(planned.cell.duplicate for planned in report.header.cells)
    return "not found: the cell that was measured twice has too few good rounds" if twice else _NO_FLOOR


def noise_floor(report: Report) -> str:
    """Say what two cells that are the same differed by; nothing where none was measured twice."""
    floor = report.noise_floor
    if floor is None:
        return ""
    # Its name tells it from the other rows of its table, but does not say which table that is.
    several = sum(not table.rate_percent for table in report.tables) > 1
    who = floor.cell_id if several else floor.name
    found = f"Noise floor: the same cell measured twice ({who}) differed by {floor.ratio.value:.3f}x"
    if floor.ratio.low is None or floor.ratio.high is None:
        return f"{found}, in too few rounds for an interval."
    interval = f"[{floor.ratio.low:.3f}, {floor.ratio.high:.3f}]"
    return f"{found} {interval}: differences below {floor.factor:.3f}x are not told apart."
