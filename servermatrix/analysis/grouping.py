"""Which cells may stand in one table, in which order the tables stand, and how a row is called; it looks at no number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from servermatrix.model import ASGI, ENCRYPTED, Cell

Key = tuple[str, str, bool, int, int, int, str, int]

_INTERFACES = (ASGI, "wsgi", "rsgi")


def table_key(cell: Cell) -> Key:
    """Return what cells must have in common to be compared; HTTP/1.1 and HTTP/2 may be, both encrypted or neither."""
    load = cell.load
    return (
        cell.app,
        cell.interface,
        cell.protocol in ENCRYPTED,
        cell.workers,
        load.in_flight,
        load.requests_per_connection,
        load.generator,
        load.rate_percent,
    )


def comparison(cell: Cell) -> Key:
    """Return what cells share that are compared at a rate: what those of one table do, whatever drives them and how fast."""
    return table_key(replace(cell, load=replace(cell.load, generator="", rate_percent=0)))


def in_order(keys: Iterable[Key]) -> list[Key]:
    """Return the tables as they first appear; those that differ in their interface alone stand together, ASGI first."""
    distinct = list(dict.fromkeys(keys))
    first: dict[tuple[object, ...], int] = {}
    for key in distinct:
        first.setdefault(_but_for_the_interface(key), len(first))
    return sorted(distinct, key=lambda key: (first[_but_for_the_interface(key)], _place(key[1]), key[1]))


def _but_for_the_interface(key: Key) -> tuple[object, ...]:
    return key[0], *key[2:]


def _place(interface: str) -> int:
    return _INTERFACES.index(interface) if interface in _INTERFACES else len(_INTERFACES)


def row_names(cells: Iterable[Cell]) -> dict[str, str]:
    """Return by cell id what a row is called: its setting, with the protocol and the load where its table has several.

    All planned cells of a table count, so that a row has one name however far the run came.
    """
    groups: dict[Key, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[table_key(cell)].append(cell)
    return {cell.id: " ".join(words) for group in groups.values() for cell, words in _told_apart(group)}


def _told_apart(group: Sequence[Cell]) -> Iterator[tuple[Cell, list[str]]]:
    protocols = len({cell.protocol for cell in group}) > 1
    loads = len({cell.load.label for cell in group}) > 1
    for cell in group:
        yield cell, [cell.setting, *([cell.protocol] if protocols else []), *([cell.load.label] if loads else [])]
