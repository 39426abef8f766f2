"""Searches in every form, against stored texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from servermatrix.model import PICK_SCHEMA
from servermatrix.render.pick_document import to_document, to_json
from servermatrix.render.pick_markdown import to_markdown
from servermatrix.render.pick_terminal import to_terminal
from tests.golden.pick_examples import BRACKETS, PICK_EXAMPLES, SCALING, USUAL
from tests.golden.schema_check import violations

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "pick.schema.json").read_text())
each_example = pytest.mark.parametrize("name", PICK_EXAMPLES)


@each_example
def test_a_search_in_markdown_is_as_agreed(name: str, snapshot: SnapshotAssertion) -> None:
    assert to_markdown(PICK_EXAMPLES[name]) == snapshot


@each_example
@pytest.mark.parametrize("width", [120, 60])
def test_a_search_on_a_terminal_is_as_agreed(name: str, width: int, snapshot: SnapshotAssertion) -> None:
    report = PICK_EXAMPLES[name]
    assert to_terminal(report, width=width, colour=False, where=f"reports/{report.header.id}") == snapshot


@pytest.mark.parametrize("report", [BRACKETS, SCALING], ids=["brackets", "scaling"])
def test_a_search_as_json_is_as_agreed(report: Any, snapshot: SnapshotAssertion) -> None:
    assert to_json(report) == snapshot


@each_example
def test_a_search_as_json_keeps_to_the_published_schema(name: str) -> None:
    assert violations(json.loads(to_json(PICK_EXAMPLES[name])), SCHEMA) == []


@each_example
def test_the_json_text_of_a_search_is_the_document(name: str) -> None:
    assert json.loads(to_json(PICK_EXAMPLES[name])) == to_document(PICK_EXAMPLES[name])


def test_the_published_schema_of_a_search_is_of_this_number() -> None:
    assert SCHEMA["properties"]["schema"]["const"] == PICK_SCHEMA == to_document(USUAL)["schema"]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda document: document.pop("line"), "$: line is missing"),
        (lambda document: document.update(schema=0), "$.schema: 0"),
        (lambda document: document["counts"].pop("tied"), "$.counts: tied is missing"),
        (lambda document: document["candidates"][0].update(standing="won"), "$.candidates[0].standing: 'won'"),
        (lambda document: document["candidates"][0]["rps"].update(n=0), "$.candidates[0].rps: fits none"),
        (lambda document: document["candidates"][0]["held"].pop("starts"), "$.candidates[0].held: fits none"),
        (lambda document: document["race"].update(prefer="luck"), "$.race.prefer: 'luck'"),
        (lambda document: document["race"]["limits"][0].update(mood="good"), "$.race.limits[0]: mood is not described"),
        (lambda document: document["deployed"].update(argv="python"), "$.deployed: fits none"),
        (lambda document: document["share"].update(matters="yes"), "$.share: fits none"),
        (lambda document: document["capacity"].pop("sentences"), "$.capacity: fits none"),
        (lambda document: document["run"].update(budget_s="15m"), "$.run.budget_s: '15m' is no integer"),
    ],
)
def test_the_schema_of_a_search_finds_each_kind_of_mistake(spoil: Callable[[Any], object], complaint: str) -> None:
    document = json.loads(to_json(BRACKETS))
    spoil(document)
    found = violations(document, SCHEMA)
    assert any(each.startswith(complaint) for each in found), found
