"""Cases by value for the tests of verdicts and remarks; nothing here calls the analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from servermatrix.analysis.cases import Case
from servermatrix.model import Cell, Flag, Percentile, Remark, Window
from tests.unit.analyse_runs import cell, measured, window

MIB = 2**20
WALL_US = 2_000_000


def real(**load: object) -> Cell:
    """Return a cell that something real drives."""
    one = cell("a")
    return replace(one, load=replace(one.load, generator="wrk", **load))  # type: ignore[arg-type]


def percentile(value_us: float) -> Percentile:
    return Percentile(value_us=value_us, lowest_us=value_us, highest_us=value_us, samples=1)


def case(
    *starts: Sequence[Window],
    of: Cell | None = None,
    p5_us: float = 3_000,
    p50_us: float = 5_000,
    served: Sequence[float] = (1.0,),
) -> Case:
    one = of or real()
    p5, p50 = percentile(p5_us), percentile(p50_us)
    made = tuple(measured(one, number, *each) for number, each in enumerate(starts or ([window()],), 1))
    return Case(cell=one, starts=made, rates=tuple(served), p5_us=p5, p50_us=p50, cores=8)


def only(remarks: Sequence[Remark], flag: Flag) -> str:
    """Demand one remark of this flag, and return its sentence."""
    (remark,) = remarks
    assert remark.flag == flag
    assert remark.advice
    return remark.sentence


def flying(mean_us: int, rps: float = 10_000, **usage: object) -> Window:
    """Return two seconds in which every answer took so long; 64 requests in flight at 10,000 a second take 6.4 ms each."""
    plain = window(rps, **usage)
    return replace(plain, stats=replace(plain.stats, histogram=((mean_us, plain.stats.requests),)))
