"""Writes docs/nightly-statistics.md from the counts of the studies of nights: the same counts give the same text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from hashlib import sha256

from servermatrix.analysis.regress import ALARM_ALPHA, CONFIRM_ROUNDS, FIRST_ROUNDS, FLAG_ALPHA, WIDEST
from servermatrix.analysis.regress.lost import MOST_LOST
from tests.truth.cases import SURE, pooled
from tests.truth.nights_cases import EDGES, GAINS, NOISES, SDS, SIZES, Case
from tests.truth.nights_mutants import MUTANTS
from tests.truth.nights_texts import (
    ALARMS,
    BAD_LUCK,
    CANARY,
    CONDUCTED,
    DETECTABLE,
    FAILURES,
    HIDDEN,
    INTRODUCTION,
    MISTAKES,
    NO_MARGIN,
    PAIRED,
    POWER,
    QUIET,
)
from tests.truth.worlds import KINDS

Results = Mapping[str, tuple[Case, Counter[str]]]
POWERS = {"requests/s": "in requests/s alone", "both": "in both metrics"}


def document(results: Results, wrong: Sequence[str]) -> str:
    """Return the text; `wrong` are the sentences about broken bounds."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_parts(results, wrong))) + "\n"


def fingerprint_of(cases: Iterable[Case]) -> str:
    """Return a few digits that are others when a world, a number of nights or a bound is another."""
    listed = sorted(
        repr((one.study, one.name, astuple(one.world), one.count.__qualname__, one.tries, one.bounds)) for one in cases
    )
    return sha256("\n".join([*listed, repr(KINDS)]).encode()).hexdigest()[:12]


def _parts(results: Results, wrong: Sequence[str]) -> Iterator[str]:
    broken = f"**Bounds that were broken: {len(wrong)}**\n\n" + "\n".join(f"- {one}" for one in wrong)
    yield INTRODUCTION.format(
        first=FIRST_ROUNDS,
        confirm=CONFIRM_ROUNDS,
        flag=f"{FLAG_ALPHA:.2f}",
        alarm=f"{ALARM_ALPHA:.2f}",
        nights=sum(case.tries for case, _ in results.values()),
        sure=round(1 / SURE),
        verdict=broken if wrong else "No bound was broken.",
        fingerprint=fingerprint_of(case for case, _ in results.values()),
    )
    yield from (ALARMS, *_alarms(results, "false alarms", SIZES), CONDUCTED.format(widest=_whole(WIDEST)))
    yield from (*_alarms(results, "conducted", (4, 8, 24)), _canaries(results))
    told = results["canary; told apart"][1]
    yield CANARY.format(alarmed=told["canary alarmed"], nights=told["nights"], cells=told["cells"])
    yield from (BAD_LUCK, _by_size(results, "bad luck"), *_together(results, "bad luck"))
    yield from (NO_MARGIN, _by_size(results, "no margin"), *_together(results, "no margin"))
    yield from (POWER.format(tries=_of(results, "power")[0][0].tries), *_power(results))
    yield from (DETECTABLE.format(tries=_of(results, "detectable")[0][0].tries), _detectable(results))
    yield from (HIDDEN.format(tries=_of(results, "hidden")[0][0].tries), _hidden(results))
    yield from (FAILURES.format(tries=_of(results, "failures")[0][0].tries), _failures(results))
    yield from (_quiet_text(results), _quiet(results))
    for _, counts in _of(results, "pairing"):
        yield PAIRED.format(found=counts["found"], tries=counts["nights"])
    yield MISTAKES + "\n".join(f"- {mutant.name} (`{mutant.file}`)" for mutant in MUTANTS)


def _of(results: Results, study: str) -> list[tuple[Case, Counter[str]]]:
    return [(case, counts) for case, counts in results.values() if case.study == study]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _whole(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _share(counts: Counter[str], what: str, of: str = "nights") -> str:
    return f"{counts[what] / counts[of]:.1%}" if counts[of] else "none"


def _few(counts: Counter[str], what: str) -> str:
    return f"{counts[what]} of {counts['nights']:,}"


def _alarms(results: Results, study: str, sizes: Iterable[int]) -> Iterator[str]:
    for name in EDGES:
        rows = [
            [kind, *(_few(results[f"{study}; {kind}; {name}; {cells} cells"][1], "false alarm") for cells in sizes)]
            for kind in KINDS
        ]
        yield _table([f"nights with a false alarm; {name}", *(f"{cells} cells" for cells in sizes)], rows)
    yield from _together(results, study)


def _together(results: Results, study: str) -> Iterator[str]:
    for case, counts in pooled(results.values()):
        if case.study == study and case.bounds[0].hits == "false alarm":
            share = _share(counts, "false alarm")
            yield f"All of these together: {counts['false alarm']:,} of {counts['nights']:,} nights, {share}.\n"


def _canaries(results: Results) -> str:
    rows = []
    for kind in KINDS:
        found = sum((counts for case, counts in _of(results, "conducted") if case.world.kind == kind), Counter[str]())
        rows.append([kind, _share(found, "canary unfit"), _share(found, "canary alarmed")])
    return _table(["canary", "unfit", "alarmed"], rows)


def _by_size(results: Results, study: str) -> str:
    found = _of(results, study)
    sizes = dict.fromkeys(case.world.cells for case, _ in found)
    rows = []
    for kind in dict.fromkeys(case.world.kind for case, _ in found):
        own = {case.world.cells: counts for case, counts in found if case.world.kind == kind}
        rows.append([kind, *(f"{_few(own[cells], 'false alarm')} ({_share(own[cells], 'false alarm')})" for cells in sizes)])
    return _table(["nights with a false alarm", *("1 cell" if cells == 1 else f"{cells} cells" for cells in sizes)], rows)


def _power(results: Results) -> Iterator[str]:
    for way, words in POWERS.items():
        rows = []
        for kind in ("normal", "contaminated"):
            for sd in SDS:
                found = [results[f"power; {kind}; {sd}; {gain}; {way}"][1] for gain in GAINS]
                rows.append([f"{kind}, {_whole(sd)}", *(f"{counts['found'] / counts['nights']:.0%}" for counts in found)])
        yield _table([f"worse {words}; noise", *(_whole(gain - 1) for gain in GAINS)], rows)


def _detectable(results: Results) -> str:
    rows = []
    for kind, sd in NOISES:
        for way in ("CPU time", "both"):
            one, many = (results[f"detectable; {kind}; {sd}; {way}; {cells} cells"][1] for cells in (1, 24))
            size = f"{one['size in 1/1000 %'] / max(1, one['nights']) / 1000:.1f} %"
            found = (f"{counts['found'] / max(1, counts['nights']):.0%}" for counts in (one, many))
            rows.append([f"{kind}, {_whole(sd)}; worse in {way}", size, *found])
    return _table(["noise", "printed, on average", "found, 1 cell", "found, 1 of 24 cells"], rows)


def _hidden(results: Results) -> str:
    rows = []
    for case, counts in _of(results, "hidden"):
        known = ("found", "first no change")
        rest = Counter({"else": counts["nights"] - sum(counts[one] for one in known), "nights": counts["nights"]})
        rows.append([_hidden_name(case), *(_share(counts, one) for one in known), _share(rest, "else")])
    return _table(["5 % worse; noise", "regression", "no change", "inconclusive"], rows)


def _hidden_name(case: Case) -> str:
    return f"{'both metrics' if case.world.cpu else 'requests/s alone'}, {100 * case.world.sd:g} %"


def _failures(results: Results) -> str:
    what = ("any failed", "false alarm", "any inconclusive")
    rows = [
        [f"{100 * case.world.failing:g} % of the starts fail", *(_share(counts, one) for one in what)]
        for case, counts in _of(results, "failures")
    ]
    return _table(["nights with", "a cell FAILED", "a false alarm", "an inconclusive cell"], rows)


def _quiet_text(results: Results) -> str:
    counts = sum((counts for case, counts in _of(results, "false alarms") if case.world.every != 1), Counter[str]())
    numbers = {"wrong": _share(counts, "wrongly unchanged", "cells"), "cells": counts["cells"]}
    return QUIET.format(widest=_whole(WIDEST), lost=_whole(MOST_LOST), **numbers)


def _quiet(results: Results) -> str:
    rows = []
    for kind in KINDS:
        for sd in SDS:
            counts = results[f"quiet; {kind}; {sd}"][1]
            cells = [_share(counts, what, "cells") for what in ("no change", "inconclusive", "went on")]
            rows.append([f"{kind}, {_whole(sd)}", *cells, _share(counts, "all unchanged"), _share(counts, "any inconclusive")])
    return _table(
        [
            "noise",
            "cells unchanged",
            "cells inconclusive",
            "cells in stage 2",
            "nights all unchanged",
            "nights with one inconclusive",
        ],
        rows,
    )
