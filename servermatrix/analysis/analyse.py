"""Run -> Report: right of the border, nothing but stored facts; it starts nothing, reads no file and prints nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from servermatrix.analysis.grouping import Key, in_order, row_names, table_key
from servermatrix.analysis.headline import report_answer, table_answer
from servermatrix.analysis.ranking import contest, is_rankable, rankings, ratio_to
from servermatrix.analysis.stats import rounds_needed
from servermatrix.analysis.summarise import Row, summarise
from servermatrix.errors import UsageProblem
from servermatrix.model import PROTOCOLS, UNRANKED, Cell, Flag, Report, Run, Sample, Summary, Table
from servermatrix.suggest import did_you_mean


def analyse(run: Run, reference: str | None = None) -> Report:
    """Return all that can be said of a run, however far it came.

    `reference` is the setting, the name of a row or the cell id that ratios are against, of several rows the fastest; in
    tables that do not have it, and when it is None, that is the fastest row that is ranked, else the fastest. Raises
    UsageProblem for a reference that the run never planned.
    """
    cells = [planned.cell for planned in run.header.cells]
    names = row_names(cells)
    _check(reference, cells, names)
    rows = _rows(run, names)
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        if row.summary.status == "measured":
            groups[table_key(row.summary.planned.cell)].append(row)
    tables = tuple(tabulate(groups[key], reference) for key in in_order(groups))
    return Report(
        header=run.header,
        proofs=run.proofs,
        complete=run.complete,
        steps_done=len(run.samples),
        tables=tables,
        not_measured=tuple(row.summary for row in rows if row.summary.status != "measured"),
        answer=report_answer(tables),
    )


def _check(reference: str | None, cells: Sequence[Cell], names: Mapping[str, str]) -> None:
    if reference is None:
        return
    known = dict.fromkeys(each for cell in cells for each in (cell.setting, names[cell.id], cell.id))
    if reference in known:
        return
    tip = "name a setting, such as uvicorn[http=h11,loop=asyncio], a row as its table does, or a whole cell id"
    raise UsageProblem(f"the run has no cell {reference!r} to be the reference{did_you_mean(reference, known)}", tip)


def _rows(run: Run, names: Mapping[str, str]) -> list[Row]:
    samples: dict[str, list[Sample]] = defaultdict(list)
    for sample in run.samples:
        samples[sample.cell_id].append(sample)
    cores = run.header.host.cores
    ids = ((planned, planned.cell.id) for planned in run.header.cells)
    return [summarise(planned, samples.get(cell_id, []), cores, names[cell_id]) for planned, cell_id in ids]


def tabulate(rows: Sequence[Row], wanted: str | None = None) -> Table:
    """Return the table of rows that may be compared, fastest first; rows with a flag of model.UNRANKED have no ranking.

    Holm's family is all pairs of the ranked rows; with fewer than two of them, `comparisons` counts the pairs that more
    rounds would make ranked ones.
    """
    ordered = sorted(rows, key=lambda row: (-row.value, row.id))
    rankable = [row for row in ordered if is_rankable(row)]
    outcome = contest([row.rps for row in rankable])
    standings = dict(zip((row.id for row in rankable), rankings(len(rankable), outcome.better), strict=True))
    reference = _reference(ordered, rankable, wanted)
    told = [
        replace(row, summary=replace(row.summary, ratio=ratio_to(row, reference), ranking=standings.get(row.id)))
        for row in ordered
    ]
    comparisons = _comparisons(ordered, len(rankable))
    needed = rounds_needed(comparisons)
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
        answer=table_answer(told, outcome, comparisons, needed),
    )


def _protocols(rows: Sequence[Row]) -> tuple[str, ...]:
    found = dict.fromkeys(row.summary.planned.cell.protocol for row in rows)
    return tuple(sorted(found, key=lambda each: PROTOCOLS.index(each) if each in PROTOCOLS else len(PROTOCOLS)))


def _comparisons(rows: Sequence[Row], ranked: int) -> int:
    count = ranked if ranked > 1 else sum(_only_lacks_rounds(row.summary) for row in rows)
    return count * (count - 1) // 2


def _only_lacks_rounds(summary: Summary) -> bool:
    return UNRANKED.intersection(summary.flags) <= {Flag.FEW_ROUNDS}


def _reference(ordered: Sequence[Row], rankable: Sequence[Row], wanted: str | None) -> Row:
    named = [row for row in ordered if wanted in (row.id, row.summary.name, row.summary.planned.cell.setting)]
    return [*named, *rankable, *ordered][0]
