"""The functions of the analysis on numbers alone: so many tables that a hundredth more false claims would show."""

from __future__ import annotations

from collections import Counter
from sys import maxsize

import numpy as np
from numpy.typing import NDArray

from servermatrix.analysis.claims import Looks, claimed
from servermatrix.analysis.pairs import pair_differences
from servermatrix.analysis.sequence import plan_looks
from servermatrix.analysis.stats import ratio
from tests.truth.reading import exact_miss
from tests.truth.worlds import World

AT_ONCE = 200  # tables or intervals per seed
ROWS = 8
PAIRS = ROWS * (ROWS - 1) // 2


def noise(kind: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float64]:
    """Draw logarithms of requests per second of equal servers."""
    source = np.random.default_rng([seed, *kind.encode()])
    if kind == "one-sided":
        return -source.exponential(size=shape)
    spread = np.where(source.random(shape) < 0.15, 4, 1) if kind == "contaminated" else np.ones(shape)
    return source.normal(size=shape) * spread


def intervals(world: World, seed: int) -> Counter[str]:
    """Count intervals of ratios of equal servers, and those without 1."""
    rates = np.exp(world.sd * noise(world.kind, (AT_ONCE, 2, world.rounds), seed)).tolist()
    missed = 0
    for one, other in rates:
        found = ratio(one, other)
        missed += found.low is None or found.high is None or not found.low <= 1 <= found.high
    expected = AT_ONCE * round(1e6 * exact_miss(world.rounds))
    return Counter({"ratio": AT_ONCE, "ratio missed": missed, "ratio expected": expected})


def tables(world: World, seed: int) -> Counter[str]:
    """Count tables of equal rows in which any two are told apart; with a budget, by looks at all rounds of all of them."""
    looks = Looks(taken=plan_looks(world.budget_rounds, PAIRS), planned=True) if world.budget_rounds else Looks()
    rounds = looks.taken[-1].round if world.budget_rounds else world.rounds
    drawn = noise(world.kind, (AT_ONCE, ROWS, rounds), seed)
    numbers, ends = range(1, rounds + 1), [maxsize] * PAIRS
    wrong = sum(any(claimed(pair_differences(logs.tolist()), numbers, ends, looks)) for logs in drawn)
    return Counter(tables=AT_ONCE, wrong=wrong)
