"""The action and the example workflow: read as GitHub reads them, with every line of shell taken apart by a real shell."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from servermatrix import cli
from servermatrix.shards import Shard
from tests.conftest import ROOT

ACTION, WORKFLOW = ROOT / "action.yml", ROOT / "docs" / "nightly-workflow.yml"
INPUTS = {
    "cells": "--app main:app -k 'uvicorn[loop=*' --header 'a: b'",
    "options": "--baseline 'uvicorn==0.52.0 h11'\n--candidate requirements.txt --margin 5%",
}
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
WORDS = {
    "SINCE": "2026-12-01",
    "SHARDS": "3",
    "SHARD": "1-of-3",
    "PLACE": "/tmp/a b",
    "NAME": "our app",
    "BRANCH": "history",
    "ISSUE": "true",
    "INCONCLUSIVE": "fail",
}


def load(file: Path) -> Any:
    return YAML(typ="safe", pure=True).load(file.read_text())


ACTS, FLOW = load(ACTION), load(WORKFLOW)


def steps_of_the_workflow() -> Iterator[Mapping[str, Any]]:
    for job in FLOW["jobs"].values():
        yield from job["steps"]


RUNNING = [step for step in (*ACTS["runs"]["steps"], *steps_of_the_workflow()) if "run" in step]


def argv_of(step: Mapping[str, Any], folder: Path, environ: Mapping[str, str]) -> list[str]:
    """Run a step's shell with a `python3` that prints what it was given, and return that with the words of the environment."""
    stand_in = folder / "python3"
    stand_in.write_text("#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n")
    stand_in.chmod(0o755)
    settings = {"PATH": f"{folder}:{os.environ['PATH']}", "GITHUB_ACTION_PATH": "/an action/here", **environ}
    # As GitHub runs `shell: bash`.
    argv = ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(argv, capture_output=True, text=True, env=settings, cwd=folder, check=True)
    program, *words = done.stdout.split("\0")[:-1]
    return [program, *cli.with_given(words, environ.get(cli.GIVEN, ""))]


def given_to(step: Mapping[str, Any], inputs: Mapping[str, str] = INPUTS, **changed: str) -> dict[str, str]:
    """Return what a step finds in its environment, the inputs put in place as GitHub does it."""
    found = {name: {**WORDS, **changed}.get(name, "x") for name in step["env"]}
    if cli.GIVEN in found:
        found[cli.GIVEN] = re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda one: inputs[one[1]], step["env"][cli.GIVEN])
    return found


def accepted(argv: list[str]) -> click.Context:
    """Parse words as the program would, without running the command."""
    name, *words = argv
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command is not None, name
    return command.make_context(name, words)


def test_there_are_at_most_five_lines_of_shell_in_all() -> None:
    lines = [line for step in RUNNING for line in step["run"].strip().splitlines()]
    assert len(lines) <= 5
    assert len(lines) == len(RUNNING)
    assert all("run_matrix.py" in line for line in lines)


@pytest.mark.parametrize("step", RUNNING, ids=lambda step: str(step["id"]))
def test_every_line_of_shell_is_one_that_the_command_line_accepts(
    step: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, *argv = argv_of(step, tmp_path, given_to(step))
    assert program == "/an action/here/run_matrix.py"
    monkeypatch.chdir(tmp_path)
    assert accepted(argv).params


def by_id(name: str) -> Mapping[str, Any]:
    return next(step for step in ACTS["runs"]["steps"] if step.get("id") == name)


def test_quotes_and_line_breaks_of_the_inputs_are_those_of_a_shell(tmp_path: Path) -> None:
    (tmp_path / "uvicorn[loop=x").touch()  # what a shell would put in the place of the pattern
    _, *argv = argv_of(by_id("check"), tmp_path, given_to(by_id("check")))
    params = accepted(argv).params
    assert params["keep"] == ("uvicorn[loop=*",)
    assert params["headers"] == (("a", "b"),)
    assert params["baseline"] == "uvicorn==0.52.0 h11"
    assert params["candidate"] == "requirements.txt"
    assert str(params["shard"]) == "1/3"
    assert str(params["out"]) == "/tmp/a b/runs"


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("'/a?$HOME=${HOME}&b=`id`'", "/a?$HOME=${HOME}&b=`id`"),
        ("/a?$HOME=${HOME}", "/a?$HOME=${HOME}"),
        (r"'/a\\d'", r"/a\\d"),
        (r"/a\\d", r"/a\d"),
        ("/a#b", "/a#b"),
        ("'#b'", "#b"),
        ("#b", "#b"),
        ("'a\nb'", "a\nb"),
        ('"it\'s"', "it's"),
        ("*", "*"),
    ],
)
def test_no_sign_of_an_input_means_anything_but_quotes_and_backslashes(tmp_path: Path, typed: str, path: str) -> None:
    inputs = {**INPUTS, "cells": f"--app main:app\n--path {typed}\n"}
    for name in ("plan", "check"):
        _, *argv = argv_of(by_id(name), tmp_path, given_to(by_id(name), inputs))
        assert accepted(argv).params["path"] == path


def test_the_folder_of_the_runs_is_that_of_the_action_whatever_was_typed(tmp_path: Path) -> None:
    inputs = {**INPUTS, "options": f"{INPUTS['options']} --out elsewhere"}
    _, *argv = argv_of(by_id("check"), tmp_path, given_to(by_id("check"), inputs))
    assert str(accepted(argv).params["out"]) == "/tmp/a b/runs"


def test_two_uses_in_one_job_have_folders_of_their_own() -> None:
    places = [text for text in re.findall(r"\S*runner\.temp.*", ACTION.read_text()) if "runner.temp" in text]
    assert len(places) == 5
    assert all("/servermatrix/${{ inputs.name }}" in text for text in ACTION.read_text().splitlines() if "runner.temp" in text)


def test_a_check_of_all_cells_is_no_shard(tmp_path: Path) -> None:
    _, *argv = argv_of(by_id("check"), tmp_path, given_to(by_id("check"), SHARD=""))
    assert accepted(argv).params["shard"] is None


@pytest.mark.parametrize("evil", ["; touch stolen", "$(touch stolen)", "`touch stolen`", "' ; touch stolen #", "&& touch stolen"])
def test_an_input_cannot_start_another_program(tmp_path: Path, evil: str) -> None:
    for step in RUNNING:
        for name in step["env"]:
            with contextlib.suppress(subprocess.CalledProcessError, ValueError):  # it may be refused, or be taken as words
                argv_of(step, tmp_path, {**given_to(step), name: evil})
    assert not (tmp_path / "stolen").exists()


def test_no_expression_stands_in_a_line_of_shell() -> None:
    assert not [step["run"] for step in RUNNING if EXPRESSION.search(step["run"])]


def test_every_step_names_its_shell_and_every_variable_it_uses() -> None:
    for step in RUNNING:
        assert step["shell"] == "bash"
        used = set(re.findall(r"\$\{?([A-Z_]+)", step["run"])) - {"GITHUB_ACTION_PATH"}
        assert used == set(step["env"]) - {"GITHUB_TOKEN", cli.GIVEN}


def test_every_input_that_is_used_exists_and_every_one_that_exists_is_used() -> None:
    text = ACTION.read_text()
    used = {name for found in EXPRESSION.findall(text) for name in re.findall(r"inputs\.([\w-]+)", found)}
    used |= {name for step in ACTS["runs"]["steps"] for name in re.findall(r"inputs\.([\w-]+)", str(step.get("if", "")))}
    assert used == set(ACTS["inputs"])


def test_every_output_comes_from_a_step_that_sets_it() -> None:
    told = (ROOT / "servermatrix" / "cli" / "telling.py").read_text() + (ROOT / "servermatrix" / "cli" / "plan.py").read_text()
    for output in ACTS["outputs"].values():
        step, name = re.fullmatch(r"\$\{\{ steps\.(\w+)\.outputs\.(\w+) \}\}", output["value"]).groups()  # type: ignore[union-attr]
        assert by_id(step)
        assert f'"{name}"' in told


def test_the_workflow_gives_the_action_inputs_that_it_has() -> None:
    ours = [step for step in steps_of_the_workflow() if str(step.get("uses", "")).startswith("OWNER/servermatrix@")]
    assert [step["with"]["do"] for step in ours] == ["plan", "check", "report"]
    for step in ours:
        assert set(step["with"]) <= set(ACTS["inputs"])


def test_what_the_jobs_of_the_workflow_take_from_each_other_is_there() -> None:
    jobs = FLOW["jobs"]
    assert jobs["check"]["strategy"]["matrix"] == "${{ fromJSON(needs.plan.outputs.matrix) }}"
    assert jobs["plan"]["outputs"] == {"matrix": "${{ steps.plan.outputs.matrix }}"}
    assert next(step for step in jobs["plan"]["steps"] if step.get("id") == "plan")["with"]["do"] == "plan"
    for name in re.findall(r"matrix\.(\w+)", WORKFLOW.read_text()):
        assert name in {"shard", "name", "outputs"}
    for name in re.findall(r"env\.(\w+)", WORKFLOW.read_text()):
        assert name in FLOW["env"]


def test_only_the_job_that_reports_may_write() -> None:
    assert FLOW["permissions"] == {"contents": "read"}
    assert [name for name, job in FLOW["jobs"].items() if "permissions" in job] == ["report"]
    assert FLOW["jobs"]["report"]["permissions"] == {"contents": "write", "issues": "write"}


def test_actions_of_others_are_pinned_to_a_major_version() -> None:
    for step in (*ACTS["runs"]["steps"], *steps_of_the_workflow()):
        if "uses" in step:
            assert re.fullmatch(r"(actions/[\w-]+|OWNER/servermatrix)@v\d+", step["uses"])


def test_the_words_of_the_example_are_accepted_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("plan", "check"):
        _, *argv = argv_of(
            by_id(name), tmp_path, given_to(by_id(name), {"cells": FLOW["env"]["CELLS"], "options": FLOW["env"]["OPTIONS"]})
        )
        assert accepted(argv).params["target"] == "main:app"


def test_the_name_of_an_artifact_has_no_slash() -> None:
    uploads = [step for step in ACTS["runs"]["steps"] if step.get("uses", "").startswith("actions/upload-artifact@")]
    names = [step["with"]["name"] for step in uploads]
    assert names == [
        "servermatrix-${{ inputs.name }}-runs-${{ inputs.shard || 'all' }}",
        "servermatrix-${{ inputs.name }}-report",
    ]
    assert "/" not in Shard(index=1, count=3).name
