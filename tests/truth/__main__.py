"""Runs the studies of reports, of nights and of races, each of which writes a page: docs/statistics.md and those named after it.

With `reports`, `nights` or `picks` it runs these alone; with `--only NAME` fast cases of that name, which write nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.truth import nights, picks
from tests.truth.cases import Case, broken, counted, on_all_cores, pooled
from tests.truth.document import document
from tests.truth.studies import fast, whole

PLACE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
Write = Callable[[float, int, Callable[[str], None]], int]
PAGES: Mapping[str, Write] = {"nights": nights.PAGE.write, "picks": picks.PAGE.write}
FAST = {"nights": nights.PAGE.of_fast, "picks": picks.PAGE.of_fast}


def main() -> int:
    """Return 1 when a bound is broken, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("reports", "nights", "picks"), help="run these studies alone; default: all")
    parser.add_argument("--only", metavar="NAME", help="run the fast cases whose name or study has this in it; write nothing")
    parser.add_argument("--scale", type=float, default=1.0, help="how many times the usual number of matrices")
    given = parser.parse_args()
    if given.only:
        return _fast_of(FAST[given.what], given.only) if given.what in FAST else _fast(given.only)
    failed = _whole(given.scale) if given.what in {None, "reports"} else 0
    for name, write in PAGES.items():
        failed = _written(write, given.scale) or failed if given.what in {None, name} else failed
    return failed


def _written(write: Write, scale: float) -> int:
    began_s = time.monotonic()
    broken = write(scale, len(os.sched_getaffinity(0)), lambda text: _say(f"{time.monotonic() - began_s:5.0f} s  {text}"))
    return 1 if broken else 0


def _fast_of(of_fast: Callable[[str], tuple[int, list[str]]], name: str) -> int:
    number, wrong = of_fast(name)
    if not number:
        _say(f"there is no fast case with {name!r} in its name")
        return 1
    _say("\n".join(wrong) or f"{number} cases keep their bounds")
    return 1 if wrong else 0


def _fast(name: str) -> int:
    cases = [case for case in fast() if name in f"{case.study}; {case.name}"]
    if not cases:
        _say(f"there is no fast case with {name!r} in its name")
        return 1
    results = [(case, counted(case, range(case.tries))) for case in cases]
    wrong = [sentence for case, counts in (*results, *pooled(results)) for sentence in broken(case, counts)]
    _say("\n".join(wrong) or f"{len(cases)} cases keep their bounds")
    return 1 if wrong else 0


def _whole(scale: float) -> int:
    cases, began_s = whole(scale), time.monotonic()
    results: dict[str, tuple[Case, Counter[str]]] = {}
    wrong: list[str] = []
    for case, counts in on_all_cores(cases, len(os.sched_getaffinity(0))):
        results[f"{case.study}; {case.name}"] = case, counts
        wrong += broken(case, counts)
        verdict = "; ".join(broken(case, counts)) or "ok"
        _say(f"{time.monotonic() - began_s:5.0f} s  {len(results)}/{len(cases)}  {case.study}; {case.name}: {verdict}")
    for case, counts in pooled(results.values()):
        wrong += broken(case, counts)
    in_order = {f"{case.study}; {case.name}": results[f"{case.study}; {case.name}"] for case in cases}
    PLACE.write_text(document(in_order, wrong), encoding="utf-8")
    _say(f"{len(wrong)} bounds broken; written to {PLACE.relative_to(PLACE.parents[1])}")
    return 1 if wrong else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
