"""Which packages can change one by one, read from what they require; and what an interpreter says that they require."""

from __future__ import annotations

import sys

import pytest

from servermatrix.analysis.moves import Needs, moves_of
from servermatrix.measure.dependencies import dependencies
from servermatrix.model import VersionChange

CORE = VersionChange(name="pydantic-core", baseline="2.40.0", candidate="2.41.1")
PYDANTIC = VersionChange(name="pydantic", baseline="2.11.0", candidate="2.12.0")
CLICK = VersionChange(name="click", baseline="8.1", candidate="8.2")


def named(*changes: VersionChange, baseline: Needs | None = None, candidate: Needs | None = None) -> list[tuple[str, ...]]:
    return [move.names for move in moves_of(changes, baseline or {}, candidate or {})]


def test_without_known_needs_every_package_moves_alone_in_the_order_of_the_names() -> None:
    assert named(PYDANTIC, CORE, CLICK) == [("click",), ("pydantic",), ("pydantic-core",)]


def test_packages_that_are_pinned_to_each_other_on_both_sides_move_together() -> None:
    baseline, candidate = {"pydantic": ["pydantic-core==2.40.0"]}, {"pydantic": ["pydantic_core==2.41.1", "typing-extensions>=4"]}
    assert named(PYDANTIC, CORE, CLICK, baseline=baseline, candidate=candidate) == [("click",), ("pydantic", "pydantic-core")]


def test_a_package_comes_behind_the_new_version_that_it_needs_and_brings_it() -> None:
    moves = moves_of([CLICK, PYDANTIC, CORE], {}, {"click": ["pydantic-core>=2.41"]})
    assert [move.names for move in moves] == [("pydantic",), ("pydantic-core",), ("click",)]
    assert moves[2].brings == {"pydantic-core"}
    assert moves[2].closed == {"click", "pydantic-core"}


def test_a_package_brings_what_cannot_do_with_its_new_version() -> None:
    moves = moves_of([CLICK, PYDANTIC], {"click": ["pydantic<2.12"]}, {"click": ["pydantic"]})
    assert [(move.names, set(move.brings)) for move in moves] == [(("click",), set()), (("pydantic",), {"click"})]


def test_what_leads_on_is_brought_as_well() -> None:
    moves = moves_of([CLICK, PYDANTIC, CORE], {}, {"click": ["pydantic>=2.12"], "pydantic": ["pydantic-core>=2.41"]})
    assert [move.names for move in moves] == [("pydantic-core",), ("pydantic",), ("click",)]
    assert moves[2].brings == {"pydantic", "pydantic-core"}


def test_a_new_package_is_brought_by_what_needs_it_and_one_that_goes_brings_what_needed_it() -> None:
    added, removed = (
        VersionChange(name=name, baseline=old, candidate=new) for name, old, new in (("a", "", "1"), ("r", "1", ""))
    )
    moves = moves_of([added, removed, CLICK], {"click": ["r"]}, {"click": ["a"]})
    assert {move.names: set(move.brings) for move in moves} == {("a",): set(), ("click",): {"a"}, ("r",): {"click", "a"}}


@pytest.mark.parametrize(
    "need",
    [
        "pydantic-core>=3; extra == 'fast'",
        "pydantic-core>=3; python_version < '3'",
        "not a requirement",
        "pydantic-core",
        "other>=9",
    ],
)
def test_needs_that_do_not_count_bring_nothing(need: str) -> None:
    assert not any(move.brings for move in moves_of([CLICK, CORE], {}, {"click": [need]}))


def test_versions_that_are_none_by_the_rules_are_taken_to_fit() -> None:
    odd = VersionChange(name="pytz", baseline="2004d-x", candidate="2004e-x")
    assert not any(move.brings for move in moves_of([CLICK, odd], {}, {"click": ["pytz>=2010"]}))


def test_an_interpreter_says_what_its_packages_require() -> None:
    found = dependencies(sys.executable)
    assert any(need.startswith("pluggy") for need in found["pytest"])
    assert found["pluggy"] is not None
    assert all(name == name.lower() and "_" not in name for name in found)


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false", "/bin/true"])
def test_an_interpreter_that_does_not_tell_says_nothing(python: str) -> None:
    assert dependencies(python) == {}
