"""Tells GitHub, one thing after the other, what a night found; what cannot be told is said and changes nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import click

from servermatrix import keeping, merging
from servermatrix.cli.histories import Past, Telling, Told, attempt, keep, noted
from servermatrix.errors import Exit, MatrixError
from servermatrix.model import CellChange, Change, CheckReport, Metric
from servermatrix.publish import files, issues
from servermatrix.publish.failure import NotPublished
from servermatrix.publish.rest import Api
from servermatrix.publish.surroundings import Surroundings, require
from servermatrix.render import check_annotations, check_issue, check_lines, check_summary
from servermatrix.render.table import counted, escaped

NOTES_BYTES = 20_000
MOST_STOPPED = 20
VERDICTS = {Exit.CELL_FAILED: "failed", Exit.UNFIT: "unfit", Exit.INCONCLUSIVE: "inconclusive"}
CERTAIN = frozenset({Change.UNCHANGED, Change.IMPROVEMENT})
# Of a cell that has neither regressed nor recovered.
WHY = {Change.INCONCLUSIVE: "is inconclusive tonight", Change.FAILED: "fails tonight", Change.GONE: "is gone"}


def tell_night(night: merging.Merged, code: Exit, wanted: Telling, place: Surroundings, exports: keeping.Wanted) -> Exit:
    """Tell all there is to tell, first what needs no network; return how the night ends with what the history says of it."""
    report = night.report
    click.echo(check_lines.first_line(report))
    told = [attempt(lambda: _summary(report, place)), attempt(lambda: _annotate(check_annotations.annotations(report), place))]
    told += map(noted, keeping.exported(report, exports))
    kept, quiet = _kept(night, wanted, place)
    code = ended(code, kept)
    if lines := check_annotations.of_history(kept.stopped, kept.unjudged):
        attempt(lambda: _annotate(lines, place))
    told += [*quiet, *kept.told, *([Told(done=False, sentence=kept.unjudged)] if kept.unjudged else [])]
    told += [attempt(lambda: files.set_outputs(place.output, outputs(report, code, kept)))]
    told += [attempt(lambda: _issue(night, wanted, place))] if wanted.issue and not quiet else []
    notes = [Told(done=False, sentence=note) for note in night.notes] + [one for one in told if one.sentence]
    attempt(lambda: files.add_summary(place.summary, _closing(kept.stopped, notes)))
    return code


def _kept(night: merging.Merged, wanted: Telling, place: Surroundings) -> tuple[Past, list[Told]]:
    """Keep the night, unless this job has no say in that; then the second says so."""
    if not place.silenced or not (wanted.issue or wanted.history):
        return keep(night, wanted, place), []

    def refuse() -> None:
        raise NotPublished(f"no history and no issue: {place.silenced}")

    return Past(), [attempt(refuse)]


def ended(code: Exit, kept: Past) -> Exit:
    """Say how the night ends: a cell that stopped reporting is as bad as one that regressed, and what is worse stays."""
    return Exit.REGRESSION if kept.stopped and code in (Exit.OK, Exit.INCONCLUSIVE) else code


def _closing(stopped: tuple[str, ...], notes: list[Told]) -> str:
    """Write the end of the summary: what stopped reporting, and what was told where."""
    shown = [f"- {escaped(sentence)}" for sentence in stopped[:MOST_STOPPED]]
    shown += [f"- and {len(stopped) - MOST_STOPPED} more"] if len(stopped) > MOST_STOPPED else []
    alarm = [f"## ALARM: {counted(len(stopped), 'cell')} stopped reporting", "", *shown, ""] if stopped else []
    lines = [f"- {'' if one.done else '**Not done:** '}{escaped(one.sentence)}" for one in notes]
    return "\n".join(["", *alarm, "### Told", "", *lines, ""])


def tell_failure(failure: MatrixError, place: Surroundings) -> None:
    """Tell that there is nothing to tell, and why."""
    said = [escaped(text) for text in (failure.message, failure.tip) if text]
    text = "\n\n".join(["## servermatrix: no verdict", *said, "The steps before this one may say more.\n"])
    outputs = {"verdict": "unfit", "exit-code": int(failure.exit_code)}
    attempt(lambda: files.add_summary(place.summary, text))
    attempt(lambda: files.set_outputs(place.output, outputs))


def _summary(report: CheckReport, place: Surroundings) -> None:
    files.add_summary(place.summary, check_summary.step_summary(report, files.room_left(place.summary) - NOTES_BYTES))


def outputs(report: CheckReport, code: Exit, kept: Past) -> Mapping[str, object]:
    """Return the outputs of the step: the verdict, and the counts that it rests on."""
    counts = {change.name.lower(): report.counts[change] for change in Change}
    return {
        "verdict": verdict(report, code, kept),
        "exit-code": int(code),
        "line": check_lines.first_line(report),
        **counts,
        "counts": json.dumps({**counts, "stopped": len(kept.stopped)}),
        "stopped": len(kept.stopped),
    }


def verdict(report: CheckReport, code: Exit, kept: Past) -> str:
    """Say in a word how the night went; `passed` needs a canary that is fit and a cell of which something is certain."""
    if code in VERDICTS:
        return VERDICTS[code]
    if report.of(Change.REGRESSION):
        return "regression"
    if kept.stopped:
        return "stopped"
    certain = any(cell.change in CERTAIN for cell in report.cells) and all(canary.fit for canary in report.canaries)
    return "passed" if certain else "inconclusive"


def _annotate(lines: list[str], place: Surroundings) -> None:
    if not place.in_actions:
        raise NotPublished("no annotations: GITHUB_ACTIONS is not `true`, so this is no job of GitHub's")
    for line in lines:
        click.echo(line)


def _issue(night: merging.Merged, wanted: Telling, place: Surroundings) -> str:
    require("no issue was looked for", api_url=place.api_url, repository=place.repository, token=place.token)
    api = Api(root=place.api_url, token=place.token)
    sentence, url = issues.follow(api, place.repository, tonight(night.report, night.unsound, wanted.name, place))
    if place.output is not None:
        files.set_outputs(place.output, {"issue": url})
    return sentence


def tonight(report: CheckReport, unsound: str, name: str, place: Surroundings) -> issues.Tonight:
    """Say what a report means for the issue."""
    return issues.Tonight(
        name=name,
        unsound=unsound,
        regressed=tuple(cell.pair for cell in report.of(Change.REGRESSION)),
        recovered=frozenset(cell.pair for cell in report.cells if recovered(cell, report.trial.margin)),
        doubts=dict(_doubts(report)),
        title=check_issue.issue_title(report),
        body=check_issue.issue_body(report),
        run_url=place.run_url,
    )


def recovered(cell: CellChange, margin: float) -> bool:
    """Tell whether a cell is known to be no worse than the baseline by more than the margin, by the bad ends of its intervals.

    `No change` alone is not enough: it is also said of what was worse and was not flagged. A cell that is new has no baseline
    that it could be worse than.
    """
    if cell.change is not Change.UNCHANGED:
        return cell.change in (Change.IMPROVEMENT, Change.NEW)
    rps, cpu = (shift.ratio if (shift := cell.shift(metric)) else None for metric in (Metric.RPS, Metric.CPU))
    if rps is None or rps.low is None or cpu is None or cpu.high is None:
        return False
    return rps.low >= 1 / (1 + margin) and cpu.high <= 1 + margin


def _doubts(report: CheckReport) -> Iterator[tuple[str, str]]:
    margin = report.trial.margin
    for cell in report.cells:
        if cell.change is not Change.REGRESSION and not recovered(cell, margin):
            yield cell.pair, WHY.get(cell.change, f"may still be worse by more than the margin, {check_lines.percent(margin)}")
