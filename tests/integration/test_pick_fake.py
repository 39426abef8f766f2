"""A search from the command line to its document, with numbers from a model: no server is measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from servermatrix.cli import guarded
from tests.golden.schema_check import violations

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "pick.schema.json").read_text())
APP = """async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
"""
MODEL = """seed: 1
noise: {sd: 0.01}
cells: {"*": {rps: 20000, cpu_us: 40}, "*loop=uvloop*": {rps: 26000, cpu_us: 31}}
"""
WORDS = ("pick", "--app", "shop:app", "--app-dir", "src", "-k", "uvicorn*http=h11*", "-s", "workers=1", "--budget", "60s")
ASKED = ("--header", "Authorization: Bearer hush", "--pool", "5", "--memory", "512MB", "--slo", "p99<50ms", "--json", "-q")


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Conduct a search in an empty folder, and return its document."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shop.py").write_text(APP)
    (tmp_path / "fake.yaml").write_text(MODEL)
    # As it is typed, so that the run keeps what it would keep of it.
    monkeypatch.setattr(sys, "argv", ["run_matrix.py", *WORDS, *ASKED])
    code = guarded([*WORDS, *ASKED, "--load", "fake", "--fake", "fake.yaml", "--seed", "7"])
    out, err = capsys.readouterr()
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_document_of_a_conducted_search_keeps_to_the_published_schema(document: dict[str, Any], tmp_path: Path) -> None:
    assert violations(document, SCHEMA) == []
    assert document["picked"].startswith("uvicorn[http=h11,loop=uvloop]")
    assert document["deployed"]["files"]
    assert document["capacity"]["connections"] == 5
    assert any(one["held"] for one in document["candidates"])
    for page in tmp_path.glob("reports/*/report.*"):
        assert "hush" not in page.read_text()
