"""A night as text: the JSON of one file of a history; reads no file and writes none.

As in run files, a reader ignores keys it does not know and takes the default for a key that is missing and has one; anything
else needs a new `model.NIGHT_SCHEMA`.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from servermatrix.model import NIGHT_SCHEMA, Change, Estimate, Night, NightCell
from servermatrix.store.codec_header import read_excluded, read_host, read_load, read_trial
from servermatrix.store.jsonvalue import Raw, an_object, flag, number, objects, part, text, whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

KIND = "night"
# What no change of a program does in a night: a ratio beyond it is damage, and sums of many such have no exponential.
WIDEST_RATIO = 1e6


def encode_night(night: Night) -> str:
    """Write a night as indented ASCII, the same text for the same night; a number that is not finite raises ValueError."""
    return json.dumps({"kind": KIND, **_named(night)}, default=_named, indent=1, allow_nan=False) + "\n"


def _named(value: DataclassInstance) -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def decode_night(data: bytes) -> Night:
    """Read what `encode_night` wrote; raises ValueError with the end of a sentence that says what is wrong with it."""
    if not data.strip():
        raise ValueError("it is empty, as a night that was cut off leaves it")
    try:
        raw: object = json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no whole JSON, as a night that was cut off leaves it ({error})") from error
    if not isinstance(raw, dict) or raw.get("kind") != KIND:
        raise ValueError("it is no night of a history")
    try:
        return _night(raw)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"it is damaged: {error!r}") from error


def instant(night: Night) -> datetime:
    """Return when a night began; raises ValueError for what is no time with its zone."""
    found = datetime.fromisoformat(night.started_at)
    if found.tzinfo is None:
        raise ValueError(f"{night.started_at!r} has no time zone")
    return found.astimezone(UTC)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _night(raw: Raw) -> Night:
    schema = whole(raw, "schema")
    if schema > NIGHT_SCHEMA:
        raise ValueError(f"it is stored in schema {schema}, and this servermatrix reads schemas up to {NIGHT_SCHEMA}; update it")
    night = Night(
        id=text(raw, "id"),
        started_at=text(raw, "started_at"),
        hosts=tuple(map(read_host, objects(raw, "hosts"))),
        trial=read_trial(part(raw, "trial")),
        cells=tuple(map(_cell, objects(raw, "cells"))),
        detectable=None if raw.get("detectable") is None else number(raw, "detectable"),
        left_out=tuple(map(read_excluded, objects(raw, "left_out"))) if "left_out" in raw else (),
        simulated=flag(raw, "simulated"),
        schema=schema,
    )
    _check(night)
    return night


def _check(night: Night) -> None:
    """Refuse what the reading of single values cannot see."""
    instant(night)
    pairs = [cell.pair for cell in night.cells]
    if len(set(pairs)) != len(pairs):
        raise ValueError("it is damaged: a cell is there twice")
    if not 0 <= night.trial.margin <= WIDEST_RATIO:
        raise ValueError(f"it is damaged: {night.trial.margin} is no margin")
    if any(not 0 <= cell.host < len(night.hosts) for cell in night.cells):
        raise ValueError("it is damaged: a cell was measured on a machine that is not there")


def _cell(raw: Raw) -> NightCell:
    return NightCell(
        pair=text(raw, "pair"),
        change=Change(text(raw, "change")),
        sentence=text(raw, "sentence"),
        rps=_ratio(raw, "rps"),
        cpu=_ratio(raw, "cpu"),
        host=whole(raw, "host", 0),
        generator=text(raw, "generator", ""),
        load=None if raw.get("load") is None else read_load(part(raw, "load")),
    )


def _ratio(raw: Raw, key: str) -> Estimate | None:
    if raw.get(key) is None:
        return None
    found = an_object(raw[key])
    low, high = (None if found.get(end) is None else _factor(found, end) for end in ("low", "high"))
    return Estimate(value=_factor(found, "value"), low=low, high=high, n=whole(found, "n"))


def _factor(raw: Raw, key: str) -> float:
    value = number(raw, key)
    if not 1 / WIDEST_RATIO <= value <= WIDEST_RATIO:
        raise ValueError(f"it is damaged: {value} is no ratio")
    return value
