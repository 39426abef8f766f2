"""The project's checks of itself: where they run, and what a failure of the statistics is called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from servermatrix import cli
from servermatrix.errors import Exit, Unfit
from servermatrix.measure.selftest import run_checks, run_statistics


def study(root: Path, source: str) -> Path:
    place = root / "tests" / "truth"
    place.mkdir(parents=True)
    (root / "tests" / "__init__.py").touch()
    (place / "__main__.py").write_text(source)
    return root


def test_studies_that_keep_their_bounds_pass(tmp_path: Path) -> None:
    source = "from pathlib import Path\nPath('here').touch()\n"
    assert run_statistics(study(tmp_path, source), os.environ) == ()
    assert (tmp_path / "here").exists()


def test_a_broken_bound_is_a_failure_of_the_statistics(tmp_path: Path) -> None:
    assert run_statistics(study(tmp_path, "raise SystemExit(1)\n"), os.environ) == ("statistics",)


def test_outside_a_checkout_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="selftest runs in a checkout only"):
        run_statistics(tmp_path, {})
    with pytest.raises(Unfit, match="selftest runs in a checkout only"):
        run_checks(tmp_path, tmp_path, (), {})


def test_words_for_pytest_are_refused_where_it_is_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.guarded(["selftest", "--statistics", "tests/unit", "-x"]) == Exit.USAGE
    assert "--statistics runs no pytest that tests/unit, -x could be for" in capsys.readouterr().err
