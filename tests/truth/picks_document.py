"""Writes docs/pick-statistics.md from the counts of the studies of races: the same counts give the same text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from hashlib import sha256

from servermatrix.analysis.race import ENOUGH, ROUNDS, looks
from servermatrix.analysis.race.spread import FIRMEST
from servermatrix.analysis.stats import rounds_needed
from tests.truth.cases import SURE, pooled
from tests.truth.picks_cases import EFFORT, KEPT, Case
from tests.truth.picks_mutants import MUTANTS
from tests.truth.picks_worlds import FEWEST, MOST, SHAPES, WORKERS

Results = Mapping[str, tuple[Case, Counter[str]]]

INTRODUCTION = """# What `pick` claims, on spaces whose best is known

Written by `python3 run_matrix.py selftest --statistics`; this page alone: `python -m tests.truth picks`. {spaces:,} made-up
spaces of settings, of {fewest} to {most} cells each, are raced through by the functions that decide a real race. The same
seeds give the same numbers. A bound counts as broken when the counts would come less often than once in {sure:,} times,
were it kept. Each bound must hold in each case, and in all cases of a study together. {verdict}

These are the cases with the fingerprint `{fingerprint}`: worlds, numbers of spaces and bounds.

## The race

Every cell has {first} rounds. At the looks, after {looks} rounds, a cell is left out when it is surely worse than another:
then the mean of the differences of ln requests/s, round by round, is further from 0 than Student's t allows at 5 % /
{number} looks / the comparisons in which the best could lose its place. These are one for each other cell and, in its
family, which are the same settings with other numbers of workers, one for each two numbers that could seem to fall off
towards it. The variance is that of the pair, moderated by that of all pairs (Smyth 2004), which counts for no more than
{firmest:g} rounds. A number of workers that is surely worse than a smaller one takes the larger ones with it, and the other
way round. The winner group is what is left at the end. The race ends when one is left, or all that are left differ by less
than 1 %, but not before round {enough}, so that those in front have figures worth printing; and at the latest after round
{rounds}.

Exact signed-rank tests with Holm's correction, as the tables of `run` have them, could tell nothing apart of {most} cells
in fewer than {needed} rounds, however clear it is. The race pays for that with an assumption about noise: that means of
differences follow Student's distribution at least as closely as they do here.

## The spaces

Three to six servers with settings of their own, each with the same numbers of workers ({workers}), of which one is right,
and what is further from it does worse. How much servers differ is drawn for each space: `wide`, with a standard deviation
of 10 to 50 % in requests/s; `narrow`, 2 to 8 %; `equal`, not at all, where one cell is marked and called the best. Settings
of a server differ a third of that. From start to start requests/s vary by 3 %, where nothing else is said: `normal`;
`contaminated` (15 % of the starts have four times the spread); `one-sided` (exponential, slowdowns only); `drift` and
`periodic` (what all cells of a round share moves by up to 50 %); `20 % lost` (a fifth of the starts is lost to noise);
`each its own spread` (of which the logarithm varies with a standard deviation of 0.6); `some four times as noisy` (a tenth
of the cells); `two modes` (each start falls into one of two modes, 12 % apart); `a slow mode at times` (30 % of the starts
are 12 % slower); `two modes in some` (three cells in ten have modes that are 18 % apart, the others have none).

`kept`: the winner group has the best in it, which is to be so in at least {kept} of the spaces. `effort`: the load seconds
of the race over those of a full matrix of equal confidence: all cells have as many rounds as those in front had in the
race, so that the standard error of those is the same. It is to be at most {effort} in wide spaces. `first`: in how many
spaces the best was the leader. `group`: how many cells the winner group has on average; `after 3`: how many are left after
the first look.

`effort` is about figures as precise, not about an answer as soon: the longer those in front go on, the smaller it gets, and that
a race never ends before round {enough} is a part of it. Where nothing can be left out it is 100 %.
"""
WIDE = """
## Wide spaces

The headline: {tries:,} spaces with normal noise; the best was in the winner group of {kept}, for {effort} of the effort.

"""
NARROW = """
## Narrow spaces

All settings are within a few per cent of each other: many are truly tied, and to tell them apart a race has to go on with many.
What it costs is shown, nothing is promised of it but that the best is kept.

"""
EQUAL = """
## Equal spaces

The hardest for the promise that the best is kept, for every other cell may seem to be better: nothing is to be found, and
nothing may be lost.

"""
NOISE = """
## Less noise, and more

Wide spaces; nothing is promised of the effort at 6 %.

"""
CONDUCTED = """
## From the plan to the outcome

Wide spaces, gone through as by the command, with the fake generator and its own noise in place of servers.

"""
MISTAKES = """
## Mistakes that the studies find

Every run of the tests makes these mistakes in a copy of the source, one at a time, and demands that a study breaks a bound:

"""
HEAD = ("noise", "spaces", "kept", "effort", "first", "after 3", "group", "rounds")


def document(results: Results, wrong: Sequence[str]) -> str:
    """Return the text; `wrong` are the sentences about broken bounds."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_parts(results, wrong))) + "\n"


def fingerprint_of(cases: Iterable[Case]) -> str:
    """Return a few digits that are others when a world, a number of spaces or a bound is another."""
    listed = sorted(
        repr((one.study, one.name, astuple(one.world), one.count.__qualname__, one.tries, one.bounds)) for one in cases
    )
    return sha256("\n".join([*listed, repr((SHAPES, WORKERS))]).encode()).hexdigest()[:12]


def _parts(results: Results, wrong: Sequence[str]) -> Iterator[str]:
    yield _introduction(results, wrong)
    headline, counts = results["wide; normal"]
    yield WIDE.format(tries=headline.tries, kept=_share(counts, "kept", "spaces"), effort=_share(counts, "starts", "full"))
    texts = {"wide": "", "narrow": NARROW, "equal": EQUAL, "noise": NOISE, "conducted": CONDUCTED}
    for study, text in texts.items():
        yield from (text, _table(results, study), *_together(results, study))
    yield MISTAKES + "\n".join(f"- {mutant.name} (`{mutant.file}`)" for mutant in MUTANTS)


def _introduction(results: Results, wrong: Sequence[str]) -> str:
    broken = f"**Bounds that were broken: {len(wrong)}**\n\n" + "\n".join(f"- {one}" for one in wrong)
    taken = [look.round for look in looks(ROUNDS, MOST)]
    return INTRODUCTION.format(
        spaces=sum(case.tries for case, _ in results.values()),
        fewest=FEWEST,
        most=MOST,
        sure=round(1 / SURE),
        verdict=broken if wrong else "No bound was broken.",
        fingerprint=fingerprint_of(case for case, _ in results.values()),
        first=taken[0],
        looks=", ".join(map(str, taken[:-1])) + f" and {taken[-1]}",
        number=len(taken),
        firmest=FIRMEST,
        enough=ENOUGH,
        rounds=ROUNDS,
        needed=rounds_needed(MOST * (MOST - 1) // 2),
        workers=", ".join(f"{'/'.join(map(str, each))}" for each in WORKERS),
        kept=f"{KEPT:.0%}".replace("%", " %"),
        effort=f"{EFFORT:.0%}".replace("%", " %"),
    )


def _table(results: Results, study: str) -> str:
    rows = [_row(case.name, counts) for case, counts in results.values() if case.study == study]
    lines = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _row(name: str, counts: Counter[str]) -> tuple[str, ...]:
    shares = (_share(counts, "kept", "spaces"), _share(counts, "starts", "full"), _share(counts, "led", "spaces"))
    means = (f"{counts[what] / max(1, counts['spaces']):.1f}" for what in ("after 3", "group", "rounds"))
    return (name, f"{counts['spaces']:,}", *shares, *means)


def _share(counts: Counter[str], what: str, of: str) -> str:
    return f"{counts[what] / counts[of]:.1%}" if counts[of] else "none"


def _together(results: Results, study: str) -> Iterator[str]:
    for case, counts in pooled(results.values()):
        if case.study == study and case.bounds[0].hits == "kept":
            yield f"All of these together: the best was kept in {counts['kept']:,} of {counts['spaces']:,} spaces.\n"
