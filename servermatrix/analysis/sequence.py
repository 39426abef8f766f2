"""Looks at a run that is going on: when they are, and what is left out or stopped because of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from servermatrix.analysis.field import Field, cell_of, field_of
from servermatrix.analysis.floor import noise_floor
from servermatrix.analysis.phrases import counted, joined
from servermatrix.analysis.ranking import Pair, contest
from servermatrix.analysis.stats import ALPHA, MIN_ROUNDS, rounds_needed
from servermatrix.analysis.summarise import Row
from servermatrix.model import UNRANKED, Cell, Decision, Flag, Look, Run

EARLY, MIDDLE, LATE = 0.01, 0.02, 0.02  # what three looks may spend of the 5 %, see claims.py
LATEST_FIRST = 2 / 3  # of the rounds that fit: a first look after more of them would free next to nothing
MOST_NAMES = 3

Affordable = Callable[[Sequence[Cell], int], bool]


def plan_looks(rounds: int, comparisons: int, *, beyond: bool = True) -> tuple[Look, ...]:
    """Return the looks of a run into whose budget so many rounds of all cells fit; none under six rounds, which show nothing.

    They are at half of the rounds, at all of them, and, if the run may go `beyond`, at twice as many, which is reached in the
    time of cells that were left out. Where the first could reject nothing among so many comparisons, there is one look, at all
    rounds.
    """
    if rounds < MIN_ROUNDS:
        return ()
    first = max((rounds + 1) // 2, rounds_needed(comparisons, EARLY))
    if first > rounds * LATEST_FIRST:
        return (Look(round=rounds, alpha=ALPHA),)
    early = Look(round=first, alpha=EARLY)
    if not beyond:
        return early, Look(round=rounds, alpha=MIDDLE + LATE)
    return early, Look(round=rounds, alpha=MIDDLE), Look(round=2 * rounds, alpha=LATE)


def decide(run: Run, look: Look, affordable: Affordable) -> Decision:
    """Return what to do at a look, after the last step of its round; `affordable` says whether so many more rounds of cells fit.

    A row is left out when it was shown to be slower than all that may still be the fastest of its table; where it is known which
    is, the same goes for the next place, and so on. A table whose rows are all told apart is left out whole. The run ends when
    nothing is left, or when the rounds up to the next look do not fit.
    """
    seen = _as_of(run, look)
    field = field_of(seen, look)
    left = [row for row in field.rows if not cell_of(row).load.rate_percent and seen.rounds_of(cell_of(row)) >= look.round]
    dropped = dict(_dropped(field, left))
    going = [cell_of(row) for row in left if row.id not in dropped and row.summary.status != "skipped"]
    coming = field.looks.coming
    if coming is None:
        return Decision(round=look.round, alpha=look.alpha)
    stopped = _stopped(going, coming.round - look.round, affordable)
    return Decision(round=look.round, alpha=look.alpha, dropped=() if stopped else tuple(dropped.items()), stopped=stopped)


def _as_of(run: Run, look: Look) -> Run:
    return replace(
        run,
        samples=tuple(sample for sample in run.samples if sample.round <= look.round),
        decisions=tuple(decision for decision in run.decisions if decision.round < look.round),
    )


def _stopped(going: Sequence[Cell], rounds: int, affordable: Affordable) -> str:
    """Say why the run ends, empty when it goes on."""
    if not going:
        return "nothing is left that more rounds could tell apart"
    if not affordable(going, rounds):
        return f"the {counted(rounds, 'round')} up to the next look do not fit into the budget"
    return ""


def _dropped(field: Field, left: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Yield the ids of the cells that are left out, and why.

    What is measured twice stays while anything does: it is the floor under the claims of all tables.
    """
    floor = noise_floor(field.rows, field.looks)
    reasons: dict[str, str] = {}
    for entrants in field.entrants.values():
        series = {row.id: row.rps for row in entrants}
        better = contest(series, field.looks, floor=floor.factor if floor else 1.0).better
        reasons |= _reasons([row for row in left if row.id in series], field.broken, better)
    broken = {_original(row) for row in left if row.id in field.broken}
    twice = {_original(row) for row in left if cell_of(row).duplicate} - broken
    others = [row for row in left if row.summary.status != "skipped" and _original(row) not in twice]
    kept = twice if any(row.id not in reasons for row in others) else set()
    for row in left:
        original = _original(row)
        if original in reasons and original not in kept:
            yield row.id, reasons[original]


def _original(row: Row) -> str:
    return replace(cell_of(row), duplicate=False).id


def _reasons(table: Sequence[Row], broken: frozenset[str], better: frozenset[Pair]) -> Mapping[str, str]:
    """Say why rows of a table are left out: those that cannot win what is still open, or all of them when nothing is open."""
    failed = {row.id: "it failed, which more rounds would not change" for row in table if row.id in broken}
    playing = [row for row in table if row.id not in broken and _may_be_ranked(row)]
    leaders, losers = _parted(playing, better)
    if leaders:
        return {row.id: f"it was shown to be slower than {_names(leaders)}" for row in losers} | failed
    settled = f"all {len(playing)} rows of its table that can be ranked are told apart"
    alone = "there are no two rows in its table that can be ranked"
    return {row.id: settled if len(playing) > 1 else alone for row in table} | failed


def _may_be_ranked(row: Row) -> bool:
    """Tell whether a row that did not break is ranked, or would be if only it had more rounds."""
    status = row.summary.status
    return status == "failed" or (status == "measured" and UNRANKED.intersection(row.summary.flags) <= {Flag.FEW_ROUNDS})


def _parted(playing: Sequence[Row], better: frozenset[Pair]) -> tuple[list[Row], list[Row]]:
    """Return the rows between which the first place lies that is open, and those that cannot have it; ([], []) if none is."""
    rest = list(playing)
    while rest:
        leaders = [row for row in rest if not any((other.id, row.id) in better for other in rest)]
        losers = [row for row in rest if leaders and all((leader.id, row.id) in better for leader in leaders)]
        if len(leaders) != 1 or len(losers) != len(rest) - 1:
            return leaders, losers
        rest = losers
    return [], []


def _names(rows: Sequence[Row]) -> str:
    names = [row.summary.name for row in rows[:MOST_NAMES]]
    more = len(rows) - MOST_NAMES
    return joined([*names, f"{more} more"] if more > 0 else names)
