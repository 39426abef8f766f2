"""The shape of matrix.yaml as pydantic models, and their errors as mistakes; names of servers and the like are not known here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from servermatrix.config.axes import Axes
from servermatrix.config.text import Fields, Mistake, Node, Place, Row, Word, find, plain
from servermatrix.suggest import did_you_mean, listed

_DURATION = re.compile(r"([0-9]{1,9}) ?(s|m|)")
_SECONDS = {"s": 1, "": 1, "m": 60}
_UNSAID = Axes()


def seconds(text: object) -> int:
    """Read `2s`, `2` or `1m` as whole seconds; ValueError with a sentence for anything else."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("is not a duration such as 2s or 1m; wrk takes whole seconds")
    return int(found[1]) * _SECONDS[found[2]]


def _listed(value: object) -> object:
    """Take a scalar as a list of one, and nothing as an empty list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _mapped(value: object) -> object:
    return {} if value is None else value


Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Words = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Rates = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Numbers = Annotated[tuple[Positive, ...], BeforeValidator(_listed), Field(min_length=1)]
Naturals = Annotated[tuple[Natural, ...], BeforeValidator(_listed), Field(min_length=1)]


class Shape(BaseModel):
    """What all parts share: no unknown keys, no change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AxesShape(Shape):
    """The axes that all servers share."""

    protocol: Words = _UNSAID.protocol
    workers: Numbers = _UNSAID.workers
    app: Words = _UNSAID.app
    connections: Numbers = _UNSAID.connections
    streams: Numbers = _UNSAID.streams
    requests_per_connection: Naturals = _UNSAID.requests_per_connection
    rate: Rates = ()
    python: Words = _UNSAID.python
    requires: Words = _UNSAID.requires


class LoadShape(Shape):
    """How each start is driven; durations in seconds."""

    generator: str | None = None
    threads: Positive = 1
    duration: Annotated[int, BeforeValidator(seconds), Field(ge=1)] = 2
    warmup: Annotated[int, BeforeValidator(seconds)] = 1
    windows: Positive = 2


class NoiseShape(Shape):
    """What a valid window tolerates; see model.Noise for the units."""

    foreign_cpu: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.10
    steal: Annotated[float, Field(ge=0, le=1)] = 0.02


class MatrixShape(Shape):
    """The whole file but for its profiles, which are laid over it before it is looked at."""

    servers: Annotated[dict[str, Annotated[dict[str, Words], BeforeValidator(_mapped)]], Field(min_length=1)]
    axes: Annotated[AxesShape, BeforeValidator(_mapped)] = AxesShape()
    load: Annotated[LoadShape, BeforeValidator(_mapped)] = LoadShape()
    rounds: Positive = 11
    noise: Annotated[NoiseShape, BeforeValidator(_mapped)] = NoiseShape()
    exclude: Annotated[tuple[Annotated[dict[str, Words], Field(min_length=1)], ...], BeforeValidator(_listed)] = ()
    include: Annotated[tuple[Annotated[dict[str, str], Field(min_length=1)], ...], BeforeValidator(_listed)] = ()


def known_keys(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the keys that may stand in the mapping at this path."""
    shapes: Mapping[tuple[str | int, ...], type[Shape]] = {
        ("axes",): AxesShape,
        ("load",): LoadShape,
        ("noise",): NoiseShape,
    }
    return tuple(shapes.get(path, MatrixShape).model_fields)


def read_shape(tree: Fields) -> tuple[MatrixShape | None, tuple[Mistake, ...]]:
    """Check the shape; the model is None when there are mistakes."""
    try:
        return MatrixShape.model_validate(plain(tree)), ()
    except ValidationError as error:
        return None, tuple(_mistakes(tree, error))


def _mistakes(tree: Fields, error: ValidationError) -> Iterator[Mistake]:
    for details in error.errors():
        path = details["loc"]
        if details["type"] == "extra_forbidden":
            yield _unknown_key(tree, path)
        elif details["type"] == "missing":
            yield Mistake(place=find(tree, path[:-1]).place, sentence=f"the key {str(path[-1])!r} is missing")
        else:
            node = find(tree, path)
            yield Mistake(place=node.place, sentence=_sentence(details, node))


def _unknown_key(tree: Fields, path: tuple[str | int, ...]) -> Mistake:
    *parents, key = path
    above = find(tree, parents)
    place = above.keys[str(key)] if isinstance(above, Fields) else above.place
    known = known_keys(tuple(parents))
    if not parents and _is_top(place):
        known = (*known, "profiles")
    return Mistake(place=place, sentence=f"is no key here; known are {listed(known)}{did_you_mean(str(key), known)}")


def _is_top(place: Place) -> bool:
    return "." not in place.path


def _sentence(details: ErrorDetails, node: Node) -> str:
    """Say in our words what pydantic found; its own text stands for what is not foreseen."""
    context: Mapping[str, object] = details.get("ctx", {})
    shown = _shown(node)
    sentences: Mapping[str, Callable[[], str]] = {
        "too_short": lambda: "is empty; at least one entry is needed",
        "greater_than_equal": lambda: f"{shown} is too small; the least is {context['ge']}",
        "less_than_equal": lambda: f"{shown} is too large; the most is {context['le']}",
        "value_error": lambda: f"{shown} {context['error']}",
    }
    if details["type"] in sentences:
        return sentences[details["type"]]()
    kind = details["type"].split("_")[0]
    return f"{shown} is not {_WANTED[kind]}" if kind in _WANTED else details["msg"]


_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "model": "a mapping of keys to values",
    "dict": "a mapping of keys to values",
    "tuple": "a list",
    "string": "a single value",
}


def _shown(node: Node) -> str:
    match node:
        case Word(text=None):
            return "nothing"
        case Word():
            return repr(node.text)
        case Row():
            return "a list"
        case Fields():
            return "a mapping"
