"""What a check is about to do, in sentences: how long it takes, what of it may be confirmed, and which sides it compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from servermatrix.analysis.regress import ALARM_ALPHA
from servermatrix.effort import estimate_s
from servermatrix.model import Plan, Side, Trial
from servermatrix.outlook import Outlook
from servermatrix.render.progress import human_seconds
from servermatrix.render.table import counted, plain
from servermatrix.sides import CLOSED_ONLY, ONLY_IN

MOST_NAMED = 6
OF_CHECKS = (CLOSED_ONLY, ONLY_IN)
MANY = 10  # changes in one night, two of them for each cell that is slower and needs more CPU time


def announcement(ahead: Outlook) -> str:
    """Say in one line how long the first stage takes, and what the second may add."""
    first, fresh = ahead.looks[0], ahead.looks[-1] - ahead.looks[0]
    twice = "one baseline twice" if ahead.twice else "without a canary"
    stage = f"{counted(first, 'round')} = {counted(ahead.steps, 'start')}, about {human_seconds(ahead.seconds)}"
    canary = " and once for the canary" if ahead.twice else ""
    took = f"about {human_seconds(ahead.confirmation_s)}, for each cell that looks changed{canary}"
    more = f"{counted(fresh, 'fresh round')}, {took}"
    return f"{counted(ahead.cells, 'cell')} on both sides, {twice}: {stage}; then {more}"


def sentences(plan: Plan, ahead: Outlook) -> Iterator[str]:
    """Say what is compared, which cells are left out because it is a check, what it takes, and what it could not show."""
    if plan.trial is None:
        return
    yield f"baseline: {_side(plan.trial.baseline, plan.trial)}"
    yield f"candidate: {_side(plan.trial.candidate, plan.trial)}"
    if alike(plan.trial):
        yield "both sides are the same: this is an A/A check, which should find nothing"
    reasons = Counter(each.reason for each in plan.excluded if each.reason.startswith(OF_CHECKS))
    for reason, number in reasons.items():
        yield f"{counted(number, 'cell')} left out: {reason}"
    yield announcement(ahead)
    confirmable = int(ALARM_ALPHA * 2 ** (ahead.looks[-1] - ahead.looks[0]))
    if confirmable < min(MANY, 2 * ahead.cells):
        yield f"no more than {counted(confirmable, 'change')} could be confirmed: that takes more --confirm-rounds"


def probe(plan: Plan) -> str:
    """Say in one line what is tried to find the package that made a difference, and how long that takes."""
    trial = plan.trial
    moved = [each for each in trial.candidate.requires if each not in trial.baseline.requires] if trial else []
    cells = counted(len({cell.pair for cell in plan.cells}), "cell")
    return f"which package did it? trying {_few(moved) or 'the app'} in {cells}, about {human_seconds(estimate_s(plan))}"


def alike(trial: Trial) -> bool:
    """Tell whether both sides are asked to be the same."""
    one, other = trial.baseline, trial.candidate
    return (one.requires, one.app_dir) == (other.requires, other.app_dir)


def _side(side: Side, trial: Trial) -> str:
    """Name a side by what it has and the other has not, where that says enough."""
    other = trial.candidate if side.name == trial.baseline.name else trial.baseline
    own = [each for each in side.requires if each not in other.requires] or list(side.requires)
    said = [plain(_few(own))] if own else []
    common = len(side.requires) - len(own)
    said += [f"{counted(common, 'requirement')} as on the other side"] if common else []
    said += [f"the app in {plain(side.app_dir)}"] if side.app_dir else []
    return ", ".join(said) or "what the interpreter of the run has"


def _few(requires: Sequence[str]) -> str:
    """Name the first few of many requirements."""
    more = len(requires) - MOST_NAMED
    return " ".join(requires[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
