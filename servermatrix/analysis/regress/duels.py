"""What the two sides of each pair of a check gave, round by round; it decides nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log

from servermatrix.analysis.onesided import DECIMALS
from servermatrix.analysis.summarise import checked, cpu_us_of, rate_of
from servermatrix.model import BASELINE, CANDIDATE, Cause, Cell, Failed, Measured, Metric, Run, Sample, Skipped

Rates = Mapping[int, float]
OFTEN = 2  # failures: from there on they are no accident


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """What the starts of one side of a pair gave, by round: its metrics, and the rounds that were lost to noise.

    `failures` are those that noise is no excuse for; `given_up` is the first round in which it was not started again for them, 0
    for none. `rounds` are those it was to have, `stored` those that are there, and `skipped` is why one of them was not tried,
    empty where all were.
    """

    values: Mapping[Metric, Rates]
    failures: tuple[Failed, ...] = ()
    lost: frozenset[int] = frozenset()
    rounds: int = 0
    stored: int = 0
    skipped: str = ""
    given_up: int = 0

    def until(self, last: int) -> Starts:
        """Return what its rounds up to this one gave."""
        return replace(
            self,
            values={metric: {at: one for at, one in rates.items() if at <= last} for metric, rates in self.values.items()},
            failures=tuple(one for one in self.failures if one.round <= last),
            lost=frozenset(one for one in self.lost if one <= last),
            rounds=min(self.rounds, last),
            stored=min(self.stored, last),
            given_up=self.given_up if self.given_up <= last else 0,
        )

    @property
    def hopeless(self) -> bool:
        """Tell whether failures left it without a number, or with no further start: one alone may be an accident."""
        return len(self.failures) >= OFTEN and (bool(self.given_up) or not self.measured)

    @property
    def measured(self) -> Rates:
        """Return requests per second of all rounds that gave a number."""
        return self.values[Metric.RPS]

    @property
    def tried(self) -> int:
        """Count the rounds in which a start was tried."""
        return len(self.measured) + len(self.failures) + len(self.lost)

    @property
    def causes(self) -> frozenset[Cause]:
        """Return whose fault the failures are."""
        return frozenset(one.cause for one in self.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """One pair of a check: the same cell on both sides.

    `limited` says what held its requests per second down that is not the server, empty for nothing: then they cannot show that
    nothing changed.
    """

    pair: str
    baseline: Starts
    candidate: Starts
    limited: str = ""

    def until(self, last: int) -> Duel:
        """Return what the rounds up to this one gave."""
        return replace(self, baseline=self.baseline.until(last), candidate=self.candidate.until(last))

    @property
    def telling(self) -> tuple[Metric, ...]:
        """Return the metrics that can show that nothing changed."""
        return (Metric.CPU,) if self.limited else tuple(Metric)

    def paired(self, metric: Metric, rounds: range) -> list[tuple[float, float]]:
        """Return (candidate, baseline) of the rounds that both have; a value of 0, below the clock's tick, has no ratio."""
        ours, theirs = self.candidate.values[metric], self.baseline.values[metric]
        common = sorted(number for number in ours.keys() & theirs.keys() if number in rounds)
        return [(ours[one], theirs[one]) for one in common if ours[one] > 0 and theirs[one] > 0]

    def differences(self, metric: Metric, rounds: range) -> list[float]:
        """Return ln candidate - ln baseline, round by round."""
        return [round(log(ours) - log(theirs), DECIMALS) for ours, theirs in self.paired(metric, rounds)]

    @property
    def complete(self) -> bool:
        """Tell whether all rounds that it was to have are there."""
        return all(side.stored >= side.rounds for side in (self.baseline, self.candidate))

    @property
    def lost_share(self) -> float:
        """Return the share (0-1) of its rounds in which either side was lost to noise."""
        tried = max(self.baseline.tried, self.candidate.tried)
        return len(self.baseline.lost | self.candidate.lost) / tried if tried else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Duels:
    """All pairs of a run, in the order of the plan, and what was measured twice to see how much of it is noise."""

    pairs: tuple[Duel, ...]
    canaries: tuple[Duel, ...]


def duels_of(run: Run) -> Duels:
    """Return the pairs of a run of a check; a cell whose other side is not in the plan is none."""
    samples: dict[str, list[Sample]] = defaultdict(list)
    for sample in run.samples:
        samples[sample.cell_id].append(sample)
    cells = [planned.cell for planned in run.header.cells]
    starts = {cell.id: starts_of(samples[cell.id], run.rounds_of(cell)) for cell in cells}
    sides = {(cell.pair, cell.side): cell for cell in cells if not cell.duplicate}
    again = [cell for cell in cells if cell.duplicate]
    pairs = [pair for pair, side in sides if side == BASELINE and (pair, CANDIDATE) in sides]
    return Duels(
        pairs=tuple(_duel(starts, sides[pair, BASELINE], sides[pair, CANDIDATE]) for pair in pairs),
        canaries=tuple(_duel(starts, original, cell) for cell in again if (original := replace(cell, duplicate=False)) in cells),
    )


def _duel(starts: Mapping[str, Starts], one: Cell, other: Cell) -> Duel:
    """Return a pair as far as both of it were to go: the baseline of the canary goes on beside it, flagged or not."""
    duel = Duel(pair=one.pair, baseline=starts[one.id], candidate=starts[other.id])
    return duel.until(min(duel.baseline.rounds, duel.candidate.rounds))


def starts_of(samples: Sequence[Sample], rounds: int) -> Starts:
    """Return what the samples of one cell give, which was to have so many rounds."""
    sound = [checked(sample) for sample in samples]
    measured = [sample for sample in sound if isinstance(sample, Measured)]
    failed = [sample for sample in sound if isinstance(sample, Failed)]
    return Starts(
        values={
            Metric.RPS: {start.round: rate_of(start) for start in measured},
            Metric.CPU: {start.round: cpu_us_of(start) for start in measured},
        },
        failures=tuple(one for one in failed if one.cause is not Cause.NOISE),
        lost=frozenset(one.round for one in failed if one.cause is Cause.NOISE),
        rounds=rounds,
        stored=len(sound),
        skipped=_why_skipped(sound),
        given_up=_given_up(sound),
    )


def _given_up(samples: Iterable[Sample]) -> int:
    """Return the first round that was left out right after a failure which noise is no excuse for, 0 for none."""
    ordered = sorted(samples, key=lambda sample: sample.round)
    followed = (two for two in pairwise(ordered) if isinstance(two[1], Skipped))
    return next((after.round for before, after in followed if isinstance(before, Failed) and before.cause is not Cause.NOISE), 0)


def _why_skipped(samples: Iterable[Sample]) -> str:
    return next((sample.reason for sample in samples if isinstance(sample, Skipped)), "")
