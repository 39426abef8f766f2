"""How a check was made, how it is made again and how it is read: its runs and machines, its command lines, its rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from servermatrix.analysis.phrases import joined
from servermatrix.model import Change, CheckReport, RunHeader
from servermatrix.render import machine, notes
from servermatrix.render.check_lines import percent
from servermatrix.render.check_tables import NOT_CHANGED
from servermatrix.render.machine import PROGRAM
from servermatrix.render.table import Column, Grid, amount, counted, shell_line

# What of a command line chose, went on with or showed a check, and did not make it what it was.
_WITH_VALUE = ("-k", "--seed", "--resume", "--out", "--history", "--junit", "--bench-json", "--shard", "--inconclusive")
_GLUED = ("-k", *(f"{option}=" for option in _WITH_VALUE[1:]))
_ALONE = ("--bisect", "--json", "-q", "--quiet", "-v", "--verbose", "-x")


def runs(report: CheckReport) -> Grid:
    """Lay out how each run of a check was made, a column for each, which its id heads where there are several."""
    found = [_facts(header) for header in report.headers]
    names = ["value"] if len(found) == 1 else [header.id for header in report.headers]
    keys = [key for key in (found[0] if found else ()) if len(found) == 1 or key != "run"]
    rows = ((key, *(facts[key] for facts in found)) for key in keys)
    return Grid(columns=tuple(Column(header=name) for name in ("what", *names)), rows=tuple(rows))


def _facts(header: RunHeader) -> dict[str, str]:
    return {
        "run": header.id,
        "started": header.started_at,
        "command": shell_line((*PROGRAM, *header.argv)),
        "rounds": _rounds(header),
        "seed": str(header.seed),
        "generator": notes.generators(header),
        **machine.of_host(header),
        "versions of the tool": machine.versions(header),
        "git": header.git,
        "noise allowed": notes.noise(header),
    }


def _rounds(header: RunHeader) -> str:
    stages = _stages(header)
    return str(header.rounds) if stages is None else f"{stages[0]} of the first stage, {stages[1]} of the second"


def _stages(header: RunHeader) -> tuple[int, int] | None:
    """Return the rounds of the first stage and those of the second; None where there are no two."""
    if len(header.looks) < 2:  # noqa: PLR2004 - two stages
        return None
    first = header.looks[0].round
    return first, header.looks[-1].round - first


def again(report: CheckReport, pairs: Sequence[str] = ()) -> str:
    """Write the command line that makes a check again, of these cells alone where any are named; nothing without a run."""
    if not report.headers:
        return ""
    header = report.headers[0]
    selected = [word for pair in pairs for word in ("-k", pair)]
    return shell_line((*PROGRAM, "check", *_kept(header.argv, every=not pairs), *selected, "--seed", str(header.seed)))


def _kept(argv: Sequence[str], *, every: bool) -> Iterator[str]:
    """Keep what made a check what it was; of what chose its cells, where it is not chosen anew."""
    words = iter(argv[argv[:1] == ("check",) :])
    for word in words:
        chooses = word.startswith("-k")
        if chooses and every:
            yield word
            yield from (next(words, "") for _ in [word] if word == "-k")
        elif word in _WITH_VALUE:
            next(words, None)
        elif word not in _ALONE and not word.startswith(_GLUED):
            yield word


def rules(report: CheckReport) -> list[str]:
    """Say how a check is read, a sentence or two each."""
    margin = percent(report.trial.margin)
    return [
        (
            "Both sides of a cell were started one after the other in every round, on one machine. Figures are what changes "
            "from the baseline to the candidate, paired by round: Hodges-Lehmann estimates with intervals of 95 %. More "
            "requests/s are better, more CPU us/request are worse."
        ),
        *_staged(report, margin),
        *(meaning for change, meaning in _meanings(margin) if report.counts[change]),
        "Requests/s of the baseline and of the candidate are those of each side by itself, over all of its rounds.",
        *_room(report),
        (
            "Smallest detectable change: of this size an alarm comes about every second time, in the steadier metric of the "
            f"median cell and where nothing else was flagged, {_seen(report)}."
        ),
    ]


def _room(report: CheckReport) -> list[str]:
    """Explain the column of what may be there, where there is one."""
    if not any(report.counts[change] for change in NOT_CHANGED):
        return []
    return [
        (
            "May be up to: the largest change, either way, that the intervals of both metrics leave room for (of CPU time alone "
            "where something else than the server limited requests/s), in percent of the smaller side; told where no change was "
            "confirmed."
        )
    ]


def _staged(report: CheckReport, margin: str) -> list[str]:
    stages = dict.fromkeys(filter(None, map(_stages, report.headers)))
    if not stages:
        return []
    first, second = (joined(list(dict.fromkeys(amount(each[place]) for each in stages))) for place in (0, 1))
    return [
        (
            f"Stage 1, {first} rounds, flags what may have changed by more than the margin of {margin}, and what failed; stage 2 "
            f"takes {second} fresh rounds of what was flagged, and these alone decide on numbers. p, after Holm's correction "
            "over all that was flagged, is how likely fresh rounds as clear as these are without a change beyond the margin; "
            "what is confirmed has p <= 0.01. "
            "Numbers make a false alarm in at most 1 % of the nights; what failures add to that is in docs/nightly-statistics.md."
        )
    ]


def _meanings(margin: str) -> tuple[tuple[Change, str], ...]:
    return (
        (
            Change.REGRESSION,
            (
                f"regression: worse by more than {margin} in the second stage, or failed on the candidate alone: twice running "
                "in the first stage, or there and at least twice in the second."
            ),
        ),
        (
            Change.FAILED,
            "failed: the baseline failed at least twice, or a side cannot be measured; a cell with errors is never a baseline.",
        ),
        (Change.GONE, "gone: in the baseline and no longer in the candidate."),
        (Change.NEW, "new: the candidate has numbers where the baseline never had any."),
        (Change.IMPROVEMENT, f"improvement: better by more than {margin} in the second stage."),
        (
            Change.INCONCLUSIVE,
            "inconclusive: neither a change nor the absence of one was shown; it is never counted as unchanged.",
        ),
        (Change.UNCHANGED, "no change: nothing was confirmed, and the intervals leave no room for a large change."),
    )


def _seen(report: CheckReport) -> str:
    return "which is not known here" if report.detectable is None else percent(report.detectable)


def shards(report: CheckReport) -> str:
    """Say that a check was done in several runs; nothing for one."""
    several = len(report.headers)
    parts = f"Measured in {counted(several, 'run')}; both sides of a cell are always of one run on one machine."
    return parts if several > 1 else ""
