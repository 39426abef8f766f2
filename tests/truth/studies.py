"""The studies: worlds, how many seeded matrices of each, what is counted, and the bounds that the counts must keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.truth import engine, reading
from tests.truth.cases import CHUNK, FALSE, Bound, Case
from tests.truth.worlds import FAR, KINDS, MANY, NARROW, THREE, TWO, WIDE, World

PLACES = ("ranking", "letters", "effects", "headline")
SYMMETRIC = ("normal", "contaminated", "20 % invalid")
BY_LOOP, BY_SERVER = (("loop=uvloop", 1.1),), (("hypercorn", 1.1), ("uvicorn", 1.1))

# Of the facts collected before the tool was written: chance that the exact test shows a ratio of 1.05, 1.10 and 1.20 where the
# logarithm of a round's ratio has so much contaminated noise, less five points.
PROMISED = {
    (10, 0.02): (0.84, 0.94, 0.95),
    (10, 0.05): (0.47, 0.78, 0.92),
    (10, 0.10): (0.14, 0.45, 0.76),
    (20, 0.02): (0.95, 0.95, 0.95),
    (20, 0.05): (0.80, 0.94, 0.95),
    (20, 0.10): (0.32, 0.79, 0.94),
    (30, 0.02): (0.95, 0.95, 0.95),
    (30, 0.05): (0.91, 0.95, 0.95),
    (30, 0.10): (0.47, 0.90, 0.95),
}
GAINS = (1.05, 1.10, 1.20)
FASTEST = {WIDE: "granian[loop=uvloop", NARROW: "uvicorn[http=httptools,loop=uvloop", MANY: "granian[loop=rloop]/"}
NOISES = (0.02, 0.05, 0.10)


HEADLINE = (Bound(hits="headline missed", of="headline", most=FALSE),)
TRUE = tuple(Bound(hits=place, of="matrices", most=FALSE) for place in PLACES)
ON_THE_WAY = tuple(Bound(hits=hits, of="matrices", least=0.9) for hits in ("left out", "third look"))
OFFSETS = (0.005, 0.01, 0.02, 0.05)
FLOOR_HOLDS = 0.01  # of the offsets: up to there the floor keeps false claims below 5 %
# A difference of 20 % is claimed, with the noise floor, from 10 rounds on in at least such a part of the runs.
CLEAR, CLEAR_ROUNDS, CLEAR_NOISE = 1.2, 10, 0.05
CLAIMED = {"normal": 0.97, "contaminated": 0.90}


def false_claims(tries: int, kinds: tuple[str, ...] = tuple(KINDS)) -> Iterator[Case]:
    """Yield worlds without differences, and with some, with and without looks and noise floor."""
    for kind in kinds:
        more = 10 if "invalid" in KINDS[kind] else 0  # rounds, for those that are lost
        for floor in (True, False):
            shared = World(servers=WIDE, kind=kind, floor=floor, rounds=12 + more)
            looked = replace(shared, servers=NARROW, budget_rounds=18 + more)
            for name, world in (
                ("all equal", shared),
                ("loops differ", replace(shared, gains=BY_LOOP)),
                ("servers differ", replace(shared, gains=BY_SERVER)),
                ("all equal, with looks", looked),
                ("loops differ, with looks", replace(looked, gains=BY_LOOP)),
            ):
                title = f"{kind}; {name}; {'noise floor' if floor else 'no noise floor'}"
                yield Case(study="false claims", name=title, world=world, count=reading.false_claims, tries=tries, bounds=TRUE)


def left_out(tries: int, kinds: tuple[str, ...] = ("normal", "contaminated", "periodic")) -> Iterator[Case]:
    """Yield worlds of twelve rows of which two are equal and the others clearly slower, so that the two come to a third look.

    Of all comparisons of rows one has nothing to find, and Holm's procedure has no other left in its way.
    """
    for kind in kinds:
        for floor in (True, False):
            world = World(servers=MANY, kind=kind, gains=FAR, floor=floor, budget_rounds=22)
            name = f"{kind}; {'noise floor' if floor else 'no noise floor'}"
            # The original of a duplicate that is measured goes on too, and where it is slow there is no time for a third look.
            way = ON_THE_WAY[:1] if floor else ON_THE_WAY
            bounds = (*TRUE, *(way if kind != "contaminated" else ()))
            yield Case(study="left out", name=name, world=world, count=reading.false_claims, tries=tries, bounds=bounds)


def offsets(tries: int) -> Iterator[Case]:
    """Yield worlds in which cells of one server differ for a whole run, which no test can tell from a difference of servers."""
    for offset in OFFSETS:
        for floor in (True, False):
            world = World(servers=TWO, rounds=20, offset=offset, floor=floor)
            name = f"{offset}; {'noise floor' if floor else 'no noise floor'}"
            bounds = TRUE if floor and offset <= FLOOR_HOLDS else ()
            yield Case(study="offsets", name=name, world=world, count=reading.false_claims, tries=tries, bounds=bounds)


def coverage(
    tries: int, rounds: tuple[int, ...] = (6, 8, 10, 12, 20, 30), kinds: tuple[str, ...] = tuple(KINDS)
) -> Iterator[Case]:
    """Yield worlds of two cells whose ratio is known."""
    for kind in kinds:
        exact = ("ratio", "rps", "cpu") if kind in SYMMETRIC else ("ratio",)
        for number in rounds:
            world = World(servers=TWO, kind=kind, rounds=number, gains=BY_LOOP)
            yield Case(
                study="coverage", name=f"{kind}; {number} rounds", world=world, count=reading.coverage, tries=tries, exact=exact
            )


def coverage_with_looks(tries: int) -> Iterator[Case]:
    """Yield worlds of several cells, with looks: intervals there hold at least as often as they say."""
    for kind in ("normal", "contaminated"):
        few = World(servers=THREE, kind=kind, budget_rounds=18, gains=BY_LOOP)
        many = World(servers=MANY, kind=kind, budget_rounds=22, gains=FAR)
        bounds = tuple(Bound(hits=f"{name} missed", of=name, most=FALSE) for name in ("ratio", "rps", "cpu"))
        for name, world, times in ((kind, few, 1), (f"{kind}; most left out", many, 4)):
            yield Case(
                study="coverage with looks", name=name, world=world, count=reading.coverage, tries=tries // times, bounds=bounds
            )


def unasked(tries: int) -> Iterator[Case]:
    """Yield worlds for the intervals of a report with no reference given: of ratios, and of the headline, which chooses its rows.

    A headline's holds at least as often as it says for the report as a whole; where it is about nothing it misses nothing.
    """
    for name, world in (
        ("all equal", World(servers=WIDE, rounds=12)),
        ("loops differ", World(servers=WIDE, rounds=12, gains=BY_LOOP)),
        ("loops differ, with looks", World(servers=NARROW, budget_rounds=18, gains=BY_LOOP)),
        ("one is 5 % faster", World(servers=WIDE, rounds=12, gains=(("granian[loop=uvloop", 1.05),))),
        ("one is 20 % faster", World(servers=WIDE, rounds=12, gains=(("granian[loop=uvloop", 1.2),))),
    ):
        bounds = tuple(
            Bound(hits=f"{one} missed", of=of, most=FALSE) for one, of in (("headline", "matrices"), ("reference", "reference"))
        )
        exact = () if world.budget_rounds else ("reference",)
        yield Case(study="unasked", name=name, world=world, count=reading.unasked, tries=tries, bounds=bounds, exact=exact)


def power(
    tries: int, rounds: tuple[int, ...] = (6, 10, 20, 30), kinds: tuple[str, ...] = ("normal", "contaminated")
) -> Iterator[Case]:
    """Yield worlds of two cells with differences of 5, 10 and 20 %."""
    for kind in kinds:
        for number in rounds:
            for sd in NOISES:
                for place, gain in enumerate(GAINS):
                    world = World(servers=TWO, kind=kind, sd=sd / 2**0.5, rounds=number, gains=(("loop=uvloop", gain),))
                    promised = PROMISED.get((number, sd)) if kind == "contaminated" else None
                    bounds = [Bound(hits="bare", of="pairs", least=promised[place])] if promised else []
                    if gain >= CLEAR and number >= CLEAR_ROUNDS and sd <= CLEAR_NOISE:
                        bounds.append(Bound(hits="shown", of="pairs", least=CLAIMED[kind]))
                    yield Case(
                        study="power",
                        name=f"{kind}; {number} rounds; {sd}; {gain}",
                        world=world,
                        count=reading.power,
                        tries=tries,
                        bounds=tuple(bounds),
                    )


def power_among_many(tries: int) -> Iterator[Case]:
    """Yield worlds of eight cells of which one is faster, and of four with looks."""
    for name, world in (
        ("8 rows; 12 rounds", World(servers=WIDE, rounds=12)),
        ("8 rows; 20 rounds", World(servers=WIDE, rounds=20)),
        ("4 rows; looks", World(servers=NARROW, budget_rounds=18)),
        ("12 rows, 10 of them slow; looks", World(servers=MANY, budget_rounds=22, gains=FAR)),
    ):
        for sd in NOISES:
            for gain in GAINS:
                gains = (*world.gains, (FASTEST[world.servers], gain))
                yield Case(
                    study="power among many",
                    name=f"{name}; {sd}; {gain}",
                    world=replace(world, sd=sd / 2**0.5, gains=gains),
                    count=reading.power,
                    tries=tries // 2 if world.servers is MANY else tries,
                )


def paired(tries: int) -> Iterator[Case]:
    """Yield a world in which what all cells share would hide a difference, were they not compared round by round."""
    world = World(servers=TWO, kind="periodic", sd=0.01, rounds=10, gains=BY_LOOP)
    bounds = (Bound(hits="bare", of="pairs", least=0.99),)
    yield Case(study="pairing", name="10 % in periodic noise", world=world, count=reading.power, tries=tries, bounds=bounds)


def by_number(tries: int) -> Iterator[Case]:
    """Yield cases of the functions of the analysis alone, in large numbers."""
    for kind in ("normal", "contaminated", "one-sided"):
        for rounds in (6, 8, 10, 12, 20, 30):
            world = World(servers=TWO, kind=kind, rounds=rounds)
            name = f"{kind}; {rounds} rounds"
            yield Case(study="many intervals", name=name, world=world, count=engine.intervals, tries=tries, exact=("ratio",))
        for name, budget in (("12 rounds", 0), ("looks", 20)):
            world = World(servers=WIDE, kind=kind, rounds=12, budget_rounds=budget)
            bounds = (Bound(hits="wrong", of="tables", most=FALSE),)
            yield Case(study="many tables", name=f"{kind}; {name}", world=world, count=engine.tables, tries=tries, bounds=bounds)


def whole(scale: float = 1.0) -> list[Case]:
    """List all cases of `selftest --statistics`."""

    def times(tries: int) -> int:
        return max(CHUNK, round(tries * scale))

    return [
        *false_claims(times(200)),
        *left_out(times(200)),
        *offsets(times(400)),
        *coverage(times(500)),
        *coverage_with_looks(times(500)),
        *unasked(times(1000)),
        *power(times(200)),
        *power_among_many(times(100)),
        *paired(times(200)),
        *by_number(times(50)),
    ]


def fast() -> list[Case]:
    """List the cases that every run of the tests does, in seconds; every mutation must break one of them."""
    equal = World(servers=THREE, rounds=10, floor=False)
    looked = World(servers=TWO, rounds=6, budget_rounds=20, floor=False)
    cases = [
        Case(
            study="false claims",
            name=f"fast; {kind}",
            world=replace(equal, kind=kind, rounds=16 if "invalid" in KINDS[kind] else 10),
            count=reading.false_claims,
            tries=100,
            bounds=TRUE,
        )
        for kind in KINDS
    ]
    wide = World(servers=WIDE, rounds=12, floor=False)
    return [
        *cases,
        Case(study="false claims", name="fast; many", world=wide, count=reading.false_claims, tries=50, bounds=TRUE),
        Case(study="false claims", name="fast; looks", world=looked, count=reading.false_claims, tries=180, bounds=TRUE),
        *coverage(250, (6,), ("normal",)),
        *(replace(case, world=replace(case.world, sd=0.01)) for case in coverage(50, (20,), ("drift",))),
        Case(study="unasked", name="fast", world=replace(wide, gains=BY_LOOP), count=reading.unasked, tries=260, bounds=HEADLINE),
        *(case for case in power(75, (10,), ("contaminated",)) if "; 0.05;" in case.name),
        *(case for case in left_out(25, ("normal",)) if not case.world.floor),
        *(case for case in offsets(160) if case.world.offset == FLOOR_HOLDS and case.world.floor),
        *paired(40),
    ]
