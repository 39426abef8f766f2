"""What a plan costs in time, and what a budget of time buys: rounds, and the looks at which a run may end early."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace

from servermatrix.analysis.durations import seconds_per_step
from servermatrix.analysis.grouping import table_key
from servermatrix.analysis.sequence import plan_looks
from servermatrix.analysis.stats import MIN_ROUNDS
from servermatrix.duplicate import with_duplicate
from servermatrix.errors import UsageProblem
from servermatrix.model import Cell, Look, Plan, Run

PROOF_S = 1.0
CALIBRATION_S = 3.0
FEWEST_TO_GO_ON = 9  # cells of which three can have twice the rounds in the time of all, when the others end at half
MOST_LOOKS = 3


def steps_s(cells: Iterable[Cell], rounds: int) -> float:
    """Return how long so many rounds of these cells take, in seconds."""
    return rounds * sum(seconds_per_step(cell.load) for cell in cells)


def preparation_s(plan: Plan) -> float:
    """Return how long it takes before the first round, in seconds: proofs of the settings, calibration of the generators."""
    proofs = {(cell.setting, cell.protocol, cell.workers) for cell in plan.cells}
    ceilings = {(cell.load.generator, cell.protocol, cell.load.threads) for cell in _closed(plan)}
    return PROOF_S * len(proofs) + CALIBRATION_S * len(ceilings)


def estimate_s(plan: Plan) -> float:
    """Return how long the run takes, in seconds, if nothing has to be repeated: no more than its budget, if any.

    Of a check that is its first stage, behind which it ends as a rule; see confirmation_s.
    """
    whole = preparation_s(plan) + steps_s(plan.cells, first_rounds(plan))
    return min(whole, float(plan.budget_s)) if plan.budget_s else whole


def first_rounds(plan: Plan) -> int:
    """Return the rounds of the first stage of a check, of anything else all rounds."""
    return plan.looks[0].round if plan.trial is not None and plan.looks else plan.rounds


def confirmation_s(plan: Plan) -> float:
    """Return how long the second stage of a check takes per pair of cells that the first one flags, in seconds, on average."""
    cells = [cell for cell in plan.cells if not cell.duplicate]
    pairs = len({cell.pair for cell in cells})
    return steps_s(cells, plan.rounds - first_rounds(plan)) / pairs


def steps_expected(run: Run) -> int:
    """Count the steps that a run has if nothing more is left out: those within its budget, and more once it goes on with them.

    Of a check these are the steps of its first stage, until that has flagged something, of a race those up to the next look.
    """
    looks, decided = run.header.looks, {decision.round for decision in run.decisions}
    if run.header.race is not None:
        within = next((look.round for look in looks if look.round not in decided), run.header.rounds)
        return sum(min(within, run.rounds_of(planned.cell)) for planned in run.header.cells)
    # The last of three looks lies beyond the budget, see sequence.plan_looks.
    open_end = len(looks) > 1 and (run.header.trial is not None or len(looks) == MOST_LOOKS)
    within = looks[-2].round if open_end and looks[-2].round not in decided else run.header.rounds
    return sum(min(within, run.rounds_of(planned.cell)) for planned in run.header.cells)


def largest_table(plan: Plan) -> int:
    """Count the rows of the largest table that is ranked, 0 where none is."""
    return max(Counter(table_key(cell) for cell in _closed(plan) if not cell.duplicate).values(), default=0)


def fit_budget(plan: Plan, budget_s: float, missing: Collection[str] = ()) -> Plan:
    """Return the plan with the rounds that fit into the seconds, and looks; UsageProblem when not even one round fits.

    `missing` are generators that are not here. With looks the rounds go on to the last one, which is reached only in the
    time that cells have freed which were dropped before it.
    """
    fitted = with_duplicate(replace(plan, rounds=MIN_ROUNDS, looks=(), budget_s=int(budget_s)), missing)
    rounds = _rounds_within(fitted, budget_s)
    if rounds < MIN_ROUNDS and len(once := with_duplicate(replace(fitted, rounds=1)).cells) < len(fitted.cells):
        # What the duplicate would cost may buy rounds, but not the sixth: from there on results are ranked, which needs it.
        fitted = replace(fitted, cells=once)
        rounds = min(_rounds_within(fitted, budget_s), MIN_ROUNDS - 1)
    if rounds < 1:
        need_s = preparation_s(fitted) + steps_s(fitted.cells, 1)
        raise UsageProblem(
            f"{budget_s:.0f} s are too short: one round of {len(fitted.cells)} cells takes {need_s:.0f} s",
            "choose fewer cells with -k, or a shorter --duration",
        )
    looks = _looks(fitted, rounds)
    return replace(fitted, rounds=looks[-1].round if looks else rounds, looks=looks)


def _rounds_within(plan: Plan, budget_s: float) -> int:
    return int((budget_s - preparation_s(plan)) / steps_s(plan.cells, 1))


def _looks(plan: Plan, rounds: int) -> tuple[Look, ...]:
    """Plan the looks for so many rounds of all cells; none where nothing is compared, for then nothing could be decided.

    Open loops have as many rounds as the plan, whatever was dropped, so with them there is no look beyond those that fit. Nor is
    there where two rows and the cell that is measured twice could not go on to it if all others were dropped at the first look:
    half of the time is left then, for the rounds from there on to twice as many.
    """
    rows = largest_table(plan)
    beyond = len(_closed(plan)) == len(plan.cells) >= FEWEST_TO_GO_ON
    return plan_looks(rounds, rows * (rows - 1) // 2, beyond=beyond) if rows > 1 else ()


def _closed(plan: Plan) -> list[Cell]:
    return [cell for cell in plan.cells if not cell.load.rate_percent]
