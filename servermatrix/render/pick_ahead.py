"""What is said of a search before it begins: how many settings race, for how long, and what may end it."""

from __future__ import annotations

from servermatrix.model import Plan
from servermatrix.outlook import Outlook
from servermatrix.render.progress import human_seconds
from servermatrix.render.table import counted


def announcement(plan: Plan, ahead: Outlook, budget_s: int) -> str:
    """Say in one line what races and how long it takes at most."""
    references = len(plan.race.references) if plan.race is not None else 0
    cells = counted(len(plan.cells) - references, "cell")
    if not ahead.looks:
        return f"{cells} is measured for at most {human_seconds(budget_s)}: it has nothing to race with; seed {plan.seed}"
    rounds = ", ".join(str(look) for look in ahead.looks[:-1])
    return (
        f"{cells} race for at most {human_seconds(budget_s)}, and the plaintext app runs in {references} for comparison; "
        f"after rounds {rounds} and {ahead.looks[-1]} what is surely worse is left out; seed {plan.seed}"
    )
