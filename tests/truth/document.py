"""Writes docs/statistics.md from the counts of the studies: the same counts give the same text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from hashlib import sha256

from servermatrix.analysis.stats import MIN_ROUNDS
from tests.truth import studies, texts
from tests.truth.cases import SURE, Case, pooled
from tests.truth.mutants import MUTANTS
from tests.truth.reading import exact_miss
from tests.truth.studies import FLOOR_HOLDS, GAINS, NOISES, OFFSETS, PLACES
from tests.truth.worlds import KINDS

Results = Mapping[str, tuple[Case, Counter[str]]]

WORLDS = ("all equal", "loops differ", "servers differ", "all equal, with looks", "loops differ, with looks")
FLOORS = ("noise floor", "no noise floor")
ROUNDS = (6, 8, 10, 12, 20, 30)
POWER_ROUNDS = (6, 10, 20, 30)
ON_THE_WAY = ("left out", "third look")


def document(results: Results, wrong: Sequence[str]) -> str:
    """Return the text; `wrong` are the sentences about broken bounds."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_parts(results, wrong))) + "\n"


def fingerprint_of(cases: Iterable[Case]) -> str:
    """Return a few digits that are others when a world, a number of matrices or a bound is another."""
    listed = sorted(
        repr((case.study, case.name, astuple(case.world), case.count.__qualname__, case.tries, case.bounds, case.exact))
        for case in cases
    )
    return sha256("\n".join([*listed, repr(KINDS)]).encode()).hexdigest()[:12]


def _parts(results: Results, wrong: Sequence[str]) -> Iterator[str]:
    matrices = sum(counts["matrices"] or case.tries for case, counts in results.values() if not case.study.startswith("many"))
    verdict = (
        "No bound was broken."
        if not wrong
        else f"**Bounds that were broken: {len(wrong)}**\n\n" + "\n".join(f"- {one}" for one in wrong)
    )
    fingerprint = fingerprint_of(case for case, _ in results.values())
    yield texts.INTRODUCTION.format(matrices=matrices, sure=round(1 / SURE), verdict=verdict, fingerprint=fingerprint)
    yield from (texts.FALSE, *_false(results), texts.TOGETHER, *_together(results), texts.LEFT_OUT, *_left_out(results))
    yield from (texts.OFFSETS_TEXT.format(holds=FLOOR_HOLDS), *_offsets(results), texts.TABLES, *_tables(results))
    tries = results[f"coverage; normal; {MIN_ROUNDS} rounds"][0].tries
    yield texts.COVERAGE.format(few=MIN_ROUNDS, exact=1 - exact_miss(MIN_ROUNDS), tries=tries)
    yield from (
        *_coverage(results),
        texts.UNPROMISED,
        *_unpromised(results),
        texts.INTERVALS,
        *_intervals(results),
        texts.LOOKS,
        *_by_name(results, "coverage with looks", ("ratio", "rps", "cpu")),
    )
    yield from (texts.UNASKED, *_unasked(results))
    clear = {"clear": studies.CLEAR - 1, "rounds": studies.CLEAR_ROUNDS, "noise": studies.CLEAR_NOISE, **studies.CLAIMED}
    yield from (texts.POWER.format_map(clear), *_power(results), texts.MANY, *_many(results))
    for _, counts in _of(results, "pairing"):
        yield texts.PAIRED.format(found=counts["bare"], tries=counts["pairs"])
    yield texts.MISTAKES + "\n".join(f"- {mutant.name} (`{mutant.file}`)" for mutant in MUTANTS)


def _of(results: Results, study: str) -> list[tuple[Case, Counter[str]]]:
    return [(case, counts) for case, counts in results.values() if case.study == study]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(hits: int, of: int) -> str:
    return f"{hits / of:.1%}" if of else "none"


def _false(results: Results) -> Iterator[str]:
    for floor in FLOORS:
        rows = []
        for kind in KINDS:
            found = [results[f"false claims; {kind}; {world}; {floor}"][1] for world in WORLDS]
            rows.append(
                [kind, *(" / ".join(_share(one[what], one["matrices"]) for what in ("letters", "effects")) for one in found)]
            )
        yield _table([f"rows / effects, {floor}", *WORLDS], rows) + "\n"
    rows = []
    for kind in KINDS:
        found = [results[f"false claims; {kind}; {world}; {FLOORS[1]}"][1] for world in WORLDS]
        total = sum(found, Counter[str]())
        rows.append([kind, *(_share(total[place], total["matrices"]) for place in (*PLACES, "any"))])
    yield _table(["no noise floor, all worlds", *PLACES, "any of them"], rows)


def _together(results: Results) -> Iterator[str]:
    found = [(case, counts) for case, counts in pooled(results.values()) if case.study == "false claims"]
    rows = [[bound.hits, _share(counts[bound.hits], counts[bound.of])] for case, counts in found for bound in case.bounds]
    yield _table(["false claims", f"of {found[0][1]['matrices']:,}"], rows)


def _left_out(results: Results) -> Iterator[str]:
    rows = []
    for case, counts in _of(results, "left out"):
        rows.append([case.name, *(_share(counts[one], counts["matrices"]) for one in ("letters", "effects", *ON_THE_WAY))])
    yield _table(["12 rows", "rows", "effects", "of runs in which rows were left out", "with a third look"], rows)


def _offsets(results: Results) -> Iterator[str]:
    rows = []
    for floor in FLOORS:
        found = [results[f"offsets; {offset}; {floor}"][1] for offset in OFFSETS]
        rows.append([floor, *(_share(counts["letters"], counts["matrices"]) for counts in found)])
    yield _table(["false claims; standard deviation by name", *(f"{offset:.1%}" for offset in OFFSETS)], rows)


def _unpromised(results: Results) -> Iterator[str]:
    for name, head in (("rps", "requests/s of a row"), ("cpu", "CPU us/request of a row")):
        rows = []
        for kind in KINDS:
            found = [results[f"coverage; {kind}; {number} rounds"] for number in ROUNDS]
            if name not in found[0][0].exact:
                rows.append([kind, *(_share(counts[name] - counts[f"{name} missed"], counts[name]) for _, counts in found)])
        yield _table([f"{head}, nothing promised", *(f"{number} rounds" for number in ROUNDS)], rows) + "\n"


def _tables(results: Results) -> Iterator[str]:
    rows = [
        [case.name, f"{counts['wrong'] / counts['tables']:.2%}", f"{counts['tables']:,}"]
        for case, counts in _of(results, "many tables")
    ]
    yield _table(["8 equal rows", "tables with a false claim", "tables"], sorted(rows))


def _intervals(results: Results) -> Iterator[str]:
    rows = [["exact", *(f"{1 - exact_miss(number):.2%}" for number in ROUNDS)]]
    for kind in ("normal", "contaminated", "one-sided"):
        found = [results[f"many intervals; {kind}; {number} rounds"][1] for number in ROUNDS]
        rows.append([kind, *(f"{1 - counts['ratio missed'] / counts['ratio']:.2%}" for counts in found)])
    yield _table(["ratio of two equal rows", *(f"{number} rounds" for number in ROUNDS)], rows)


def _coverage(results: Results) -> Iterator[str]:
    heads = {"ratio": "ratio of two rows", "rps": "requests/s of a row", "cpu": "CPU us/request of a row"}
    exact = ["exact", *(f"{1 - exact_miss(number):.1%}" for number in ROUNDS)]
    for name, head in heads.items():
        rows = [exact]
        for kind in KINDS:
            found = [results[f"coverage; {kind}; {number} rounds"] for number in ROUNDS]
            if name in found[0][0].exact:
                rows.append([kind, *(_share(counts[name] - counts[f"{name} missed"], counts[name]) for _, counts in found)])
        yield _table([head, *(f"{number} rounds" for number in ROUNDS)], rows) + "\n"


def _by_name(results: Results, study: str, names: Sequence[str]) -> Iterator[str]:
    rows = [
        [case.name, *(f"{_share(counts[name] - counts[f'{name} missed'], counts[name])} of {counts[name]:,}" for name in names)]
        for case, counts in _of(results, study)
    ]
    yield _table([study, *names], sorted(rows))


def _unasked(results: Results) -> Iterator[str]:
    rows = []
    for case, counts in _of(results, "unasked"):
        held = {name: counts[name] - counts[f"{name} missed"] for name in ("reference", "headline")}
        shares = [f"{_share(held[name], counts[name])} of {counts[name]:,}" for name in held]
        rows.append([case.name, *shares, f"{counts['headline missed']} of {counts['matrices']:,}"])
    yield _table(["coverage", "ratio to the reference", "headline", "reports with a headline that misses"], rows)


def _power(results: Results) -> Iterator[str]:
    for kind in ("normal", "contaminated"):
        rows = [
            [
                f"{number} rounds, noise {sd:.0%}",
                *(_arrow(results[f"power; {kind}; {number} rounds; {sd}; {gain}"][1]) for gain in GAINS),
            ]
            for number in POWER_ROUNDS
            for sd in NOISES
        ]
        yield _table([f"two rows, {kind} noise", *(f"{gain - 1:.0%}" for gain in GAINS)], rows) + "\n"


def _arrow(counts: Counter[str]) -> str:
    return f"{counts['bare'] / counts['pairs']:.0%} → {counts['shown'] / counts['pairs']:.0%}"


def _many(results: Results) -> Iterator[str]:
    names = dict.fromkeys(case.name.rsplit("; ", 2)[0] for case, _ in _of(results, "power among many"))
    rows = []
    for name in sorted(names):
        for sd in NOISES:
            found = [results[f"power among many; {name}; {sd}; {gain}"][1] for gain in GAINS]
            cells = [f"{_arrow(one)}, alone {one['shown alone'] / one['matrices']:.0%}" for one in found]
            steps = " / ".join(f"{one['steps'] / one['matrices']:.0f}" for one in found)
            rows.append([f"{name}, noise {sd:.0%}", *cells, steps])
    yield _table(["one of several is faster by", *(f"{gain - 1:.0%}" for gain in GAINS), "starts"], rows)
