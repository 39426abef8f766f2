"""The studies of nights: which, how many seeded ones of each, what is counted, and the bounds that the counts must keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from servermatrix.analysis.regress import ALARM_ALPHA
from tests.truth.cases import Bound, Study
from tests.truth.nights_reading import by_detectable, by_judgement, by_numbers
from tests.truth.nights_worlds import Nights
from tests.truth.worlds import KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Study[Nights]):
    """A study of nights."""


SIZES = {4: 1000, 8: 600, 24: 300, 60: 150}  # cells, and how many nights with so many
EDGES = {"nothing changed": 1.0, "all worse by the margin": 1.03, "all better by the margin": 1 / 1.03}
SDS = (0.03, 0.06, 0.12)
GAINS = (1.05, 1.10, 1.20)
# Normal: of the facts collected before the tool was written, less five points: chance that the rule finds one cell in 24 that is
# slower by 5, 10 and 20 % where the logarithm of a round's ratio has this standard deviation, and CPU time says nothing.
# Contaminated: ten points less than was counted at first. There the facts had 15 % of the ratios contaminated, and not of the
# starts, of which a ratio has two.
PROMISED = {
    ("normal", 0.03): (0.28, 0.95, 0.95),
    ("normal", 0.06): (0.0, 0.85, 0.95),
    ("normal", 0.12): (0.0, 0.15, 0.91),
    ("contaminated", 0.03): (0.03, 0.83, 0.90),
    ("contaminated", 0.06): (0.0, 0.29, 0.87),
    ("contaminated", 0.12): (0.0, 0.0, 0.42),
}
NOISES = (("normal", 0.03), ("normal", 0.12), ("contaminated", 0.03))
HIDDEN = {0.03: 0.05, 0.045: 0.25, 0.06: 0.45}  # noise, and how often 5 % in requests/s alone may end as no change
FAILING, SELDOM = (0.0005, 0.001, 0.005, 0.01), 0.001  # shares of starts
RIGHT = (Bound(hits="false alarm", of="nights", most=ALARM_ALPHA),)
WITHIN = (*RIGHT, Bound(hits="wrongly unchanged", of="cells", most=0.05))


def alarms(scale: float, sizes: tuple[int, ...] = tuple(SIZES), kinds: tuple[str, ...] = tuple(KINDS)) -> Iterator[Case]:
    """Yield nights in which nothing changed, and such in which every cell has just not changed by more than the margin."""
    for kind in kinds:
        for name, every in EDGES.items():
            for cells in sizes:
                tries = max(1, round(SIZES[cells] * scale))
                world = Nights(cells=cells, kind=kind, every=every)
                title = f"{kind}; {name}; {cells} cells"
                yield Case(study="false alarms", name=title, world=world, count=by_numbers, tries=tries, bounds=WITHIN)


def bad_luck(scale: float, sizes: tuple[tuple[int, int], ...] = ((1, 4000), (4, 2000), (24, 300))) -> Iterator[Case]:
    """Yield nights whose first stage flags every cell, all of which are at the edge of the margin in the second."""
    for kind in ("normal", "contaminated", "one-sided"):
        for cells, nights in sizes:
            world = Nights(cells=cells, kind=kind, every=1.03, at_first=1.5)
            tries = max(1, round(nights * scale))
            yield Case(study="bad luck", name=f"{kind}; {cells} cells", world=world, count=by_numbers, tries=tries, bounds=RIGHT)


def no_margin(scale: float) -> Iterator[Case]:
    """Yield nights in which nothing changed, and which are held to a margin of nothing: twice as many as with one."""
    for kind in ("normal", "contaminated", "one-sided"):
        for cells, nights in SIZES.items():
            world = Nights(cells=cells, kind=kind, margin=0.0)
            tries = max(1, round(2 * nights * scale))
            yield Case(study="no margin", name=f"{kind}; {cells} cells", world=world, count=by_numbers, tries=tries, bounds=RIGHT)


def power(tries: int) -> Iterator[Case]:
    """Yield nights in which one cell of 24 became worse, in requests per second alone or in both metrics."""
    for (kind, sd), promised in PROMISED.items():
        for gain, least in zip(GAINS, promised, strict=True):
            for cpu in (False, True):
                bounds = (*RIGHT, Bound(hits="found", of="nights", least=least))
                world = Nights(cells=24, kind=kind, sd=sd, one=gain, cpu=cpu)
                name = f"{kind}; {sd}; {gain}; {'both' if cpu else 'requests/s'}"
                yield Case(study="power", name=name, world=world, count=by_numbers, tries=tries, bounds=bounds)


def detectables(tries: int, sizes: tuple[int, ...] = (1, 24)) -> Iterator[Case]:
    """Yield nights whose first cell is worse by what such a night prints as the smallest detectable change."""
    bounds = (Bound(hits="found", of="nights", least=0.30, most=0.75),)
    for kind, sd in NOISES:
        for rps in (False, True):
            for cells in sizes:
                name = f"{kind}; {sd}; {'both' if rps else 'CPU time'}; {cells} cells"
                world = Nights(cells=cells, kind=kind, sd=sd, rps=rps)
                yield Case(study="detectable", name=name, world=world, count=by_detectable, tries=tries, bounds=bounds)


def hidden(tries: int) -> Iterator[Case]:
    """Yield nights in which one cell of 24 became worse by 5 %, which must not often be called unchanged."""
    for sd, most in HIDDEN.items():
        for cpu in (False, True):
            world = Nights(cells=24, sd=sd, one=1.05, cpu=cpu)
            bounds = (Bound(hits="first no change", of="nights", most=0.02 if cpu else most),)
            name = f"{sd}; {'both' if cpu else 'requests/s'}"
            yield Case(study="hidden", name=name, world=world, count=by_numbers, tries=tries, bounds=bounds)


def failures(tries: int) -> Iterator[Case]:
    """Yield nights in which nothing changed, and starts of either side fail: only what fails seldom is promised anything."""
    for failing in FAILING:
        most = (ALARM_ALPHA, 0.02) if failing <= SELDOM else (1.0, 1.0)
        hits = zip(("false alarm", "any failed"), most, strict=True)
        bounds = tuple(Bound(hits=what, of="nights", most=share) for what, share in hits)
        world = Nights(cells=24, failing=failing)
        yield Case(study="failures", name=f"{failing}", world=world, count=by_numbers, tries=tries, bounds=bounds)


def quiet(tries: int) -> Iterator[Case]:
    """Yield nights of 24 cells in which nothing changed, under more and more noise."""
    for kind in KINDS:
        for sd in SDS:
            world = Nights(cells=24, kind=kind, sd=sd)
            yield Case(study="quiet", name=f"{kind}; {sd}", world=world, count=by_numbers, tries=tries, bounds=WITHIN)


def conducted(scale: float, sizes: tuple[tuple[int, int], ...] = ((4, 80), (8, 40), (24, 15))) -> Iterator[Case]:
    """Yield nights that are gone through from the plan to the judgement, with a canary."""
    for kind in KINDS:
        for name, every in EDGES.items():
            for cells, nights in sizes:
                world = Nights(cells=cells, kind=kind, every=every)
                title = f"{kind}; {name}; {cells} cells"
                tries = max(1, round(nights * scale))
                yield Case(study="conducted", name=title, world=world, count=by_judgement, tries=tries, bounds=WITHIN)


def canary(tries: int) -> Iterator[Case]:
    """Yield nights on a machine that gives the second of two equal cells less: nothing that numbers say may count."""
    world = Nights(cells=4, every=1.2, canary=0.9)
    bounds = (
        Bound(hits="canary alarmed", of="nights", least=0.99),
        Bound(hits="no change", of="cells", most=0.0),
        Bound(hits="regression", of="cells", most=0.0),
    )
    yield Case(study="canary", name="told apart", world=world, count=by_judgement, tries=tries, bounds=bounds)
    doubtful = (bounds[1], Bound(hits="canary unfit", of="nights", least=0.99))
    wide = replace(world, canary=1.0, every=1.0, sd=0.4)
    yield Case(study="canary", name="too wide", world=wide, count=by_judgement, tries=tries, bounds=doubtful)


def paired(tries: int) -> Iterator[Case]:
    """Yield nights in which what all cells share would hide a change, were they not compared round by round."""
    world = Nights(cells=24, kind="periodic", sd=0.02, one=1.1, cpu=False)
    bounds = (Bound(hits="found", of="nights", least=0.99),)
    yield Case(study="pairing", name="10 % in periodic noise", world=world, count=by_numbers, tries=tries, bounds=bounds)


def whole(scale: float = 1.0) -> list[Case]:
    """List all cases of docs/nightly-statistics.md."""
    return [
        *alarms(scale),
        *bad_luck(scale),
        *no_margin(scale),
        *power(max(1, round(150 * scale))),
        *detectables(max(1, round(200 * scale))),
        *hidden(max(1, round(300 * scale))),
        *failures(max(1, round(500 * scale))),
        *quiet(max(1, round(100 * scale))),
        *conducted(scale),
        *canary(max(1, round(40 * scale))),
        *paired(max(1, round(100 * scale))),
    ]


def fast() -> list[Case]:
    """List the cases that every run of the tests does, in seconds; every mutation must break one of them."""
    cases = [
        *alarms(0.05, (8,)),
        *(case for case in bad_luck(0.4, ((1, 4000), (24, 60))) if case.world.kind == "normal"),
        *(case for case in power(40) if case.name.startswith(("normal; 0.06; 1.1;", "contaminated; 0.06; 1.2;"))),
        *(case for case in detectables(40, (1,)) if case.name.startswith("normal; 0.03; CPU time;")),
        *(case for case in hidden(60) if case.name == "0.03; requests/s"),
        *(case for case in failures(60) if case.world.failing == SELDOM),
        *conducted(0.025, ((4, 80),)),
        *canary(4),
        *paired(25),
    ]
    return [replace(case, name=f"fast; {case.name}") for case in cases]
