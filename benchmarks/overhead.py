"""Overhead: what a run costs beyond the seconds under load, and what the tool itself uses while it measures.

Budgets: wall time / seconds under load (warm-up included) <= 1.4 at 1 s + 2 x 1 s and <= 1.15 at 1 s + 3 x 3 s; the tool's
own process < 1 % of a core during a window and < 120 MB during a run. Prints ratios, asserts nothing. It starts real
servers and wants a quiet machine: waiting for quiet and windows refused as noisy are in the wall time and are counted
beside it. From the root of the checkout:

    .venv/bin/python -m benchmarks.overhead [--rounds 3] [-k GLOB]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.watched import MEBIBYTE, ROOT, Watched, watch
from servermatrix import store
from servermatrix.model import Load, Measured, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How each start is driven, in seconds after a warm-up of 1 s, and the budget of wall time over seconds under load."""

    windows: int
    duration_s: int
    budget: float


SETTINGS = (Setting(windows=2, duration_s=1, budget=1.4), Setting(windows=3, duration_s=3, budget=1.15))


def write_matrix(path: Path, setting: Setting) -> None:
    """Write the shipped matrix with other windows in its profile `quick`: the same cells, whatever they are."""
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load((ROOT / "matrix.yaml").read_text())
    quick = document["profiles"]["quick"]
    quick["load"] = {"duration": f"{setting.duration_s}s", "warmup": "1s", "windows": setting.windows}
    document["profiles"] = {"quick": quick}
    with path.open("w") as file:
        yaml.dump(document, file)


def load_s(load: Load) -> float:
    """Return the seconds under load of one successful step."""
    return load.warmup_s + load.windows * load.duration_s


def clean_steps(run: Run) -> list[float]:
    """Return the overhead ratio of each step without a retry, from its start to that of the next; no proofs, no report."""
    loads = {planned.cell.id: load_s(planned.cell.load) for planned in run.header.cells}
    return [
        (datetime.fromisoformat(after.started_at) - datetime.fromisoformat(before.started_at)).total_seconds()
        / loads[before.cell_id]
        for before, after in pairwise(run.samples)
        if before.round > 1 and isinstance(before, Measured) and not any(window.discarded for window in before.windows)
    ]


def show(setting: Setting, found: Watched) -> None:
    """Print the ratios of one run."""
    run = store.read_run(found.folder)
    measured = [sample for sample in run.samples if isinstance(sample, Measured)]
    windows = [window for sample in measured for window in sample.windows]
    print(f"1 s + {setting.windows} x {setting.duration_s} s, {len(run.header.cells)} cells x {run.header.rounds} rounds:")
    if not windows:
        print(f"  nothing was measured (exit code {found.exit_code}): {found.errors.strip()}")
        return
    loads = {planned.cell.id: load_s(planned.cell.load) for planned in run.header.cells}
    under_load_s = sum(loads[sample.cell_id] for sample in measured)
    retries = sum(len(window.discarded) for window in windows)
    print(
        f"  wall / load: {found.wall_s / under_load_s:.2f} ({found.wall_s:.0f} s / {under_load_s:.0f} s; "
        f"{len(run.samples) - len(measured)} steps without a result, {retries} windows repeated); budget {setting.budget}"
    )
    if steps := clean_steps(run):
        print(f"  the same for steps from round 2 on without a repeated window: median {statistics.median(steps):.2f}")
    shares = [window.usage.own_cpu_us / window.usage.wall_us for window in windows]
    print(f"  own CPU during a window: median {statistics.median(shares):.2%}, most {max(shares):.2%} of a core; budget 1 %")
    print(
        f"  own memory: {found.measuring_bytes / MEBIBYTE:.0f} MiB while measuring, "
        f"{found.peak_bytes / MEBIBYTE:.0f} MiB with the report; budget 120 MB while measuring"
    )


def main(words: Sequence[str]) -> None:
    """Run the quick cells with short and with long windows."""
    parser = argparse.ArgumentParser(description="What a run costs beyond the seconds under load.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-k", dest="keep", action="append", default=[], metavar="GLOB", help="as of `run`; default: all cells")
    wished = parser.parse_args(words)
    selectors = [word for glob in wished.keep for word in ("-k", glob)]
    for setting in SETTINGS:
        with tempfile.TemporaryDirectory() as name:
            matrix = Path(name) / "matrix.yaml"
            write_matrix(matrix, setting)
            found = watch(
                ["--matrix", str(matrix), "--rounds", str(wished.rounds), "--seed", "1", "-q", *selectors], Path(name) / "reports"
            )
            show(setting, found)


if __name__ == "__main__":
    main(sys.argv[1:])
