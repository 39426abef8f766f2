"""As much of JSON Schema as docs/report.schema.json uses; keys that the schema does not describe are violations here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
KNOWN = {"$schema", "$defs", "$ref", "title", "description", "type", "required", "properties", "additionalProperties"}
KNOWN |= {"items", "minItems", "maxItems", "minimum", "enum", "const", "anyOf"}


def violations(value: Any, schema: Mapping[str, Any]) -> list[str]:
    return list(_violations(value, schema, schema, "$"))


def _violations(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    if unknown := set(schema) - KNOWN:
        yield f"{path}: this check does not know {unknown}"
    if "$ref" in schema:
        yield from _violations(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, path)
    if "const" in schema and value != schema["const"]:
        yield f"{path}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is not one of {schema['enum']}"
    if "anyOf" in schema and all(list(_violations(value, each, root, path)) for each in schema["anyOf"]):
        yield f"{path}: fits none of the alternatives"
    if "type" in schema:
        yield from _of_type(value, schema, root, path)


def _of_type(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if not any(isinstance(value, TYPES[name]) and (not isinstance(value, bool) or name == "boolean") for name in names):
        yield f"{path}: {value!r} is no {' or '.join(names)}"
    elif isinstance(value, dict):
        yield from _in_object(value, schema, root, path)
    elif isinstance(value, list):
        yield from _in_list(value, schema, root, path)
    elif value is not None and "minimum" in schema and value < schema["minimum"]:
        yield f"{path}: {value} is less than {schema['minimum']}"


def _in_object(value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{path}: {key} is missing" for key in schema.get("required", ()) if key not in value)
    for key, each in value.items():
        if key in properties:
            yield from _violations(each, properties[key], root, f"{path}.{key}")
        elif "additionalProperties" in schema:
            yield from _violations(each, schema["additionalProperties"], root, f"{path}.{key}")
        else:
            yield f"{path}: {key} is not described"


def _in_list(value: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{path}: {len(value)} items are too few or too many"
    for index, each in enumerate(value):
        yield from _violations(each, schema["items"], root, f"{path}[{index}]")
