"""The answer in one sentence: what was shown, or why nothing could be; it calculates no statistics of its own."""

from __future__ import annotations

from collections.abc import Sequence

from servermatrix.analysis.phrases import counted, joined, places
from servermatrix.analysis.ranking import Contest, ratio_to
from servermatrix.analysis.summarise import Row
from servermatrix.model import UNRANKED, Estimate, Flag, Summary, Table

MOST_TABLES = 3
MOST_NAMES = 3


def table_answer(rows: Sequence[Row], outcome: Contest, comparisons: int, rounds_needed: int) -> str:
    """Say what a table shows; `rows` are in its order, with rankings in their summaries."""
    if len(rows) == 1:
        return _alone(rows[0].summary)
    return _obstacle(rows, outcome.rounds, comparisons, rounds_needed) or _verdict(rows, outcome.detectable)


def _alone(row: Summary) -> str:
    rate = "" if row.rps is None else _with_interval(row.rps, "{:,.0f}")
    flags = f" ({', '.join(row.flags)})" if row.flags else ""
    return f"{row.name} serves {row.planned.cell.app} at {rate} requests/s{flags}; nothing to compare it with"


def _obstacle(rows: Sequence[Row], rounds: int, comparisons: int, rounds_needed: int) -> str:
    """Say why nothing can be ranked, empty when something can."""
    ranked = [row for row in rows if row.summary.ranking]
    if len(ranked) > 1:
        return "" if rounds >= rounds_needed else _too_few(rounds, comparisons, rounds_needed)
    if all(Flag.FEW_ROUNDS in row.summary.flags for row in rows):
        return f"{counted(max(row.summary.rounds_ok for row in rows), 'round')}: medians only, nothing can be ranked"
    reasons = ", ".join(sorted({flag for row in rows for flag in row.summary.flags if flag in UNRANKED}))
    who = f"every row but {_name(ranked[0])} is" if ranked else f"all {len(rows)} rows are"
    return f"nothing can be ranked: {who} flagged ({reasons})"


def _too_few(rounds: int, comparisons: int, rounds_needed: int) -> str:
    return f"{counted(rounds, 'round')} cannot rank {counted(comparisons, 'comparison')}: {rounds_needed} are needed"


def _verdict(rows: Sequence[Row], detectable: float | None) -> str:
    ranked = [row for row in rows if row.summary.ranking]
    lead = [row for row in ranked if _alike(row.summary, ranked[0].summary)]
    beaten = [row for row in ranked if not _alike(row.summary, ranked[0].summary)]
    app = rows[0].summary.planned.cell.app
    if not beaten:
        text = f"no difference between {len(ranked)} rows was shown on {app}{_seen(detectable)}"
    elif len(lead) > 1:
        text = f"{_names(lead)} are tied for the lead on {app}; {_name(lead[0])} serves {_times(lead[0], beaten[-1])}"
    else:
        text = f"{_name(lead[0])} serves {app} {_times(lead[0], beaten[-1])}"
    return text + _left_out(len(rows) - len(ranked))


def _alike(one: Summary, other: Summary) -> bool:
    """Tell whether two rows share a letter: neither was shown to be better."""
    return bool(one.ranking and other.ranking and set(_letters(one.ranking.group)) & set(_letters(other.ranking.group)))


def _letters(group: str) -> list[str]:
    """Split `ab2c` into its letters `a`, `b2`, `c`."""
    return "".join(f" {sign}" if sign.isalpha() else sign for sign in group).split()


def _times(row: Row, other: Row) -> str:
    estimate = ratio_to(row, other)
    size = "more than once" if estimate is None else _with_interval(estimate, "{:.2f}", "x")
    return f"{size} as many requests per second as {_name(other)}"


def _seen(detectable: float | None) -> str:
    return "" if detectable is None else f"; a ratio of {detectable:.2f} could have been seen"


def _left_out(count: int) -> str:
    return f"; {counted(count, 'flagged row')} not ranked" if count else ""


def _with_interval(estimate: Estimate, form: str, unit: str = "") -> str:
    value = form.format(estimate.value) + unit
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{form.format(estimate.low)}, {form.format(estimate.high)}]"


def _name(row: Row) -> str:
    return row.summary.name


def _names(rows: Sequence[Row]) -> str:
    names = [_name(row) for row in rows[:MOST_NAMES]]
    if len(rows) > MOST_NAMES:
        names.append(f"{len(rows) - MOST_NAMES} more")
    return joined(names)


def report_answer(tables: Sequence[Table]) -> str:
    """Say what a report shows: the answer of its table, or of the first three, each with what tells it from the others."""
    if not tables:
        return "nothing was measured"
    if len(tables) == 1:
        return tables[0].answer
    texts = [f"{where}: {table.answer}" for where, table in zip(places(tables), tables[:MOST_TABLES], strict=False)]
    more = len(tables) - MOST_TABLES
    return ". ".join([*texts, f"... and {counted(more, 'more table')}"] if more > 0 else texts)
