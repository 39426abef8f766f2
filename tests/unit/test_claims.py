"""Claims over several looks: what may be claimed when, and that all looks together are wrong no more often than one."""

from __future__ import annotations

from itertools import repeat
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from servermatrix.analysis.claims import AT_THE_END, Looks, claimed
from servermatrix.analysis.pairs import signed_ranks
from servermatrix.model import Look

FIRST, SECOND = Look(round=9, alpha=0.01), Look(round=12, alpha=0.02)
TWO = Looks(taken=(FIRST, SECOND), planned=True)
ROUNDS = range(1, 13)
CLEAR = [0.01 * size for size in ROUNDS]
# At the first look nothing; at the second p = 0.0122: enough for 0.02 alone, too much for half of it.
LATE = [0.01 * size if size != 8 else -0.08 for size in ROUNDS]
NOTHING = [0.01 * size * (-1) ** size for size in ROUNDS]


def ways(*hypotheses: list[float], ends: tuple[int, ...] = (), looks: Looks = TWO) -> list[int]:
    return claimed(np.array(hypotheses), ROUNDS, ends or [12] * len(hypotheses), looks)


def normal(seed: object, hypotheses: int, rounds: int, centre: float = 0.0) -> NDArray[np.float64]:
    source = Random(str(seed))  # noqa: S311 - reproducible, not secret
    return np.array([[source.gauss(centre, 1) for _ in range(rounds)] for _ in range(hypotheses)])


def test_one_look_at_the_end_claims_what_holm_rejects_at_five_percent() -> None:
    for seed in range(50):
        differences = normal(seed, 6, 10, centre=0.6)
        rejected = multipletests([p for p, _ in signed_ranks(differences)], alpha=0.05, method="holm")[0]
        found = claimed(differences, range(1, 11), [AT_THE_END.round] * 6, Looks())
        assert [bool(way) for way in found] == rejected.tolist()


def test_the_direction_of_a_claim_is_that_of_the_differences() -> None:
    assert ways(CLEAR, [-size for size in CLEAR], NOTHING) == [1, -1, 0]


def test_what_was_claimed_leaves_the_family_so_that_the_rest_has_it_easier() -> None:
    assert ways(CLEAR, LATE) == [1, 1]
    assert ways(CLEAR, LATE, looks=Looks(taken=(SECOND,))) == [1, 1]


def test_what_was_left_out_without_a_claim_stays_in_the_family() -> None:
    assert ways(NOTHING, LATE, ends=(9, 12)) == [0, 0]
    assert ways(LATE) == [1]


def test_what_was_left_out_can_be_claimed_no_more_whatever_its_rounds_say() -> None:
    assert ways(LATE, ends=(9,)) == [0]
    assert ways(LATE, ends=(12,)) == [1]


def test_a_claim_once_made_stands() -> None:
    turned = [*CLEAR[:9], -1.0, -2.0, -3.0]
    assert ways(turned, NOTHING) == [1, 0]
    assert ways(turned, NOTHING, looks=Looks(taken=(SECOND,))) == [0, 0]


def test_a_look_sees_no_round_after_it() -> None:
    assert ways(LATE, looks=Looks(taken=(FIRST,))) == [0]
    assert ways(CLEAR, NOTHING, looks=Looks(taken=(Look(round=8, alpha=0.01),))) == [0, 0]
    assert ways(CLEAR, NOTHING, looks=Looks(taken=(Look(round=9, alpha=0.01),))) == [1, 0]


def test_without_a_look_nothing_is_claimed() -> None:
    assert ways(CLEAR, looks=Looks(taken=(), coming=FIRST, planned=True)) == [0]


def test_intervals_go_by_the_last_look_that_both_sides_saw() -> None:
    looks = Looks(taken=(FIRST, SECOND), planned=True, ends={"early": 9, "never": 5})
    assert (looks.alpha("early"), looks.alpha("late"), looks.alpha("late", "early")) == (0.01, 0.02, 0.01)
    assert looks.alpha("never") == 0.05
    assert Looks().alpha("any") == AT_THE_END.alpha == 0.05
    assert Looks(taken=(), coming=FIRST, planned=True).alpha("any") == 0.05


TRIES = 800
ALLOWED = 0.05 + 3 * (0.05 * 0.95 / TRIES) ** 0.5


def false_claims(looks: Looks) -> float:
    """Return how often anything is claimed of four hypotheses that are true, of which one is left out when it looks worst."""
    wrong = 0
    for seed in range(TRIES):
        differences = normal(seed, 4, 30)
        worst = int(differences[:, :8].mean(axis=1).argmin())
        ends = [8 if index == worst else 30 for index in range(4)]
        wrong += any(claimed(differences, range(1, 31), ends, looks))
    return wrong / TRIES


@pytest.mark.parametrize("alphas", [(0.01, 0.02, 0.02), (0.05,)])
def test_all_looks_together_are_wrong_in_at_most_one_table_of_twenty(alphas: tuple[float, ...]) -> None:
    taken = [Look(round=number, alpha=alpha) for number, alpha in zip((10, 16, 30)[-len(alphas) :], alphas, strict=True)]
    assert false_claims(Looks(taken=tuple(taken))) <= ALLOWED


def test_looks_that_spend_five_percent_each_are_wrong_more_often() -> None:
    taken = [Look(round=number, alpha=alpha) for number, alpha in zip((10, 14, 18, 22, 26, 30), repeat(0.05))]
    assert false_claims(Looks(taken=tuple(taken))) > ALLOWED
