"""docs/statistics.md: what it is made of, and that the stored one is what would be made now."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from tests.conftest import ROOT
from tests.truth.cases import Case, counted
from tests.truth.document import document, fingerprint_of
from tests.truth.studies import whole

STORED = ROOT / "docs" / "statistics.md"


def results(**other: int) -> dict[str, tuple[Case, Counter[str]]]:
    numbers = {
        "matrices": 200,
        "letters": 3,
        "effects": 4,
        "any": 6,
        "tables": 200,
        "wrong": 7,
        "pairs": 200,
        "bare": 150,
        "shown": 100,
        "shown alone": 90,
    }
    intervals = dict.fromkeys(("ratio", "rps", "cpu", "reference", "headline"), 200)
    missed = {f"{name} missed": 8 for name in intervals}
    counts = Counter({**numbers, **intervals, **missed, "steps": 2000, **other})
    return {f"{case.study}; {case.name}": (case, counts) for case in whole()}


def prose(text: str) -> list[str]:
    """Return the lines that are not rows of numbers, without numbers."""
    lines = [re.sub(r"[\d,.]*\d", "#", line) for line in text.splitlines()]
    return [line for line in lines if not line.startswith("|") or "---" in line]


def test_the_tables_say_what_was_counted() -> None:
    text = document(results(), [])
    assert "| normal | 1.5% / 2.0% |" in text
    assert "| two rows, normal noise | 5% | 10% | 20% |" in text
    assert "| 10 rounds, noise 2% | 75% → 50% |" in text
    assert "| contaminated | 96.0% |" in text
    assert "| 8 rows; 12 rounds, noise 2% | 75% → 50%, alone 45% |" in text
    assert "| 10 / 10 / 10 |" in text
    assert "No bound was broken." in text


def test_a_broken_bound_stands_at_the_top() -> None:
    text = document(results(), ["coverage, normal: too bad"])
    assert text.index("**Bounds that were broken: 1**\n\n- coverage, normal: too bad") < text.index("## False claims")
    assert "No bound was broken." not in text


def test_what_was_never_counted_is_none_and_no_number() -> None:
    assert "none of 0" in document(results(headline=0), [])


def test_the_tables_of_what_is_not_promised_are_there_and_of_all_cases_together() -> None:
    text = document(results(), [])
    assert "| requests/s of a row, nothing promised | 6 rounds |" in text
    assert "| drift | 96.0% |" in text.split("nothing promised")[1]
    assert "| normal | 96.0% |" not in text.split("nothing promised")[1].split("The function")[0]
    assert "| letters | 1.5% |" in text
    assert "| no noise floor | 1.5% | 1.5% | 1.5% | 1.5% |" in text


def test_the_stored_numbers_are_those_of_the_cases_that_there_are() -> None:
    stored, cases = STORED.read_text(encoding="utf-8"), whole()
    matrices = sum(case.tries for case in cases if not case.study.startswith("many"))
    assert f"\n{matrices:,} matrices, " in stored
    assert f"`{fingerprint_of(cases)}`" in stored
    assert fingerprint_of(cases) != fingerprint_of([replace(cases[0], tries=cases[0].tries + 1), *cases[1:]])


def test_the_stored_numbers_are_those_that_are_counted_now_where_that_takes_no_time() -> None:
    stored, cases = STORED.read_text(encoding="utf-8"), {f"{case.study}; {case.name}": case for case in whole()}
    found = [counts_of(cases[f"many intervals; normal; {rounds} rounds"]) for rounds in (6, 8, 10)]
    shares = [f"{1 - counts['ratio missed'] / counts['ratio']:.2%}" for counts in found]
    assert f"| normal | {' | '.join(shares)} |" in stored
    counts = counts_of(cases["power; normal; 6 rounds; 0.05; 1.05"])
    share = f"{counts['bare'] / counts['pairs']:.0%} → {counts['shown'] / counts['pairs']:.0%}"
    assert f"| 6 rounds, noise 5% | {share} |" in stored


def counts_of(case: Case) -> Counter[str]:
    return counted(case, range(case.tries))


def test_the_stored_document_is_made_of_the_studies_that_there_are_and_no_bound_was_broken() -> None:
    stored = STORED.read_text(encoding="utf-8")
    assert prose(stored) == prose(document(results(), []))
