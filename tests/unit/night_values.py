"""Nights by value for the tests of the history and of what is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from servermatrix.model import BASELINE, CANDIDATE, Change, Estimate, Host, Night, NightCell, Side, Trial

A, B = "uvicorn[loop=uvloop]/h1/w1/c64/plaintext", "granian/h1/w1/c64/json"
EPYC = Host(system="Linux 6.8", cpu="AMD EPYC 7763", cores=4, memory_bytes=2**34, python="3.11.9")
XEON = replace(EPYC, cpu="Intel Xeon 8370C")
FIRST = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
STEADY = (0.004, -0.006, 0.002, -0.003, 0.007, -0.001, 0.005, -0.004, 0.001, -0.007)


def ratio(value: float, spread: float = 1.02) -> Estimate:
    return Estimate(value=value, low=value / spread, high=value * spread, n=10)


def side(name: str, uvicorn: str, **other: str) -> Side:
    return Side(name=name, versions=tuple(sorted({"uvicorn": uvicorn, **other}.items())))


def tried(baseline: str = "0.50.0", candidate: str = "0.52.0", margin: float = 0.03) -> Trial:
    return Trial(baseline=side(BASELINE, baseline), candidate=side(CANDIDATE, candidate), margin=margin)


def told(pair: str = A, rps: float | None = 1.0, cpu: float | None = 1.0, change: Change = Change.UNCHANGED) -> NightCell:
    return NightCell(
        pair=pair,
        change=change,
        sentence="no change beyond 2.1 %",
        rps=None if rps is None else ratio(rps),
        cpu=None if cpu is None else ratio(cpu),
    )


def night(
    day: int, cells: Sequence[NightCell] = (), trial: Trial | None = None, host: Host = EPYC, *, at: datetime | None = None
) -> Night:
    """The night of so many days after the first, or the one that began `at` a time."""
    start = at or FIRST + timedelta(days=day)
    return Night(
        id=f"{start:%Y-%m-%dT%H-%M-%SZ}-{day:04x}",
        started_at=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        hosts=(host,),
        trial=trial or tried(),
        cells=tuple(cells) or (told(),),
        detectable=0.038,
    )


def nights(ratios: Sequence[float | None], trials: Mapping[int, Trial] | None = None) -> list[Night]:
    """One night per ratio of requests/s of the one cell, with little noise; from the nights of `trials` on it is tried so."""
    made, trial = [], tried()
    for day, value in enumerate(ratios):
        trial = (trials or {}).get(day, trial)
        noisy = None if value is None else value * (1 + STEADY[day % len(STEADY)])
        made.append(night(day, [told(rps=noisy, cpu=None if value is None else 1.0)], trial))
    return made
