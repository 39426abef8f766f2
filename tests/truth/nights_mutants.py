"""Mistakes in the judging of nights, each of which must break a bound of a fast study."""

from __future__ import annotations

from tests.truth.mutants import Mutant

MUTANTS = (
    Mutant(
        name="the second stage takes the rounds of the first one too",
        file="analysis/regress/stages.py",
        line="return range(self.first + 1, maxsize)",
        instead="return range(1, maxsize)",
        study="bad luck; fast; normal; 24",
    ),
    Mutant(
        name="an alarm when either stage shows it",
        file="analysis/regress/stages.py",
        line="p_of(one, claim, stages.margin_log) for one, (_, claim) in",
        instead=(
            "min(p_of(these, claim, stages.margin_log) for these in (one, duels[place].differences(claim.metric, stages.early))) "
            "for one, (place, claim) in"
        ),
        study="bad luck; fast; normal; 1 cells",
    ),
    Mutant(
        name="the second stage is looked at again after each round from its eighth on",
        file="analysis/regress/stages.py",
        line="p_of(one, claim, stages.margin_log) for",
        instead="min(p_of(one[:done], claim, stages.margin_log) for done in range(8, 17)) for",
        study="bad luck; fast; normal; 1 cells",
    ),
    Mutant(
        name="no correction for many flagged cells",
        file="analysis/regress/stages.py",
        line="ps = holm([",
        instead="ps = list([",
        study="bad luck; fast; normal; 24",
    ),
    Mutant(
        name="no margin",
        file="analysis/regress/stages.py",
        line="return log1p(self.margin)",
        instead="return 0.0",
        study="false alarms; fast; normal; all worse",
    ),
    Mutant(
        name="ratios of different rounds",
        file="analysis/regress/duels.py",
        line="return [(ours[one], theirs[one]) for one in common if",
        instead="return [(ours[one], theirs[other]) for one, other in zip(common, [*common[1:], *common[:1]], strict=True) if",
        study="pairing; fast",
    ),
    Mutant(
        name="a single failure of a baseline fails its cell",
        file="analysis/regress/errors.py",
        line="if len(base.failures) < OFTEN and",
        instead="if len(base.failures) < 1 and",
        study="failures; fast",
    ),
    Mutant(
        name="the margin is called the smallest detectable change",
        file="analysis/regress/stages.py",
        line="return expm1(stages.margin_log + min(known))",
        instead="return expm1(stages.margin_log)",
        study="detectable; fast",
    ),
    Mutant(
        name="a change that its own interval shows is not looked at again",
        file="analysis/regress/flags.py",
        line="if claim in likely | changed)",
        instead="if claim in likely - (changed - likely))",
        study="hidden; fast",
    ),
    Mutant(
        name="nobody asks the canary",
        file="analysis/regress/canaries.py",
        line="if canary.fit or not doubted:",
        instead="if canary.fit or doubted is not None:",
        study="canary; fast; told apart",
    ),
    Mutant(
        name="a second stage at the alpha of the first",
        file="analysis/regress/verdicts.py",
        line="if p <= ALARM_ALPHA]",
        instead="if p <= 10 * ALARM_ALPHA]",
        study="bad luck; fast; normal; 1 cells",
    ),
)
