"""Controls: what had to come out if the measuring is right, and what did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from servermatrix.analysis.phrases import counted, joined
from servermatrix.model import Check, Passed
from servermatrix.render.points import ended
from servermatrix.render.table import ABSENT, Column, Grid, amount, figure, figures

HEADING = "Controls"


def alarm(checks: Sequence[Check]) -> str:
    """Say that a run is not to be trusted; nothing where no control failed."""
    failed = sum(check.passed == Passed.NO for check in checks)
    return f"{amount(failed)} of {counted(len(checks), 'control')} FAILED: do not trust this run" if failed else ""


def outcome(checks: Sequence[Check]) -> str:
    """Count how the controls came out."""
    found = Counter(check.passed for check in checks)
    told = joined([f"{amount(found[passed])} {passed}" for passed in Passed if found[passed]])
    return f"What must come out whatever the server, if the measuring is right. Of {counted(len(checks), 'control')}: {told}."


def grid(checks: Sequence[Check]) -> Grid:
    """Lay out every control, those that failed first."""
    texts = (Column(header="what"), Column(header="what must come out"), Column(header="unit"))
    numbers = (Column(header="expected", right=True), Column(header="found", right=True))
    rows = (
        (_result(check), check.subject, check.rule, check.unit, figure(check.expected), figures(check.found))
        for check in sorted(checks, key=_place)
    )
    return Grid(columns=(Column(header="result"), *texts, *numbers), rows=tuple(rows))


def _place(check: Check) -> int:
    return (Passed.NO, Passed.UNKNOWN, Passed.YES).index(check.passed)


def _result(check: Check) -> str:
    return "FAILED" if check.passed == Passed.NO else check.passed.value


def sentences(checks: Sequence[Check]) -> list[str]:
    """Tell of those that did not pass, for a terminal."""
    return [_sentence(check) for check in sorted(checks, key=_place) if check.passed != Passed.YES]


def _sentence(check: Check) -> str:
    found = ABSENT if check.found is None else f"found {figures(check.found)}"
    numbers = f"{found}, expected {figure(check.expected)} {check.unit}" if check.found else "no numbers to judge it by"
    return f"{_result(check)}: {check.subject}: {ended(check.rule)} {numbers[0].upper()}{numbers[1:]}."
