"""What `github` makes of a history: the alarm about cells that stopped reporting, and when nobody may judge it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.analysis.nights import night_of
from servermatrix.errors import Exit
from servermatrix.merging import merge
from servermatrix.store import history
from tests.github_job import Job, a_job, pushing, some_nights, told  # noqa: F401 - fixtures


def test_a_cell_that_stopped_is_seen_in_the_summary_an_annotation_and_the_exit_code(
    job: Job, nights: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    add_earlier_night(job, nights["good"], "lost/h1/w1/c64/plaintext")
    assert told(nights["good"], *pushing(job), "--draw", str(job.folder / "drawn")) == Exit.REGRESSION
    out = capsys.readouterr().out
    errors = [line for line in out.splitlines() if line.startswith("::error")]
    assert len(errors) == 1
    assert "1 cell stopped reporting::lost/h1/w1/c64/plaintext: it is not in the latest night" in errors[0]
    assert "## ALARM: 1 cell stopped reporting\n\n- lost/h1" in job.summary
    assert (job.outputs["verdict"], job.outputs["stopped"], job.outputs["exit-code"]) == ("stopped", "1", "1")
    assert (job.folder / "drawn" / "trend.md").exists()
    assert told(nights["good"], *pushing(job), "--since", nights["good"].name) == Exit.OK


def test_a_history_that_was_not_fetched_is_a_warning_and_nobody_judges_the_trend(
    job: Job, nights: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_earlier_night(job, nights["good"], "lost/h1/w1/c64/plaintext")
    monkeypatch.setenv("GITHUB_TOKEN", "wrong")
    assert told(nights["good"], *pushing(job), "--issue", "false") == Exit.OK
    assert "::warning title=servermatrix history::nobody looked whether a cell stopped" in capsys.readouterr().out
    assert "**Not done:** nobody looked whether a cell stopped reporting: the earlier nights are not here" in job.summary
    assert job.outputs["verdict"] == "passed"


def add_earlier_night(job: Job, run: Path, pair: str) -> None:
    """Put a night before that of the run into the history, with one cell more."""
    night = night_of(merge([run]).report)
    more = replace(night.cells[0], pair=pair)
    earlier = replace(night, id="2026-01-01T00-00-00Z-0000", started_at="2026-01-01T00:00:00Z", cells=(*night.cells, more))
    history.append(job.folder / "history", earlier)
