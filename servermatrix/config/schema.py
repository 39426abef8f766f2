"""The JSON Schema of matrix.yaml for editors, with the names of what is installed; the checks themselves are in config."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from servermatrix.config.names import Known, options_of
from servermatrix.config.options import named_values
from servermatrix.contracts import Count, Flag, LoadGenerator, Option, Server

Json = str | float | bool | Sequence["Json"] | Mapping[str, "Json"]
Schema = Mapping[str, Json]

_COUNT: Schema = {"type": "integer", "minimum": 1}
_SHARE: Schema = {"type": "number", "minimum": 0}
_DURATION: Schema = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,9} ?(s|m)?$"}]}


def schema_text(servers: Mapping[str, Server], generators: Mapping[str, LoadGenerator], apps: tuple[str, ...]) -> str:
    """Return the schema as it is written to matrix.schema.json."""
    return json.dumps(matrix_schema(servers, generators, apps), indent=2) + "\n"


def matrix_schema(
    servers: Mapping[str, Server], generators: Mapping[str, LoadGenerator], apps: tuple[str, ...]
) -> dict[str, Json]:
    """Return the JSON Schema (draft 2020-12), the same for the same plug-ins and apps."""
    keys = _keys(Known(servers=servers, generators=generators, apps=apps))
    references: Schema = {name: {"$ref": f"#/$defs/{name}"} for name in keys}
    profile: Schema = {**_object(references), "type": ["object", "null"]}
    profiles: Schema = {"description": "overrides, chosen with --profile", "type": "object", "additionalProperties": profile}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "matrix.yaml of servermatrix",
        **_object({**references, "profiles": profiles}),
        "required": ["servers"],
        "$defs": keys,
    }


def _keys(known: Known) -> Schema:
    servers = {name: _server(server) for name, server in known.servers.items()}
    axes = {name: _one_or_more(schema, fewest=int(name != "rate")) for name, schema in _axes(known).items()}
    load: Schema = {
        "generator": {"description": "the one to use instead of the best that is installed", "enum": tuple(known.generators)},
        "threads": {"description": "threads of the generator; connections are a multiple of them", **_COUNT},
        "duration": {"description": "of one window, in whole seconds: 2s, 2 or 1m", **_DURATION},
        "warmup": {"description": "load before the first window that does not count, in whole seconds", **_DURATION},
        "windows": {"description": "measured windows per start", **_COUNT},
    }
    noise: Schema = {
        "foreign_cpu": {"description": "share of one core that other processes may use; 1: no limit", **_SHARE},
        "steal": {"description": "share of CPU time that the host may steal; 1: no limit", **_SHARE, "maximum": 1},
    }
    return {
        "servers": {"description": "each server with its own options", **_object(servers), "minProperties": 1},
        "axes": {"description": "what all servers share", **_object(axes)},
        "load": {"description": "how each start of a server is driven", **_object(load)},
        "rounds": {"description": "how often each cell is started", **_COUNT},
        "noise": {"description": "what a window may suffer and still count", **_object(noise)},
        "exclude": {"description": "combinations to leave out", **_entries(known, several=True)},
        "include": {"description": "combinations to extend or add, after exclude", **_entries(known, several=False)},
    }


def _object(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _one_or_more(item: Schema, fewest: int = 1) -> Schema:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": fewest, "uniqueItems": True}]}


def _server(server: Server) -> Schema:
    options = {
        name: {"description": f"default: {option.default}", **_one_or_more(_values((option,)))}
        for name, option in server.options.items()
    }
    return {**_object(options), "type": ["object", "null"]}


def _values(options: Iterable[Option]) -> Schema:
    """Describe the values of an option, or of several of the same name in an entry that names no server."""
    names: dict[Json, None] = {}
    counts = []
    for option in options:
        names |= dict.fromkeys(named_values(option))
        if isinstance(option, Flag):
            names |= {True: None, False: None}
        if isinstance(option, Count):
            counts.append(option.minimum)
    if not counts:
        return {"enum": tuple(names)}
    count: Schema = {"type": "integer", "minimum": min(counts)}
    return {"anyOf": [count, {"enum": tuple(names)}]} if names else count


def _axes(known: Known) -> Mapping[str, Schema]:
    return {
        "protocol": {"enum": known.protocols},
        "workers": _COUNT,
        "app": {"enum": known.apps},
        "connections": _COUNT,
        "streams": {"description": "requests in flight per connection, HTTP/2 only", **_COUNT},
        "requests_per_connection": {"description": "then a new connection; 0: never", "type": "integer", "minimum": 0},
        "rate": {
            "description": "fixed rates, in % of what the slowest serves",
            "type": "string",
            "pattern": "^0*[1-9][0-9]? ?%$",
        },
        "python": {"description": "default, a version such as 3.13, or a path", "type": ["string", "number"]},
        "requires": {"description": "default, or requirements such as uvicorn==0.52.0", "type": "string"},
    }


def _entries(known: Known, *, several: bool) -> Schema:
    options = {name: _values(found) for name, found in options_of(known.servers.values()).items()}
    keys: Mapping[str, Schema] = {"server": {"enum": tuple(known.servers)}, **_axes(known), **options}
    properties = {name: _one_or_more(schema) if several else schema for name, schema in keys.items()}
    return {"type": ["array", "null"], "items": {**_object(properties), "minProperties": 1}}
