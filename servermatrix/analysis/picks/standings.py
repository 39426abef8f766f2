"""What became of each cell: by the race, then, where latency is limited or preferred, by what was held at fixed rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from servermatrix.analysis.field import cell_of
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.picks.choice import cheapest
from servermatrix.analysis.picks.versus import Versus
from servermatrix.analysis.picks.words import compared, latency, mebibytes, number, setting
from servermatrix.analysis.race import Outcome
from servermatrix.analysis.summarise import Row
from servermatrix.model import CPU, LATENCY, MEMORY, THROUGHPUT, Held, Limit, Race, Standing

Standings = Mapping[str, tuple[Standing, str]]

FEWEST_ROUNDS = 2  # in common, below which nothing is recommended
TOO_FEW = "it has too few rounds for anything to be said of it"
KEPT = 1 - 1e-9  # of a rate: what was asked for and what is stored of it may differ in the last digit


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What became of the cells, by id, and why in a sentence; `tied` are the picked cell and those tied with it, best first.

    `picked` is None where nothing can be recommended; `met` is False where no cell is known to keep the limits. The best of those
    that do not is `nearest`. `early` tells that there are too few rounds to compare anything; `nearest` then is the first so far.
    """

    picked: str | None
    tied: tuple[str, ...] = ()
    standings: Standings = field(default_factory=dict)
    met: bool = True
    nearest: str | None = None
    early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What cells are placed by: their rows, how they compare in what is preferred, and what they held at fixed rates, by id.

    `broke` says of those that failed there how; of those that are `unsettled` the search was cut off.
    """

    rows: Mapping[str, Row]
    versus: Versus
    held: Mapping[str, Held]
    prefer: str = THROUGHPUT
    broke: Mapping[str, str] = field(default_factory=dict)
    unsettled: frozenset[str] = frozenset()

    @property
    def comparisons(self) -> int:
        """Count the comparisons with one cell that hold together."""
        return max(1, len(self.versus.series) - 1)


def placed(race: Race, outcome: Outcome, known: Known) -> Placed:
    """Return what became of every cell that took part."""
    if _is_early(outcome):
        unknown = dict.fromkeys(_those_tied(outcome), (Standing.OPEN, TOO_FEW))
        return Placed(picked=None, standings=_by_the_race(race, outcome, known) | unknown, nearest=outcome.best, early=True)
    if race.latency_limits or race.prefer == LATENCY:
        return _by_rates(race, outcome, known)
    return _with_the_picked(_by_the_race(race, outcome, known), _those_tied(outcome), known, _tie_in_the_race)


def _is_early(outcome: Outcome) -> bool:
    """Tell whether no cell has enough rounds in common with the one in front; one that stands alone needs none."""
    others = [*outcome.tied, *outcome.beaten, *outcome.open]
    rounds = [score.n for own in others if (score := outcome.score(own))]
    return outcome.best is not None and bool(others) and max(rounds, default=0) < FEWEST_ROUNDS


def _those_tied(outcome: Outcome) -> tuple[str, ...]:
    return () if outcome.best is None else (outcome.best, *outcome.tied)


def _by_the_race(race: Race, outcome: Outcome, known: Known) -> dict[str, tuple[Standing, str]]:
    """Say what became of the cells that cannot be picked whatever else is found."""
    heavy = {own: _overweight(known.rows[own], reason, race.limit(MEMORY)) for own, reason in outcome.over.items()}
    groups = (
        (Standing.BEATEN, outcome.beaten),
        (Standing.OVER_LIMIT, heavy),
        (Standing.FAILED, outcome.failed),
        (Standing.SKIPPED, outcome.skipped),
        (Standing.OPEN, dict.fromkeys(outcome.open, TOO_FEW)),
    )
    return {own: (standing, reason) for standing, group in groups for own, reason in group.items()}


def _overweight(row: Row, reason: str, limit: Limit | None) -> str:
    """Say what memory a cell takes, with the limit as it was typed."""
    size = row.summary.pss_bytes
    return reason if size is None or limit is None else f"it takes {mebibytes(size)} of memory, and the limit is {limit.text}"


def _with_the_picked(standings: Standings, tied: Sequence[str], known: Known, tie: Callable[[str, str, Known], str]) -> Placed:
    """Pick the cheapest of those tied; `met` is False where none is and some are over a limit."""
    if not tied:
        over = [own for own, (standing, _) in standings.items() if standing is Standing.OVER_LIMIT]
        return Placed(picked=None, standings=standings, met=not over, nearest=_lightest(over, known))
    picked = cheapest([known.rows[own] for own in tied]).id
    found = {own: (Standing.TIED, tie(own, picked, known)) for own in tied if own != picked}
    return Placed(picked=picked, tied=tuple(tied), standings={**standings, **found, picked: (Standing.PICKED, "")})


def _lightest(ids: Sequence[str], known: Known) -> str | None:
    """Return the cell with the least memory."""
    sizes = {own: size for own in ids if (size := known.rows[own].summary.pss_bytes) is not None}
    return min(sizes, key=sizes.__getitem__, default=None)


def _tie_in_the_race(own: str, picked: str, known: Known) -> str:
    ratio = known.versus.ratio(own, picked, known.comparisons)
    seen = "" if ratio is None else f": {compared(ratio, known.prefer)}, by {counted(ratio.n, 'round')}"
    return f"it was not shown to be better or worse than {setting(cell_of(known.rows[picked]))}{seen}"


def _tie_at_rates(own: str, picked: str, known: Known) -> str:
    return f"it was not shown to be better or worse than {setting(cell_of(known.rows[picked]))}: {known.held[own].sentence}"


def _by_rates(race: Race, outcome: Outcome, known: Known) -> Placed:
    standings = _by_the_race(race, outcome, known) | {own: (Standing.FAILED, reason) for own, reason in known.broke.items()}
    tried = {own: one for own, one in known.held.items() if own not in known.broke}
    untried = dict.fromkeys(_those_tied(outcome), "it was not beaten in the race, but not tried at fixed rates either")
    standings |= {own: (Standing.OPEN, reason) for own, reason in untried.items() if own not in known.held}
    keeping = [one for one in tried.values() if keeps(one, race) and one.cell_id in known.rows]
    standings |= {own: (_short_of(one, race, known), one.sentence) for own, one in tried.items() if not keeps(one, race)}
    if not keeping:
        met = not (race.latency_limits or race.rate_per_s)
        return Placed(picked=None, standings=standings, met=met, nearest=_nearest([*tried.values()], known))
    tied = _lead(keeping, race, known)
    lead = tied[0]
    for one in keeping:
        standing = Standing.OPEN if _is_unsettled(one, known.held[lead], race, known) else Standing.BEATEN
        standings[one.cell_id] = standing, _behind(one, known.held[lead], race, known)
    tied = tuple(own for own in tied if own == lead or not _is_unsettled(known.held[own], known.held[own], race, known))
    return _with_the_picked(standings, tied, known, _tie_in_the_race if _is_scored(race) else _tie_at_rates)


def keeps(one: Held, race: Race) -> bool:
    """Tell whether a cell was seen to keep the limits, and the rate that is expected where one is."""
    return (
        one.low_per_s > 0
        and one.low_per_s >= KEPT * race.rate_per_s
        and (bool(race.latency_limits) or one.latency_us is not None)
    )


def _is_unsettled(one: Held, lead: Held, race: Race, known: Known) -> bool:
    """Tell whether a search that was cut off is why a cell seems to be behind the lead; its score needs no rate of its own."""
    return lead.cell_id in known.unsettled or (one.cell_id in known.unsettled and not _is_scored(race))


def _short_of(one: Held, race: Race, known: Known) -> Standing:
    """Return what became of a cell that does not keep them: it may be that this is not known yet."""
    if not one.high_per_s or one.cell_id in known.unsettled:
        return Standing.OPEN
    return Standing.OVER_LIMIT if race.latency_limits or race.rate_per_s else Standing.BEATEN


def _nearest(tried: Sequence[Held], known: Known) -> str | None:
    """Return the cell that came nearest to keeping the limits: with the shortest latency where it was tried, else the fastest."""
    times = {one.cell_id: one.latency_us.value for one in tried if one.latency_us is not None}
    rates = {one.cell_id: known.rows[one.cell_id].value for one in tried if one.starts and one.cell_id in known.rows}
    return min(times, key=times.__getitem__, default=max(rates, key=rates.__getitem__, default=None))


def _lead(keeping: Sequence[Held], race: Race, known: Known) -> tuple[str, ...]:
    """Return the cells that may be the best of those that keep the limits, the one that seems so first."""
    if _is_scored(race):
        return _ahead([one.cell_id for one in keeping], known)
    if race.latency_limits and not race.rate_per_s:
        first = max(keeping, key=lambda one: one.low_per_s)
        return _first_then(first, [one for one in keeping if _may_hold_more(one, first.low_per_s, known)])
    first = min(keeping, key=lambda one: one.latency_us.value if one.latency_us else float("inf"))
    return _first_then(first, [one for one in keeping if not _is_slower(one, first)])


def _is_scored(race: Race) -> bool:
    """Tell whether cells that keep the limits compete by their score in the race, and not by what they held at fixed rates."""
    return race.prefer in (CPU, MEMORY) or (race.prefer == THROUGHPUT and race.rate_per_s > 0)


def _first_then(first: Held, others: Iterable[Held]) -> tuple[str, ...]:
    return first.cell_id, *(one.cell_id for one in others if one.cell_id != first.cell_id)


def _may_hold_more(one: Held, rate_per_s: float, known: Known) -> bool:
    """Tell whether a cell may hold more than this; where no rate was too high for it, up to what it serves in a closed loop."""
    return (one.high_per_s or known.rows[one.cell_id].value) > rate_per_s


def _is_slower(one: Held, other: Held) -> bool:
    """Tell whether the interval of a latency lies above that of another; without intervals that cannot be told."""
    if one.latency_us is None or other.latency_us is None:
        return one.latency_us is None
    low, high = one.latency_us.low, other.latency_us.high
    return low is not None and high is not None and low > high


def _ahead(ids: Sequence[str], known: Known) -> tuple[str, ...]:
    """Return of these cells the one that is ahead in what is preferred, then those that are not surely worse than it."""

    def ahead(own: str) -> float:
        ratios = [ratio.value for other in ids if (ratio := known.versus.ratio(own, other))]
        return min(ratios, default=0.0)

    first = max(ids, key=ahead)
    ratios = {own: known.versus.ratio(own, first, known.comparisons) for own in ids if own != first}
    return first, *(own for own, ratio in ratios.items() if ratio is None or ratio.high is None or ratio.high >= 1)


def _behind(one: Held, lead: Held, race: Race, known: Known) -> str:
    """Say what a cell that keeps the limits lacks against the one in front."""
    name = setting(cell_of(known.rows[lead.cell_id]))
    if _is_scored(race):
        ratio = known.versus.ratio(one.cell_id, lead.cell_id, known.comparisons)
        scored = "was not as good" if ratio is None else f"had {compared(ratio, known.prefer)}"
        return f"{one.sentence}, but beside {name} it {scored}"
    if race.prefer == LATENCY and lead.latency_us and one.low_per_s == lead.low_per_s:
        return f"{one.sentence}, and {name} answers in {latency(lead.latency_us)} there"
    return f"{one.sentence}, and {name} does so up to {number(lead.low_per_s)} requests/s"
