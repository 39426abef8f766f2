"""Fidelity: the tool's requests per second against the same generator typed by hand, on the same running server.

Budget: a ratio of 1.00 +- 0.02. Both are asked in turn, the first of a pair alternating, so that what drifts cancels out;
noise is refused to neither. Prints ratios, asserts nothing. It starts real servers and wants a quiet machine. From the
root of the checkout:

    .venv/bin/python -m benchmarks.fidelity [--pairs 8] [--duration 3] [-k GLOB] [-s protocol=h2c]
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from servermatrix.analysis.stats import ratio
from servermatrix.config.overrides import Overrides
from servermatrix.contracts import Shot
from servermatrix.measure import probe, window
from servermatrix.measure.bench import Bench, Driver, Started, Venue, serving, wanted
from servermatrix.measure.certificate import make_certificate
from servermatrix.measure.process import Guard, adopt_orphans
from servermatrix.model import Cell, Noise
from servermatrix.prepare import Prepared, Wishes, prepare

DEFAULT_CELLS = ("uvicorn[http=httptools,loop=uvloop]*", "granian[loop=uvloop]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A server that runs, and what it takes to drive it."""

    bench: Bench
    started: Started
    cell: Cell
    shot: Shot


def make_bench(prepared: Prepared, guard: Guard, logs: Path) -> Bench:
    """Set up a bench that refuses no window: neither does wrk by hand."""
    return Bench(
        venues=dict.fromkeys(map(wanted, prepared.plan.cells), Venue(path=sys.executable)),
        servers=prepared.servers,
        apps=prepared.apps,
        witness=prepared.witness,
        drivers={
            name: Driver(plugin=each.plugin, program=each.program, env=each.env) for name, each in prepared.generators.items()
        },
        certificate=make_certificate(),
        guard=guard,
        logs=logs,
        noise=Noise(foreign_cpu=float("inf"), steal=1.0),
    )


def by_tool(subject: Subject) -> float:
    """Return the requests per second of one window of the tool."""
    stats = window.measure_once(subject.bench, subject.started, subject.bench.driver(subject.cell), subject.shot).stats
    return stats.requests * 1e6 / stats.duration_us


def by_hand(subject: Subject) -> float:
    """Return the requests per second that the generator prints when it is typed by hand, without any script or log."""
    load, driver = subject.cell.load, subject.bench.driver(subject.cell)
    argv = [
        driver.program,
        f"-t{load.threads}",
        f"-c{load.connections}",
        *BY_HAND[load.generator](subject.cell),
        subject.shot.url,
    ]
    env = {**os.environ, **dict(driver.env)}
    printed = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s*([0-9.]+)|finished in [0-9.]+s, ([0-9.]+) req/s", printed)
    return float(found[1] or found[2]) if found else sys.exit(f"{' '.join(argv)} printed no requests per second:\n{printed}")


def h2load_by_hand(cell: Cell) -> list[str]:
    """Say what h2load is given besides."""
    return [f"-D{cell.load.duration_s}", f"-m{cell.load.streams}", *(["--h1"] if cell.protocol in {"h1", "h1s"} else [])]


BY_HAND: Mapping[str, Callable[[Cell], list[str]]] = {
    "wrk": lambda cell: [f"-d{cell.load.duration_s}s"],
    "h2load": h2load_by_hand,
}


def pairs(subject: Subject, count: int) -> list[tuple[float, float]]:
    """Measure pairs of (tool, hand), the first of a pair alternating."""
    found = []
    for number in range(count):
        if number % 2:
            hand = by_hand(subject)
            tool = by_tool(subject)
        else:
            tool = by_tool(subject)
            hand = by_hand(subject)
        print(f"  {tool:10,.0f} by the tool  {hand:10,.0f} by hand  ratio {tool / hand:.3f}", flush=True)
        found.append((tool, hand))
    return found


def compare(bench: Bench, cell: Cell, count: int) -> None:
    """Start a server, compare on it, stop it."""
    app = bench.apps[cell.app]
    print(cell.id)
    with serving(bench, cell, app, bench.logs / "server.log") as started:
        question = probe.Question(address=started.address, request=app.request, expect=app.expect)
        ready = probe.wait_ready(started.running, question, cell.workers)
        shot = window.make_shot(bench, started, cell, app, ready.answer)
        window.warm_up(bench, started, cell, shot)
        found = pairs(Subject(bench=bench, started=started, cell=cell, shot=shot), count)
    estimate = ratio([tool for tool, _ in found], [hand for _, hand in found])
    interval = "no interval under 6 pairs" if estimate.low is None else f"95 % [{estimate.low:.3f}, {estimate.high:.3f}]"
    print(f"  tool / hand: {estimate.value:.3f}, {interval}, {estimate.n} pairs; budget 1.00 +- 0.02")


def main(words: Sequence[str]) -> None:
    """Compare on each server that was asked for."""
    parser = argparse.ArgumentParser(description="The tool's requests per second against wrk by hand.")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--duration", type=int, default=3, metavar="SECONDS")
    parser.add_argument("-k", dest="keep", action="append", metavar="GLOB", help=f"default: {' and '.join(DEFAULT_CELLS)}")
    parser.add_argument("-s", dest="sets", action="append", default=[], metavar="AXIS=VALUES", help="such as protocol=h2c")
    wished = parser.parse_args(words)
    sets = tuple((axis, tuple(values.split(","))) for axis, _, values in (each.partition("=") for each in wished.sets))
    overrides = Overrides(duration_s=wished.duration, warmup_s=1, sets=sets)
    prepared = prepare(Wishes(keep=tuple(wished.keep or DEFAULT_CELLS), overrides=overrides))
    adopt_orphans()
    guard = Guard()
    try:
        with tempfile.TemporaryDirectory() as name:
            bench = make_bench(prepared, guard, Path(name))
            for cell in prepared.plan.cells:
                compare(bench, cell, wished.pairs)
    finally:
        guard.close()


if __name__ == "__main__":
    main(sys.argv[1:])
