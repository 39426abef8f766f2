"""Finds the most that each generator of a run can do on this host, against a responder that does next to nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from servermatrix.contracts import Launch, Server
from servermatrix.measure import probe, window
from servermatrix.measure.bench import Bench, Venue, serving, wanted
from servermatrix.measure.failure import StepFailure, refused
from servermatrix.measure.host import usable_cores
from servermatrix.measure.responder import BODY
from servermatrix.model import PROTOCOLS, App, Ceiling, Cell, Expect, Noise, Request

SECONDS = 1
RESPONDER = Path(__file__).with_name("responder.py")
TRIVIAL = App(name="ceiling", target="none", folder=".", request=Request(), expect=Expect(body=BODY.decode()))


def calibrate(bench: Bench, cells: Sequence[Cell]) -> Iterator[Ceiling]:
    """Yield a ceiling per generator, protocol and threads of the closed-loop cells; tell what cannot be calibrated, and why."""
    for cell in _to_calibrate(bench, cells):
        window.wait_for_quiet(bench)
        try:
            yield _ceiling(bench, cell)
        except StepFailure as failure:
            bench.tell(_unknown(cell, failure))
        except OSError as error:
            bench.tell(_unknown(cell, refused(error)))


def _unknown(cell: Cell, failure: StepFailure) -> str:
    threads = "1 thread" if cell.load.threads == 1 else f"{cell.load.threads} threads"
    return f"what {threads} of {cell.load.generator} can do over {cell.protocol} is not known: {failure.reason}"


def _to_calibrate(bench: Bench, cells: Sequence[Cell]) -> Iterator[Cell]:
    """Yield a cell of the responder for each key: of the cells that have it, the load of the one with the most under way."""
    loads: dict[tuple[str, str, int], Cell] = {}
    for cell in cells:
        if not cell.load.rate_percent and not bench.driver(cell).missing:
            key = cell.load.generator, cell.protocol, cell.load.threads
            loads[key] = max(loads.get(key, cell), cell, key=lambda each: each.load.in_flight)
    for cell in loads.values():
        load = replace(cell.load, duration_s=SECONDS, warmup_s=0, windows=1, requests_per_connection=0)
        name = f"ceiling-of-{load.generator}"
        yield Cell(server=name, options=(), label="", protocol=cell.protocol, workers=1, app=TRIVIAL.name, load=load)


def _ceiling(bench: Bench, cell: Cell) -> Ceiling:
    """Drive the responder for one window; StepFailure when there is none.

    Noise is allowed: it lessens what was reached, but hardly what a request cost, and that tells what could be reached.
    """
    processes = responders(len(bench.layout.server) or len(usable_cores()) - cell.load.threads, cell.load.threads)
    bench = replace(
        bench,
        servers={cell.server: responder(processes)},
        venues={wanted(cell): Venue(path=sys.executable)},
        pick_port=probe.free_port,
        noise=Noise(foreign_cpu=1, steal=1),
    )
    log = bench.logs / f"{cell.server}-{cell.protocol}-t{cell.load.threads}.log"
    with serving(bench, cell, TRIVIAL, log) as started:
        question = probe.Question(
            address=started.address, request=TRIVIAL.request, expect=TRIVIAL.expect, patience=bench.patience
        )
        answer = probe.wait_ready(started.running, question, processes).answer
        shot = window.make_shot(bench, started, cell, TRIVIAL, answer)
        seen = window.measure(bench, started, cell, shot)
    return Ceiling(
        generator=cell.load.generator,
        protocol=cell.protocol,
        threads=cell.load.threads,
        requests_per_s=round(seen.stats.requests / seen.stats.duration_us * 1e6, 1),
        cpu_us_per_request=round(seen.usage.generator_cpu_us / seen.stats.requests, 3),
    )


def responders(cores: int, threads: int) -> int:
    """Say in how many processes to respond: twice the generator's threads, so that it is the limit, as far as there are cores."""
    return max(1, min(cores, 2 * threads))


def responder(processes: int) -> Server:
    """Describe the responder as a server is described."""

    def argv(launch: Launch) -> list[str]:
        files = (launch.certificate, launch.key) if launch.encrypted else ()
        return [launch.python, "-I", "-S", str(RESPONDER), str(launch.port), launch.protocol, str(processes), *files]

    return Server(requires=(), options={}, protocols=PROTOCOLS, argv=argv, proof=lambda _: {})
