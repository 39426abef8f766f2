"""The mistakes that benchmarks are made with, each as a change of the real source, and the study that must find it out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A line of a file of the engine, what stands in its place, and the fast cases that are to break a bound."""

    name: str
    file: str
    line: str
    instead: str
    study: str

    def infect(self, package: Path) -> None:
        """Change the copy of the package; ValueError unless the line is there exactly once."""
        place = package / self.file
        text = place.read_text(encoding="utf-8")
        if (count := text.count(self.line)) != 1:
            raise ValueError(f"{self.file} has {count} times instead of once: {self.line}")
        place.write_text(text.replace(self.line, self.instead), encoding="utf-8")


MUTANTS = (
    Mutant(
        name="no correction for many comparisons",
        file="analysis/claims.py",
        line="(adjust or holm)(",
        instead="(adjust or list)(",
        study="fast; many",
    ),
    Mutant(
        name="percentile bootstrap in place of the exact interval",
        file="analysis/stats.py",
        line="    ends = _interval(walsh, len(logs), alpha)\n",
        instead=(
            "    from random import Random\n"
            "    draw = Random(str(logs))\n"
            "    means = sorted(sum(draw.choices(logs, k=len(logs))) / len(logs) for _ in range(200))\n"
            "    ends = (means[round(100 * alpha)], means[-1 - round(100 * alpha)])\n"
        ),
        study="coverage; normal",
    ),
    Mutant(
        name="stop when significant",
        file="analysis/sequence.py",
        line="early = Look(round=first, alpha=EARLY)",
        instead="return tuple(Look(round=number, alpha=ALPHA) for number in range(MIN_ROUNDS, 2 * rounds + 1, 2))",
        study="fast; looks",
    ),
    Mutant(
        name="ratios of different rounds",
        file="analysis/stats.py",
        line="log(x) - log(y) for x, y in zip(xs, ys, strict=True)",
        instead="log(x) - log(y) for x, y in zip(xs, [*ys[1:], *ys[:1]], strict=True)",
        study="coverage; drift",
    ),
    Mutant(
        name="comparisons of different rounds",
        file="analysis/pairs.py",
        line="table[left] - table[right]",
        instead="table[left] - np.roll(table[right], 1, axis=1)",
        study="pairing",
    ),
    Mutant(
        name="the interval of two given rows for two that are chosen by the result",
        file="analysis/headline.py",
        line="ratio_to(row, other, shown.looks, shown.outcome.comparisons)",
        instead="ratio_to(row, other, shown.looks)",
        study="unasked; fast",
    ),
    Mutant(
        name="no noise floor",
        file="analysis/floor.py",
        line="factor=max(ratio.high, 1 / ratio.low)",
        instead="factor=1.0",
        study="offsets",
    ),
    Mutant(
        name="a noise floor that is far too wide",
        file="analysis/floor.py",
        line="factor=max(ratio.high, 1 / ratio.low)",
        instead="factor=max(ratio.high, 1 / ratio.low) ** 4",
        study="power; contaminated; 10 rounds; 0.05; 1.2",
    ),
    Mutant(
        name="best of N",
        file="analysis/summarise.py",
        line="rps = {number: rate_of(start) for number, start in starts.items()}",
        instead="rps = dict.fromkeys(starts, max(map(rate_of, starts.values())))",
        study="fast; normal",
    ),
)
