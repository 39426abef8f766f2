"""What is said of a table whose requests were sent at a fixed rate."""

from __future__ import annotations

from servermatrix.model import ENCRYPTED, Report, Summary, Table

_SET = "set by the row of the same comparison that serves least in a closed loop"
_DUE = "latency counts from the time a request was due, whether or not it could be sent"


def load(table: Table) -> str:
    """Say who sent the requests, what set the rate, and from when latency counts."""
    return f"Load: open loop, sent by {table.generator} at a fixed rate, {_SET}; {_DUE}."


def pacer(row: Summary, report: Report) -> Summary | None:
    """Return the slowest row that the closed loops of the same comparison have: its capacity set the rate of this row."""
    own = next((table for table in report.tables if row in table.rows), None)
    if own is None:
        return None
    slow = [
        other
        for table in report.tables
        if not table.rate_percent and _comparison(table) == _comparison(own)
        for other in table.rows
        if other.rps is not None
    ]
    return min(slow, key=lambda other: other.rps.value if other.rps else 0, default=None)


def _comparison(table: Table) -> tuple[object, ...]:
    encrypted = any(protocol in ENCRYPTED for protocol in table.protocols)
    return table.app, table.interface, table.workers, table.in_flight, table.requests_per_connection, encrypted
