"""Typed reading of decoded JSON: the value that must be there, or TypeError, KeyError or ValueError; knows no noun of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar, cast

Raw = Mapping[str, object]
T = TypeVar("T")


def an_object(value: object) -> Raw:
    """Take a value for a JSON object."""
    if isinstance(value, dict):
        return value
    raise TypeError(f"an object was expected, not {value!r:.80}")


def _a_list(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise TypeError(f"a list was expected, not {value!r:.80}")


def _a(kind: type[T], value: object) -> T:
    # Not isinstance: true is no number here.
    if type(value) is kind:
        return value
    raise TypeError(f"{kind.__name__} was expected, not {value!r:.80}")


def text(raw: Raw, key: str, default: str | None = None) -> str:
    """Read a text; a missing one is the default when there is one."""
    return _a(str, raw[key] if default is None else raw.get(key, default))


def optional_text(raw: Raw, key: str) -> str | None:
    """Read a text or null."""
    return None if raw[key] is None else text(raw, key)


def whole(raw: Raw, key: str, default: int | None = None) -> int:
    """Read a whole number; a missing one is the default when there is one."""
    return _a(int, raw[key] if default is None else raw.get(key, default))


def optional_whole(raw: Raw, key: str) -> int | None:
    """Read a whole number or null; a missing one is null."""
    value = raw.get(key)
    return None if value is None else _a(int, value)


def flag(raw: Raw, key: str) -> bool:
    """Read true or false; a missing one is false."""
    return _a(bool, raw.get(key, False))


def wholes_by_name(raw: Raw, names: Sequence[str]) -> dict[str, int]:
    """Read those of some whole numbers that are there."""
    # One look at all types at once, as in pairs: reading a run is mostly reading numbers.
    found = {name: raw[name] for name in names if name in raw}
    if set(map(type, found.values())) <= {int}:
        return cast("dict[str, int]", found)
    raise TypeError(f"whole numbers were expected, not {found!r:.80}")


def number(raw: Raw, key: str) -> float:
    """Read a number, written with a point or without."""
    value = raw[key]
    return value if isinstance(value, float) else float(_a(int, value))


def part(raw: Raw, key: str) -> Raw:
    """Read an object inside an object; a missing one is empty."""
    return an_object(raw.get(key, {}))


def texts(raw: Raw, key: str) -> tuple[str, ...]:
    """Read a list of texts; a missing one is empty."""
    return tuple([_a(str, value) for value in _a_list(raw.get(key, []))])


def wholes(raw: Raw, key: str) -> tuple[int, ...]:
    """Read a list of whole numbers."""
    return tuple([_a(int, value) for value in _a_list(raw[key])])


def objects(raw: Raw, key: str) -> Iterator[Raw]:
    """Read a list of objects."""
    return map(an_object, _a_list(raw[key]))


def pairs(kind: type[T], values: object) -> tuple[tuple[T, T], ...]:
    """Take a value for a list of pairs of one kind."""
    found = _a_list(values)
    # Looks at all types at once: a call for each number of a histogram would be most of the time of reading a run.
    if set(map(type, found)) <= {list}:
        taken = cast("tuple[tuple[T, T], ...]", tuple(map(tuple, cast("list[list[T]]", found))))
        if set(map(len, taken)) <= {2} and set(map(type, chain.from_iterable(taken))) <= {kind}:
            return taken
    raise TypeError(f"pairs of {kind.__name__} were expected, not {values!r:.80}")
