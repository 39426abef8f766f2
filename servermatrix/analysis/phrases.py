"""What the rows of a table have in common, in words, for headings and answers; it calculates nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from servermatrix.model import ASGI, Load, Table

PROTOCOL_NAMES: Mapping[str, str] = {
    "h1": "HTTP/1.1",
    "h1s": "HTTP/1.1 over TLS",
    "h2c": "HTTP/2 in the clear",
    "h2": "HTTP/2 over TLS",
}


def title(table: Table, others: Sequence[Table]) -> str:
    """Say what all rows of a table have in common; the generator only where it is not that of all `others` too."""
    several = len({other.generator for other in (table, *others)}) > 1
    return ", ".join(
        (
            *_always(table),
            *([_reuse(table)] if table.requests_per_connection else []),
            *([pace(table)] if table.rate_percent else []),
            *([_driver(table)] if several else []),
        )
    )


def places(tables: Sequence[Table]) -> list[str]:
    """Name each table by what tells it from the others."""
    keys = [(*_always(table), _reuse(table), _loop(table), _driver(table)) for table in tables]
    telling = [part for part, found in enumerate(zip(*keys, strict=True)) if len(set(found)) > 1]
    return [", ".join(key[part] for part in telling) for key in keys]


def pace(table: Table) -> str:
    """Say at which rate the rows of an open loop were sent requests, empty for a closed loop."""
    if not table.rate_percent:
        return ""
    rate = "" if table.rate_per_s is None else f", {table.rate_per_s:,.0f} requests/s"
    return f"at {table.rate_percent} % of the slowest one's capacity{rate}"


def _loop(table: Table) -> str:
    return f"open loop at {table.rate_percent} %" if table.rate_percent else "closed loop"


def _always(table: Table) -> tuple[str, ...]:
    protocols = [PROTOCOL_NAMES.get(protocol, protocol) for protocol in table.protocols]
    return program(table.app, table.interface), joined(protocols), counted(table.workers, "worker"), _load(table)


def program(app: str, interface: str) -> str:
    """Name an app, with the interface it was written for where that is not ASGI."""
    return app if interface == ASGI else f"{app} ({interface.upper()})"


def _load(table: Table) -> str:
    loads = {spread(row.planned.cell.load) for row in table.rows}
    return loads.pop() if len(loads) == 1 else f"{counted(table.in_flight, 'request')} in flight"


def spread(load: Load) -> str:
    """Say over how many connections, and streams of each, the requests in flight are spread."""
    streams = f" x {counted(load.streams, 'stream')}" if load.streams > 1 else ""
    return counted(load.connections, "connection") + streams


def _reuse(table: Table) -> str:
    match table.requests_per_connection:
        case 0:
            return "connections kept open"
        case 1:
            return "a new connection per request"
        case several:
            return f"a new connection per {several:,} requests"


def _driver(table: Table) -> str:
    return f"driven by {table.generator}"


def joined(names: Sequence[str]) -> str:
    """Join names as a sentence does: `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def counted(count: int, noun: str) -> str:
    """Write a number with its noun in the singular or the plural."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
