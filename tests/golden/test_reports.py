from __future__ import annotations

import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from servermatrix.analysis.analyse import analyse
from servermatrix.model import Report
from servermatrix.render.document import to_document, to_json
from servermatrix.render.markdown import to_markdown
from servermatrix.render.terminal import to_terminal
from servermatrix.store import read_run
from tests.golden.claims_examples import CLAIMS_EXAMPLES, EVERYTHING, OPEN_LOOP
from tests.golden.protocol_examples import PROTOCOL_EXAMPLES, SIDE_BY_SIDE
from tests.golden.remark_examples import REMARK_EXAMPLES, WORKERS
from tests.golden.report_examples import EXAMPLES, RANKED, WITH_FAILURES
from tests.golden.schema_check import violations

ALL = {**EXAMPLES, **PROTOCOL_EXAMPLES, **CLAIMS_EXAMPLES, **REMARK_EXAMPLES}
STORED = Path(__file__).parent  # simulated runs as a servermatrix of that schema stored them
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())


# Of sixty rows alike, those that a terminal shows are enough to keep.
@pytest.mark.parametrize("name", [name for name in ALL if name != "sixty rows"])
def test_a_report_in_markdown_is_as_agreed(name: str, snapshot: SnapshotAssertion) -> None:
    assert to_markdown(ALL[name]) == snapshot


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [120, 60])
def test_a_report_on_a_terminal_is_as_agreed(name: str, width: int, snapshot: SnapshotAssertion) -> None:
    assert to_terminal(ALL[name], width=width, colour=False) == snapshot


IN_JSON = {
    "with failures": WITH_FAILURES,
    "h1 beside h2c": SIDE_BY_SIDE,
    "everything": EVERYTHING,
    "open loop": OPEN_LOOP,
    "four workers": WORKERS,
}


@pytest.mark.parametrize("report", IN_JSON.values(), ids=IN_JSON)
def test_a_report_as_json_is_as_agreed(report: Report, snapshot: SnapshotAssertion) -> None:
    assert to_json(report) == snapshot


@pytest.mark.parametrize("schema", [1, 2])
def test_a_run_that_was_stored_in_an_earlier_schema_is_reported_as_agreed(schema: int, snapshot: SnapshotAssertion) -> None:
    report = analyse(read_run(STORED / f"schema_{schema}"))
    assert to_markdown(report) == snapshot
    assert violations(json.loads(to_json(report)), SCHEMA) == []


@pytest.mark.parametrize("name", ALL)
def test_a_report_as_json_keeps_to_the_published_schema(name: str) -> None:
    assert violations(json.loads(to_json(ALL[name])), SCHEMA) == []


@pytest.mark.parametrize("name", ALL)
def test_the_json_text_is_the_document(name: str) -> None:
    assert json.loads(to_json(ALL[name])) == to_document(ALL[name])


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda document: document.pop("answer"), "$: answer is missing"),
        (lambda document: document["cells"][0].update(rank=[1]), "$.cells[0].rank: 1 items"),
        (lambda document: document["cells"][0].update(rps={}), "$.cells[0].rps: fits none"),
        (lambda document: document["cells"][0].update(status="fine"), "$.cells[0].status: 'fine'"),
        (lambda document: document["run"].update(seed="7"), "$.run.seed: '7' is no integer"),
        (lambda document: document["run"].update(mood="good"), "$.run: mood is not described"),
        (lambda document: document.update(schema=1), "$.schema: 1"),
        (lambda document: document["run"]["host"].update(cores=0), "$.run.host.cores: 0 is less than 1"),
    ],
)
def test_the_check_against_the_schema_finds_each_kind_of_mistake(spoil: object, complaint: str) -> None:
    document = json.loads(to_json(RANKED))
    assert callable(spoil)
    spoil(document)
    found = violations(document, SCHEMA)
    assert any(each.startswith(complaint) for each in found), found
