"""What an attribution says: the packages by name with their versions, and what shows that it was they."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from servermatrix.analysis.attribution import Found, Names, Outcome
from servermatrix.analysis.phrases import counted, joined
from servermatrix.model import Attribution, Probe, VersionChange

APP = "the app"  # no package has a space in its name
MOST_CELLS = 3

Changes = Sequence[VersionChange]
Told = Mapping[str, tuple[Outcome, str]]


def nothing(changes: Changes) -> Attribution:
    """Say why there is nothing to look for."""
    if not changes:
        return Attribution(packages=(), sentence="the sides differ in no package, so none of them can have made the difference")
    return Attribution(packages=(), sentence="no cell regressed by a figure that could be looked for in other sets of packages")


def probed(names: Names, told: Told, run: str) -> Probe:
    """Write down how a set came out in the cells that it was tried for."""
    outcomes = {outcome for outcome, _ in told.values()}
    only = next(iter(outcomes)) if len(outcomes) == 1 else None
    worse = {Outcome.WORSE: True, Outcome.SAME: False}.get(only) if only else None
    return Probe(upgraded=tuple(sorted(names)), worse=worse, sentence=_per_cell(told), run=run)


def _per_cell(told: Told) -> str:
    sentences = list(dict.fromkeys(sentence for _, sentence in told.values()))
    if len(sentences) == 1:
        return sentences[0]
    differ = len({outcome for outcome, _ in told.values()}) > 1
    first = list(told.items())[:MOST_CELLS]
    shown = [f"{pair}: {f'{outcome}, ' if differ else ''}{sentence}" for pair, (outcome, sentence) in first]
    more = [f"and {counted(len(told) - MOST_CELLS, 'more cell')}"] if len(told) > MOST_CELLS else []
    return "; ".join([*shown, *more])


def conclude(changes: Changes, found: Mapping[str, Found], probes: Sequence[Probe]) -> Attribution:
    """Say what made the difference, by pair where that is not the same for all of them."""
    by_find: dict[Found, list[str]] = {}
    for pair, what in found.items():
        by_find.setdefault(what, []).append(pair)
    sentences = [
        _sentence(changes, what, len(probes)) + (f" (in {_cells(pairs)})" if len(by_find) > 1 else "")
        for what, pairs in by_find.items()
    ]
    packages = sorted({name for what in by_find for name in what.names})
    return Attribution(packages=tuple(packages), sentence="; ".join(sentences), probes=tuple(probes))


def _cells(pairs: Sequence[str]) -> str:
    return joined(pairs) if len(pairs) <= MOST_CELLS else f"{counted(len(pairs), 'cell')}, such as {pairs[0]}"


def _sentence(changes: Changes, found: Found, probes: int) -> str:
    """Say of one find what it is and what shows it."""
    if not found.moves:
        tried = f"{counted(probes, 'set')} between the sides {'was' if probes == 1 else 'were'} tried"
        return f"which package made the difference could not be told: {tried}, and the change could not be put down to one"
    names = joined([_versions(one) for one in changes if one.name in found.names])
    if set(found.names) == {one.name for one in changes}:
        return f"{names} made the difference: {_all_of(found)}"
    return f"{names} made the difference{_brought(found)}: {_together(found)}{_alone(found)}"


def _versions(change: VersionChange) -> str:
    if change.name == APP:
        return APP
    if not change.baseline:
        return f"{change.name} {change.candidate} (new)"
    return f"{change.name} {change.baseline}" + (f" -> {change.candidate}" if change.candidate else " (gone)")


def _all_of(found: Found) -> str:
    """Say why all in which the sides differ is named."""
    if len(found.names) == 1:
        return "the sides differ in nothing else"
    return f"{_together(found)}the sides differ in nothing else"


def _brought(found: Found) -> str:
    brought: Collection[str] = frozenset().union(*(move.brings for move in found.moves)).difference(found.names)
    return f" (along with {joined(sorted(brought))}, without which {_it(found)} cannot be had)" if brought else ""


def _together(found: Found) -> str:
    """Say why several are named, empty for one."""
    if len(found.names) == 1:
        return ""
    match found.between:
        case Outcome.UNSURE:
            return "one of them or several together, for with sets that part them it could not be told; "
        case Outcome.IMPOSSIBLE:
            return "no set that parts them could be tried; "
        case _:
            return "only together; " if len(found.moves) > 1 else "they can only change together; "


def _alone(found: Found) -> str:
    """Say how sets with these alone, and without these, came out."""
    it = _it(found)
    match found.alone, found.without:
        case Outcome.WORSE, Outcome.SAME:
            return f"the change is there with {it} alone, and not with all the others"
        case Outcome.WORSE, Outcome.WORSE:
            return f"the change is there with {it} alone, and with all the others too: something else makes it as well"
        case Outcome.WORSE, Outcome.IMPOSSIBLE:
            return f"the change is there with {it} alone; all the others could not be tried without {it}"
        case Outcome.WORSE, _:
            return f"the change is there with {it} alone; whether it is there with all the others could not be told"
        case Outcome.IMPOSSIBLE, _:
            return f"the change is not there with all the others; {it} alone could not be tried"
        case _:
            return f"the change is not there with all the others; whether it is there with {it} alone could not be told"


def _it(found: Found) -> str:
    return "it" if len(found.names) == 1 else "them"
