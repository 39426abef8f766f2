"""Pairs of runs by value for the tests of `compare`; nothing here calls the analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import exp
from random import Random

from servermatrix.model import Cell, ComparedCell, Comparison, Run, Sample
from tests.unit.analyse_runs import cell, measured, run, window

ROUNDS = 12
A = cell("a")
B = cell("b")
C = cell("c")


def starts(of: Cell, seed: object, *, rps: float = 1.0, cpu: float = 1.0, rounds: int = ROUNDS, sd: float = 0.01) -> list[Sample]:
    """Return starts whose requests/s and CPU per request are so many times those of the others, with noise."""
    source = Random(f"{of.id} {seed}")  # noqa: S311 - reproducible, not secret
    return [_start(of, number, rps * exp(source.gauss(0, sd)), cpu * exp(source.gauss(0, sd))) for number in range(1, rounds + 1)]


def _start(of: Cell, number: int, rps: float, cpu: float) -> Sample:
    one = window(10_000 * rps)
    used_us = round(98 * cpu * one.stats.requests)
    return measured(of, number, replace(one, usage=replace(one.usage, server_cpu_us=used_us, worker_cpu_us=(used_us,))))


def named(found: Run, name: str, **header: object) -> Run:
    return replace(found, header=replace(found.header, id=name, **header))  # type: ignore[arg-type]


def of_samples(name: str, cells: Sequence[Cell], samples: Iterable[Sample], rounds: int = ROUNDS, **header: object) -> Run:
    return named(run(cells, samples, rounds), name, **header)


def steady(name: str, changes: Mapping[Cell, Mapping[str, float]] | None = None, **header: object) -> Run:
    """Return a run of three cells, of which some are faster, slower, cheaper or dearer than they are otherwise."""
    found = changes or {}
    return of_samples(name, [A, B, C], [one for of in (A, B, C) for one in starts(of, name, **found.get(of, {}))], **header)  # type: ignore[arg-type]


def became(found: Comparison, of: Cell) -> ComparedCell:
    return next(one for one in found.cells if one.id == of.id)
