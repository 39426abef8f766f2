"""The two sides of a check: read from what was typed, laid over the cells of a plan, each of which is then there twice."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from servermatrix import pins
from servermatrix.analysis.regress import ALARM_ALPHA, CONFIRM_ROUNDS, FIRST_ROUNDS, FLAG_ALPHA
from servermatrix.duplicate import choose
from servermatrix.errors import NothingSelected, UsageProblem
from servermatrix.model import BASELINE, CANDIDATE, Cell, Excluded, Look, Plan, Side, Trial
from servermatrix.suggest import listed

ONLY_IN = "the sides differ in"
CLOSED_ONLY = "check compares requests/s and CPU in a closed loop"
SAY_A_SET = "name a requirements file, or a set such as 'uvicorn==0.52.0'"
LOOKS_LIKE_A_FILE = re.compile(r"(?i)[^\s\[\]]*(/|\\|\.(txt|in|lock|toml|cfg|pip)$)[^\s\[\]]*")
# What `accept` writes on top, by which a file that was cut off is known.
COUNTED = re.compile(r"#.*\bservermatrix\b.*: (\d+) packages?\s*")


def read_side(name: str, given: str | None, app_dir: str | None) -> Side:
    """Read a side from what was typed: the path of a requirements file or a set such as `uvicorn==0.52.0 h11`, and a folder.

    Raises NothingSelected for a baseline that is not there, UsageProblem for anything that is no set, and for a missing folder.
    """
    requires: tuple[str, ...] = ()
    # A folder named like a package is none: only what looks like a path may turn out to be a folder.
    if given is not None and (os.path.isfile(given) or LOOKS_LIKE_A_FILE.fullmatch(given)):  # noqa: PTH113 - takes any text
        requires = _of_file(name, Path(given))
    elif given is not None:
        requires = _of_words(name, given)
    if app_dir is not None and not Path(app_dir).is_dir():
        raise UsageProblem(f"there is no folder {app_dir} to import the app of the {name} from", f"mend --{name}-app-dir")
    # Servers start in a work folder of their own, where a relative path would mean something else.
    return Side(name=name, requires=requires, app_dir=str(Path(app_dir).resolve()) if app_dir is not None else "")


def _of_words(name: str, given: str) -> tuple[str, ...]:
    try:
        requires = pins.read_set(given)
    except ValueError as problem:
        raise UsageProblem(f"--{name}: {problem}", SAY_A_SET) from problem
    if not requires:
        raise UsageProblem(f"--{name} is empty", SAY_A_SET)
    return requires


def _of_file(name: str, file: Path) -> tuple[str, ...]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as failure:
        raise _not_there(name, file) from failure
    except OSError as failure:
        raise UsageProblem(f"--{name}: {file} cannot be read: {failure.strerror}", "name a requirements file") from failure
    except UnicodeDecodeError as failure:
        raise UsageProblem(f"--{name}: {file} is not text in UTF-8, so it is no requirements file") from failure
    found = [(number, *_requirement(f"--{name}: {file}:{number}", line)) for number, line in _lines(text)]
    if not found:
        raise UsageProblem(f"--{name}: {file} is empty", "write a requirement a line into it, such as uvicorn==0.52.0")
    first: dict[str, int] = {}
    for number, distribution, _ in found:
        if first.setdefault(distribution, number) != number:
            raise UsageProblem(f"--{name}: {file}:{number}: {distribution} is there twice, first in line {first[distribution]}")
    _check_whole(name, file, text, len(found))
    return tuple(spelling for _, _, spelling in sorted(found, key=lambda one: one[1:]))


def _not_there(name: str, file: Path) -> NothingSelected | UsageProblem:
    if name != BASELINE:
        return UsageProblem(f"--{name}: the file {file} does not exist", SAY_A_SET)
    tip = f"write down what is installed where all is well: python3 -m pip freeze > {file}"
    return NothingSelected(f"there is no baseline yet: the file {file} does not exist", tip)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, by number, without comments."""
    for number, line in enumerate(text.splitlines(), start=1):
        said = re.sub(r"(^|\s)#.*", "", line).strip()
        if said:
            yield number, said


def _requirement(where: str, line: str) -> tuple[str, str]:
    """Read a line of a requirements file as (name, spelling); UsageProblem for all that is not a plain requirement."""
    if "--hash" in line or line.endswith("\\"):
        raise UsageProblem(f"{where}: hashes are not read", "leave them out: pip-compile without --generate-hashes")
    if line.startswith("-"):
        option = line.split(maxsplit=1)[0]
        raise UsageProblem(f"{where}: options of pip such as {option} are not read", "write requirements alone")
    try:
        Requirement(line)
    except InvalidRequirement as problem:
        raise UsageProblem(f"{where}: {line!r} is no requirement", "write one a line, such as uvicorn==0.52.0") from problem
    try:
        return pins.read_one(line)
    except ValueError as problem:
        raise UsageProblem(f"{where}: {problem}") from problem


def _check_whole(name: str, file: Path, text: str, count: int) -> None:
    """Refuse a file that was cut off, where it says itself how many packages it lists."""
    said = next((match for line in text.splitlines() if (match := COUNTED.fullmatch(line))), None)
    if said is None:
        return
    again = "make it again with accept, or remove the comment that says so"
    if int(said[1]) != count:
        raise UsageProblem(
            f"--{name}: {file} lists {count} packages and says itself that there are {said[1]}: it was cut off", again
        )
    if not text.endswith("\n"):
        raise UsageProblem(f"--{name}: {file} was cut off within its last line, which has no end", again)


def double(
    plan: Plan,
    trial: Trial,
    *,
    first: int = FIRST_ROUNDS,
    confirm: int = CONFIRM_ROUNDS,
    missing: Collection[str] = (),
) -> Plan:
    """Return the plan of a check: every cell on both sides, side by side, and the baseline of one of them twice.

    Two looks part its stages: all cells have `first` rounds, flagged ones `confirm` more. Cells of an open loop are excluded;
    what is measured twice is no cell whose generator is `missing`. Raises NothingSelected when no cell is left, UsageProblem for
    cells with requirements or Pythons of their own.
    """
    closed = [cell for cell in plan.cells if not cell.load.rate_percent and not cell.duplicate]
    if not closed:
        raise NothingSelected("no cell is left to check: those at a fixed rate are left out", "leave out -s rate=")
    _check_alike(closed)
    once = replace(plan, cells=tuple(closed), rounds=first + confirm)
    twice = choose(once, missing)
    opened = (Excluded(id=cell.id, reason=CLOSED_ONLY) for cell in plan.cells if cell.load.rate_percent)
    return replace(
        once,
        cells=tuple(one for cell in closed for one in _both(cell, trial, twice=cell == twice)),
        excluded=(*plan.excluded, *opened),
        looks=(Look(round=first, alpha=FLAG_ALPHA), Look(round=first + confirm, alpha=ALARM_ALPHA)),
        budget_s=0,
        trial=trial,
    )


def _both(cell: Cell, trial: Trial, *, twice: bool) -> Iterator[Cell]:
    baseline = replace(cell, side=BASELINE, requires=trial.baseline.requires)
    yield baseline
    if twice:
        yield replace(baseline, duplicate=True)
    yield replace(cell, side=CANDIDATE, requires=trial.candidate.requires)


def _check_alike(cells: Collection[Cell]) -> None:
    """Refuse what would make more than one environment of a side: then nothing could be accepted as one set of packages."""
    if any(cell.requires for cell in cells):
        raise UsageProblem(
            "the axis `requires` cannot be used in a check, whose sides say what is installed", "leave it out of the matrix"
        )
    pythons = dict.fromkeys(cell.python or "the default" for cell in cells)
    if len(pythons) > 1:
        raise UsageProblem(
            f"a check is done on one Python, but the cells want {listed(pythons)}", "choose one with -s python=VERSION"
        )


def by_servers_alone(plan: Plan, trial: Trial, servers: Collection[str], needs: Callable[[Cell], Collection[str]]) -> Plan:
    """Leave out the cells that have nothing to do with what differs, where only servers do: both sides are the same for them.

    `servers` are the distributions of all servers, `needs` those that one cell needs, by canonical name. Raises NothingSelected
    when that is all of them.
    """
    differing = _differing(trial)
    if not differing or not differing.issubset(servers) or trial.baseline.app_dir != trial.candidate.app_dir:
        return plan
    idle = {cell.id for cell in plan.cells if differing.isdisjoint(needs(cell))}
    reason = f"{ONLY_IN} {listed(sorted(differing))} alone, which is not used here; -k would choose it all the same"
    kept = tuple(cell for cell in plan.cells if cell.id not in idle)
    if not kept:
        raise NothingSelected(
            f"no cell of the matrix uses {listed(sorted(differing))}, in which alone the sides differ", "choose cells with -k"
        )
    left_out = tuple(Excluded(id=cell.id, reason=reason) for cell in plan.cells if cell.id in idle and not cell.duplicate)
    return replace(plan, cells=kept, excluded=(*plan.excluded, *left_out))


def _differing(trial: Trial) -> set[str]:
    """Name the packages for which the two requirement sets say something else."""
    changed = set(trial.baseline.requires) ^ set(trial.candidate.requires)
    return {pins.read_one(each)[0] for each in changed}
