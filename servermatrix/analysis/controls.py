"""Controls: what must come out where the answer is known beforehand; a control that fails is the tool's fault, not a server's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from servermatrix.analysis.grouping import Key, table_key
from servermatrix.analysis.phrases import counted, spread
from servermatrix.analysis.stats import ALPHA, ratio
from servermatrix.analysis.summarise import Row
from servermatrix.model import App, Cell, Check, Control, Estimate, Passed

TOLERANCE = 0.10  # of what is predicted; also how far servers may differ that only wait, and how much these may compute
BURN_BAND = (0.5, 2.0)  # how much of the CPU that was burnt must be found again
SIMULATED = "fake"


def checks(apps: Sequence[App], rows: Sequence[Row]) -> tuple[Check, ...]:
    """Return the controls that the rows of a run allow, none where no app has one or nothing was really driven.

    Of closed-loop rows: that those with a control serve what was predicted, that none wins where all only wait, and that CPU
    burnt on purpose is found.
    """
    known = {app.name: app.control for app in apps if app.control is not None}
    fit = [row for row in rows if _cell(row).load.generator != SIMULATED and not _cell(row).load.rate_percent]
    controlled = [(row, control) for row in fit if (control := known.get(_cell(row).app)) is not None]
    holding = [(row, control) for row, control in controlled if control.holds]
    return (
        *(_predicted(row, control) for row, control in holding),
        *_ties([row for row, control in holding if control.holds == "await" and not _computing_s(row, control)]),
        *(_burnt(row, control, fit) for row, control in controlled if control.beyond),
    )


def predicted_per_s(control: Control, cell: Cell) -> float:
    """Return the requests per second that a cell must serve, from how many answers can be held at once and for how long.

    In a closed loop that is in flight / seconds where nothing but the loop waits, and it cannot be more than one answer per
    thread or per worker where these are held. Source: Little (1961), A proof for the queuing formula L = lambda W.
    """
    at_once = {"await": cell.load.in_flight, "threads": control.threads * cell.workers, "worker": cell.workers}
    return min(cell.load.in_flight, at_once[control.holds]) / control.seconds


def _predicted(row: Row, control: Control) -> Check:
    cell, expected = _cell(row), predicted_per_s(control, _cell(row))
    held = {
        "await": f"{spread(cell.load)}, and each answer awaits",
        "threads": f"{counted(control.threads * cell.workers, 'thread')}, and each answer holds one for",
        "worker": f"{counted(cell.workers, 'worker')}, and each answer holds one for",
    }
    rps, computing_s = row.summary.rps, _computing_s(row, control)
    least = expected * control.seconds / (control.seconds + computing_s)
    less = f", or less by the {1000 * computing_s:.0f} ms that the server computes for all of them" if computing_s else ""
    return Check(
        subject=_subject(row),
        rule=f"{held[control.holds]} {1000 * control.seconds:g} ms: requests/s within {TOLERANCE:.0%} of what that allows{less}",
        expected=expected,
        found=rps,
        unit="requests/s",
        passed=_passed(None if rps is None else (1 - TOLERANCE) * least <= rps.value <= (1 + TOLERANCE) * expected),
    )


def _computing_s(row: Row, control: Control) -> float:
    """Return the seconds that a server needs to compute all answers in flight, 0 where it matters less than what is held.

    Answers that were begun together end together: a server with much to compute for each of them works them off in a burst,
    and the last one of it comes that much later.
    """
    cell, cpu = _cell(row), row.summary.cpu_us_per_request
    if control.holds != "await" or cpu is None:
        return 0.0
    together_s = cell.load.in_flight * cpu.value / 1e6 / cell.workers
    return together_s if together_s > TOLERANCE * control.seconds else 0.0


def _ties(rows: Sequence[Row]) -> Iterator[Check]:
    """Demand of servers that only wait that the fastest is no faster than the slowest; the interval holds for any two."""
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(table_key(_cell(row)), []).append(row)
    for group in groups.values():
        if len(group) < 2:  # noqa: PLR2004 - a tie takes two
            continue
        measured = sorted((row for row in group if row.rps), key=lambda row: row.value)
        pairs = len(measured) * (len(measured) - 1) // 2
        found = _ratio(measured[-1].rps, measured[0].rps, ALPHA / pairs) if pairs else None
        yield Check(
            subject=f"{counted(len(group), 'server')} under {_cell(group[0]).app}",
            rule=f"the fastest serves no more than {TOLERANCE:.0%} more than the slowest, where all do nothing but wait",
            expected=1.0,
            found=found,
            unit="times as many requests/s",
            passed=_passed(None if found is None else found.value <= 1 + TOLERANCE),
        )


def _burnt(row: Row, control: Control, rows: Sequence[Row]) -> Check:
    twins = [other for other in rows if _cell(other).app == control.beyond and _but_for_app(other) == _but_for_app(row)]
    found = _ratio(row.cpu_us, twins[0].cpu_us) if twins else None
    low, high = (1 + part * control.burns for part in BURN_BAND)
    return Check(
        subject=_subject(row),
        rule=f"{control.burns:.0%} of CPU time burnt on purpose is seen against {control.beyond}: the interval excludes 1",
        expected=1 + control.burns,
        found=found,
        unit="times the CPU us/request",
        passed=_passed(None if found is None or found.low is None else found.low > 1 and low <= found.value <= high),
    )


def _ratio(one: Mapping[int, float], other: Mapping[int, float], alpha: float = ALPHA) -> Estimate | None:
    common = sorted(number for number in one.keys() & other.keys() if one[number] > 0 and other[number] > 0)
    return ratio([one[number] for number in common], [other[number] for number in common], alpha) if common else None


def _passed(holds: bool | None) -> Passed:  # noqa: FBT001 - the one thing it is about
    if holds is None:
        return Passed.UNKNOWN
    return Passed.YES if holds else Passed.NO


def _cell(row: Row) -> Cell:
    return row.summary.planned.cell


def _but_for_app(row: Row) -> tuple[object, ...]:
    cell = _cell(row)
    return cell.start, cell.load, cell.interface, cell.duplicate


def _subject(row: Row) -> str:
    return f"{row.summary.name}, {_cell(row).app}"
