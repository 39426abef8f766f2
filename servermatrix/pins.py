"""Requirement sets and version pins as texts: read, made canonical, and compared with the versions that really run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

PINNED = re.compile(r"===?\s*([^*,\s]+)")


def read_set(text: str) -> tuple[str, ...]:
    """Read a requirement set such as `uvicorn==0.52.0 uvloop<0.23` and return it in its one canonical spelling, sorted.

    Raises ValueError with a sentence for what is no requirement, for a name that is there twice, and for addresses, paths and
    conditions: what an address leads to can change unseen, and a condition may leave nothing to compare a version with.
    """
    read = [read_one(word) for word in text.split()]
    names = [name for name, _ in read]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is there twice; join its conditions with a comma, as in uvloop>=0.22,<0.23")
    return tuple(spelling for _, spelling in sorted(read))


def read_one(word: str) -> tuple[str, str]:
    """Return the canonical name and spelling of one requirement; raises ValueError as read_set does."""
    try:
        wanted = Requirement(word)
    except InvalidRequirement as failure:
        advice = "write name==version, without spaces around ==, and white space between one requirement and the next"
        raise ValueError(f"{word!r} is no requirement; {advice}") from failure
    if wanted.url is not None:
        raise ValueError(f"{word!r} names an address, and what is found there can change unseen; name a released version")
    if wanted.marker is not None:
        raise ValueError(f"{word!r} has a condition; a requirement set is installed as it stands, so leave out what follows ;")
    return canonicalize_name(wanted.name), _spelling(wanted)


def canonical(requirement: str) -> str:
    """Spell a requirement in the one way that equal ones share; raises ValueError when it is none."""
    return _spelling(Requirement(requirement))


def _spelling(wanted: Requirement) -> str:
    extras = f"[{','.join(sorted(canonicalize_name(extra) for extra in wanted.extras))}]" if wanted.extras else ""
    marker = f"; {wanted.marker}" if wanted.marker is not None else ""
    return f"{canonicalize_name(wanted.name)}{extras}{wanted.specifier}{marker}"


def in_force(constraints: str, requires: Iterable[str]) -> tuple[str, ...]:
    """Return the `name==version` lines of a constraints file that a requirement set leaves in force, sorted.

    A set overrides the lines of those names only for which it gives a version: `gunicorn[fast]` alone keeps gunicorn pinned,
    for installers rather put an older gunicorn in its place than refuse. Raises ValueError for a line that is no requirement.
    """
    given = {canonicalize_name(each.name) for each in map(Requirement, requires) if each.specifier}
    lines = (line.partition("#")[0].strip() for line in constraints.splitlines())
    pins = sorted({canonical(line) for line in lines if line})
    return tuple(pin for pin in pins if canonicalize_name(Requirement(pin).name) not in given)


def pinned(requires: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (name, version) of the requirements that name one exact version."""
    for wanted in map(Requirement, requires):
        if exact := PINNED.fullmatch(str(wanted.specifier)):
            yield canonicalize_name(wanted.name), exact[1]


def broken_pins(
    pins: Iterable[str],
    versions: Mapping[str, str | None],
    *,
    constraints: Iterable[str] = (),
    where: str = "inside the server",
) -> str | None:
    """Say in one sentence which version is not the one that was asked for, None when all are.

    What `pins` name must be installed; `constraints` count for what is installed only. `versions` are those told from inside.
    """
    told: dict[str, str | None] = {canonicalize_name(name): version for name, version in versions.items()}
    for pin in pins:
        wanted = Requirement(pin)
        found = told.get(canonicalize_name(wanted.name))
        if found is None:
            return f"{wanted.name} is not installed {where}, but {pin} was asked for"
        if not _meets(found, wanted.specifier):
            return f"{wanted.name} is {found} {where}, but {_asked(wanted)} was asked for"
    there = (line for line in constraints if told.get(canonicalize_name(Requirement(line).name)) is not None)
    return next((said for line in there if (said := broken_pins((line,), told, where=where))), None)


def _asked(wanted: Requirement) -> str:
    """Name the version of an exact pin, else the whole condition."""
    exact = PINNED.fullmatch(str(wanted.specifier))
    return exact[1] if exact else f"{wanted.name}{wanted.specifier}"


def _meets(found: str, specifier: SpecifierSet) -> bool:
    """Compare as versions, for 0.52 and 0.52.0 are one; a version that is none, as texts."""
    try:
        return specifier.contains(Version(found), prereleases=True)
    except InvalidVersion:
        return not specifier or str(specifier) in {f"=={found}", f"==={found}"}


def exact(name: str, version: str) -> str:
    """Pin a package to a version; what is no version by the rules is only ever equal to itself, which pip writes with ===."""
    try:
        Version(version)
    except InvalidVersion:
        return f"{name}==={version}"
    return f"{name}=={version}"
