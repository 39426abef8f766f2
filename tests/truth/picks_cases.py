"""The studies of races: which spaces, how many seeded ones of each, what is counted, and the bounds that the counts must keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.truth.cases import Bound, Study
from tests.truth.picks_reading import by_conduct, by_race
from tests.truth.picks_worlds import FAKES, KINDS, Spaces

KEPT, EFFORT = 0.95, 0.35
ALWAYS = Bound(hits="kept", of="spaces", least=KEPT)
CHEAP = Bound(hits="starts", of="full", most=EFFORT)
BOUNDS = {"wide": (ALWAYS, CHEAP), "narrow": (ALWAYS,), "equal": (ALWAYS,)}
SDS = (0.01, 0.06)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Study[Spaces]):
    """A study of races."""


def races(shape: str, tries: int, kinds: tuple[str, ...] = KINDS) -> Iterator[Case]:
    """Yield spaces of a shape under every kind of noise."""
    for kind in kinds:
        world = Spaces(shape=shape, kind=kind)
        yield Case(study=shape, name=kind, world=world, count=by_race, tries=tries, bounds=BOUNDS[shape])


def noises(tries: int) -> Iterator[Case]:
    """Yield wide spaces under less noise and under more."""
    for sd in SDS:
        for kind in ("normal", "contaminated", "one-sided"):
            bounds = BOUNDS["wide"] if sd < max(SDS) else (ALWAYS,)
            world = Spaces(kind=kind, sd=sd)
            yield Case(study="noise", name=f"{kind}; {sd}", world=world, count=by_race, tries=tries, bounds=bounds)


def conducts(tries: int) -> Iterator[Case]:
    """Yield wide spaces that are gone through as by the command, the fake generator with its own noise in place of servers."""
    for kind in FAKES:
        world = Spaces(kind=kind)
        yield Case(study="conducted", name=kind, world=world, count=by_conduct, tries=tries, bounds=BOUNDS["wide"])


def whole(scale: float = 1.0) -> list[Case]:
    """List all cases of docs/pick-statistics.md."""
    many, some, few = (max(1, round(number * scale)) for number in (1000, 200, 40))
    return [
        *races("wide", many, KINDS[:1]),
        *races("wide", some, KINDS[1:]),
        *races("narrow", some // 2 or 1),
        *races("equal", some // 2 or 1),
        *noises(some // 2 or 1),
        *conducts(few),
    ]


def fast() -> list[Case]:
    """List the cases that every run of the tests does, in seconds; every mutation must break one of them."""
    cases = [
        *races("wide", 3, ("normal", "contaminated", "periodic", "20 % lost")),
        *races("narrow", 3, ("normal", "two modes in some")),
        *races("equal", 10, ("normal", "some four times as noisy")),
        *races("equal", 4, ("contaminated",)),
        *conducts(1),
    ]
    return [replace(case, name=f"fast; {case.name}") for case in cases]
