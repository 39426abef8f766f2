"""Run -> PickReport: what is recommended of a search, and all the evidence for it; it starts nothing and reads no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from servermatrix.analysis import holding, race
from servermatrix.analysis.claims import Looks
from servermatrix.analysis.field import cell_of, field_of
from servermatrix.analysis.picks.bought import bought
from servermatrix.analysis.picks.capacity import capacity_of
from servermatrix.analysis.picks.pareto import pareto
from servermatrix.analysis.picks.share import share_of
from servermatrix.analysis.picks.standings import Known, Placed, placed
from servermatrix.analysis.picks.telling import Told, answer, line, reason_of
from servermatrix.analysis.picks.trying import unsettled
from servermatrix.analysis.picks.versus import Series, Versus, inverse
from servermatrix.analysis.picks.warning import warnings
from servermatrix.analysis.race.entrants import pss_of
from servermatrix.analysis.stats import estimate
from servermatrix.analysis.summarise import Row, checked
from servermatrix.model import CPU, MEMORY, Candidate, Measured, PickReport, Race, Run, Standing

_ORDER = (
    Standing.PICKED,
    Standing.TIED,
    Standing.OPEN,
    Standing.BEATEN,
    Standing.OVER_LIMIT,
    Standing.FAILED,
    Standing.SKIPPED,
)
_UNKNOWN = (Standing.OPEN, "nothing is known of it yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """What a search found: the rows of the cells that took part, of the references, and the figures by which they compare."""

    rows: tuple[Row, ...]
    references: tuple[Row, ...]
    rates: Versus
    cpu: Versus
    known: Known


def judge(run: Run) -> PickReport:
    """Return what is recommended of a search, however far it came; `deployed` is left to who can write it."""
    sought = run.header.race or Race()
    found = _evidence(run, sought)
    outcome = race.outcome(run)
    where = placed(sought, outcome, found.known)
    candidates = _candidates(sought, found, where, outcome)
    picked = found.known.rows[where.picked] if where.picked else None
    told = Told(race=sought, candidates=candidates, placed=where, known=found.known)
    cores = sought.cores or run.header.host.cores
    return PickReport(
        header=run.header,
        race=sought,
        line=line(candidates),
        answer=answer(told),
        candidates=candidates,
        deployed=None,
        share=share_of(found.rows, found.references, found.rates, found.cpu, picked=where.picked, over=outcome.over),
        capacity=None if picked is None else capacity_of(picked, found.rows, sought, cores),
        effects=bought(found.rows, found.rates),
        decisions=run.decisions,
        warnings=tuple(warnings(run, told)),
        met=where.met,
        complete=run.complete and not holding.unfinished(run),
        steps=(len(run.samples), run.steps_planned),
    )


def _evidence(run: Run, sought: Race) -> _Evidence:
    field = field_of(run)
    closed = [row for row in field.rows if not cell_of(row).load.rate_percent and not cell_of(row).duplicate]
    rows = tuple(_as_sure(row, field.looks) for row in closed if row.id not in sought.references)
    references = tuple(row for row in closed if row.id in sought.references)
    looks = max(1, len(run.header.looks))
    rates = Versus({row.id: row.rps for row in rows if row.rps}, looks)
    cpu = Versus({row.id: row.cpu_us for row in chain(rows, references) if row.cpu_us}, looks)
    held = {one.cell_id: one for one in holding.held(run)}
    known = Known(
        rows={row.id: row for row in rows},
        versus=_preferred(run, sought, rows, rates),
        held=held,
        prefer=sought.prefer,
        broke=holding.broke(run),
        unsettled=unsettled(run),
    )
    return _Evidence(rows=rows, references=references, rates=rates, cpu=cpu, known=known)


def _as_sure(row: Row, looks: Looks) -> Row:
    """Return the row with intervals that hold at the look at which it was left out."""
    alpha, summary = looks.alpha(row.id), row.summary
    if not row.rps:
        return row
    cost = estimate([*row.cpu_us.values()], alpha) if row.cpu_us else summary.cpu_us_per_request
    return replace(row, summary=replace(summary, rps=estimate([*row.rps.values()], alpha), cpu_us_per_request=cost))


def _preferred(run: Run, sought: Race, rows: Sequence[Row], rates: Versus) -> Versus:
    """Return how cells compare in what is preferred, more is better."""
    if sought.prefer == CPU:
        return Versus(inverse({row.id: row.cpu_us for row in rows if row.cpu_us}), rates.looks)
    return Versus(inverse(_memory(run, rows)), rates.looks) if sought.prefer == MEMORY else rates


def _memory(run: Run, rows: Sequence[Row]) -> Series:
    """Return the memory of every start, in bytes, by cell and round."""
    found: dict[str, dict[int, float]] = {row.id: {} for row in rows if row.rps}
    for sample in map(checked, run.samples):
        if isinstance(sample, Measured) and sample.cell_id in found and (size := pss_of(sample)):
            found[sample.cell_id][sample.round] = size
    return {own: sizes for own, sizes in found.items() if sizes}


def _candidates(sought: Race, found: _Evidence, where: Placed, outcome: race.Outcome) -> tuple[Candidate, ...]:
    usable = [
        row for row in found.rows if where.picked is None or where.standings.get(row.id, _UNKNOWN)[0] is not Standing.OVER_LIMIT
    ]
    front = pareto([row.summary for row in usable])
    told = [_candidate(row, sought, found, where, pareto=row.id in front) for row in found.rows]
    order = {own: place for place, own in enumerate(where.tied)}

    def place(one: Candidate) -> tuple[int, int, float]:
        own = one.summary.planned.cell.id
        score = outcome.score(own)
        return _ORDER.index(one.standing), order.get(own, 0), -(score.value if score else 0.0)

    return tuple(sorted(told, key=place))


def _candidate(row: Row, sought: Race, found: _Evidence, where: Placed, *, pareto: bool) -> Candidate:
    standing, reason = where.standings.get(row.id, _UNKNOWN)
    against = found.known.versus.ratio(row.id, where.picked, found.known.comparisons) if where.picked else None
    return Candidate(
        summary=row.summary,
        standing=standing,
        reason=reason_of(row, where, found.known, sought) if standing is Standing.PICKED else reason,
        rounds=row.summary.rounds_ok,
        score=against,
        pareto=pareto,
        held=found.known.held.get(row.id),
    )
