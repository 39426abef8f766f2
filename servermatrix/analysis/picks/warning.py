"""What a reader must know of a search before trusting it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from servermatrix.analysis.holding import unfinished
from servermatrix.analysis.nights import is_simulated
from servermatrix.analysis.phrases import counted
from servermatrix.analysis.picks.telling import Told
from servermatrix.analysis.picks.trying import budget_needed_s
from servermatrix.analysis.summarise import Row
from servermatrix.model import LATENCY, UNRANKED, Candidate, Cause, Failed, Flag, Run, Standing

CLOSE = 1.02  # a cell that may be better by less is not worth more time
MANY_LOST = 0.05  # of all starts


def warnings(run: Run, told: Told) -> Iterator[str]:
    """Yield what takes something away from the answer."""
    if is_simulated(run.header):
        yield "this is a simulation: no server was started, and the numbers are those of a made-up model"
    yield from _ended(run)
    yield from _cut_off(run, told)
    yield from _not_told_apart(run, told)
    yield from _lost(run)
    if told.picked is not None:
        yield from _open(told)
        yield from _flagged(told.picked)


def _ended(run: Run) -> Iterator[str]:
    resume = f"go on with it by `python3 run_matrix.py pick --resume {run.header.id}`"
    if run.complete or any(one.stopped for one in run.decisions):
        if unfinished(run):
            yield f"the run was interrupted while cells were tried at fixed rates, and what there is was judged: {resume}"
        return
    reached = max((sample.round for sample in run.samples), default=0)
    yield (f"the run was interrupted in round {reached} of {run.header.rounds} at most, and what there is was judged: {resume}")


def _cut_off(run: Run, told: Told) -> Iterator[str]:
    """Say what there was no time for, and what budget there must be for it; of an interrupted run that is not known."""
    raced = run.complete or any(one.stopped for one in run.decisions)
    if raced and told.placed.early:
        yield "there was no time for two rounds of all cells: give it more --budget"
    if not raced or unfinished(run):
        return
    if needed_s := budget_needed_s(run):
        yield f"nothing was tried at a fixed rate, for the time for that was too short: give it --budget {needed_s}s"
    if told.known.unsettled:
        cells = counted(len(told.known.unsettled), "cell")
        yield f"the time for fixed rates was up before it was settled what {cells} can hold there: give it more --budget"


def _not_told_apart(run: Run, told: Told) -> Iterator[str]:
    """Say how much better the tied cells may be, where the race was ended before it had told them apart as far as it can."""
    by_rates = told.race.latency_limits or told.race.prefer == LATENCY
    stopped = next((one for one in reversed(run.decisions) if one.stopped), None)
    if told.picked is None or by_rates or stopped is None or stopped.round >= run.header.rounds:
        return
    tied, done = told.of(Standing.TIED), f"after {counted(stopped.round, 'round')} the race was over ({stopped.stopped})"
    if any(one.score is None or one.score.high is None for one in tied):
        yield f"{done}, which are too few to tell cells apart: give it more --budget"
        return
    most = max(map(_at_most, tied), default=1.0)
    if most > CLOSE:
        many = "the cell that is tied with it" if len(tied) == 1 else f"the {len(tied)} cells that are tied with it"
        yield f"{done}, and {many} may still be up to {most:.2f}x as good: more --budget would tell"


def _open(told: Told) -> Iterator[str]:
    if found := told.of(Standing.OPEN):
        yield f"{counted(len(found), 'cell')} may be as good as the picked one or better: too little is known of them"


def _at_most(one: Candidate) -> float:
    return one.score.high if one.score and one.score.high else 1.0


def _lost(run: Run) -> Iterator[str]:
    lost = sum(isinstance(one, Failed) and one.cause is Cause.NOISE for one in run.samples)
    if run.samples and lost > MANY_LOST * len(run.samples):
        yield (
            f"{lost:,} of {counted(len(run.samples), 'start')} were lost to noise: measure again on a machine that is left alone"
        )


def _flagged(picked: Row) -> Iterator[str]:
    """Say of the picked cell what would take it out of a ranking, and that it is noisy."""
    for remark in picked.summary.remarks:
        if remark.flag in UNRANKED | {Flag.NOISY} and remark.flag is not Flag.FEW_ROUNDS:
            yield f"the picked cell is flagged {remark.flag}: {remark.sentence}. {remark.advice}"
