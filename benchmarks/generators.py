"""Generators: what the built-in generator costs in CPU time per request, against wrk on the same running server.

Budget: at most 1.5 times the CPU time of wrk. Both are asked in turn, the first of a pair alternating; noise is refused to
neither. Then it drives fixed rates, and prints how late requests were sent that did not have to wait for a connection: that
is what the generator itself adds to latency. Prints ratios, asserts nothing. It starts real servers and wants a quiet
machine. From the root of the checkout:

    .venv/bin/python -m benchmarks.generators [--pairs 8] [--duration 2] [--threads 1] [-k GLOB]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from benchmarks.fidelity import Subject, make_bench
from servermatrix.analysis.stats import ratio
from servermatrix.config.overrides import Overrides
from servermatrix.measure import probe, window
from servermatrix.measure.bench import Bench, Driver, serving, wanted
from servermatrix.measure.calibrate import TRIVIAL, responder
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.process import Guard, adopt_orphans
from servermatrix.model import Cell
from servermatrix.plugins import load_generators
from servermatrix.prepare import Wishes, prepare

DEFAULT_CELLS = ("uvicorn[http=httptools,loop=uvloop]*", "granian[loop=uvloop]*")
NAMES = ("builtin", "wrk")
RATES = (0.3, 0.6, 0.9)
SHARES = (0.5, 0.9, 0.99, 0.999)


def driven(subject: Subject, name: str) -> tuple[float, float]:
    """Return CPU microseconds per request and requests per second of one window; the CPU time is of ended children."""
    found = window.measure_once(subject.bench, subject.started, subject.bench.drivers[name], subject.shot)
    requests = found.stats.requests
    return found.usage.generator_cpu_us / requests, requests * 1e6 / found.stats.duration_us


def compare(subject: Subject, count: int) -> None:
    """Measure pairs of (builtin, wrk), the first of a pair alternating, and print the ratios."""
    pairs = []
    for number in range(count):
        order = NAMES[::-1] if number % 2 else NAMES
        found = {name: driven(subject, name) for name in order}
        pairs.append((found["builtin"], found["wrk"]))
        said = ", ".join(f"{name} {cpu_us:6.2f} us/request {rps:9,.0f}/s" for name, (cpu_us, rps) in found.items())
        print(f"  {said}  CPU ratio {found['builtin'][0] / found['wrk'][0]:.3f}", flush=True)
    for at, what in enumerate(("CPU time per request, budget at most 1.5", "requests per second")):
        estimate = ratio([ours[at] for ours, _ in pairs], [wrks[at] for _, wrks in pairs])
        interval = "no interval under 6 pairs" if estimate.low is None else f"95 % [{estimate.low:.3f}, {estimate.high:.3f}]"
        print(f"  builtin / wrk: {estimate.value:.3f}, {interval}, {estimate.n} pairs: {what}")


def show_precision(subject: Subject) -> None:
    """Print for some rates how late requests were sent by the generator's own doing."""
    _, most = driven(subject, "builtin")
    for part in RATES:
        at_rate = replace(subject, shot=replace(subject.shot, rate_per_s=part * most))
        try:
            cpu_us, _ = driven(at_rate, "builtin")
            verdict = f"{cpu_us:.1f} us of CPU per request"
        except StepFailure as failure:
            verdict = failure.reason
        late = json.loads(Path(subject.shot.result).read_text()).get("own_late", [])
        said = ", ".join(f"p{share * 100:g} {us}" for share, us in zip(SHARES, percentiles(late), strict=True)) if late else "-"
        print(f"  at {part * most:9,.0f}/s sent late by (us): {said}; {verdict}", flush=True)


def percentiles(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return the values of a histogram below or at which the shares are."""
    sums = list(accumulate(count for _, count in pairs))
    return [next(us for (us, _), total in zip(pairs, sums, strict=True) if total >= share * sums[-1]) for share in SHARES]


@contextmanager
def running(bench: Bench, cell: Cell) -> Iterator[Subject]:
    """Start a server, warm it up, and stop it behind the block."""
    app = bench.apps[cell.app]
    with serving(bench, cell, app, bench.logs / "server.log") as started:
        question = probe.Question(address=started.address, request=app.request, expect=app.expect)
        ready = probe.wait_ready(started.running, question, cell.workers)
        shot = window.make_shot(bench, started, cell, app, ready.answer)
        window.warm_up(bench, started, cell, shot)
        yield Subject(bench=bench, started=started, cell=cell, shot=shot)


def with_responder(bench: Bench, cells: Sequence[Cell]) -> tuple[Bench, list[Cell]]:
    """Put in front of the cells one of a server that does next to nothing, which shows the most that a generator can do."""
    trivial = replace(cells[0], server="responder", options=(), label="", app=TRIVIAL.name)
    venue = next(iter(bench.venues.values()))
    return (
        replace(
            bench,
            servers={**bench.servers, trivial.server: responder(1)},
            apps={**bench.apps, trivial.app: TRIVIAL},
            venues={**bench.venues, wanted(trivial): venue},
            drivers={**bench.drivers, "builtin": Driver(plugin=load_generators()["builtin"])},
        ),
        [trivial, *cells],
    )


def main(words: Sequence[str]) -> None:
    """Compare on each server that was asked for."""
    parser = argparse.ArgumentParser(description="CPU time per request of the built-in generator against wrk.")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--duration", type=int, default=2, metavar="SECONDS")
    parser.add_argument("--threads", type=int, default=1, help="of wrk, and processes of builtin")
    parser.add_argument("-k", dest="keep", action="append", metavar="GLOB", help=f"default: {' and '.join(DEFAULT_CELLS)}")
    wished = parser.parse_args(words)
    overrides = Overrides(duration_s=wished.duration, warmup_s=1, threads=wished.threads)
    prepared = prepare(Wishes(keep=tuple(wished.keep or DEFAULT_CELLS), overrides=overrides))
    adopt_orphans()
    guard = Guard()
    try:
        with tempfile.TemporaryDirectory() as name:
            plain = [cell for cell in prepared.plan.cells if not cell.duplicate]
            bench, cells = with_responder(make_bench(prepared, guard, Path(name)), plain)
            for cell in cells:
                print(cell.id)
                with running(bench, cell) as subject:
                    compare(subject, wished.pairs)
                    show_precision(subject)
    finally:
        guard.close()


if __name__ == "__main__":
    main(sys.argv[1:])
