"""Attribution of a regression: small checks between the baseline and sets that lie between the sides, until a package is named.

The same sets serve all cells that regressed: each cell has a search of its own, and a set is tried for all that ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from servermatrix.analysis.attribution import Found, Names, Outcome, Search, search
from servermatrix.analysis.evidence import Sought, outcome_of, sought
from servermatrix.analysis.levels import NOT_COMPARED, installed
from servermatrix.analysis.moves import Needs, moves_of
from servermatrix.analysis.named import APP, conclude, nothing, probed
from servermatrix.model import Attribution, CheckReport, Probe, Run, Side, Trial, VersionChange
from servermatrix.pins import exact

ROUNDS = 16

# Conducts an ordinary small check of these pairs alone and returns its run; a text says why a set of it cannot be installed.
Ask = Callable[[Trial, tuple[str, ...]], Run | str]


def attribute(report: CheckReport, ask: Ask, needs: tuple[Needs, Needs] = ({}, {})) -> Attribution:
    """Return which package made the cells of a check regress, or why that cannot be said; asks for one small check after another.

    `ask` is given the sides to compare, as whole pinned sets, and the pairs to compare them in, over ROUNDS rounds. `needs` are
    what the packages of the baseline and of the candidate require, where that is known: then no set lacks what one of it needs.
    """
    wanted = [one for cell in report.cells if (one := sought(cell)) is not None]
    changes = _changes(report)
    if not wanted or not changes:
        return nothing(changes)
    asker = _Asker(trial=report.trial, ask=ask)
    moves = moves_of(changes, *needs)
    found = asker.all_found({one: search(moves) for one in wanted})
    return conclude(changes, {one.pair: what for one, what in found.items()}, asker.probes)


def _changes(report: CheckReport) -> tuple[VersionChange, ...]:
    """Return all in which the sides differ and that could have done it: packages, and the app where each side has its own."""
    packages = tuple(one for one in report.differing if one.name not in NOT_COMPARED)
    old, new = report.trial.baseline.app_dir, report.trial.candidate.app_dir
    return packages if old == new else (*packages, VersionChange(name=APP, baseline=old, candidate=new))


@dataclass(slots=True, kw_only=True)
class _Asker:
    """Has sets tried for several searches at once, and keeps what came of each."""

    trial: Trial
    ask: Ask
    probes: list[Probe] = field(default_factory=list)

    def all_found(self, searches: Mapping[Sought, Search]) -> dict[Sought, Found]:
        """Go through all searches to their ends; a set is tried for all that ask for it by then."""
        asked: dict[Sought, Names] = {}
        found: dict[Sought, Found] = {}
        outcomes: dict[Sought, Outcome | None] = dict.fromkeys(searches)
        while outcomes:
            for one, outcome in outcomes.items():
                try:
                    asked[one] = next(searches[one]) if outcome is None else searches[one].send(outcome)
                except StopIteration as end:
                    found[one] = end.value
                    asked.pop(one, None)
            outcomes = dict(self.tried(asked))
        return found

    def tried(self, asked: Mapping[Sought, Names]) -> dict[Sought, Outcome | None]:
        """Try the set that the first asks for, and return how it came out for all that do; nothing when nobody asks."""
        if not asked:
            return {}
        names = next(iter(asked.values()))
        asking = [one for one, wished in asked.items() if wished == names]
        run = self.ask(between(self.trial, names), tuple(one.pair for one in asking))
        if isinstance(run, str):
            told = dict.fromkeys(asking, (Outcome.IMPOSSIBLE, run))
        else:
            told = {one: outcome_of(one, run) for one in asking}
        self.probes.append(probed(names, {one.pair: told[one] for one in asking}, "" if isinstance(run, str) else run.header.id))
        return {one: outcome for one, (outcome, _) in told.items()}


def between(trial: Trial, names: Names) -> Trial:
    """Return the baseline against itself with some packages at the candidate's versions, as whole pinned sets."""
    old, new = installed(trial.baseline), installed(trial.candidate)
    mixed = {name: version for name, version in old.items() if name not in names}
    mixed |= {name: new[name] for name in sorted(names & new.keys())}
    app_dir = trial.candidate.app_dir if APP in names else trial.baseline.app_dir
    return replace(
        trial, baseline=_pinned(trial.baseline, old), candidate=_pinned(replace(trial.candidate, app_dir=app_dir), mixed)
    )


def _pinned(side: Side, versions: Mapping[str, str]) -> Side:
    requires = tuple(exact(name, version) for name, version in sorted(versions.items()))
    return replace(side, requires=requires, versions=(), git="")
