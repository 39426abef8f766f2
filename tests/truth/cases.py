"""What a study is made of: cases with bounds, counted on several cores; it knows no world and no claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

from scipy.stats import binom

from tests.truth.worlds import World

SURE = 1e-4  # how unlikely counts must be, were a bound kept, before it counts as broken
FALSE = 0.05
CHUNK = 25  # matrices per task
TOGETHER = "all cases together"

W = TypeVar("W")
S = TypeVar("S", bound="Study[Any]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A share of counts, `hits` of `of`, that must be at most `most` and at least `least`, as far as chance lets one tell."""

    hits: str
    of: str
    most: float = 1.0
    least: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Study(Generic[W]):
    """One world, looked at so many times; with `exact` intervals must miss as often as those of so many rounds do."""

    study: str
    name: str
    world: W
    count: Callable[[W, int], Counter[str]]
    tries: int
    bounds: tuple[Bound, ...] = ()
    exact: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Study[World]):
    """A study of reports on matrices."""


def broken(case: Study[W], counts: Counter[str]) -> Iterator[str]:
    """Yield a sentence for every bound of a case that its counts break."""
    for bound in (*case.bounds, *_exact(case, counts)):
        hits, of = counts[bound.hits], counts[bound.of]
        where = f"{case.study}, {case.name}: {bound.hits} {hits} of {of} {bound.of}"
        if binom.sf(hits - 1, of, bound.most) < SURE:
            yield f"{where} is more than {bound.most:.1%}"
        if binom.cdf(hits, of, bound.least) < SURE:
            yield f"{where} is less than {bound.least:.1%}"
        if not of:
            yield f"{where}: there is nothing to count"


def pooled(results: Iterable[tuple[S, Counter[str]]]) -> Iterator[tuple[S, Counter[str]]]:
    """Yield for each study and each of its bounds all of its cases as one, with what was counted in all of them.

    It finds what is too little to show in one case. The draws of two worlds have nothing to do with each other.
    """
    cases: dict[str, S] = {}
    together: dict[str, Counter[str]] = {}
    for case, counts in results:
        for part in (*(replace(case, bounds=(one,), exact=()) for one in case.bounds), *_exact_parts(case)):
            key = f"{case.study}; {part.bounds}; {part.exact}"
            cases[key] = replace(part, name=TOGETHER)
            together.setdefault(key, Counter()).update(counts)
    return ((case, together[key]) for key, case in cases.items())


def _exact_parts(case: S) -> Iterator[S]:
    return (replace(case, bounds=(), exact=(name,)) for name in case.exact)


def _exact(case: Study[W], counts: Counter[str]) -> Iterator[Bound]:
    for name in case.exact:
        expected = counts[f"{name} expected"] / 1e6 / max(1, counts[name])
        yield Bound(hits=f"{name} missed", of=name, most=FALSE, least=expected)


def counted(case: Study[W], seeds: range) -> Counter[str]:
    """Count what a case counts over some seeds."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        counts.update(case.count(case.world, seed))
    return counts


def on_all_cores(cases: list[S], processes: int) -> Iterator[tuple[S, Counter[str]]]:
    """Count all cases on several cores, and yield each when the last of its matrices is done."""
    parts = [
        (place, range(start, min(start + CHUNK, case.tries)))
        for place, case in enumerate(cases)
        for start in range(0, case.tries, CHUNK)
    ]
    left = Counter(place for place, _ in parts)
    counts: dict[int, Counter[str]] = {place: Counter() for place in left}
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        tasks = {pool.submit(counted, cases[place], seeds): place for place, seeds in parts}
        for task in as_completed(tasks):
            place = tasks[task]
            counts[place].update(task.result())
            left[place] -= 1
            if not left[place]:
                yield cases[place], counts[place]
