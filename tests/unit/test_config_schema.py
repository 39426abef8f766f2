"""The JSON Schema for editors: current in the repository, and in step with what the checks accept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from servermatrix.config.applications import app_names
from servermatrix.config.axes import COUNTS, SHARED_AXES, wrong_rate
from servermatrix.config.schema import matrix_schema, schema_text
from servermatrix.config.shape import AxesShape, LoadShape, MatrixShape, NoiseShape
from servermatrix.contracts import Choice, Count, Flag, LoadGenerator, LoadStats, Option, Server
from servermatrix.plugins import load_generators, load_servers

ROOT = Path(__file__).parents[2]


def server(**options: Option) -> Server:
    return Server(requires=(), options=options, protocols=("h1",), argv=lambda _: [], proof=lambda _: {})


WRK = LoadGenerator(
    protocols=("h1",),
    version=lambda text: text,
    argv=lambda _: [],
    parse=lambda _, __: LoadStats(requests=1, duration_us=1, histogram=()),
)


def follow(document: object, *path: str) -> object:
    for key in path:
        assert isinstance(document, dict)
        document = document[key]
    return document


def schema() -> object:
    servers = {
        "one": server(loop=Choice(values=("asyncio", "uvloop"), default="uvloop"), log=Flag()),
        "two": server(loop=Choice(values=("asyncio", "rloop"), default="asyncio"), log=Count(default="3", minimum=2)),
    }
    return json.loads(schema_text(servers, {"wrk": WRK}, ("json", "plaintext")))


def item(node: object, fewest: int = 1) -> object:
    """Return the schema of one value where one or a list of them may stand."""
    assert isinstance(node, dict)
    single, several = node["anyOf"]
    assert several == {"type": "array", "items": single, "minItems": fewest, "uniqueItems": True}
    return single


def test_the_committed_schema_is_current() -> None:
    current = schema_text(load_servers(), load_generators(), app_names())
    assert (ROOT / "matrix.schema.json").read_text(encoding="utf-8") == current, (
        "write it anew: python3 run_matrix.py schema > matrix.schema.json"
    )


def test_the_text_is_the_document_with_a_newline_at_the_end() -> None:
    text = schema_text({"one": server()}, {"wrk": WRK}, ("json",))
    assert text.endswith("}\n")
    assert json.loads(text) == json.loads(json.dumps(matrix_schema({"one": server()}, {"wrk": WRK}, ("json",))))


def test_every_server_offers_its_own_values() -> None:
    servers = follow(schema(), "$defs", "servers", "properties")
    assert item(follow(servers, "one", "properties", "loop")) == {"enum": ["asyncio", "uvloop"]}
    assert item(follow(servers, "one", "properties", "log")) == {"enum": ["on", "off", True, False]}
    assert item(follow(servers, "two", "properties", "log")) == {"type": "integer", "minimum": 2}
    assert follow(servers, "two", "properties", "loop", "description") == "default: asyncio"
    assert follow(servers, "one", "additionalProperties") is False


def test_entries_offer_the_values_of_all_servers() -> None:
    properties = follow(schema(), "$defs", "exclude", "items", "properties")
    assert item(follow(properties, "loop")) == {"enum": ["asyncio", "uvloop", "rloop"]}
    assert item(follow(properties, "log")) == {
        "anyOf": [{"type": "integer", "minimum": 2}, {"enum": ["on", "off", True, False]}],
    }
    assert item(follow(properties, "server")) == {"enum": ["one", "two"]}


def test_an_include_entry_has_one_value_per_key() -> None:
    properties = follow(schema(), "$defs", "include", "items", "properties")
    assert follow(properties, "app") == {"enum": ["json", "plaintext"]}
    assert follow(properties, "workers") == {"type": "integer", "minimum": 1}


def test_the_shared_axes_offer_what_the_checks_accept() -> None:
    axes = follow(schema(), "$defs", "axes", "properties")
    assert item(follow(axes, "protocol")) == {"enum": ["h1"]}
    for name, minimum in (("workers", 1), ("connections", 1), ("streams", 1), ("requests_per_connection", 0)):
        assert minimum == COUNTS[name] == follow(item(follow(axes, name)), "minimum")
    assert follow(item(follow(axes, "python")), "type") == ["string", "number"]
    assert follow(item(follow(axes, "requires")), "type") == "string"


@pytest.mark.parametrize("text", ["1%", "30%", "60 %", "99%", "030%", "0%", "100%", "30", "half", "-5%", "1000%", "30%%", ""])
def test_a_rate_is_one_for_editors_where_it_is_one_for_the_checks_and_there_need_be_none(text: str) -> None:
    rate = item(follow(schema(), "$defs", "axes", "properties", "rate"), fewest=0)
    pattern = follow(rate, "pattern")
    assert isinstance(pattern, str)
    assert (re.search(pattern, text) is not None) == (wrong_rate(text) is None)
    assert follow(item(follow(schema(), "$defs", "exclude", "items", "properties", "rate")), "pattern") == pattern


def test_entries_may_name_every_shared_axis() -> None:
    for key in ("exclude", "include"):
        properties = follow(schema(), "$defs", key, "items", "properties")
        assert isinstance(properties, dict)
        assert list(properties)[: 1 + len(SHARED_AXES)] == ["server", *SHARED_AXES]


def test_the_keys_are_those_that_the_checks_know() -> None:
    document = schema()
    assert set(follow(document, "properties")) == {*MatrixShape.model_fields, "profiles"}  # type: ignore[call-overload]
    for name, shape in (("axes", AxesShape), ("load", LoadShape), ("noise", NoiseShape)):
        properties = follow(document, "$defs", name, "properties")
        assert isinstance(properties, dict)
        assert list(properties) == list(shape.model_fields)


def test_a_profile_has_the_keys_of_the_file_but_no_profiles() -> None:
    document = schema()
    profile = follow(document, "properties", "profiles", "additionalProperties")
    assert set(follow(profile, "properties")) == set(MatrixShape.model_fields)  # type: ignore[call-overload]
    assert follow(profile, "additionalProperties") is False
    assert follow(document, "required") == ["servers"]
