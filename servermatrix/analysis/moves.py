"""Which packages can change from the baseline's version to the candidate's one by one, and which only along with others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from servermatrix.model import VersionChange

# What each installed package requires, as its metadata spells it, by canonical name.
Needs = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Packages that change together, for none of them can alone; `brings` are all others that must have changed too."""

    names: tuple[str, ...]
    brings: frozenset[str] = frozenset()

    @property
    def closed(self) -> frozenset[str]:
        """Return all that has changed when this has."""
        return self.brings.union(self.names)


def moves_of(differing: Sequence[VersionChange], baseline: Needs, candidate: Needs) -> tuple[Move, ...]:
    """Return the moves from one side to the other, each behind those that it brings, else by name.

    Sets of the first so many moves then never lack what one of them needs, as far as the needs are known: without any, every
    package is a move of its own.
    """
    reached = _closure({each.name: _needed(each, differing, baseline, candidate) for each in differing})
    together = {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in reached}
    moves = [Move(names=names, brings=reached[names[0]].difference(names)) for names in together]
    return tuple(sorted(moves, key=lambda move: (len(move.brings), move.names)))


def _needed(one: VersionChange, differing: Sequence[VersionChange], baseline: Needs, candidate: Needs) -> frozenset[str]:
    """Name what must change when one package does: what its new version needs, and what cannot do with its new version."""
    others = [other for other in differing if other.name != one.name]
    brought = {other.name for other in others if not _accepts(candidate.get(one.name, ()), other.name, other.baseline)}
    unable = {other.name for other in others if not _accepts(baseline.get(other.name, ()), one.name, one.candidate)}
    return frozenset(brought | unable)


def _accepts(needs: Sequence[str], name: str, version: str) -> bool:
    """Tell whether what a package needs is met by this version of another, which is empty where that is not installed."""
    return all(_meets(wanted, version) for wanted in _parsed(needs) if canonicalize_name(wanted.name) == name)


def _parsed(needs: Sequence[str]) -> list[Requirement]:
    """Read the requirements that count here: what belongs to an extra is not known to be wanted, and odd ones say nothing."""
    found = []
    for text in needs:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            found.append(wanted)
    return found


def _meets(wanted: Requirement, version: str) -> bool:
    try:
        return bool(version) and wanted.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return True


def _closure(needed: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """Return for each name all that it leads to, itself included."""
    reached = {name: frozenset({name, *others}) for name, others in needed.items()}
    for _ in reached:  # each time the ways that are known become twice as long
        wider = {name: frozenset().union(*(reached[other] for other in others)) for name, others in reached.items()}
        if wider == reached:
            break
        reached = wider
    return reached
