"""The answer in one sentence: what was shown, or why nothing could be; it calculates no statistics of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from servermatrix.analysis.claims import Looks
from servermatrix.analysis.phrases import counted, joined, places
from servermatrix.analysis.ranking import Contest, ratio_to
from servermatrix.analysis.summarise import Row
from servermatrix.model import UNRANKED, Estimate, Flag, NoiseFloor, Summary, Table

MOST_TABLES = 3
MOST_NAMES = 3
SMALL = 1.05
NOTHING = "nothing can be ranked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a table shows: which rows are better, among how many comparisons, for which so many rounds are `needed`."""

    outcome: Contest
    comparisons: int
    needed: int
    floor: NoiseFloor | None
    looks: Looks


def table_answer(rows: Sequence[Row], shown: Shown) -> str:
    """Say what a table shows; `rows` are in its order, with rankings in their summaries."""
    if len(rows) == 1:
        return _alone(rows[0].summary)
    ranked = [row for row in rows if row.summary.ranking]
    obstacle = _obstacle(rows, ranked, shown)
    return obstacle or _verdict(ranked, shown) + _left_out(len(rows) - len(ranked)) + _so_far(shown.looks)


def _alone(row: Summary) -> str:
    rate = "" if row.rps is None else _with_interval(row.rps, "{:,.0f}")
    flags = f" ({', '.join(row.flags)})" if row.flags else ""
    return f"{row.name} serves {row.planned.cell.app} at {rate} requests/s{flags}; nothing to compare it with"


def _obstacle(rows: Sequence[Row], ranked: Sequence[Row], shown: Shown) -> str:
    """Say why nothing can be ranked, empty when something can."""
    if not shown.looks.taken and shown.looks.coming:
        done = max(row.summary.rounds_ok for row in rows)
        return (
            f"the run ended after {counted(done, 'round')}, before its first look (round {shown.looks.coming.round}): {NOTHING}"
        )
    if len(ranked) > 1:
        return "" if shown.outcome.better or shown.outcome.rounds >= shown.needed else _too_few(shown)
    if all(Flag.FEW_ROUNDS in row.summary.flags for row in rows):
        return f"{counted(max(row.summary.rounds_ok for row in rows), 'round')}: medians only, {NOTHING}"
    reasons = ", ".join(sorted({flag for row in rows for flag in row.summary.flags if flag in UNRANKED}))
    who = f"every row but {_name(ranked[0])} is" if ranked else f"all {len(rows)} rows are"
    return f"{NOTHING}: {who} flagged ({reasons})"


def _too_few(shown: Shown) -> str:
    rounds, comparisons = counted(shown.outcome.rounds, "round"), counted(shown.comparisons, "comparison")
    return f"{rounds} cannot rank {comparisons}: {shown.needed} are needed"


def _verdict(ranked: Sequence[Row], shown: Shown) -> str:
    app = ranked[0].summary.planned.cell.app
    if not shown.outcome.better:
        return _indistinct(ranked, shown, app)
    lead = _lead(ranked, shown.outcome)
    winner, beaten = _clearest(lead, ranked, shown)
    times = _times(winner, beaten, shown)
    if len(lead) > 1:
        return f"{_names(lead)} are tied for the lead on {app}{_blurred(lead, shown)}; {_name(winner)} serves {times}"
    if not _is_clear(winner, beaten, shown) and len(ranked) > 2:  # noqa: PLR2004 - of two, the other one is named
        return f"{_name(winner)} serves {app} {times} and every other row"
    return f"{_name(winner)} serves {app} {times}"


def _indistinct(ranked: Sequence[Row], shown: Shown, app: str) -> str:
    """Say that nothing was shown; where more rounds would hardly help, that it is the machine that cannot."""
    outcome, floor, rows = shown.outcome, shown.floor, f"{len(ranked)} rows"
    if floor and outcome.widest and (outcome.withheld or outcome.widest <= floor.factor):
        return (
            f"this machine cannot tell these apart: {floor.name}, measured twice, differs from itself by up to "
            f"{_size(floor.factor)}, and the {rows} on {app} were not shown to differ by more "
            f"({_size(outcome.widest)} between two of them at most)"
        )
    least = outcome.detectable and max(outcome.detectable, floor.factor if floor else 1.0)
    seen = "" if least is None else f"; a ratio of {least:.2f} could have been seen"
    return f"no difference between {rows} was shown on {app}{seen}"


def _lead(ranked: Sequence[Row], outcome: Contest) -> list[Row]:
    """Return the rows that may be the fastest: those that none was shown to beat; of one, also those that it was not shown to."""
    unbeaten = [row for row in ranked if not any((other.id, row.id) in outcome.better for other in ranked)]
    if len(unbeaten) != 1:
        return unbeaten or list(ranked)
    return [row for row in ranked if row is unbeaten[0] or (unbeaten[0].id, row.id) not in outcome.better]


def _clearest(lead: Sequence[Row], ranked: Sequence[Row], shown: Shown) -> tuple[Row, Row]:
    """Return the two rows whose ratio stands for all: of those shown to differ, one of the lead and the last that is not.

    A pair whose interval, which holds for all pairs at once, has 1 in it stands back where there is another.
    """
    place, leading = {row.id: number for number, row in enumerate(ranked)}, {row.id for row in lead}
    better = sorted(shown.outcome.better, key=lambda pair: (-place[pair[1]], place[pair[0]]))
    fit = [(one, other) for one, other in better if one in leading and other not in leading] or better
    pairs = [(ranked[place[one]], ranked[place[other]]) for one, other in fit]
    return next((pair for pair in pairs if _is_clear(*pair, shown)), pairs[0])


def _is_clear(row: Row, other: Row, shown: Shown) -> bool:
    estimate = _ratio(row, other, shown)
    return estimate is not None and estimate.low is not None and estimate.low > 1


def _ratio(row: Row, other: Row, shown: Shown) -> Estimate | None:
    """Return the ratio of two rows that were chosen because of how they came out."""
    return ratio_to(row, other, shown.looks, shown.outcome.comparisons)


def _blurred(lead: Sequence[Row], shown: Shown) -> str:
    """Say that the floor is what makes a tie, empty when it is not."""
    ids = {row.id for row in lead}
    if shown.floor is None or not any(ids.issuperset(pair) for pair in shown.outcome.withheld):
        return ""
    return f" ({shown.floor.name}, measured twice, differs from itself by up to {_size(shown.floor.factor)})"


def _times(row: Row, other: Row, shown: Shown) -> str:
    estimate = _ratio(row, other, shown)
    if estimate is None or estimate.low is None:
        return f"more requests per second than {_name(other)}"
    return f"{_with_interval(estimate, '{:.2f}', 'x')} as many requests per second as {_name(other)}"


def _size(ratio: float) -> str:
    """Write a ratio above 1, to the thousandth where hundredths would hide it."""
    return f"{ratio:.3f}x" if ratio < SMALL else f"{ratio:.2f}x"


def _so_far(looks: Looks) -> str:
    return f"; as of round {looks.taken[-1].round}, when the run was last looked at" if looks.taken and looks.coming else ""


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
