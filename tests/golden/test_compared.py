"""Compared runs in every form, against stored texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from servermatrix.model import COMPARE_SCHEMA
from servermatrix.render.compared_document import to_document, to_json
from servermatrix.render.compared_markdown import to_markdown
from servermatrix.render.compared_terminal import to_terminal
from tests.golden.compared_examples import COMPARED, EVERYTHING, FORCED
from tests.golden.schema_check import violations

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "compare.schema.json").read_text())


@pytest.mark.parametrize("name", COMPARED)
def test_compared_runs_in_markdown_are_as_agreed(name: str, snapshot: SnapshotAssertion) -> None:
    assert to_markdown(COMPARED[name]) == snapshot


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("width", [120, 60])
def test_compared_runs_on_a_terminal_are_as_agreed(name: str, width: int, snapshot: SnapshotAssertion) -> None:
    assert to_terminal(COMPARED[name], width=width, colour=False) == snapshot


def test_compared_runs_as_json_are_as_agreed(snapshot: SnapshotAssertion) -> None:
    assert to_json(EVERYTHING) == snapshot
    assert json.loads(to_json(FORCED)) == to_document(FORCED)


@pytest.mark.parametrize("name", COMPARED)
def test_compared_runs_as_json_keep_to_the_published_schema(name: str) -> None:
    assert violations(json.loads(to_json(COMPARED[name])), SCHEMA) == []


def test_the_published_schema_is_of_this_number() -> None:
    assert SCHEMA["properties"]["schema"]["const"] == COMPARE_SCHEMA
    assert violations({**to_document(EVERYTHING), "schema": 0, "mood": "good"}, SCHEMA) == [
        "$.schema: 0 is not 1",
        "$: mood is not described",
    ]
