"""The files by which a step tells GitHub something: its summary and its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from servermatrix.publish.failure import NotPublished, one_line

# GitHub refuses a summary of more than 1 MiB as a whole.
SUMMARY_BYTES = 1_000_000


def room_left(summary: Path | None) -> int:
    """Return how many bytes the summary of this step may still have."""
    try:
        return max(0, SUMMARY_BYTES - summary.stat().st_size) if summary else SUMMARY_BYTES
    except OSError:
        return SUMMARY_BYTES


def add_summary(summary: Path | None, text: str) -> None:
    """Put markdown at the end of the summary of this step; raises NotPublished."""
    if summary is None:
        raise NotPublished("the step summary was not written: GITHUB_STEP_SUMMARY is not set")
    if len(text.encode("utf-8", "replace")) > room_left(summary):
        raise NotPublished(f"the step summary was not written: it would have more than {SUMMARY_BYTES} bytes")
    _append(summary, text if text.endswith("\n") else f"{text}\n", "the step summary was not written")


def set_outputs(output: Path | None, values: Mapping[str, object]) -> None:
    """Set outputs of this step, each on one line; raises NotPublished."""
    if output is None:
        raise NotPublished("the step's outputs were not set: GITHUB_OUTPUT is not set")
    # A line break would begin another output.
    lines = (f"{name}={' '.join(str(value).split())}\n" for name, value in values.items())
    _append(output, "".join(lines), "the step's outputs were not set")


def _append(file: Path, text: str, what: str) -> None:
    try:
        with file.open("a", encoding="utf-8", errors="replace") as place:
            place.write(text)
    except OSError as error:
        raise NotPublished(f"{what}: {file}: {one_line(error.strerror or str(error))}") from error
