"""The statistics are worth no more than the mistakes that their tests find: each of these must be found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.truth.mutants import MUTANTS, Mutant

IGNORED = shutil.ignore_patterns("__pycache__")


Ended = subprocess.CompletedProcess[str]


def copied(to: Path) -> Path:
    for name in ("servermatrix", "runners", "apps", "tests/truth"):
        shutil.copytree(ROOT / name, to / name, ignore=IGNORED)
    (to / "tests" / "__init__.py").touch()
    return to


def studied(mutants: Sequence[Mutant], factory: pytest.TempPathFactory, *what: str) -> Mapping[str, Ended]:
    """Run the study of every mutant, as many at once as there are cores, and return how each ended by the name of the mutant."""

    def study(mutant: Mutant) -> Ended:
        place = copied(factory.mktemp("mutant"))
        mutant.infect(place / "servermatrix")
        argv = [sys.executable, "-m", "tests.truth", *what, "--only", mutant.study]
        env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(argv, cwd=place, env=env, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip([mutant.name for mutant in mutants], pool.map(study, mutants), strict=True))


def found(ended: Ended) -> bool:
    """Tell whether a study ended as it does when a bound is broken, and for no other reason."""
    told = " is more than " in ended.stdout or " is less than " in ended.stdout
    return told and not ended.stderr and ended.returncode == 1


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ended]:
    return studied(MUTANTS, tmp_path_factory)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_breaks_a_bound(mutant: Mutant, outcomes: Mapping[str, Ended]) -> None:
    assert found(outcomes[mutant.name]), outcomes[mutant.name]


def test_a_mutant_that_no_longer_fits_the_source_is_refused(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    (copy / "servermatrix" / "analysis" / "claims.py").write_text("")
    with pytest.raises(ValueError, match="has 0 times instead of once"):
        MUTANTS[0].infect(copy / "servermatrix")


def test_a_study_that_does_not_exist_is_no_success() -> None:
    argv = [sys.executable, "-m", "tests.truth", "--only", "no such study"]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("there is no fast case with 'no such study' in its name\n", 1)
