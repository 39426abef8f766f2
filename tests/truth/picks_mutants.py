"""Mistakes in the judging of races, each of which must break a bound of a fast study."""

from __future__ import annotations

from tests.truth.mutants import Mutant

MUTANTS = (
    Mutant(
        name="no correction for many cells",
        file="analysis/race/judging.py",
        line="look.alpha / found.comparisons",
        instead="look.alpha",
        study="equal; fast; normal",
    ),
    Mutant(
        name="what looks five per cent worse is left out",
        file="analysis/race/duels.py",
        line="self.centres - self.half_widths > FINEST",
        instead="self.centres > 0.05",
        study="equal; fast; normal",
    ),
    Mutant(
        name="the scatter of all pairs for that of each",
        file="analysis/race/spread.py",
        line="freedom=min(prior, FIRMEST))",
        instead="freedom=1e9)",
        study="equal; fast; some four times",
    ),
    Mutant(
        name="the scatter of the steadiest pairs for that of all",
        file="analysis/race/spread.py",
        line="variance=max(typical, float(np.average(clipped, weights=counts)))",
        instead="variance=float(np.quantile(sizes, 0.02))",
        study="equal; fast; normal",
    ),
    Mutant(
        name="differences of different rounds",
        file="analysis/race/judging.py",
        line="duels(found.table(), ",
        instead="duels(__import__('numpy').stack([__import__('numpy').roll(one, at) for at, one in enumerate(found.table())]), ",
        study="wide; fast; periodic",
    ),
    Mutant(
        name="the leader alone is the winner group",
        file="analysis/race/judging.py",
        line="tied=tuple(sorted(tied, key=lambda own: -scores[own].value)),",
        instead="tied=(),",
        study="equal; fast; normal",
    ),
    Mutant(
        name="nothing is left out before the end",
        file="analysis/race/schedule.py",
        line="if number < rounds), rounds)",
        instead="if number < 0), rounds)",
        study="wide; fast; normal",
    ),
)
