"""Judges the runs of a check, and decides at its first look what goes to the second stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from servermatrix.analysis.field import field_of
from servermatrix.analysis.regress.canaries import NONE, canary_of, tempered
from servermatrix.analysis.regress.duels import Duel, Duels, duels_of
from servermatrix.analysis.regress.errors import settled
from servermatrix.analysis.regress.finding import Finding
from servermatrix.analysis.regress.findings import findings_of, goes_on
from servermatrix.analysis.regress.limits import limited
from servermatrix.analysis.regress.stages import Stages, detectable
from servermatrix.analysis.stats import median
from servermatrix.model import (
    BASELINE,
    CANDIDATE,
    Canary,
    Cell,
    CellChange,
    CheckReport,
    Decision,
    Look,
    Run,
    Summary,
    Trial,
    VersionChange,
)

NOT_FLAGGED = "not flagged in the first stage"
NOTHING_FLAGGED = "nothing was flagged in the first stage"

Summaries = Mapping[tuple[str, str], Summary]


def judge(runs: Sequence[Run]) -> CheckReport:
    """Return what a check says; several runs are its shards, whose alarms are corrected for together.

    Raises ValueError where there is no run, one that is none of a check, or runs whose stages or margins differ.
    """
    stages = {stages_of(run) for run in runs}
    if len(stages) != 1:
        raise ValueError(f"these are {len(stages)} checks, and not one")
    (alike,) = stages
    rows = [_summaries(run) for run in runs]
    duels = [_with_limits(duels_of(run), own) for run, own in zip(runs, rows, strict=True)]
    findings = iter(findings_of([one for each in duels for one in each.pairs], alike))
    canaries = [[canary_of(one, alike) for one in each.canaries] for each in duels]
    each_run = zip(runs, duels, rows, canaries, strict=True)
    cells = [_cells(run, own, heard, [(one, next(findings)) for one in each.pairs]) for run, each, own, heard in each_run]
    sizes = [size for each in duels for one in each.pairs if (size := detectable(one, alike)) is not None]
    trial = trial_of(runs[0])
    return CheckReport(
        headers=tuple(run.header for run in runs),
        trial=trial,
        cells=tuple(chain.from_iterable(cells)),
        canaries=tuple(chain.from_iterable(canaries)),
        differing=differing(trial),
        detectable=median(sizes) if sizes else None,
        complete=all(run.complete for run in runs),
        steps=(sum(len(run.samples) for run in runs), sum(run.steps_planned for run in runs)),
    )


def decide(run: Run, look: Look) -> Decision:
    """Return what to do at a look of a check, after the last step of its round.

    At the first one all is left out that was not flagged, but for what is measured twice, which tells how noisy the second stage
    is; the run ends where nothing was flagged. Raises ValueError as `judge` does.
    """
    stages = stages_of(run)
    if look.round > stages.first:
        return Decision(round=look.round, alpha=look.alpha)
    duels = duels_of(replace(run, samples=tuple(one for one in run.samples if one.round <= look.round)))
    reasons = {one.pair: _why_left_out(one, stages) for one in duels.pairs if not goes_on(one, stages)}
    if len(reasons) == len(duels.pairs):
        return Decision(round=look.round, alpha=look.alpha, stopped=NOTHING_FLAGGED)
    cells = [planned.cell for planned in run.header.cells]
    canary = {side for one in cells if one.duplicate for side in (one, replace(one, duplicate=False))}
    dropped = tuple((one.id, reasons[one.pair]) for one in cells if one.pair in reasons and one not in canary)
    return Decision(round=look.round, alpha=look.alpha, dropped=dropped)


def _why_left_out(duel: Duel, stages: Stages) -> str:
    failed = settled(duel, stages)
    return f"{failed.sentence}; more rounds would not change that" if failed else NOT_FLAGGED


def trial_of(run: Run) -> Trial:
    """Return what a run tries; ValueError where that is no check."""
    if run.header.trial is None:
        raise ValueError(f"{run.header.id} is not the run of a check")
    return run.header.trial


def stages_of(run: Run) -> Stages:
    """Return the stages of a run; ValueError where it is none of a check."""
    trial = trial_of(run)
    first = run.header.looks[0].round if run.header.looks else run.header.rounds
    return Stages(first=first, margin=trial.margin, confirm=run.header.rounds - first)


def differing(trial: Trial) -> tuple[VersionChange, ...]:
    """Return the packages in which the two sides differ, by name."""
    baseline, candidate = dict(trial.baseline.versions), dict(trial.candidate.versions)
    found = [(name, baseline.get(name, ""), candidate.get(name, "")) for name in sorted(baseline.keys() | candidate.keys())]
    return tuple(VersionChange(name=name, baseline=old, candidate=new) for name, old, new in found if old != new)


def _with_limits(duels: Duels, rows: Summaries) -> Duels:
    found = ((one, rows[one.pair, BASELINE], rows[one.pair, CANDIDATE]) for one in duels.pairs)
    return replace(duels, pairs=tuple(replace(one, limited=limited(old, new)) for one, old, new in found))


def _cells(run: Run, rows: Summaries, canaries: Sequence[Canary], found: Iterable[tuple[Duel, Finding]]) -> Iterator[CellChange]:
    """Yield what became of the pairs of one run; its own canary judges what was found of them."""
    canary = next((one for one in canaries if not one.fit), canaries[0] if canaries else NONE)
    first = stages_of(run).first
    for duel, plain in found:
        finding = tempered(plain, canary)
        yield CellChange(
            pair=duel.pair,
            change=finding.change,
            sentence=finding.sentence,
            shifts=finding.shifts,
            flagged=_went_on(run, rows[duel.pair, CANDIDATE].planned.cell, first),
            beyond=finding.beyond,
            baseline=rows[duel.pair, BASELINE],
            candidate=rows[duel.pair, CANDIDATE],
        )


def _went_on(run: Run, cell: Cell, first: int) -> bool:
    return bool(run.decisions) and run.rounds_of(cell) > first


def _summaries(run: Run) -> Summaries:
    rows = [row.summary for row in field_of(run).rows]
    cells = [(summary.planned.cell, summary) for summary in rows]
    return {(cell.pair, cell.side): summary for cell, summary in cells if not cell.duplicate}
