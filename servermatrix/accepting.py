"""Makes the candidate of a check the baseline: only where somebody typed `accept`, and never by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from servermatrix import store
from servermatrix.analysis.levels import installed
from servermatrix.analysis.nights import is_simulated
from servermatrix.errors import Exit, MatrixError, Unfit, UsageProblem
from servermatrix.merging import Merged
from servermatrix.model import Change, CheckReport, Side, VersionChange
from servermatrix.pins import PINNED, exact
from servermatrix.suggest import listed

ACCEPTED_SCHEMA = 1
_MOST_NAMED = 3
_IN_DOUBT = {
    Change.FAILED: ("failed", Exit.CELL_FAILED),
    Change.REGRESSION: ("regressed", Exit.REGRESSION),
}


class NotAccepted(MatrixError):
    """What the check found speaks against making its candidate the baseline; the exit code is that of the check."""

    def __init__(self, message: str, tip: str, exit_code: Exit) -> None:
        """Keep the sentence, the advice and the code."""
        super().__init__(message, tip)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of the baseline file: `changes` are from what it held to what it holds, `notes` what should be known."""

    runs: tuple[str, ...]
    file: str
    written: bool
    packages: int
    changes: tuple[VersionChange, ...]
    notes: tuple[str, ...]


def accept(night: Merged, to: Path, *, force: bool = False) -> Accepted:
    """Write all that the candidate of a check had installed into a requirements file, whole or not at all.

    Raises UsageProblem for what is no check of requirement sets and, unless forced, for a file that holds something else;
    NotAccepted, unless forced, for a check that does not speak for its candidate; Unfit.
    """
    report = night.report
    new = installed(_candidate(report))
    doubt = _doubt(night)
    if doubt and not force:
        raise doubt
    target = to.resolve()
    old = _held(target, force=force)
    if old != new or not target.exists():
        _write(target, _text(report, new))
    notes = (f"accepted by force, although {doubt.message}",) if doubt else ()
    return Accepted(
        runs=tuple(header.id for header in report.headers),
        file=str(to),
        written=old != new,
        packages=len(new),
        changes=tuple(_changes(old, new)),
        notes=(*notes, *_open(report), *_other_baseline(report, old, to)),
    )


def _candidate(report: CheckReport) -> Side:
    """Return the candidate, with what it had installed."""
    side = report.trial.candidate
    if not side.requires:
        raise UsageProblem(
            "the candidate of this check is no requirement set, so there is none to accept",
            tip="An app is accepted where its code is kept: by merging it.",
        )
    if not installed(side):
        raise UsageProblem(
            "it is not stored what the candidate of this check had installed", tip="Make the check again, not simulated."
        )
    return side


def _doubt(night: Merged) -> NotAccepted | None:
    """Say what speaks against the candidate, None when nothing does; the gravest gives the exit code."""
    found = [*_unfit(night), *_bad(night.report)]
    if not found:
        return None
    name = listed(header.id for header in night.report.headers)
    return NotAccepted(
        f"check {name} does not speak for its candidate: {'; '.join(said for said, _ in found)}",
        tip="Look at it with `report`, or make it again; --force accepts the candidate all the same.",
        exit_code=found[0][1],
    )


def _unfit(night: Merged) -> Iterator[tuple[str, Exit]]:
    """Yield why a check says nothing for certain, of whatever its cells are."""
    report = night.report
    if night.lacking:
        yield f"it is incomplete, without shard {listed(map(str, night.lacking))}", Exit.UNFIT
    elif not report.complete:
        yield "it is incomplete", Exit.UNFIT
    elif night.exit_code(inconclusive_fails=False) is Exit.UNFIT:
        yield "the machine was unfit for it", Exit.UNFIT
    if any(map(is_simulated, report.headers)):
        yield "it was simulated, so nothing was measured", Exit.UNFIT


def _bad(report: CheckReport) -> Iterator[tuple[str, Exit]]:
    for change, (word, code) in _IN_DOUBT.items():
        if cells := report.of(change):
            yield f"{len(cells)} {word} ({_named([cell.pair for cell in cells])})", code


def _open(report: CheckReport) -> Iterator[str]:
    """Say of which cells nothing is known: no reason to refuse, for on a noisy machine there are some every night."""
    if cells := report.of(Change.INCONCLUSIVE):
        yield (
            f"{len(cells)} of {len(report.cells)} cells inconclusive ({_named([cell.pair for cell in cells])}): "
            "whether the candidate is worse there is not known"
        )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _held(file: Path, *, force: bool) -> dict[str, str]:
    """Return what a requirements file asks for, by name; empty where there is none."""
    if not file.exists():
        return {}
    if not file.is_file():
        raise UsageProblem(f"{file} is no file", tip="Name the requirements file of the baseline with --to.")
    try:
        return dict(_requirements(file.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise Unfit(f"cannot read {file}: {error.strerror}", tip="Name a file that can be read and written with --to.") from error
    except ValueError as problem:
        if force:
            return {}
        raise UsageProblem(
            f"{file} is no requirements file, and would be overwritten: {problem}",
            tip="Name the requirements file of the baseline with --to, or overwrite this one with --force.",
        ) from problem


def _requirements(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.partition("#")[0].strip()
        if said:
            try:
                wanted = Requirement(said)
            except InvalidRequirement as error:
                raise ValueError(f"line {number} is {said[:60]!r}") from error
            pinned = PINNED.fullmatch(str(wanted.specifier))
            yield canonicalize_name(wanted.name), pinned[1] if pinned else str(wanted.specifier) or "any version"


def _text(report: CheckReport, new: Mapping[str, str]) -> str:
    """Write the file, with the number of its packages on top, by which `check` knows one that was cut off."""
    names = " and ".join(header.id for header in report.headers)
    head = f"# Accepted by servermatrix, the candidate of check {names}: {len(new)} packages"
    return "\n".join([head, *(exact(name, version) for name, version in sorted(new.items()))]) + "\n"


def _write(file: Path, text: str) -> None:
    try:
        store.write_report(file.parent, file.name, text)
    except Unfit as failure:
        raise Unfit(failure.message, tip="Name a file that can be written with --to; the old one is as it was.") from failure


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[VersionChange]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield VersionChange(name=name, baseline=old.get(name, ""), candidate=new.get(name, ""))


def _other_baseline(report: CheckReport, old: Mapping[str, str], to: Path) -> Iterator[str]:
    """Say that the check compared with something else than what the file held."""
    had = installed(report.trial.baseline)
    other = [name for name, version in old.items() if had and version[:1].isdigit() and had.get(name) != version]
    if other:
        yield f"the check did not compare with what {to} held before: {_named(sorted(other))} differed from its baseline"
