"""The statistics are worth no more than the mistakes that their tests find: each of these must be found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.truth.mutants import MUTANTS, Mutant

IGNORED = shutil.ignore_patterns("__pycache__")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("servermatrix", "runners", "apps", "tests/truth"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=IGNORED)
    (tmp_path / "tests" / "__init__.py").touch()
    return tmp_path


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_breaks_a_bound(mutant: Mutant, copy: Path) -> None:
    mutant.infect(copy / "servermatrix")
    argv = [sys.executable, "-m", "tests.truth", "--only", mutant.study]
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(argv, cwd=copy, env=env, capture_output=True, text=True, check=False)
    assert not ended.stderr
    assert " is more than " in ended.stdout or " is less than " in ended.stdout
    assert ended.returncode == 1


def test_a_mutant_that_no_longer_fits_the_source_is_refused(copy: Path) -> None:
    (copy / "servermatrix" / "analysis" / "claims.py").write_text("")
    with pytest.raises(ValueError, match="has 0 times instead of once"):
        MUTANTS[0].infect(copy / "servermatrix")


def test_a_study_that_does_not_exist_is_no_success() -> None:
    argv = [sys.executable, "-m", "tests.truth", "--only", "no such study"]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("there is no fast case with 'no such study' in its name\n", 1)
