"""A page of studies: counts all of its cases into a document, or the fast ones of a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from tests.truth.cases import S, broken, counted, on_all_cores, pooled

ROOT = Path(__file__).resolve().parents[2]  # also that of a copy, in which there is no other room of tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[S]):
    """A document in docs/ and the studies that it is of; `document` writes it from the counts and from what is broken."""

    name: str
    file: str
    fast: Callable[[], Sequence[S]]
    whole: Callable[[float], list[S]]
    document: Callable[[dict[str, tuple[S, Counter[str]]], list[str]], str]

    @property
    def place(self) -> Path:
        """Name the document."""
        return ROOT / "docs" / self.file

    def of_fast(self, name: str) -> tuple[int, list[str]]:
        """Return how many fast cases have this in their name, and what they and all of them together broke."""
        cases = [case for case in self.fast() if name in named(case)]
        results = [(case, counted(case, range(case.tries))) for case in cases]
        return len(cases), [sentence for case, counts in (*results, *pooled(results)) for sentence in broken(case, counts)]

    def write(self, scale: float, processes: int, tell: Callable[[str], None]) -> int:
        """Count all cases on so many cores and write the document; return how many bounds were broken."""
        cases = self.whole(scale)
        results: dict[str, tuple[S, Counter[str]]] = {}
        for case, counts in on_all_cores(cases, processes):
            results[named(case)] = case, counts
            verdict = "; ".join(broken(case, counts)) or "ok"
            tell(f"{self.name} {len(results)}/{len(cases)}  {named(case)}: {verdict}")
        in_order = {named(case): results[named(case)] for case in cases}
        wrong = [one for case, counts in (*in_order.values(), *pooled(in_order.values())) for one in broken(case, counts)]
        self.place.write_text(self.document(in_order, wrong), encoding="utf-8")
        tell(f"{len(wrong)} bounds broken; written to {self.place.relative_to(ROOT)}")
        return len(wrong)


def named(case: S) -> str:
    """Name a case together with its study."""
    return f"{case.study}; {case.name}"
