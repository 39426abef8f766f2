"""A check -> what the history keeps of it; it stores nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from servermatrix.analysis.missing import SIMULATED
from servermatrix.model import CellChange, CheckReport, Excluded, Host, Load, Metric, Night, NightCell, RunHeader


def night_of(report: CheckReport) -> Night:
    """Return the night of a complete check; that of several shards has the id and the time of the one with the smallest id."""
    headers = sorted(report.headers, key=lambda header: header.id)
    hosts = tuple(dict.fromkeys(header.host for header in headers))
    places = {pair: place for header in headers for pair, place in _places(header, hosts.index(header.host))}
    return Night(
        id=headers[0].id,
        started_at=headers[0].started_at,
        hosts=hosts,
        trial=report.trial,
        cells=tuple(_cell(one, places.get(one.pair, Place())) for one in report.cells),
        detectable=report.detectable,
        left_out=_left_out(headers, {one.pair for one in report.cells}),
        simulated=any(map(is_simulated, headers)),
    )


def is_simulated(header: RunHeader) -> bool:
    """Tell whether a cell of a run was driven by the generator that measures nothing."""
    return any(name == SIMULATED for name, _ in header.generators)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and by what a cell was measured: the number of the machine, the generator with its version, the load."""

    host: int = 0
    generator: str = ""
    load: Load | None = None


def _places(header: RunHeader, host: int) -> Iterator[tuple[str, Place]]:
    versions = dict(header.generators)
    for planned in header.cells:
        load = planned.cell.load
        generator = f"{load.generator} {versions.get(load.generator, '')}".rstrip()
        yield planned.cell.pair, Place(host=host, generator=generator, load=load)


def _left_out(headers: list[RunHeader], there: set[str]) -> tuple[Excluded, ...]:
    found = {each.id: each for header in headers for each in header.excluded if each.id not in there}
    return tuple(found.values())


def _cell(one: CellChange, place: Place) -> NightCell:
    rps, cpu = one.shift(Metric.RPS), one.shift(Metric.CPU)
    return NightCell(
        pair=one.pair,
        change=one.change,
        sentence=one.sentence,
        rps=rps.ratio if rps else None,
        cpu=cpu.ratio if cpu else None,
        host=place.host,
        generator=place.generator,
        load=place.load,
    )


def machine(host: Host) -> str:
    """Name what makes ratios of two nights comparable: the processor and the number of its cores.

    Not the kernel, the memory or the interpreter: both sides of a night share them, and a new kernel is no new machine.
    """
    return f"{host.cpu}, {host.cores} {'core' if host.cores == 1 else 'cores'}"
