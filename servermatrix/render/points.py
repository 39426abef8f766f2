"""What is said in a list: a line, and lines of its own under it, in markdown and, shortened, on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from servermatrix.render.table import amount, escaped

MOST_ITEMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A sentence, and what stands under it."""

    text: str
    items: tuple[str, ...] = ()


def to_markdown_list(points: Iterable[Point | str]) -> list[str]:
    """Write points as a nested list, complete."""
    return [line for point in points for line in _lines(point)]


def _lines(point: Point | str) -> list[str]:
    if isinstance(point, str):
        return [f"- {escaped(point)}"]
    return [f"- {escaped(point.text)}", *(f"    - {escaped(item)}" for item in point.items)]


def shortened(items: Sequence[str], noun: str = "row") -> list[str]:
    """Keep the first items, and say how many more there are in report.md; one more is rather shown than counted."""
    more = len(items) - MOST_ITEMS
    return list(items) if more <= 1 else [*items[:MOST_ITEMS], f"and {amount(more)} more {noun}s, which report.md lists"]


def ended(text: str) -> str:
    """End a sentence as one ends; those of plug-ins and of stored runs may come without a full stop."""
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."
