"""What a check says of made-up nights, the mistakes that must be found, and that the stored page is what would be made now."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from servermatrix.analysis.regress import CONFIRM_ROUNDS, FIRST_ROUNDS
from servermatrix.model import Change
from tests.conftest import ROOT
from tests.truth.cases import broken, counted
from tests.truth.mutants import Mutant
from tests.truth.nights import PAGE
from tests.truth.nights_cases import Case, whole
from tests.truth.nights_document import document, fingerprint_of
from tests.truth.nights_mutants import MUTANTS
from tests.truth.nights_reading import by_judgement
from tests.truth.nights_worlds import Nights, conducted, duels_at_night
from tests.truth.test_mutants import Ended, found, studied


def test_nights_keep_their_bounds() -> None:
    number, wrong = PAGE.of_fast("fast")
    assert number > 30
    assert wrong == []


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ended]:
    """Run the study of every mutant, as many at once as there are cores, and return how each ended by the name of the mutant."""
    return studied(MUTANTS, tmp_path_factory, "nights")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_in_the_judging_breaks_a_bound(mutant: Mutant, outcomes: Mapping[str, Ended]) -> None:
    assert found(outcomes[mutant.name]), outcomes[mutant.name]


def test_a_study_of_nights_that_does_not_exist_is_no_success() -> None:
    argv = [sys.executable, "-m", "tests.truth", "nights", "--only", "no such night"]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("there is no fast case with 'no such night' in its name\n", 1)


def test_a_made_up_night_is_conducted_as_a_check_is() -> None:
    run = conducted(Nights(cells=4, every=1.2), 1)
    assert run.header.trial is not None
    assert {decision.round for decision in run.decisions} == {FIRST_ROUNDS, FIRST_ROUNDS + CONFIRM_ROUNDS}
    assert len([one for one in run.header.cells if one.cell.duplicate]) == 1
    assert by_judgement(Nights(cells=4, every=1.2), 1)[str(Change.REGRESSION)] == 4


def test_only_what_is_flagged_has_the_rounds_of_the_second_stage() -> None:
    duels = duels_at_night(Nights(cells=8, one=1.5), 0)
    assert [duel.baseline.rounds for duel in duels] == [FIRST_ROUNDS + CONFIRM_ROUNDS, *[FIRST_ROUNDS] * 7]


def results(**other: int) -> dict[str, tuple[Case, Counter[str]]]:
    nights = {
        "nights": 1000,
        "false alarm": 7,
        "found": 930,
        "any failed": 4,
        "first no change": 40,
        "size in 1/1000 %": 3_700_000,
        "all unchanged": 640,
        "any inconclusive": 210,
    }
    cells = {"cells": 24_000, "no change": 18_000, "inconclusive": 6_000, "wrongly unchanged": 240, "went on": 480}
    counts = Counter({**nights, **cells, "canary unfit": 15, "canary alarmed": 2, **other})
    return {f"{case.study}; {case.name}": (case, counts) for case in whole()}


def prose(text: str) -> list[str]:
    """Return the lines that are not rows of numbers, without numbers."""
    lines = [re.sub(r"[\d,.]*\d", "#", line) for line in text.splitlines()]
    return [line for line in lines if not line.startswith("|") or "---" in line]


def test_the_tables_of_nights_say_what_was_counted() -> None:
    text = document(results(), [])
    assert "| 20 % invalid | 7 of 1,000 | 7 of 1,000 | 7 of 1,000 | 7 of 1,000 |" in text
    assert "| normal | 1.5% | 0.2% |" in text
    assert "| contaminated, 6 % | 93% | 93% | 93% |" in text
    assert "| periodic, 12 % | 75.0% | 25.0% | 2.0% | 64.0% | 21.0% |" in text
    assert "| normal, 3 %; worse in CPU time | 3.7 % | 93% | 93% |" in text
    assert "| requests/s alone, 4.5 % | 93.0% | 4.0% | 3.0% |" in text
    assert "| 0.05 % of the starts fail | 0.4% | 0.7% | 21.0% |" in text
    assert "No bound was broken." in text


def test_a_broken_bound_of_nights_stands_at_the_top() -> None:
    text = document(results(), ["power, normal: too bad"])
    assert text.index("**Bounds that were broken: 1**\n\n- power, normal: too bad") < text.index("## False alarms")


def test_the_stored_page_of_nights_is_made_of_the_studies_that_there_are_and_no_bound_was_broken() -> None:
    stored, cases = PAGE.place.read_text(encoding="utf-8"), whole()
    assert f"`{fingerprint_of(cases)}`" in stored
    assert fingerprint_of(cases) != fingerprint_of([replace(cases[0], tries=cases[0].tries + 1), *cases[1:]])
    assert prose(stored) == prose(document(results(), []))


def test_the_stored_figures_of_nights_are_those_that_are_counted_now_where_that_takes_no_time() -> None:
    stored, cases = PAGE.place.read_text(encoding="utf-8"), {f"{case.study}; {case.name}": case for case in whole()}
    few = cases["false alarms; one-sided; all worse by the margin; 4 cells"]
    counts = counted(few, range(few.tries))
    assert not list(broken(few, counts))
    table = stored.split("| nights with a false alarm; all worse by the margin |")[1]
    assert f"\n| one-sided | {counts['false alarm']} of {counts['nights']:,} |" in table
    told = cases["canary; told apart"]
    alarmed = counted(told, range(told.tries))["canary alarmed"]
    assert f"the canary said so in {alarmed} of {told.tries} nights" in " ".join(stored.split())
