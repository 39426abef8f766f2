"""Where the servers of a plan run: the interpreter of the run, or an environment of a cell's own, found or made beforehand."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement

from servermatrix import pins, plugins
from servermatrix.analysis.moves import Needs
from servermatrix.contracts import Server
from servermatrix.errors import NotInstalled, Unfit
from servermatrix.measure import environment_cache, interpreters
from servermatrix.measure import overlay as overlay_environments
from servermatrix.measure.bench import Venue, Wanted, needs_of, wanted
from servermatrix.measure.environment_cache import python_of
from servermatrix.measure.environments import contents, distributions, installed, requirements_of, site_folders, unmet
from servermatrix.measure.interpreters import Interpreter
from servermatrix.model import BASELINE, CANDIDATE, Cell
from servermatrix.places import shown_path, tools_folder

CONSTRAINTS = "constraints.txt"
SIDES = (BASELINE, CANDIDATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Venues:
    """The venue of every cell, by what chooses it."""

    by_want: Mapping[Wanted, Venue]

    def shown_python(self, want: Wanted) -> str:
        """Name an interpreter as one would type it here; where there is none, as it was wished for."""
        venue = self.by_want.get(want)
        return "python" if venue is None else shown_path(venue.path)

    def versions(self) -> Iterator[tuple[str, str]]:
        """Yield what is installed, (name, version), each once; what is in an environment of its own is named after that.

        In a check that is the side, whose requirements may be a hundred.
        """
        found: dict[tuple[str, str], None] = {}
        for (whose, python, requires), venue in self.by_want.items():
            of_set = [whose] if whose in SIDES and requires else [f"+{each}" for each in requires]
            own = "".join([f"@{python}" if python else "", *of_set])
            named = f" ({own})" if own else ""
            found.update(((f"{name}{named}", version), None) for name, version in venue.versions.items() if version)
        yield from found

    def of_side(self, name: str) -> Venue | None:
        """Return what one side of a check runs in, None where nothing is started."""
        return next((venue for (whose, _, _), venue in self.by_want.items() if whose == name), None)

    def check_sides(self) -> None:
        """Raise NotInstalled when the environment of a side is not to be had: a check of one side alone would say nothing."""
        for name in SIDES:
            venue = self.of_side(name)
            if venue is not None and venue.failure:
                tip = f"mend --{name}, or name another Python with -s python=VERSION; nothing was measured"
                raise NotInstalled(f"there is no environment for the {name}: {venue.failure}", tip)


def built(
    servers: Mapping[str, Server],
    cells: Iterable[Cell],
    python: str,
    tell: Callable[[str], None],
    *,
    overlay: bool = False,
) -> Venues:
    """Find or make the venue of every cell; one that cannot be had keeps the sentence that its cells fail with.

    With `overlay`, a server that the interpreter of the run has not all packages of gets an environment that sees those of
    that interpreter, which stays as it is. Raises Unfit when the interpreter of the run, `python`, does not work.
    """
    cells = tuple(cells)
    needed, find = _needed(servers, cells), _finder()
    own = {want: _made(want, needs, find(want[1] or python), tell) for want, needs in needed.items() if _is_own(want)}
    shared = {want: needs for want, needs in needed.items() if not _is_own(want)}
    if not shared:
        return Venues(by_want=own)
    versions = installed(python, distributions(text for needs in shared.values() for text in needs))
    everything = tuple(contents(python).items()) if any(whose in SIDES for whose, _, _ in shared) else ()
    there = dict.fromkeys(shared, Venue(path=python, versions=versions, contents=everything))
    lacking = {want: needs for want, needs in shared.items() if overlay and unmet(needs, versions, python)}
    required = _required(servers, cells)
    beside = {want: _beside(want, needs, required[want], find(_as_path(python)), tell) for want, needs in lacking.items()}
    return Venues(by_want={**there, **beside, **own})


def foreseen(servers: Mapping[str, Server], cells: Iterable[Cell], python: str) -> Venues:
    """Say where the venues will be, without making any."""
    find = _finder()

    def path(want: Wanted, needs: tuple[str, ...]) -> str:
        if not _is_own(want):
            return python
        found = find(want[1] or python)
        return found.wished if isinstance(found, _Lost) else python_of(_specified(want, needs, found), environments_folder())

    return Venues(by_want={want: Venue(path=path(want, needs)) for want, needs in _needed(servers, cells).items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """An interpreter that is not to be had, and why."""

    wished: str
    failure: str


def needs_of_sides(servers: Mapping[str, Server], cells: Iterable[Cell], python: str) -> tuple[Needs, Needs]:
    """Return what the packages of the baseline and of the candidate require; nothing where that cannot be told."""
    there = foreseen(servers, cells, python)
    found: list[Needs] = []
    for name in SIDES:
        venue = there.of_side(name)
        try:
            found.append({} if venue is None else requirements_of(venue.path))
        except Unfit:
            found.append({})
    return found[0], found[1]


def _finder() -> Callable[[str], Interpreter | _Lost]:
    """Return a function that looks for interpreters by path or version, for each of them once."""

    @cache
    def find(wished: str) -> Interpreter | _Lost:
        try:
            return interpreters.find(wished)
        except Unfit as failure:
            return _Lost(wished=wished, failure=failure.message)

    return find


def _is_own(want: Wanted) -> bool:
    _, python, requires = want
    return bool(python or requires)


def _needed(servers: Mapping[str, Server], cells: Iterable[Cell]) -> dict[Wanted, tuple[str, ...]]:
    """Collect what the cells of each venue need, each requirement once."""
    found: dict[Wanted, dict[str, None]] = defaultdict(dict)
    for cell in {(wanted(each), each.options, each.protocol, each.workers): each for each in cells}.values():
        found[wanted(cell)].update(dict.fromkeys(needs_of(cell, servers[cell.server])))
    return {want: tuple(needs) for want, needs in found.items()}


def _required(servers: Mapping[str, Server], cells: Iterable[Cell]) -> dict[Wanted, tuple[str, ...]]:
    """Collect what the servers of each venue need in any combination, each requirement once."""
    found: dict[Wanted, dict[str, None]] = defaultdict(dict)
    for cell in cells:
        found[wanted(cell)].update(dict.fromkeys(servers[cell.server].requires))
    return {want: tuple(texts) for want, texts in found.items()}


def _as_path(python: str) -> str:
    """Name an interpreter so that it is looked for where it is: without a slash it would be taken for a version."""
    return python if "/" in python else (shutil.which(python) or python)


def _specified(want: Wanted, needs: tuple[str, ...], python: Interpreter) -> environment_cache.Wanted:
    """Say what an environment is made of.

    What the set gives a version for is the set's to say: cells that need another one fail, and the others run.
    """
    _, _, requires = want
    given = distributions(each for each in requires if Requirement(each).specifier)
    needs = tuple(each for each in needs if distributions((each,))[0] not in given)
    return environment_cache.Wanted(python=python, requirements=needs, requires=requires, constraints=_constraints())


def _constraints() -> str:
    """Read the pinned versions that are shipped."""
    file = plugins.builtin_root() / CONSTRAINTS
    return file.read_text(encoding="utf-8") if file.exists() else ""


def environments_folder() -> Path:
    """Say where environments are kept: beside the tools that were fetched."""
    return tools_folder() / "environments"


def _made(want: Wanted, needs: tuple[str, ...], python: Interpreter | _Lost, tell: Callable[[str], None]) -> Venue:
    if isinstance(python, _Lost):
        return Venue(path=python.wished, failure=python.failure)
    specified, folder = _specified(want, needs, python), environments_folder()
    if environment_cache.known(specified, folder) is None:
        whose = f"the {want[0]}" if want[0] in SIDES else want[0]
        tell(f"making an environment for {whose}: {specified.label}; only this once")
    made = environment_cache.ensure(specified, folder)
    if isinstance(made, environment_cache.Unmade):
        return Venue(path=python_of(specified, folder), failure=made.sentence)
    versions = {"python": python.version, **_told(dict(made.versions), (*needs, *specified.requires))}
    return Venue(
        path=made.python, versions=versions, pins=specified.requires, constraints=specified.in_force, contents=made.versions
    )


def _beside(
    want: Wanted, needs: tuple[str, ...], required: tuple[str, ...], python: Interpreter | _Lost, tell: Callable[[str], None]
) -> Venue:
    """Find or make what a server runs in beside the packages of an interpreter, which are no one's but the user's."""
    if isinstance(python, _Lost):
        return Venue(path=python.wished, failure=python.failure)
    asked = replace(_specified(want, needs, python), beside=site_folders(python.path))
    if environment_cache.known(asked, environments_folder()) is None:
        tell(f"making an environment for {want[0]} beside the packages of {shown_path(python.path)}, which stays as it is")
    made = overlay_environments.ensure(asked, required, environments_folder())
    if isinstance(made, environment_cache.Unmade):
        return Venue(path=python_of(asked, environments_folder()), failure=made.sentence)
    versions = {"python": python.version, **_told(dict(made.versions), needs)}
    refused = {text: f"{text} cannot be installed: {why}" for text, why in made.refused}
    exactly = tuple(pins.exact(name, version) for name, version in made.versions)
    return Venue(
        path=made.python,
        versions=versions,
        constraints=exactly,
        contents=made.versions,
        beside=python.path,
        refused=refused,
    )


def _told(versions: Mapping[str, str], needs: tuple[str, ...]) -> dict[str, str | None]:
    """Keep of all that is installed what was asked for; names are canonical."""
    return {name: versions.get(name) for name in distributions(needs)}
