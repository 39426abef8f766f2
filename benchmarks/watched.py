"""Runs the tool as a process and watches its memory from outside; knows nothing of what the run is for.

The children's maximum that the kernel keeps (RUSAGE_CHILDREN) is of no use here: the servers under test are in it too.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
MEBIBYTE = 2**20
POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How a run went: its folder, exit code and wall time, and its largest resident size while measuring and at all."""

    folder: Path
    exit_code: int
    wall_s: float
    measuring_bytes: int
    peak_bytes: int
    errors: str


def watch(words: Sequence[str], out: Path) -> Watched:
    """Run `servermatrix run` with the words into an empty reports folder; measuring ends with the last stored record."""
    argv = [sys.executable, "-m", "servermatrix", "run", *words, "--out", str(out)]
    seen: list[tuple[float, int]] = []
    with tempfile.TemporaryFile("w+") as errors:
        began = time.monotonic()
        process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            while process.poll() is None:
                seen.append((time.time(), _resident(process.pid)))
                time.sleep(POLL_S)
        finally:
            process.terminate()
            process.wait()
        wall_s = time.monotonic() - began
        errors.seek(0)
        said = errors.read()
    folder = _only_run(out, said)
    ended_at = (folder / "run.jsonl").stat().st_mtime
    return Watched(
        folder=folder,
        exit_code=process.returncode,
        wall_s=wall_s,
        measuring_bytes=max((size for at, size in seen if at <= ended_at), default=0),
        peak_bytes=max((size for _, size in seen), default=0),
        errors=said,
    )


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _only_run(out: Path, said: str) -> Path:
    folders = [file.parent for file in out.glob("*/run.jsonl")]
    if len(folders) != 1:
        sys.exit(f"the run left {len(folders)} run folders in {out}:\n{said}")
    return folders[0]
