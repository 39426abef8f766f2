"""The sentences around a table, the same in every form: what flags, groups, generators and missing rows mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from servermatrix.analysis import phrases
from servermatrix.analysis.stats import MIN_ROUNDS
from servermatrix.model import UNRANKED, Flag, Report, RunHeader, Summary, Table
from servermatrix.render import parity
from servermatrix.render.table import ABSENT, amount, counted, percent, plain, ratio

MEASURED = "measured"
NO_FLAGS = "none"
_ESTIMATES = "Requests/s, CPU and latency are Hodges-Lehmann estimates"
_SUBSTITUTES: Mapping[str, str] = {
    "builtin": "generator: builtin, not comparable with wrk",
    "fake": "SIMULATED by the fake generator: no server was started",
}
_LETTER = re.compile(r"[^\W\d]\d*")  # after `z` comes `a2`
_FLAGS: Mapping[Flag, str] = {
    Flag.CLIENT_BOUND: "the generator used more than 85 % of its cores, so the server's limit was not seen",
    Flag.UNDER_DRIVEN: "the server was less than 90 % busy though the generator had time left, so its limit was not reached",
    Flag.OVERSUBSCRIBED: "workers and generator threads together are more than the cores, so they took time from each other",
    Flag.NOISY: "other programs or the host disturbed more than a third of the windows",
    Flag.PLATEAU_40_MS: "answers wait about 40 ms, which is TCP's delayed acknowledgement and not work of the server",
    Flag.UNBALANCED: "one worker did far more than an even share of the work",
    Flag.FEW_ROUNDS: f"fewer than {MIN_ROUNDS} rounds are good, too few for an interval",
}


def is_measured(row: Summary) -> bool:
    """Tell whether a row has numbers."""
    return row.status == MEASURED


def comparable(generator: str) -> bool:
    """Tell whether numbers of this generator may stand beside those of other runs of it and of its kind."""
    return generator not in _SUBSTITUTES


def title(table: Table, report: Report) -> str:
    """Say what all rows of a table have in common."""
    return plain(phrases.title(table, report.tables))


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


def flags(row: Summary) -> str:
    """List the flags of a row."""
    return ", ".join(row.flags) or NO_FLAGS


def incomplete(report: Report) -> str:
    """Say how far a run came and how it goes on; nothing when it is complete."""
    if report.complete:
        return ""
    steps = len(report.header.cells) * report.header.rounds
    command = f"python3 run_matrix.py run --resume {report.header.id}"
    return f"INCOMPLETE: {amount(report.steps_done)} of {counted(steps, 'step')}; go on with: {command}"


def without_numbers(report: Report) -> tuple[Summary, ...]:
    """List the cells that have no numbers, each once."""
    rows = [*report.not_measured, *(row for table in report.tables for row in table.rows if not is_measured(row))]
    return tuple({row.planned.cell.id: row for row in rows}.values())


def settled_rows(report: Report) -> tuple[Summary, ...]:
    """List the cells that have numbers, in the order of the tables."""
    return tuple(row for table in report.tables for row in table.rows if is_measured(row))


def under_table(table: Table, report: Report) -> list[str]:
    """Say what must be known to read a table, a sentence or two each."""
    rows = [row for row in table.rows if is_measured(row)]
    return [
        *_rounds(rows, table),
        *_groups([row for row in rows if row.ranking is not None]),
        *_seen(table),
        *_lost(rows),
        _load(table),
        *_statuses(rows),
        *parity.differences(rows, report.proofs),
        *(f"{flag}: {_FLAGS[flag]}{'; not ranked' if flag in UNRANKED else ''}." for flag in _present(rows)),
    ]


def _present(rows: Iterable[Summary]) -> list[Flag]:
    found = {flag for row in rows for flag in row.flags}
    return [flag for flag in Flag if flag in found]


def _rounds(rows: Sequence[Summary], table: Table) -> list[str]:
    most = max((row.rounds_ok for row in rows), default=0)
    if not rows:
        return ["No row of this table could be measured."]
    if most < MIN_ROUNDS:
        return [f"These are medians of {counted(most, 'round')}; nothing can be ranked."]
    if most < table.rounds_needed:
        needed = f"{counted(table.comparisons, 'comparison')} would need {counted(table.rounds_needed, 'round')}"
        return [f"{_ESTIMATES} of {counted(most, 'round')}: {needed} before any difference could be confirmed."]
    return [f"{_ESTIMATES} of {counted(most, 'round')}, with intervals of 95 %."]


def _groups(rows: Sequence[Summary]) -> list[str]:
    if not rows:
        return []
    letters = {row.name: _LETTER.findall(group(row)) for row in rows}
    members = {letter: [name for name, own in letters.items() if letter in own] for own in letters.values() for letter in own}
    shared = {letter: names for letter, names in members.items() if len(names) > 1}
    together = [f"Cannot be told apart ({letter}): {', '.join(names)}." for letter, names in shared.items()]
    apart = [name for name, own in letters.items() if shared.keys().isdisjoint(own)]
    alone = [f"Told apart from every other ranked row: {', '.join(apart)}."] if apart and len(rows) > 1 else []
    return ["A rank is an interval; rows that share a letter are not distinguishable in this run.", *together, *alone]


def _seen(table: Table) -> list[str]:
    if table.detectable is None:
        return []
    more = table.detectable - 1
    return [f"The smallest difference this run could have seen: {amount(table.detectable, 3)}x ({percent(more, 1)})."]


def _lost(rows: Sequence[Summary]) -> list[str]:
    """Say what did not count: nothing that went wrong is left out because it was tried again."""
    repeated, failed = sum(row.windows_repeated for row in rows), sum(row.rounds_failed for row in rows)
    if not repeated and not failed:
        return []
    return [f"Did not count: {counted(repeated, 'window')}, driven again; {counted(failed, 'start')}, without a result."]


def _load(table: Table) -> str:
    loop = f"Load: closed loop, c = {table.in_flight}, latency as measured"
    # The clocks of wrk and builtin start when a request is sent.
    connecting = ", without the time to connect" if table.requests_per_connection else ""
    match table.generator:
        case "wrk":
            return f"{loop} (wrk's back-fill removed){connecting}."
        case "h2load":
            flying = f"{counted(table.in_flight, 'request')} in flight{_spreads(table)}"
            return f"Load: closed loop, {flying}, latency from h2load's log of every request."
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
    return "; ".join(_SUBSTITUTES[name] for name, _ in header.generators if name in _SUBSTITUTES)


def apart(report: Report) -> str:
    """Say that numbers of several generators do not meet; nothing when one drove all that was measured."""
    names = list(dict.fromkeys(table.generator for table in report.tables))
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
