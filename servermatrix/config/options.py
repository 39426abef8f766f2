"""What an option accepts and how its values are written; it reads no file and knows no server by name."""

from __future__ import annotations

from collections.abc import Iterable

from servermatrix.contracts import Choice, Count, Flag, Option
from servermatrix.suggest import listed

_MOST_DIGITS = 9
_YAML_FLAGS = {"true": "on", "false": "off"}


def canonical(option: Option, text: str) -> str:
    """Return the one way in which this value is written: `on`/`off` for a Flag, no leading zeros for a Count."""
    match option:
        case Flag():
            return _YAML_FLAGS.get(text.lower(), text)
        case Count():
            return str(number) if (number := whole(text)) is not None else text
        case Choice():
            return text


def offers(option: Option, value: str) -> bool:
    """Tell whether the option has this canonical value; `auto` is one only where the plug-in lists it."""
    match option:
        case Choice():
            return value in option.values
        case Flag():
            return value in _YAML_FLAGS.values()
        case Count():
            number = whole(value)
            return number is not None and number >= option.minimum


def offered(option: Option) -> str:
    """Say what the option accepts, to go after `is not`."""
    match option:
        case Count():
            return f"a whole number from {option.minimum} on"
        case _:
            return f"one of {listed(named_values(option))}"


def named_values(option: Option) -> tuple[str, ...]:
    """Return the values that have names; a Count has none."""
    match option:
        case Choice():
            return option.values
        case Flag():
            return ("on", "off")
        case Count():
            return ()


def whole(text: str) -> int | None:
    """Read a whole number of up to nine ASCII digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def repeated(values: Iterable[str]) -> frozenset[int]:
    """Return the positions at which a value stands that stood before."""
    seen: set[str] = set()
    again = set()
    for position, value in enumerate(values):
        if value in seen:
            again.add(position)
        seen.add(value)
    return frozenset(again)
