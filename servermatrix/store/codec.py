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
    Attempt,
    Cause,
    Ceiling,
    Decision,
    Failed,
    Measured,
    Pace,
    Proof,
    RunHeader,
    Sample,
    Skipped,
    Wire,
)
from servermatrix.store.codec_header import read_header
from servermatrix.store.codec_window import read_window
from servermatrix.store.jsonvalue import Raw, an_object, number, objects, pairs, part, text, texts, whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The run was taken up again, by which command; it changes no number."""

    started_at: str
    argv: tuple[str, ...]


Record = RunHeader | Ceiling | Proof | Sample | Decision | Pace | Attempt | Resumed


def encode(record: Record) -> str:
    """Write a record as one line without its line end, in ASCII; a number that is not finite raises ValueError."""
    line = {"kind": _kind(record), **plain(record)}
    if isinstance(record, Attempt):  # its sample may be of two kinds
        line["sample"] = {"kind": _kind(record.sample), **plain(record.sample)}
    return json.dumps(line, default=plain, separators=(",", ":"), allow_nan=False)


def _kind(record: Record) -> str:
    return type(record).__name__.removeprefix("Run").lower()


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


def plain(value: DataclassInstance) -> dict[str, object]:
    """Return the fields of a noun by name, for json to write."""
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


def _measured(raw: Raw) -> Measured:
    return Measured(
        cell_id=text(raw, "cell_id"),
        round=whole(raw, "round"),
        started_at=text(raw, "started_at"),
        startup_s=number(raw, "startup_s"),
        windows=tuple([read_window(each) for each in objects(raw, "windows")]),
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


def _ceiling(raw: Raw) -> Ceiling:
    return Ceiling(
        generator=text(raw, "generator"),
        protocol=text(raw, "protocol"),
        threads=whole(raw, "threads"),
        requests_per_s=number(raw, "requests_per_s"),
        cpu_us_per_request=number(raw, "cpu_us_per_request"),
    )


def _pace(raw: Raw) -> Pace:
    return Pace(cell_id=text(raw, "cell_id"), rate_per_s=number(raw, "rate_per_s"), slowest=text(raw, "slowest"))


def _decision(raw: Raw) -> Decision:
    return Decision(
        round=whole(raw, "round"),
        alpha=number(raw, "alpha"),
        dropped=pairs(str, raw["dropped"]),
        stopped=text(raw, "stopped"),
    )


def _attempt(raw: Raw) -> Attempt:
    sample = part(raw, "sample")
    return Attempt(
        number=whole(raw, "number"),
        rate_per_s=number(raw, "rate_per_s"),
        sample=_measured(sample) if text(sample, "kind") == "measured" else _failed(sample),
    )


_READERS: Mapping[str, Callable[[Raw], Record]] = {
    "header": read_header,
    "ceiling": _ceiling,
    "proof": _proof,
    "measured": _measured,
    "failed": _failed,
    "skipped": _skipped,
    "decision": _decision,
    "pace": _pace,
    "attempt": _attempt,
    "resumed": _resumed,
}
