"""The windows of a run file, read back: what the generator saw and what the machine did; most of the time of reading a run."""

from __future__ import annotations

from collections.abc import Mapping

from servermatrix.model import LoadErrors, LoadStats, Usage, Window
from servermatrix.store.jsonvalue import (
    Raw,
    an_object,
    number,
    optional_whole,
    pairs,
    part,
    texts,
    whole,
    wholes,
    wholes_by_name,
)

_ERRORS = ("connect", "read", "write", "status", "timeout")
_NO_ERRORS = LoadErrors()
_STATS = ("requests", "duration_us", "bytes_read", "due", "unanswered")
_USAGE = ("wall_us", "server_cpu_us", "generator_cpu_us", "own_cpu_us", "throttled_us", "involuntary_switches", "log_bytes")


def _stats(raw: Raw) -> LoadStats:
    return LoadStats(
        histogram=pairs(int, raw["histogram"]),
        statuses=pairs(int, raw.get("statuses", [])),
        errors=_errors(wholes_by_name(part(raw, "errors"), _ERRORS)),
        **wholes_by_name(raw, _STATS),
    )


def _errors(counts: Mapping[str, int]) -> LoadErrors:
    # Nearly every window has none, and all of them may share that value.
    return LoadErrors(**counts) if any(counts.values()) else _NO_ERRORS


def _usage(raw: Raw) -> Usage:
    return Usage(
        worker_cpu_us=wholes(raw, "worker_cpu_us"),
        pss_bytes=None if raw["pss_bytes"] is None else whole(raw, "pss_bytes"),
        foreign_cpu=number(raw, "foreign_cpu"),
        steal=number(raw, "steal"),
        worker_connections=wholes(raw, "worker_connections") if "worker_connections" in raw else (),
        pss_before_bytes=optional_whole(raw, "pss_before_bytes"),
        connects=optional_whole(raw, "connects"),
        **wholes_by_name(raw, _USAGE),
    )


def read_window(raw: Raw) -> Window:
    """Read one window; raises what jsonvalue raises for damage."""
    return Window(stats=_stats(an_object(raw["stats"])), usage=_usage(an_object(raw["usage"])), discarded=texts(raw, "discarded"))
