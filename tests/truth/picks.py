"""Runs the studies of races: all of them, into docs/pick-statistics.md, or the fast ones of a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.truth.cases import broken, counted, on_all_cores, pooled
from tests.truth.picks_cases import Case, fast, whole
from tests.truth.picks_document import document

PLACE = Path(__file__).resolve().parents[2] / "docs" / "pick-statistics.md"


def of_fast(name: str) -> tuple[int, list[str]]:
    """Return how many fast cases have this in their name, and what they and all of them together broke."""
    cases = [case for case in fast() if name in f"{case.study}; {case.name}"]
    results = [(case, counted(case, range(case.tries))) for case in cases]
    return len(cases), [sentence for case, counts in (*results, *pooled(results)) for sentence in broken(case, counts)]


def write(scale: float, processes: int, tell: Callable[[str], None]) -> int:
    """Count all cases on so many cores and write the document; return how many bounds were broken."""
    cases = whole(scale)
    results: dict[str, tuple[Case, Counter[str]]] = {}
    for case, counts in on_all_cores(cases, processes):
        results[f"{case.study}; {case.name}"] = case, counts
        verdict = "; ".join(broken(case, counts)) or "ok"
        tell(f"picks {len(results)}/{len(cases)}  {case.study}; {case.name}: {verdict}")
    in_order = {name: results[name] for name in (f"{case.study}; {case.name}" for case in cases)}
    wrong = [one for case, counts in (*in_order.values(), *pooled(in_order.values())) for one in broken(case, counts)]
    PLACE.write_text(document(in_order, wrong), encoding="utf-8")
    tell(f"{len(wrong)} bounds broken; written to {PLACE.relative_to(PLACE.parents[1])}")
    return len(wrong)
