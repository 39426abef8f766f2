"""The lines of a run file: one record, one JSON object; reads no file and writes none.

A reader ignores keys it does not know and takes the default for a key that is missing and has one, so fields may be
added within a schema number. Anything else, a new kind of record included, needs a new `model.RUN_SCHEMA`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING

from servermatrix.model import (
    ASGI,
    Cause,
    Failed,
    LoadErrors,
    LoadStats,
    Measured,
    Proof,
    RunHeader,
    Skipped,
    Usage,
    Window,
    Wire,
)
from servermatrix.store.codec_header import read_header
from servermatrix.store.jsonvalue import Raw, an_object, number, objects, pairs, part, text, texts, whole, wholes, wholes_by_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The run was taken up again, by which command; it changes no number."""

    started_at: str
    argv: tuple[str, ...]


Record = RunHeader | Proof | Measured | Failed | Skipped | Resumed

_ERRORS = ("connect", "read", "write", "status", "timeout")
_NO_ERRORS = LoadErrors()
_STATS = ("requests", "duration_us", "bytes_read")
_USAGE = ("wall_us", "server_cpu_us", "generator_cpu_us", "own_cpu_us", "throttled_us", "involuntary_switches")


def encode(record: Record) -> str:
    """Write a record as one line without its line end, in ASCII; a number that is not finite raises ValueError."""
    line = {"kind": type(record).__name__.removeprefix("Run").lower(), **_named(record)}
    return json.dumps(line, default=_named, separators=(",", ":"), allow_nan=False)


def decode(line: str | bytes) -> Record:
    """Read a line that `encode` wrote.

    Raises ValueError for anything else, and StoredRunUnreadable for the header of a newer schema.
    """
    try:
        raw = an_object(_JSON.decode(str(line, "utf-8") if isinstance(line, bytes) else line))
        return _READERS[text(raw, "kind")](raw)
    except (KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a record: {error!r}") from error


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


# NaN and Infinity are no JSON, though Python reads them.
_JSON = json.JSONDecoder(parse_constant=_no_number)


def _named(value: DataclassInstance) -> dict[str, object]:
    # Not dataclasses.asdict: it copies every number of a histogram on the way.
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _proof(raw: Raw) -> Proof:
    return Proof(
        key=text(raw, "key"),
        loop=text(raw, "loop"),
        http=text(raw, "http"),
        http_version=text(raw, "http_version"),
        workers=whole(raw, "workers"),
        python=text(raw, "python"),
        versions=pairs(str, raw["versions"]),
        interface=text(raw, "interface", ASGI),
        tls=text(raw, "tls", ""),
    )


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
        **wholes_by_name(raw, _USAGE),
    )


def _window(raw: Raw) -> Window:
    return Window(stats=_stats(an_object(raw["stats"])), usage=_usage(an_object(raw["usage"])), discarded=texts(raw, "discarded"))


def _measured(raw: Raw) -> Measured:
    return Measured(
        cell_id=text(raw, "cell_id"),
        round=whole(raw, "round"),
        started_at=text(raw, "started_at"),
        startup_s=number(raw, "startup_s"),
        windows=tuple([_window(each) for each in objects(raw, "windows")]),
        wire=_wire(raw),
    )


def _wire(raw: Raw) -> Wire | None:
    if raw.get("wire") is None:
        return None
    found = part(raw, "wire")
    return _shared_wire(whole(found, "head_bytes"), whole(found, "body_bytes"), text(found, "framing"))


@lru_cache(maxsize=1024)
def _shared_wire(head_bytes: int, body_bytes: int, framing: str) -> Wire:
    # A cell sends the same in nearly every start.
    return Wire(head_bytes=head_bytes, body_bytes=body_bytes, framing=framing)


def _failed(raw: Raw) -> Failed:
    return Failed(
        cell_id=text(raw, "cell_id"),
        round=whole(raw, "round"),
        started_at=text(raw, "started_at"),
        cause=Cause(text(raw, "cause")),
        reason=text(raw, "reason"),
        log=text(raw, "log", ""),
    )


def _skipped(raw: Raw) -> Skipped:
    return Skipped(
        cell_id=text(raw, "cell_id"),
        round=whole(raw, "round"),
        started_at=text(raw, "started_at"),
        reason=text(raw, "reason"),
    )


def _resumed(raw: Raw) -> Resumed:
    return Resumed(started_at=text(raw, "started_at"), argv=texts(raw, "argv"))


_READERS: Mapping[str, Callable[[Raw], Record]] = {
    "header": read_header,
    "proof": _proof,
    "measured": _measured,
    "failed": _failed,
    "skipped": _skipped,
    "resumed": _resumed,
}
