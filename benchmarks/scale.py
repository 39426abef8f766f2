"""Scale: seconds and memory with far more cells and samples than anybody measures; starts no server.

Budgets: plan of 100,000 cells < 3 s and < 300 MB; report of 100,000 samples < 10 s; `--help` < 0.3 s; memory of the tool
during a run < 120 MB. Prints what it found, asserts nothing. From the root of the checkout:

    .venv/bin/python -m benchmarks.scale [--samples 100000] [--run-steps 2000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from benchmarks.watched import MEBIBYTE, ROOT, watch

HELP_RUNS = 5
LATENCIES = 3_000  # distinct latencies in a window of real wrk at c = 64: about 1,000 to 5,000
MODEL = "noise: {sd: 0.02}\ncells: {'*': {rps: 20000, cpu_us: 40}}\n"
MATRIX = """\
servers:
  uvicorn: {loop: [asyncio, uvloop], http: [h11, httptools]}
  gunicorn: {worker: [asgi, uvicorn], loop: [asyncio, uvloop]}
  granian: {loop: [asyncio, uvloop]}
load: {duration: 1s, windows: 1}
"""
SETTINGS = 10
# As many latencies as wrk finds; the fake generator of the tool has fifteen, whatever it is asked.
WIDE = f"""\
from servermatrix.contracts import LoadGenerator, LoadStats, Usage, Window

def simulate(question):
    histogram = tuple((500 + 7 * i + question.round, 5) for i in range({LATENCIES}))
    stats = LoadStats(requests=5 * {LATENCIES}, duration_us=1_000_000, histogram=histogram)
    usage = Usage(
        wall_us=1_000_000, server_cpu_us=950_000, worker_cpu_us=(950_000,), generator_cpu_us=300_000,
        own_cpu_us=0, pss_bytes=30_000_000, foreign_cpu=0.0, steal=0.0,
    )
    return Window(stats=stats, usage=usage)

def argv(shot): return []
def parse(shot, outcome): raise NotImplementedError
LOAD = LoadGenerator(protocols=("h1",), version=lambda text: "1", argv=argv, parse=parse, simulate=simulate)
"""


def matrix_of(cells: int) -> str:
    """Write a matrix of so many cells: 10 settings x 4 apps x workers x connections."""
    workers = 25
    connections = cells // (SETTINGS * 4 * workers)
    axes = (
        f"app: [plaintext, json, body, sleep], workers: {[*range(1, workers + 1)]}, connections: {[*range(1, connections + 1)]}"
    )
    return f"{MATRIX}axes: {{{axes}}}\n"


def peak_bytes() -> int:
    """Return the largest resident size of this process since it began (VmHWM of proc_pid_status(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def plan_stage(folder: Path, _: int) -> Mapping[str, float]:
    """Make the plan, without and then with the commands of its cells."""
    from servermatrix import cli  # noqa: PLC0415 - the import is part of what is timed
    from servermatrix.prepare import Wishes, prepare  # noqa: PLC0415

    began = time.monotonic()
    plan = prepare(Wishes(matrix=folder / "matrix.yaml"), find_tools=False).plan
    made_s, made_bytes, cells = time.monotonic() - began, peak_bytes(), len(plan.cells)
    del plan
    began, stdout = time.monotonic(), sys.stdout
    with (folder / "plan.txt").open("w") as sys.stdout:
        code = cli.guarded(["plan", "--matrix", str(folder / "matrix.yaml")])
    sys.stdout = stdout
    shown_s = time.monotonic() - began
    return {
        "cells": cells,
        "made_s": made_s,
        "made_bytes": made_bytes,
        "shown_s": shown_s,
        "shown_bytes": peak_bytes(),
        "code": code,
    }


def store_stage(folder: Path, samples: int) -> Mapping[str, float]:
    """Write the run file of a simulated run: 200 tables of 10 rows."""
    from servermatrix import store  # noqa: PLC0415
    from servermatrix.cli import selectors  # noqa: PLC0415
    from servermatrix.config.overrides import Overrides  # noqa: PLC0415
    from servermatrix.header import describe  # noqa: PLC0415
    from servermatrix.measure.run import simulate  # noqa: PLC0415
    from servermatrix.prepare import Setup, Wishes, prepare  # noqa: PLC0415
    from servermatrix.steering import steer  # noqa: PLC0415
    from servermatrix.store.codec import encode  # noqa: PLC0415
    from servermatrix.venues import Venues  # noqa: PLC0415

    sets = (("app", ("plaintext", "json", "body", "sleep")), ("workers", ("1", "2", "3", "4", "5")))
    connections = tuple(range(10, 110, 10))
    rounds = samples // (SETTINGS * 4 * 5 * len(connections))
    overrides = Overrides(sets=sets, connections=connections, rounds=max(1, rounds), generator="fake", seed=1)
    prepared = prepare(Wishes(matrix=folder / "small.yaml", overrides=overrides))
    model = selectors.read_model(folder / "model.yaml")
    header = describe(prepared, Setup(out=folder, argv=("run",)), Venues(by_want={}), datetime.now(UTC))
    with (folder / store.RUN_FILE).open("w") as file:
        file.write(encode(header) + "\n")
        nothing = store.assemble(header, ())
        course = steer(prepared.plan, lambda: nothing, lambda _: 0.0)
        for record in simulate(prepared.generators["fake"].plugin, prepared.plan, nothing, model, lambda _: None, course=course):
            file.write(encode(record) + "\n")
    return {"cells": len(prepared.plan.cells), "rounds": prepared.plan.rounds}


def report_stage(folder: Path, _: int) -> Mapping[str, float]:
    """Read the stored run and write its report."""
    from servermatrix import store  # noqa: PLC0415
    from servermatrix.analysis.analyse import analyse  # noqa: PLC0415
    from servermatrix.render.markdown import to_markdown  # noqa: PLC0415

    marks = [time.monotonic()]
    run = store.read_run(folder)
    marks.append(time.monotonic())
    report = analyse(run)
    marks.append(time.monotonic())
    text = to_markdown(report)
    marks.append(time.monotonic())
    read_s, analyse_s, render_s = (after - before for before, after in pairwise(marks))
    return {
        "samples": len(run.samples),
        "tables": len(report.tables),
        "read_s": read_s,
        "analyse_s": analyse_s,
        "render_s": render_s,
        "bytes": peak_bytes(),
        "characters": len(text),
    }


STAGES: Mapping[str, Callable[[Path, int], Mapping[str, float]]] = {
    "plan": plan_stage,
    "store": store_stage,
    "report": report_stage,
}


def in_fresh_process(stage: str, folder: Path, number: int = 0) -> dict[str, float]:
    """Run one stage in a process of its own and return what it found."""
    argv = [sys.executable, "-m", "benchmarks.scale", "--stage", stage, "--folder", str(folder), "--samples", str(number)]
    done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    return {str(name): float(value) for name, value in json.loads(done.stdout).items()}


def show_help() -> None:
    """Time `--help` of fresh processes."""
    seconds = []
    for _ in range(HELP_RUNS):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "servermatrix", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.monotonic() - began)
    spread = f"median of {HELP_RUNS}, {min(seconds):.2f} to {max(seconds):.2f}"
    print(f"--help: {statistics.median(seconds):.2f} s ({spread}); budget 0.3 s")


def show_plan(folder: Path) -> None:
    """Time a plan of 100,000 cells."""
    found = in_fresh_process("plan", folder)
    print(
        f"plan of {found['cells']:,.0f} cells: {found['made_s']:.1f} s, {found['made_bytes'] / MEBIBYTE:.0f} MiB; "
        f"the command `plan` with every command line: {found['shown_s']:.1f} s, {found['shown_bytes'] / MEBIBYTE:.0f} MiB; "
        "budget 3 s, 300 MB"
    )


def show_report(folder: Path, samples: int) -> None:
    """Time the report of a run with so many samples."""
    stored = in_fresh_process("store", folder, samples)
    found = in_fresh_process("report", folder)
    seconds = found["read_s"] + found["analyse_s"] + found["render_s"]
    print(
        f"report of {found['samples']:,.0f} samples ({stored['cells']:,.0f} cells in {found['tables']:.0f} tables x "
        f"{stored['rounds']:.0f} rounds): {seconds:.1f} s (read {found['read_s']:.1f}, analyse {found['analyse_s']:.1f}, "
        f"render {found['render_s']:.1f}), {found['bytes'] / MEBIBYTE:.0f} MiB; budget 10 s"
    )


def show_memory(folder: Path, steps: int) -> None:
    """Watch the memory of a simulated run with as many latencies per window as a real one."""
    (folder / "runners" / "loads").mkdir(parents=True)
    (folder / "runners" / "loads" / "wide.py").write_text(WIDE)
    words = ["--matrix", str(folder / "small.yaml"), "--load", "wide", "--runners", str(folder / "runners"), "-s", "workers=1"]
    for number in (steps // 10, steps):
        rounds = max(1, number // SETTINGS)
        found = watch([*words, "--rounds", str(rounds), "-q"], folder / f"reports-{number}")
        print(
            f"run of {SETTINGS * rounds:,} steps with {LATENCIES:,} latencies each: {found.measuring_bytes / MEBIBYTE:.0f} MiB "
            f"while measuring, {found.peak_bytes / MEBIBYTE:.0f} MiB with the report ({found.wall_s:.0f} s); budget 120 MB"
        )


def main(words: Sequence[str]) -> None:
    """Run one stage, or all of them in processes of their own."""
    parser = argparse.ArgumentParser(description="Seconds and memory with many cells and samples; starts no server.")
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--run-steps", type=int, default=2_000)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    wished = parser.parse_args(words)
    if wished.stage:
        print(json.dumps(STAGES[wished.stage](wished.folder, wished.samples)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "matrix.yaml").write_text(matrix_of(wished.cells))
        (folder / "small.yaml").write_text(MATRIX)
        (folder / "model.yaml").write_text(MODEL)
        show_help()
        show_plan(folder)
        show_report(folder, wished.samples)
        show_memory(folder, wished.run_steps)


if __name__ == "__main__":
    main(sys.argv[1:])
