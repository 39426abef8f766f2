"""What a run file holds: the header with all that a report needs, and the samples."""

from __future__ import annotations

from dataclasses import dataclass

from servermatrix.model.planned import Cell, Excluded, Look, Noise
from servermatrix.model.program import App
from servermatrix.model.race import Race
from servermatrix.model.samples import Attempt, Ceiling, Decision, Pace, Proof, Sample
from servermatrix.model.trial import Trial

RUN_SCHEMA = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """A cell as the run file keeps it: with the command that starts it, so that reports need no plug-in.

    `settings` are files by which the server can be started instead, (name, text), and `settings_argv` the command that uses
    them; they are kept of the cells of a race alone.
    """

    cell: Cell
    argv: tuple[str, ...]
    load_argv: tuple[str, ...]
    unequal: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    settings_argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The fingerprint of a machine; runs of different hosts are never compared in silence."""

    system: str
    cpu: str
    cores: int
    memory_bytes: int
    python: str
    pinned: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """The first record of a run file: all that is needed to report on it or to go on with it.

    `generators` are (name, version) of those that drive its cells, with an empty version for one that is missing.
    `settings` are what else a resumed run needs: the servers' interpreter, the pinning, the model of a simulation.
    `equalised` says what was asked of every server alike. `looks`, `budget_s`, `trial` and `race` are those of the plan; the
    sides of the trial then say what was found to be installed.
    """

    id: str
    started_at: str
    argv: tuple[str, ...]
    seed: int
    rounds: int
    noise: Noise
    generators: tuple[tuple[str, str], ...]
    host: Host
    versions: tuple[tuple[str, str], ...]
    git: str
    cells: tuple[PlannedCell, ...]
    excluded: tuple[Excluded, ...]
    apps: tuple[App, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    equalised: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()
    budget_s: int = 0
    trial: Trial | None = None
    race: Race | None = None
    schema: int = RUN_SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run file as read: a prefix of one is a valid, shorter run."""

    header: RunHeader
    proofs: tuple[Proof, ...]
    samples: tuple[Sample, ...]
    ceilings: tuple[Ceiling, ...] = ()
    paces: tuple[Pace, ...] = ()
    decisions: tuple[Decision, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    def rounds_of(self, cell: Cell) -> int:
        """Return how many rounds a cell was to have, after what was decided at the looks; open loops are never cut short."""
        if cell.load.rate_percent:
            return self.header.rounds
        ends = (one.round for one in self.decisions if one.stopped or cell.id in dict(one.dropped))
        return min(ends, default=self.header.rounds)

    @property
    def steps_planned(self) -> int:
        """Count the steps that the run was to have, after what was decided at the looks."""
        return sum(self.rounds_of(planned.cell) for planned in self.header.cells)

    @property
    def complete(self) -> bool:
        """Tell whether every planned step has its sample."""
        return len(self.samples) >= self.steps_planned
