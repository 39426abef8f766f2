from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from servermatrix.model import CheckReport
from servermatrix.render import bigger_is_better, check_annotations
from servermatrix.render.check_document import to_document, to_json
from servermatrix.render.check_issue import issue_body, issue_title
from servermatrix.render.check_lines import first_line
from servermatrix.render.check_markdown import to_markdown
from servermatrix.render.check_summary import step_summary
from servermatrix.render.check_terminal import to_terminal
from servermatrix.render.junit import to_junit
from tests.golden.check_examples import AWKWARD, BISECTED, CHECK_EXAMPLES, EMPTY, EVERY, SHARDS
from tests.golden.schema_check import violations

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "check.schema.json").read_text())
each_example = pytest.mark.parametrize("name", CHECK_EXAMPLES)


@each_example
def test_a_check_in_markdown_is_as_agreed(name: str, snapshot: SnapshotAssertion) -> None:
    assert to_markdown(CHECK_EXAMPLES[name]) == snapshot


@each_example
@pytest.mark.parametrize("width", [120, 60])
def test_a_check_on_a_terminal_is_as_agreed(name: str, width: int, snapshot: SnapshotAssertion) -> None:
    assert to_terminal(CHECK_EXAMPLES[name], width=width, colour=False) == snapshot


@each_example
def test_the_first_line_and_the_annotations_of_a_check_are_as_agreed(name: str, snapshot: SnapshotAssertion) -> None:
    assert [first_line(CHECK_EXAMPLES[name]), *check_annotations.annotations(CHECK_EXAMPLES[name])] == snapshot


SOME = {"every verdict": EVERY, "bisected": BISECTED, "awkward": AWKWARD, "no cells": EMPTY}
OF_SOME = pytest.mark.parametrize("report", SOME.values(), ids=SOME)


@OF_SOME
def test_the_summary_of_a_step_is_as_agreed(report: CheckReport, snapshot: SnapshotAssertion) -> None:
    assert step_summary(report) == snapshot


@OF_SOME
def test_the_issue_of_a_check_is_as_agreed(report: CheckReport, snapshot: SnapshotAssertion) -> None:
    assert f"{issue_title(report)}\n\n{issue_body(report)}" == snapshot


@OF_SOME
def test_a_check_as_junit_is_as_agreed(report: CheckReport, snapshot: SnapshotAssertion) -> None:
    assert to_junit(report) == snapshot


@OF_SOME
def test_a_check_for_github_action_benchmark_is_as_agreed(report: CheckReport, snapshot: SnapshotAssertion) -> None:
    assert bigger_is_better.to_json(report) == snapshot


@pytest.mark.parametrize("report", [BISECTED, SHARDS], ids=["bisected", "three shards"])
def test_a_check_as_json_is_as_agreed(report: CheckReport, snapshot: SnapshotAssertion) -> None:
    assert to_json(report) == snapshot


@each_example
def test_a_check_as_json_keeps_to_the_published_schema(name: str) -> None:
    assert violations(json.loads(to_json(CHECK_EXAMPLES[name])), SCHEMA) == []


@each_example
def test_the_json_text_of_a_check_is_the_document(name: str) -> None:
    assert json.loads(to_json(CHECK_EXAMPLES[name])) == to_document(CHECK_EXAMPLES[name])


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda document: document.pop("line"), "$: line is missing"),
        (lambda document: document.update(schema=0), "$.schema: 0"),
        (lambda document: document["counts"].pop("gone"), "$.counts: gone is missing"),
        (lambda document: document["cells"][0].update(change="worse"), "$.cells[0].change: 'worse'"),
        (lambda document: document["cells"][0]["rps"].update(stage=3), "$.cells[0].rps: fits none"),
        (lambda document: document["cells"][0].update(mood="good"), "$.cells[0]: mood is not described"),
        (lambda document: document["canaries"][0].update(fit="yes"), "$.canaries[0].fit: 'yes'"),
        (lambda document: document["attribution"].pop("packages"), "$.attribution: fits none"),
        (lambda document: document["runs"][0].update(seed="7"), "$.runs[0].seed: '7' is no integer"),
    ],
)
def test_the_schema_of_a_check_finds_each_kind_of_mistake(spoil: Callable[[Any], object], complaint: str) -> None:
    document = json.loads(to_json(BISECTED))
    spoil(document)
    found = violations(document, SCHEMA)
    assert any(each.startswith(complaint) for each in found), found
