"""What may be typed beside --resume, and how the model of a simulation outlives its run."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from servermatrix import cli
from servermatrix.cli.selectors import read_model
from servermatrix.errors import Exit, UsageProblem
from servermatrix.prepare import Setup


@pytest.mark.parametrize(
    "words",
    [
        ("--python", "python3"),
        ("--pin", "off"),
        ("--pin", "auto"),
        ("--port", "8080"),
        ("--startup-timeout", "30s"),
        ("--load", "fake"),
        ("--fake", "model.yaml"),
        ("--profile", "quick"),
        ("--threads", "2"),
        ("-k", "granian*"),
    ],
)
def test_what_a_stored_run_has_settled_is_refused_by_its_name_even_when_it_says_the_same(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.yaml").write_text("cells: {}\n")
    assert cli.guarded(["run", "--resume", "latest", *words]) == Exit.USAGE
    assert f"cannot be changed with {words[0]}\n" in capsys.readouterr().err


def test_what_is_about_this_start_alone_may_stand_beside_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--out", "here", "-x", "--json", "-q", "-v", "--runners", ".")
    assert cli.guarded(["run", "--resume", "latest", *words]) == Exit.NOTHING
    assert "here" in capsys.readouterr().err


def stored_model(model: dict[str, object]) -> object:
    return json.loads(dict(Setup(out=Path(), argv=(), model=model).stored())["model"])


def test_a_date_in_a_model_is_stored_as_text() -> None:
    assert stored_model({"seed": date(2026, 1, 2)}) == {"seed": "2026-01-02"}


def test_the_entries_of_a_model_are_stored_in_their_order_for_later_ones_override_earlier_ones() -> None:
    cells = {"uvicorn*": {"rps": 1}, "*": {"rps": 2}}
    found = stored_model({"cells": cells})
    assert isinstance(found, dict)
    assert list(found["cells"]) == ["uvicorn*", "*"]


@pytest.mark.parametrize("text", ["cells: {2026-01-02: {rps: 1}}", "cells: &a {b: *a}"])
def test_a_model_that_no_run_file_can_hold_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(text)
    with pytest.raises(UsageProblem, match=r"model\.yaml holds what a run cannot store: "):
        read_model(file)


def test_a_model_with_a_date_as_value_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text("seed: 2026-01-02\n")
    assert read_model(file) == {"seed": date(2026, 1, 2)}
