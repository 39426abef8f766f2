"""The sentences around a table, the same in every form: what groups, rounds, generators and missing rows mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from servermatrix.analysis import phrases
from servermatrix.analysis.stats import MIN_ROUNDS
from servermatrix.model import Report, RunHeader, Summary, Table
from servermatrix.render import looks, open_loop, parity
from servermatrix.render.table import ABSENT, amount, counted, percent, plain, ratio

MEASURED = "measured"
_ESTIMATES = "Requests/s and CPU us per request are Hodges-Lehmann estimates"
_PERCENTILES = "percentiles of all answers of all starts"
_SUBSTITUTES: Mapping[str, str] = {
    "builtin": "generator: builtin, not comparable with wrk",
    "fake": "SIMULATED by the fake generator: no server was started",
}
_MOST_NAMES = 4
_OPEN_LOOPS = "builtin"
_BALANCE = (
    "busiest worker: its share of all CPU work, in the median start; at worst: in the worst; most connections: the largest share "
    "of the connections that one worker had; balance: 1 when all workers did the same (Jain's index)."
)
_LETTER = re.compile(r"[^\W\d]\d*")  # after `z` comes `a2`


def is_measured(row: Summary) -> bool:
    """Tell whether a row has numbers."""
    return row.status == MEASURED


def comparable(generator: str) -> bool:
    """Tell whether numbers of this generator may stand beside those of other runs of it and of its kind."""
    return generator not in _SUBSTITUTES


def title(table: Table, report: Report) -> str:
    """Say what all rows of a table have in common."""
    common, pace = phrases.title(table, report.tables), phrases.pace(table)
    return plain(common.replace(pace, f"open loop {pace}") if pace and "open loop" not in common else common)


def own_answer(table: Table, report: Report) -> str:
    """Give the answer of a table; nothing when the report has led with the same."""
    return "" if table.answer == report.answer else table.answer


def reference(table: Table) -> str:
    """Name the row that ratios are against, without what the title says already."""
    names = [row.name for row in table.rows if row.planned.cell.id == table.reference]
    return names[0] if names else "reference"


def rank(row: Summary) -> str:
    """Write a rank as one number or as an interval."""
    if row.ranking is None:
        return "not ranked"
    low, high = row.ranking.rank
    return str(low) if low == high else f"{low}-{high}"


def group(row: Summary) -> str:
    """Write the letters of a row's group."""
    return ABSENT if row.ranking is None else row.ranking.group


def against(row: Summary, table: Table) -> str:
    """Write a row's ratio to the reference, which is not compared with itself."""
    return "reference" if row.planned.cell.id == table.reference else ratio(row.ratio)


def incomplete(report: Report) -> str:
    """Say how far a run came and how it goes on; nothing when it is complete."""
    if report.complete:
        return ""
    command = f"python3 run_matrix.py run --resume {report.header.id}"
    return f"INCOMPLETE: {amount(report.steps_done)} of {counted(steps_planned(report), 'step')}; go on with: {command}"


def steps_planned(report: Report) -> int:
    """Count the steps that the run was to have; reports of before there were looks do not say it themselves."""
    return report.steps_planned or len(report.header.cells) * report.header.rounds


def without_numbers(report: Report) -> tuple[Summary, ...]:
    """List the cells that have no numbers, each once."""
    rows = [*report.not_measured, *(row for table in report.tables for row in table.rows if not is_measured(row))]
    return tuple({row.planned.cell.id: row for row in rows}.values())


def settled_rows(report: Report) -> tuple[Summary, ...]:
    """List the cells that have numbers, in the order of the tables."""
    return tuple(row for table in report.tables for row in shown(table))


def shown(table: Table) -> list[Summary]:
    """List the rows of a table that have numbers, without the cell that was measured twice to find the noise."""
    return [row for row in table.rows if is_measured(row) and not row.planned.cell.duplicate]


def under_table(table: Table, report: Report) -> list[str]:
    """Say what must be known to read a table, a sentence or two each."""
    rows = shown(table)
    return [
        *_rounds(rows, table, report),
        *_groups([row for row in rows if row.ranking is not None]),
        *_seen(table, report),
        *_lost(rows),
        _load(table),
        *_statuses(rows),
        *parity.differences(rows, report.proofs),
    ]


def columns(table: Table) -> list[str]:
    """Explain the columns that only report.md has and that do not explain themselves."""
    rows = shown(table)
    few = any(row.p999_us for row in rows) and not all(row.p999_us for row in rows)
    spread = any(row.balance for row in rows)
    return [
        *(["p99 ms by start: the lowest and the highest p99 that a single start had."] if starts_differ(rows) else []),
        *(["p99.9 takes 10,000 answers; rows with fewer have none."] if few else []),
        *([_BALANCE] if spread else []),
    ]


def starts_differ(rows: Sequence[Summary]) -> bool:
    """Tell whether any row has more than one p99 over its starts."""
    return any(row.p99_us is not None and row.p99_us.lowest_us != row.p99_us.highest_us for row in rows)


def _rounds(rows: Sequence[Summary], table: Table, report: Report) -> list[str]:
    if not rows:
        return ["No row of this table could be measured."]
    fewest, most = min(row.rounds_ok for row in rows), max(row.rounds_ok for row in rows)
    of = f"{'' if fewest == most else 'up to '}{counted(most, 'round')}"
    if table.rate_percent:
        return [f"Ordered by p99 and not ranked; CPU us per request is the Hodges-Lehmann estimate of {of}."]
    if most < MIN_ROUNDS:
        return [f"These are medians of {of}; nothing can be ranked."]
    if most < table.rounds_needed:
        needed = f"{counted(table.comparisons, 'comparison')} would need {counted(table.rounds_needed, 'round')}"
        return [f"{_ESTIMATES} of {of}: {needed} before any difference could be confirmed."]
    confidence = looks.confidence(report, (row.planned.cell for row in rows))
    return [f"{_ESTIMATES} of {of}, with intervals of {confidence}."]


def _groups(rows: Sequence[Summary]) -> list[str]:
    if not rows:
        return []
    letters = {row.name: _LETTER.findall(group(row)) for row in rows}
    members = {letter: [name for name, own in letters.items() if letter in own] for own in letters.values() for letter in own}
    shared = {letter: names for letter, names in members.items() if len(names) > 1}
    together = [f"Cannot be told apart ({letter}): {', '.join(names)}." for letter, names in shared.items()]
    apart = [name for name, own in letters.items() if shared.keys().isdisjoint(own)]
    alone = [_apart(apart, len(rows))] if apart and len(rows) > 1 else []
    return ["A rank is an interval; rows that share a letter are not distinguishable in this run.", *together, *alone]


def _apart(names: Sequence[str], of_all: int) -> str:
    if len(names) == of_all:
        return "Every ranked row is told apart from every other."
    those = f"the other {len(names)}" if len(names) > _MOST_NAMES else ", ".join(names)
    return f"Told apart from every other ranked row: {those}."


def _seen(table: Table, report: Report) -> list[str]:
    if table.detectable is None or table.rate_percent:
        return []
    floor = report.noise_floor
    limit = f"; the noise floor, {amount(floor.factor, 3)}x, is above it" if floor and floor.factor > table.detectable else ""
    found = f"{amount(table.detectable, 3)}x ({percent(table.detectable - 1, 1)})"
    return [f"The smallest difference this run could have seen: {found}{limit}."]


def _lost(rows: Sequence[Summary]) -> list[str]:
    """Say what did not count: nothing that went wrong is left out because it was tried again."""
    repeated, failed = sum(row.windows_repeated for row in rows), sum(row.rounds_failed for row in rows)
    if not repeated and not failed:
        return []
    return [f"Did not count: {counted(repeated, 'window')}, driven again; {counted(failed, 'start')}, without a result."]


def _load(table: Table) -> str:
    loop = f"Load: closed loop, c = {table.in_flight}; latency: {_PERCENTILES}, as measured"
    # The clocks of wrk and builtin start when a request is sent.
    connecting = ", without the time to connect" if table.requests_per_connection else ""
    match table.generator:
        case other if table.rate_percent and other != "fake":
            return open_loop.load(table)
        case "wrk":
            return f"{loop} (wrk's back-fill removed){connecting}."
        case "h2load":
            flying = f"{counted(table.in_flight, 'request')} in flight{_spreads(table)}"
            return f"Load: closed loop, {flying}; latency: {_PERCENTILES}, from h2load's log of every request."
        case "fake":
            return f"{_SUBSTITUTES[table.generator]}."
        case "builtin":
            return f"{loop}{connecting}; {_SUBSTITUTES[table.generator]}."
        case other:
            return f"{loop}; generator: {plain(other)}."


def _spreads(table: Table) -> str:
    """Explain the labels that tell the loads of a table apart; nothing when all rows have one load."""
    spreads = {load.label: phrases.spread(load) for load in (row.planned.cell.load for row in table.rows)}
    return f" ({'; '.join(f'{label}: {spread}' for label, spread in spreads.items())})" if len(spreads) > 1 else ""


def _statuses(rows: Sequence[Summary]) -> list[str]:
    names = [row.name for row in rows if row.status_unread]
    if not names:
        return []
    whose = "its answers were" if len(names) == 1 else "their answers were"
    unread = f"{phrases.joined(names)} (empty reason phrase)"
    return [f"h2load cannot read the status line of {unread}: {whose} checked by their size."]


def substitute(header: RunHeader) -> str:
    """Say that numbers are no load test's, or not one's that others may be compared with; nothing when all are."""
    loads = [each.cell.load for each in header.cells if each.cell.load.generator == _OPEN_LOOPS]
    # In an open loop it is no substitute: no other generator sends at a fixed rate.
    meant = {_OPEN_LOOPS} if loads and all(load.rate_percent for load in loads) else set()
    return "; ".join(_SUBSTITUTES[name] for name, _ in header.generators if name in _SUBSTITUTES.keys() - meant)


def apart(report: Report) -> str:
    """Say that numbers of several generators do not meet; nothing when one drove all that was measured."""
    names = list(dict.fromkeys(table.generator for table in report.tables if not table.rate_percent))
    return f"Numbers of {phrases.joined(names)} are never in one ranking." if len(names) > 1 else ""


def generators(header: RunHeader) -> str:
    """Name the generators with their versions, and say which are missing."""
    return ", ".join(f"{name} {version or 'is missing'}" for name, version in header.generators)


def noise(header: RunHeader) -> str:
    """Say what a valid window allowed."""
    limits = header.noise
    if not limits.limited:
        return "any"
    others = f"others up to {percent(limits.foreign_cpu)} of one core" if limits.foreign_cpu < 1 else "others without limit"
    return f"{others}, steal up to {percent(limits.steal)}" if limits.steal < 1 else f"{others}, any steal"
