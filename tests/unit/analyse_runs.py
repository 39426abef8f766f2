"""Runs by value for the tests of the analysis: cells, windows and samples; nothing here calls the analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from runners.loads.fake import simulate
from servermatrix.contracts import Question
from servermatrix.model import (
    Cause,
    Cell,
    Decision,
    Failed,
    Host,
    Load,
    LoadStats,
    Look,
    Measured,
    Noise,
    PlannedCell,
    Run,
    RunHeader,
    Sample,
    Skipped,
    Usage,
    Window,
)

LOAD = Load(generator="fake", connections=64, threads=1, duration_s=2, warmup_s=0, windows=1)
HOST = Host(system="Linux", cpu="a cpu", cores=4, memory_bytes=2**33, python="3.11.9")
THEN = "2026-01-01T00:00:00Z"
STEADY = [1.00, 1.02, 0.98, 1.01, 0.99, 1.03, 0.97, 1.015, 0.985, 1.005]


def cell(server: str, app: str = "plaintext", **other: object) -> Cell:
    plain = Cell(server=server, options=(), label="", protocol="h1", workers=1, app=app, load=LOAD)
    return replace(plain, **other)  # type: ignore[arg-type]


def cells(count: int) -> list[Cell]:
    return [cell(f"s{number:04d}") for number in range(count)]


def window(rps: float = 10_000, **other: object) -> Window:
    """Two seconds in which one worker was busy for 98 % and the generator for 20 %."""
    requests = round(2 * rps)
    usage = Usage(
        wall_us=2_000_000,
        server_cpu_us=1_960_000,
        worker_cpu_us=(1_960_000,),
        generator_cpu_us=400_000,
        own_cpu_us=0,
        pss_bytes=30_000_000,
        foreign_cpu=0.0,
        steal=0.0,
    )
    stats = LoadStats(requests=requests, duration_us=2_000_000, histogram=((5_000, requests - 1), (9_000, 1)))
    return Window(stats=stats, usage=replace(usage, **other))  # type: ignore[arg-type]


def measured(of: Cell, number: int, *windows: Window, startup_s: float = 0.25) -> Measured:
    return Measured(cell_id=of.id, round=number, started_at=THEN, startup_s=startup_s, windows=windows or (window(),))


def series(of: Cell, rates: Iterable[float], **other: object) -> list[Sample]:
    return [measured(of, number, window(rate, **other)) for number, rate in enumerate(rates, 1)]


def rates(rps: float, rounds: int = 10) -> list[float]:
    return [rps * factor for factor in STEADY[:rounds]]


def failed(of: Cell, number: int, cause: Cause, reason: str = "it broke") -> Failed:
    return Failed(cell_id=of.id, round=number, started_at=THEN, cause=cause, reason=reason)


def skipped(of: Cell, number: int, reason: str) -> Skipped:
    return Skipped(cell_id=of.id, round=number, started_at=THEN, reason=reason)


def run(
    of: Sequence[Cell],
    samples: Iterable[Sample],
    rounds: int = 6,
    host: Host = HOST,
    *,
    looks: Sequence[Look] = (),
    decisions: Sequence[Decision] = (),
) -> Run:
    header = RunHeader(
        id="2026-01-01T00-00-00Z-0000",
        started_at=THEN,
        argv=(),
        seed=1,
        rounds=rounds,
        noise=Noise(),
        generators=(("fake", "1"),),
        host=host,
        versions=(),
        git="",
        cells=tuple(PlannedCell(cell=one, argv=("serve", one.server), load_argv=()) for one in of),
        excluded=(),
        looks=tuple(looks),
    )
    return Run(header=header, proofs=(), samples=tuple(samples), decisions=tuple(decisions))


def again(of: Cell) -> Cell:
    return replace(of, duplicate=True)


def simulated(of: Sequence[Cell], rounds: int, model: Mapping[str, object], seed: int = 1) -> Run:
    """Run the cells through the fake generator, one window per round."""
    samples = [measured(one, number, _asked(one, number, model, seed)) for number in range(1, rounds + 1) for one in of]
    return run(of, samples, rounds)


def _asked(one: Cell, number: int, model: Mapping[str, object], seed: int) -> Window:
    return simulate(
        Question(
            cell_id=one.id,
            round=number,
            window=0,
            workers=one.workers,
            duration_s=one.load.duration_s,
            seed=seed,
            model=model,
        )
    )
