"""What races say of made-up spaces, the mistakes that must be found, and that the stored page is what would be made now."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from servermatrix.analysis import race
from tests.truth.__main__ import main
from tests.truth.cases import broken, counted
from tests.truth.mutants import Mutant
from tests.truth.picks import PAGE
from tests.truth.picks_cases import Case, whole
from tests.truth.picks_document import document, fingerprint_of
from tests.truth.picks_mutants import MUTANTS
from tests.truth.picks_worlds import FEWEST, MOST, Spaces, conducted, raced, space_of
from tests.truth.test_mutants import Ended, found, studied


def test_races_keep_their_bounds() -> None:
    number, wrong = PAGE.of_fast("fast")
    assert number > 12
    assert wrong == []


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ended]:
    """Run the study of every mutant, as many at once as there are cores, and return how each ended by the name of the mutant."""
    return studied(MUTANTS, tmp_path_factory, "picks")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_in_a_race_breaks_a_bound(mutant: Mutant, outcomes: Mapping[str, Ended]) -> None:
    assert found(outcomes[mutant.name]), outcomes[mutant.name]


def test_a_study_of_races_that_does_not_exist_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tests.truth", "picks", "--only", "no such race"])
    assert main() == 1
    assert capsys.readouterr().out == "there is no fast case with 'no such race' in its name\n"


def test_spaces_have_the_sizes_that_the_page_says() -> None:
    sizes = [len(space_of(Spaces(), seed).cells) for seed in range(300)]
    assert FEWEST <= min(sizes) < FEWEST + 5
    assert MOST - 5 < max(sizes) <= MOST


def test_a_made_up_race_is_conducted_as_a_search_is() -> None:
    space, run = conducted(Spaces(), 3)
    first = run.decisions[0]
    assert (first.round, len(first.dropped) > 0) == (3, True)
    assert len(run.samples) == sum(min(run.decisions[-1].round, run.rounds_of(cell)) for cell in space.cells)
    assert space.best in {race.outcome(run).best, *race.outcome(run).tied}


def test_what_was_left_out_is_not_measured_any_more() -> None:
    _, run = raced(Spaces(), 0)
    ends = {own: one.round for one in run.decisions for own, _ in one.dropped}
    assert ends
    assert not [sample for sample in run.samples if sample.round > ends.get(sample.cell_id, race.ROUNDS)]


def results(**other: int) -> dict[str, tuple[Case, Counter[str]]]:
    numbers = {"spaces": 1000, "kept": 993, "led": 870, "starts": 250_000, "full": 1_000_000, "rounds": 21_500}
    counts = Counter({**numbers, "cells": 95_000, "group": 2_500, "after 3": 17_300, **other})
    return {f"{case.study}; {case.name}": (case, counts) for case in whole()}


def prose(text: str) -> list[str]:
    """Return the lines that are not rows of numbers, without numbers."""
    lines = [re.sub(r"[\d,.]*\d", "#", line) for line in text.splitlines()]
    return [line for line in lines if not line.startswith("|") or "---" in line]


def test_the_tables_of_races_say_what_was_counted() -> None:
    text = document(results(), [])
    assert "| 20 % lost | 1,000 | 99.3% | 25.0% | 87.0% | 17.3 | 2.5 | 21.5 |" in text
    assert "the best was in the winner group of 99.3%, for 25.0% of the effort" in " ".join(text.split())
    assert "All of these together: the best was kept in 10,923 of 11,000 spaces." in text
    assert "No bound was broken." in text


def test_a_broken_bound_of_races_stands_at_the_top() -> None:
    text = document(results(), ["wide, normal: too bad"])
    assert text.index("**Bounds that were broken: 1**") < text.index("- wide, normal: too bad") < text.index("## The race")


def test_the_stored_page_of_races_is_made_of_the_studies_that_there_are_and_no_bound_was_broken() -> None:
    stored, cases = PAGE.place.read_text(encoding="utf-8"), whole()
    assert f"`{fingerprint_of(cases)}`" in stored
    assert fingerprint_of(cases) != fingerprint_of([replace(cases[0], tries=cases[0].tries + 1), *cases[1:]])
    assert prose(stored) == prose(document(results(), []))


def test_the_stored_figures_of_races_are_those_that_are_counted_now_where_that_takes_no_time() -> None:
    stored, cases = PAGE.place.read_text(encoding="utf-8"), {f"{case.study}; {case.name}": case for case in whole()}
    few = cases["noise; normal; 0.01"]
    counts = counted(few, range(few.tries))
    assert not list(broken(few, counts))
    effort = f"{counts['starts'] / counts['full']:.1%}"
    table = stored.split("## Less noise, and more")[1]
    assert f"| normal; 0.01 | {few.tries} | {counts['kept'] / few.tries:.1%} | {effort} |" in table
