"""The shards of a check as one night: their runs found, proven to be of one check, and judged together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from servermatrix import checking, shards, store
from servermatrix.analysis.nights import night_of
from servermatrix.analysis.regress import judge
from servermatrix.errors import Exit, NothingSelected, Unfit, UsageProblem
from servermatrix.model import Attribution, CheckReport, Run, Side, Trial
from servermatrix.store import history
from servermatrix.suggest import listed

DEPTH = 3  # artifacts are unpacked into a folder each, with the reports folder below


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What the runs of one night say together; `lacking` are the shards that are not there."""

    runs: tuple[Run, ...]
    report: CheckReport
    lacking: tuple[shards.Shard, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what keeps the night from being whole."""
        return (f"shards are missing, so the night is not complete: {listed(map(str, self.lacking))}",) if self.lacking else ()

    @property
    def unsound(self) -> str:
        """Say why the night is not to be built on, in a history or an issue; empty for one that is sound."""
        if not self.report.complete:
            return "the night is not complete"
        unfit = self.exit_code(inconclusive_fails=False) is Exit.UNFIT
        return "a machine was not fit for some of the night" if unfit else ""

    def exit_code(self, *, inconclusive_fails: bool) -> Exit:
        """Say how the night went; one that is not complete is unfit to say anything for certain."""
        found = checking.exit_code(self.report, self.runs, inconclusive_fails=inconclusive_fails)
        return found if self.report.complete else Exit.UNFIT


def find(names: Iterable[str], out: Path) -> tuple[Path, ...]:
    """Find runs by name, as store.find_run does, and all that are below a folder that is none; raises NothingSelected."""
    return tuple(dict.fromkeys(path for name in names for path in _found(name, out)))


def _found(name: str, out: Path) -> list[Path]:
    folder = Path(name)
    below = list(_below(folder, DEPTH)) if folder.is_dir() else []
    return below or [store.find_run(name, out)]


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the runs in a folder; what is below a run belongs to it."""
    if (folder / store.RUN_FILE).is_file():
        yield folder
    elif depth:
        for child in sorted(folder.iterdir()):
            if child.is_dir():
                yield from _below(child, depth - 1)


def merge(folders: Sequence[Path]) -> Merged:
    """Judge the runs as one night; raises UsageProblem or Unfit where they are not the shards of one check."""
    if not folders:
        raise NothingSelected("there is no run to judge", "name the folders of the runs")
    runs = tuple(store.read_run(folder) for folder in folders)
    _check_alike(runs)
    missing = shards.lacking([run.header for run in runs])
    _check_apart(runs)
    report = judge(runs)
    attribution = _joined([found for found in map(store.read_attribution, folders) if found])
    report = replace(report, attribution=attribution, complete=report.complete and not missing)
    return Merged(runs=runs, lacking=missing, report=report)


def _check_alike(runs: Sequence[Run]) -> None:
    """Refuse what is no check, and what does not try the same."""
    first = runs[0].header
    for header in (run.header for run in runs):
        if header.trial is None or first.trial is None:
            raise UsageProblem(f"{header.id} is not the run of a check", "name runs that `check` made")
        if said := _difference(first.trial, header.trial):
            raise Unfit(f"{first.id} and {header.id} are not shards of one check: they differ in {said}", "pin what they install")
        if header.looks != first.looks:
            raise UsageProblem(f"{first.id} and {header.id} have other rounds, so they are not shards of one check")


def _check_apart(runs: Sequence[Run]) -> None:
    """Refuse cells that are in two of the runs."""
    pairs = Counter(pair for run in runs for pair in {planned.cell.pair for planned in run.header.cells})
    if twice := [pair for pair, count in pairs.items() if count > 1]:
        raise UsageProblem(f"{twice[0]} is in more than one of these runs", "name each shard once")


def _difference(one: Trial, other: Trial) -> str:
    """Say in what two trials differ; the folder of an app may be another on each machine, its content may not."""
    if one.margin != other.margin:
        return "their margin"
    pairs = ((one.baseline, other.baseline), (one.candidate, other.candidate))
    return next((said for here, there in pairs if (said := _side_difference(here, there))), "")


def _side_difference(here: Side, there: Side) -> str:
    if here.requires != there.requires:
        return f"what was asked for as {here.name}"
    if here.git != there.git:
        return f"the code of the app of the {here.name}"
    if here.versions != there.versions:
        packages = sorted({name for name, _ in set(here.versions) ^ set(there.versions)})
        return f"what was installed as {here.name}: {listed(packages)}"
    return ""


def _joined(found: Sequence[Attribution]) -> Attribution | None:
    """Put together what was found in several shards; None where nobody looked."""
    if len(found) < 2:  # noqa: PLR2004 - nothing to put together
        return found[0] if found else None
    return Attribution(
        packages=tuple(dict.fromkeys(name for one in found for name in one.packages)),
        sentence="; ".join(dict.fromkeys(one.sentence for one in found)),
        probes=tuple(probe for one in found for probe in one.probes),
    )


def keep_night(night: Merged, folder: Path) -> Path:
    """Write the night into a history; raises Unfit for one that is not sound, and what store.history.append raises."""
    if night.unsound:
        raise Unfit(
            f"{night.unsound}, so nothing was added to the history", "run the shards that are missing or failed, then merge"
        )
    return history.append(folder, night_of(night.report))
