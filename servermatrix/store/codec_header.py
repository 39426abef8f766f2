"""The header of a run file, read back: what was planned, how and where; reads no file and knows no sample."""

from __future__ import annotations

from servermatrix.errors import StoredRunUnreadable
from servermatrix.model import (
    ASGI,
    RUN_SCHEMA,
    Cell,
    Excluded,
    Host,
    Load,
    Look,
    Noise,
    PlannedCell,
    RunHeader,
    Side,
    Trial,
)
from servermatrix.store.codec_program import read_app
from servermatrix.store.codec_race import read_race
from servermatrix.store.jsonvalue import Raw, an_object, flag, number, objects, pairs, part, text, texts, whole


def read_load(raw: Raw) -> Load:
    """Read a load, as it is in headers and in nights; raises what jsonvalue raises for damage."""
    return Load(
        generator=text(raw, "generator"),
        connections=whole(raw, "connections"),
        threads=whole(raw, "threads"),
        duration_s=whole(raw, "duration_s"),
        warmup_s=whole(raw, "warmup_s"),
        windows=whole(raw, "windows"),
        streams=whole(raw, "streams", 1),
        requests_per_connection=whole(raw, "requests_per_connection", 0),
        rate_percent=whole(raw, "rate_percent", 0),
    )


def _cell(raw: Raw) -> Cell:
    return Cell(
        server=text(raw, "server"),
        options=pairs(str, raw["options"]),
        label=text(raw, "label"),
        protocol=text(raw, "protocol"),
        workers=whole(raw, "workers"),
        app=text(raw, "app"),
        load=read_load(an_object(raw["load"])),
        interface=text(raw, "interface", ASGI),
        python=text(raw, "python", ""),
        requires=texts(raw, "requires"),
        duplicate=flag(raw, "duplicate"),
        side=text(raw, "side", ""),
    )


def _planned(raw: Raw) -> PlannedCell:
    return PlannedCell(
        cell=_cell(an_object(raw["cell"])),
        argv=texts(raw, "argv"),
        load_argv=texts(raw, "load_argv"),
        unequal=texts(raw, "unequal"),
        settings=pairs(str, raw.get("settings", [])),
        settings_argv=texts(raw, "settings_argv"),
    )


def read_host(raw: Raw) -> Host:
    """Read a machine, as it is in headers and in nights; raises what jsonvalue raises for damage."""
    return Host(
        system=text(raw, "system"),
        cpu=text(raw, "cpu"),
        cores=whole(raw, "cores"),
        memory_bytes=whole(raw, "memory_bytes"),
        python=text(raw, "python"),
        pinned=text(raw, "pinned", ""),
    )


def read_header(raw: Raw) -> RunHeader:
    """Read the header of a run; raises StoredRunUnreadable for a newer schema, and what jsonvalue raises for damage."""
    schema = whole(raw, "schema")
    if schema > RUN_SCHEMA:
        raise StoredRunUnreadable(
            f"the run is stored in schema {schema}, and this servermatrix reads schemas up to {RUN_SCHEMA}",
            tip=f"Read it with a servermatrix that knows schema {schema}, such as the one that wrote it{_writer(raw)}.",
        )
    return RunHeader(
        id=text(raw, "id"),
        started_at=text(raw, "started_at"),
        argv=texts(raw, "argv"),
        seed=whole(raw, "seed"),
        rounds=whole(raw, "rounds"),
        noise=_noise(an_object(raw["noise"])),
        generators=_generators(raw, schema),
        host=read_host(an_object(raw["host"])),
        versions=pairs(str, raw["versions"]),
        git=text(raw, "git"),
        cells=tuple(map(_planned, objects(raw, "cells"))),
        excluded=tuple(map(read_excluded, objects(raw, "excluded"))),
        apps=tuple(map(read_app, objects(raw, "apps"))) if "apps" in raw else (),
        settings=pairs(str, raw.get("settings", [])),
        equalised=texts(raw, "equalised"),
        looks=tuple(map(_look, objects(raw, "looks"))) if "looks" in raw else (),
        budget_s=whole(raw, "budget_s", 0),
        trial=None if raw.get("trial") is None else read_trial(part(raw, "trial")),
        race=None if raw.get("race") is None else read_race(part(raw, "race")),
        schema=schema,
    )


def _generators(raw: Raw, schema: int) -> tuple[tuple[str, str], ...]:
    # In schema 1 one generator drove all cells.
    return ((text(raw, "generator"), text(raw, "generator_version")),) if schema == 1 else pairs(str, raw["generators"])


def _writer(raw: Raw) -> str:
    try:
        return f" ({dict(pairs(str, raw['versions']))['servermatrix']})"
    except (KeyError, TypeError, ValueError):  # a newer schema may keep its versions anywhere
        return ""


def _noise(raw: Raw) -> Noise:
    return Noise(foreign_cpu=number(raw, "foreign_cpu"), steal=number(raw, "steal"))


def read_trial(raw: Raw) -> Trial:
    """Read what a check tries, as it is in headers and in nights; raises what jsonvalue raises for damage."""
    return Trial(baseline=_side(part(raw, "baseline")), candidate=_side(part(raw, "candidate")), margin=number(raw, "margin"))


def _side(raw: Raw) -> Side:
    return Side(
        name=text(raw, "name"),
        requires=texts(raw, "requires"),
        app_dir=text(raw, "app_dir"),
        versions=pairs(str, raw["versions"]),
        git=text(raw, "git"),
    )


def _look(raw: Raw) -> Look:
    return Look(round=whole(raw, "round"), alpha=number(raw, "alpha"))


def read_excluded(raw: Raw) -> Excluded:
    """Read a cell that is left out, with the reason; raises what jsonvalue raises for damage."""
    return Excluded(id=text(raw, "id"), reason=text(raw, "reason"))
