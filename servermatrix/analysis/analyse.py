"""Run -> Report: right of the border, nothing but stored facts; it starts nothing, reads no file and prints nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from servermatrix.analysis.claims import Looks
from servermatrix.analysis.controls import checks
from servermatrix.analysis.effects import effects
from servermatrix.analysis.field import Field, cell_of, field_of
from servermatrix.analysis.floor import noise_floor
from servermatrix.analysis.grouping import Key, in_order, row_names, table_key
from servermatrix.analysis.headline import Shown, report_answer, table_answer
from servermatrix.analysis.open_loop import tabulate_open
from servermatrix.analysis.ranking import contest, is_rankable, rankings, ratio_to
from servermatrix.analysis.stats import ALPHA, estimate, rounds_needed
from servermatrix.analysis.summarise import Row
from servermatrix.errors import UsageProblem
from servermatrix.model import PROTOCOLS, UNRANKED, Cell, Flag, NoiseFloor, Report, Run, Summary, Table
from servermatrix.suggest import did_you_mean


def analyse(run: Run, reference: str | None = None) -> Report:
    """Return all that can be said of a run, however far it came.

    `reference` is the setting, the name of a row or the cell id that ratios are against, of several rows the first in the order
    of the plan; in tables that do not have it, and when it is None, that is the first row that is ranked, else the first. Raises
    UsageProblem for a reference that the run never planned.
    """
    cells = [planned.cell for planned in run.header.cells]
    _check(reference, cells, row_names(cells))
    field = field_of(run)
    floor = noise_floor(field.rows, field.looks)
    shown = [_as_sure(row, field.looks) for row in field.rows if _is_shown(row)]
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in shown:
        if row.summary.status == "measured":
            groups[table_key(cell_of(row))].append(row)
    tables = tuple(_table(key, groups[key], field, floor, reference) for key in in_order(groups))
    return Report(
        header=run.header,
        proofs=run.proofs,
        complete=run.complete,
        steps_done=len(run.samples),
        tables=tables,
        not_measured=tuple(row.summary for row in shown if row.summary.status != "measured"),
        answer=report_answer(tables),
        steps_planned=run.steps_planned,
        noise_floor=floor,
        ceilings=run.ceilings,
        decisions=run.decisions,
        checks=checks(run.header.apps, shown),
    )


def _is_shown(row: Row) -> bool:
    """Tell whether a report has the row: a duplicate is hidden, unless it failed where its original may not have."""
    return not cell_of(row).duplicate or row.summary.status == "failed"


def _as_sure(row: Row, looks: Looks) -> Row:
    """Return the row with intervals that hold with 1 - alpha of the look at which it ended."""
    summary, alpha = row.summary, looks.alpha(row.id)
    if cell_of(row).duplicate:
        return replace(row, summary=replace(summary, name=f"{summary.name} (measured again)"))
    if alpha == ALPHA or not row.rps or cell_of(row).load.rate_percent:
        return row
    surer = replace(
        summary,
        rps=estimate(list(row.rps.values()), alpha),
        cpu_us_per_request=estimate(list(row.cpu_us.values()), alpha) if row.cpu_us else summary.cpu_us_per_request,
    )
    return replace(row, summary=surer)


def _table(key: Key, rows: Sequence[Row], field: Field, floor: NoiseFloor | None, wanted: str | None) -> Table:
    if cell_of(rows[0]).load.rate_percent:
        return tabulate_open(rows)
    entrants = field.entrants[key]
    if floor and floor.cell_id not in {row.id for row in entrants}:
        floor = replace(floor, name=floor.cell_id)  # a name tells rows of one table apart, not of which table they are
    return tabulate(rows, entrants, field.looks, floor, wanted)


def _check(reference: str | None, cells: Sequence[Cell], names: Mapping[str, str]) -> None:
    if reference is None:
        return
    known = dict.fromkeys(each for cell in cells for each in (cell.setting, names[cell.id], cell.id))
    if reference in known:
        return
    tip = "name a setting, such as uvicorn[http=h11,loop=asyncio], a row as its table does, or a whole cell id"
    raise UsageProblem(f"the run has no cell {reference!r} to be the reference{did_you_mean(reference, known)}", tip)


def tabulate(
    rows: Sequence[Row], entrants: Sequence[Row], looks: Looks, floor: NoiseFloor | None = None, wanted: str | None = None
) -> Table:
    """Return the table of rows that may be compared, fastest first; rows with a flag of model.UNRANKED have no ranking.

    `rows` come in the order of the plan. Holm's family is all pairs of the ranked rows; with fewer than two of them,
    `comparisons` counts the pairs that more rounds would make ranked ones. In a run with looks it is all pairs of `entrants`, the
    cells that were planned, since which of them can be ranked may be another thing at every look.
    """
    ordered = sorted(rows, key=lambda row: (-row.value, row.id))
    rankable = [row for row in ordered if is_rankable(row)]
    names = {row.id: None for row in rankable}
    family = [row for row in entrants if looks.planned or row.id in names]
    factor = floor.factor if floor else 1.0
    outcome = contest({row.id: row.rps for row in family}, looks, floor=factor, shown=names)
    standings = dict(zip(names, rankings(list(names), outcome.better), strict=True))
    reference = _reference(rows, wanted)
    told = [
        replace(row, summary=replace(row.summary, ratio=ratio_to(row, reference, looks), ranking=standings.get(row.id)))
        for row in ordered
    ]
    comparisons = outcome.comparisons if looks.planned else _comparisons(ordered, len(rankable))
    needed = rounds_needed(comparisons, looks.latest_alpha)
    bought, effect_comparisons = effects(family, names, looks, factor)
    cell = ordered[0].summary.planned.cell
    return Table(
        app=cell.app,
        interface=cell.interface,
        protocols=_protocols(ordered),
        workers=cell.workers,
        in_flight=cell.load.in_flight,
        requests_per_connection=cell.load.requests_per_connection,
        generator=cell.load.generator,
        rows=tuple(row.summary for row in told),
        reference=reference.id,
        detectable=outcome.detectable,
        comparisons=comparisons,
        rounds_needed=needed,
        answer=table_answer(told, Shown(outcome=outcome, comparisons=comparisons, needed=needed, floor=floor, looks=looks)),
        effects=bought,
        effect_comparisons=effect_comparisons,
    )


def _protocols(rows: Sequence[Row]) -> tuple[str, ...]:
    found = dict.fromkeys(row.summary.planned.cell.protocol for row in rows)
    return tuple(sorted(found, key=lambda each: PROTOCOLS.index(each) if each in PROTOCOLS else len(PROTOCOLS)))


def _comparisons(rows: Sequence[Row], ranked: int) -> int:
    count = ranked if ranked > 1 else sum(_only_lacks_rounds(row.summary) for row in rows)
    return count * (count - 1) // 2


def _only_lacks_rounds(summary: Summary) -> bool:
    return UNRANKED.intersection(summary.flags) <= {Flag.FEW_ROUNDS}


def _reference(rows: Sequence[Row], wanted: str | None) -> Row:
    # The fastest would owe its place in part to luck, and 95 % intervals of ratios to it would hold in 91 % of cases.
    named = [row for row in rows if wanted in (row.id, row.summary.name, cell_of(row).setting)]
    return [*named, *filter(is_rankable, rows), *rows][0]
