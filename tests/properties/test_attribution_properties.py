"""The search for the package that made a change, on made-up sides whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from servermatrix.analysis.attribution import Found, Names, Outcome, most_probes, search
from servermatrix.analysis.moves import Move, moves_of
from servermatrix.model import VersionChange

Truth = Callable[[Names], Outcome]
PACKAGES = tuple("abcdefghijklmnopqrstuvwxyz")
counts = st.integers(1, 26)


def moves_for(count: int, needs: Mapping[str, tuple[str, ...]] | None = None) -> tuple[Move, ...]:
    changes = [VersionChange(name=name, baseline="1", candidate="2") for name in PACKAGES[:count]]
    return moves_of(changes, {}, needs or {})


def gone_through(moves: tuple[Move, ...], truth: Truth) -> tuple[Found, list[Names]]:
    """Answer a search from the truth until it ends."""
    asked: list[Names] = []
    seeking = search(moves)
    try:
        names = next(seeking)
        while True:
            asked.append(names)
            names = seeking.send(truth(names))
    except StopIteration as end:
        found: Found = end.value
        return found, asked


def any_of(*causes: frozenset[str]) -> Truth:
    """The change is there as soon as all packages of one of the causes have moved."""
    return lambda names: Outcome.WORSE if any(cause <= names for cause in causes) else Outcome.SAME


def muted(truth: Truth, share: float, seed: int, silence: Outcome) -> Truth:
    """Tell nothing of some sets, always of the same."""

    def told(names: Names) -> Outcome:
        return silence if Random(f"{seed}/{sorted(names)}").random() < share else truth(names)  # noqa: S311 - reproducible

    return told


@given(counts, st.data())
def test_one_package_that_makes_the_change_is_always_named_within_the_probes_that_halving_takes(
    count: int, data: st.DataObject
) -> None:
    cause = data.draw(st.sampled_from(PACKAGES[:count]))
    found, asked = gone_through(moves_for(count), any_of(frozenset({cause})))
    assert found.names == (cause,)
    assert (found.alone, found.without) == (Outcome.WORSE, Outcome.SAME)
    assert len(asked) == len(set(asked)) <= (count - 1).bit_length() + 2


@given(counts, st.data())
def test_packages_that_make_the_change_only_together_are_named_together(count: int, data: st.DataObject) -> None:
    cause = data.draw(st.frozensets(st.sampled_from(PACKAGES[:count]), min_size=1, max_size=3))
    found, asked = gone_through(moves_for(count), any_of(cause))
    assert set(found.names) == cause
    assert found.between is None
    assert len(asked) <= most_probes(count)


@given(counts, st.data())
def test_of_packages_each_of_which_makes_the_change_one_is_named_and_it_is_said_that_it_is_not_alone(
    count: int, data: st.DataObject
) -> None:
    causes = data.draw(st.sets(st.sampled_from(PACKAGES[:count]), min_size=1, max_size=3))
    found, _ = gone_through(moves_for(count), any_of(*(frozenset({cause}) for cause in causes)))
    assert len(found.names) == 1
    assert causes.issuperset(found.names)
    assert found.without is (Outcome.SAME if len(causes) == 1 else Outcome.WORSE)


@given(
    count=counts,
    data=st.data(),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
    silence=st.sampled_from([Outcome.UNSURE, Outcome.IMPOSSIBLE]),
)
def test_where_sets_say_nothing_no_package_is_named_without_the_one_that_did_it(
    count: int, data: st.DataObject, share: float, seed: int, silence: Outcome
) -> None:
    cause = data.draw(st.sampled_from(PACKAGES[:count]))
    found, asked = gone_through(moves_for(count), muted(any_of(frozenset({cause})), share, seed, silence))
    assert len(asked) == len(set(asked)) <= most_probes(count)
    assert not found.moves or cause in found.names
    assert len(found.names) <= 1 or found.between is not None


@given(count=st.integers(2, 12), data=st.data(), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_where_sets_say_nothing_no_part_of_an_interaction_is_said_to_do_it_alone(
    count: int, data: st.DataObject, share: float, seed: int
) -> None:
    cause = data.draw(st.frozensets(st.sampled_from(PACKAGES[:count]), min_size=2, max_size=3))
    found, _ = gone_through(moves_for(count), muted(any_of(cause), share, seed, Outcome.UNSURE))
    if found.moves and found.alone is Outcome.WORSE:
        assert cause <= set(found.names)
    elif found.moves:
        assert found.without is Outcome.SAME
        assert not cause.isdisjoint(found.names)


@given(st.dictionaries(st.frozensets(st.sampled_from(PACKAGES[:8])), st.sampled_from(Outcome)), st.integers(1, 8))
def test_whatever_the_outcomes_a_search_ends_and_never_asks_for_a_set_twice_nor_for_either_side(
    outcomes: Mapping[Names, Outcome], count: int
) -> None:
    found, asked = gone_through(moves_for(count), lambda names: outcomes.get(names, Outcome.SAME))
    assert len(asked) == len(set(asked)) <= most_probes(count)
    assert frozenset() not in asked
    assert frozenset(PACKAGES[:count]) not in asked
    assert set(found.names) <= set(PACKAGES[:count])


def test_an_interaction_of_so_many_that_it_would_take_too_long_is_given_up() -> None:
    found, asked = gone_through(moves_for(26), any_of(frozenset("bdfhjlnpr")))
    assert len(asked) == most_probes(26) == 26
    assert found == Found()


def some_needs(seed: int, count: int) -> dict[str, tuple[str, ...]]:
    """Let some packages need the new versions of others, round about too."""
    random = Random(seed)  # noqa: S311 - reproducible
    names = PACKAGES[:count]
    return {name: tuple(f"{other}>=2" for other in random.sample(names, random.choice([0, 0, 1, 2]) % count)) for name in names}


@given(count=st.integers(2, 12), seed=st.integers(0, 999), data=st.data())
def test_no_set_lacks_what_a_package_of_it_needs_and_the_one_that_did_it_is_among_those_named(
    count: int, seed: int, data: st.DataObject
) -> None:
    needs = some_needs(seed, count)
    moves = moves_for(count, needs)
    cause = data.draw(st.sampled_from(PACKAGES[:count]))
    found, asked = gone_through(moves, any_of(frozenset({cause})))
    for names in asked:
        assert all(need.removesuffix(">=2") in names for name in names for need in needs[name])
    (move,) = found.moves
    assert cause in move.names
    assert (found.alone, found.without) == (Outcome.WORSE, Outcome.SAME)


def test_a_search_that_is_told_nothing_gives_up() -> None:
    for count, most in ((2, 1), (7, 7), (26, 26)):
        found, asked = gone_through(moves_for(count), lambda _: Outcome.UNSURE)
        assert found == Found()
        assert len(asked) <= most <= most_probes(count)
