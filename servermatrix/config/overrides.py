"""What the command line changes in a matrix for one run; it reads no command line itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from servermatrix.config.axes import (
    COUNTS,
    SHARED_AXES,
    Axes,
    canonical_axis,
    percent,
    wrong_python,
    wrong_rate,
    wrong_requirements,
)
from servermatrix.config.matrix import LoadSettings, Matrix
from servermatrix.config.options import canonical, named_values, offered, offers, whole
from servermatrix.contracts import Option, Server
from servermatrix.errors import UsageProblem
from servermatrix.model import HTTP2, App
from servermatrix.suggest import did_you_mean, listed

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What stands instead of matrix.yaml, None where nothing does; `seed` and `budget_s` are for the plan, not the matrix.

    `sets` holds (axis, values) in the order given; the last one wins, and the named fields win over it.
    """

    sets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    rounds: int | None = None
    duration_s: int | None = None
    warmup_s: int | None = None
    connections: tuple[int, ...] | None = None
    threads: int | None = None
    windows: int | None = None
    generator: str | None = None
    app: App | None = None
    seed: int | None = None
    budget_s: float | None = None


def override(matrix: Matrix, overrides: Overrides, servers: Mapping[str, Server]) -> Matrix:
    """Return the matrix with the changes; UsageProblem for an unknown axis or value, or for numbers that cannot be."""
    if overrides.rounds is not None and overrides.budget_s is not None:
        raise UsageProblem("--rounds and --budget both say how many rounds to run", "give one of the two")
    for axis, values in overrides.sets:
        if not values or "" in values:
            raise UsageProblem(f"{axis} is given an empty value", "write -s AXIS=VALUE[,VALUE]")
        matrix = _set(matrix, axis, tuple(dict.fromkeys(values)), servers)
    axes = matrix.axes
    if overrides.app is not None:
        axes = replace(axes, app=(overrides.app.name,))
    if overrides.connections is not None:
        axes = replace(axes, connections=tuple(dict.fromkeys(overrides.connections)))
    changed = replace(
        matrix,
        axes=axes,
        load=_load(matrix.load, overrides),
        rounds=_given(overrides.rounds, matrix.rounds),
    )
    _check_numbers(changed)
    if any(axis == "streams" for axis, _ in overrides.sets) and HTTP2.isdisjoint(changed.protocols()):
        raise UsageProblem(
            "streams are requests in flight per connection of HTTP/2, which nothing here speaks", "add -s protocol=h2c"
        )
    return changed


def _given(value: T | None, otherwise: T) -> T:
    return otherwise if value is None else value


def _load(load: LoadSettings, overrides: Overrides) -> LoadSettings:
    return LoadSettings(
        generator=_given(overrides.generator, load.generator),
        threads=_given(overrides.threads, load.threads),
        duration_s=_given(overrides.duration_s, load.duration_s),
        warmup_s=_given(overrides.warmup_s, load.warmup_s),
        windows=_given(overrides.windows, load.windows),
    )


def _set(matrix: Matrix, axis: str, values: tuple[str, ...], servers: Mapping[str, Server]) -> Matrix:
    if axis in SHARED_AXES:
        return replace(matrix, axes=_set_axis(matrix.axes, axis, values, servers))
    if not any(axis in servers[name].options for name, _ in matrix.servers):
        raise _unknown_axis(matrix, axis, servers)
    return replace(
        matrix,
        servers=tuple(
            (name, _set_option(name, options, axis, values, servers[name].options.get(axis))) for name, options in matrix.servers
        ),
    )


def _unknown_axis(matrix: Matrix, axis: str, servers: Mapping[str, Server]) -> UsageProblem:
    known = dict.fromkeys((*SHARED_AXES, *(option for name, _ in matrix.servers for option in servers[name].options)))
    tip = "choose servers with -k 'NAME*'" if axis == "server" else ""
    return UsageProblem(f"no server of the matrix has {axis!r}; known are {listed(known)}{did_you_mean(axis, known)}", tip)


def _set_axis(axes: Axes, axis: str, values: tuple[str, ...], servers: Mapping[str, Server]) -> Axes:
    """Set an axis; whether an app or a Python is there is known where these are."""
    if axis in COUNTS:
        return _set_count(axes, axis, _counts(axis, values))
    match axis:
        case "app":
            return replace(axes, app=values)
        case "rate":
            return replace(axes, rate=_rates(values))
        case "python":
            return replace(axes, python=_pythons(values))
        case "requires":
            return replace(axes, requires=_requirements(values))
        case _:
            _check_protocols(values, servers)
            return replace(axes, protocol=values)


def _set_count(axes: Axes, axis: str, numbers: tuple[int, ...]) -> Axes:
    match axis:
        case "workers":
            return replace(axes, workers=numbers)
        case "connections":
            return replace(axes, connections=numbers)
        case "streams":
            return replace(axes, streams=numbers)
        case _:
            return replace(axes, requests_per_connection=numbers)


def _check_protocols(values: tuple[str, ...], servers: Mapping[str, Server]) -> None:
    spoken = sorted({protocol for server in servers.values() for protocol in server.protocols})
    for value in values:
        if value not in spoken:
            raise UsageProblem(f"{value!r} is not one of {listed(spoken)}{did_you_mean(value, spoken)}")


def _rates(values: tuple[str, ...]) -> tuple[int, ...]:
    for value in values:
        if sentence := wrong_rate(value):
            raise UsageProblem(f"rate: {value!r} {sentence}")
    return tuple(dict.fromkeys(map(percent, values)))


def _pythons(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if sentence := wrong_python(value):
            raise UsageProblem(f"python: {value!r} {sentence}")
    return values


def _requirements(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if sentence := wrong_requirements(value):
            raise UsageProblem(f"requires: {value!r} {sentence}")
    return tuple(dict.fromkeys(canonical_axis("requires", value) for value in values))


def _counts(axis: str, values: tuple[str, ...]) -> tuple[int, ...]:
    found = dict.fromkeys(whole(value) for value in values)
    numbers = tuple(number for number in found if number is not None)
    if len(numbers) < len(found):
        raise UsageProblem(f"{axis} takes whole numbers, not {','.join(values)!r}")
    return numbers


def _set_option(
    server: str,
    options: tuple[tuple[str, tuple[str, ...]], ...],
    name: str,
    values: tuple[str, ...],
    option: Option | None,
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if option is None:
        return options
    found = tuple(dict.fromkeys(canonical(option, value) for value in values))
    for value in found:
        if not offers(option, value):
            suggestion = did_you_mean(value, named_values(option))
            raise UsageProblem(f"{name} of {server}: {value!r} is not {offered(option)}{suggestion}")
    return tuple((dict(options) | {name: found}).items())


def _check_numbers(matrix: Matrix) -> None:
    """Check again what matrix.yaml was checked for, now that some of the numbers are others."""
    load, axes = matrix.load, matrix.axes
    least = {
        "rounds": (matrix.rounds, 1),
        "threads": (load.threads, 1),
        "windows": (load.windows, 1),
        "duration": (load.duration_s, 1),
        "warmup": (load.warmup_s, 0),
        **{axis: (min(getattr(axes, axis), default=0), minimum) for axis, minimum in COUNTS.items()},
    }
    for name, (value, minimum) in least.items():
        if value < minimum:
            raise UsageProblem(f"{name} is {value}, but the least is {minimum}")
    included = (int(value) for entry in matrix.include for key, value in entry if key == "connections")
    for connections in (*axes.connections, *included):
        if connections % load.threads:
            raise UsageProblem(
                f"{connections} connections cannot be shared evenly by {load.threads} threads",
                "choose connections that are a multiple of the threads",
            )
