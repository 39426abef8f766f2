"""An app's OpenAPI document -> the requests of a load: what can be asked without knowing anything that it does not say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlencode

from servermatrix.model import Asked, Expect, Request

Document = Mapping[str, object]
Headers = tuple[tuple[str, str], ...]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
ENDLESS = "text/event-stream"
MOST_STEPS = 20  # of references from one to the next: a document may lead in a circle


class _Unsaid(Exception):
    """Why a request cannot be made from what the document says."""


def proposed(openapi: Document, *, headers: Headers = ()) -> tuple[Asked, ...]:
    """Return a request, all of one weight, for every GET that the document says enough of; `headers` are sent with each."""
    return tuple(found for _, found in _considered(openapi, headers) if isinstance(found, Asked))


def left_out(openapi: Document, *, headers: Headers = ()) -> tuple[tuple[str, str], ...]:
    """Return the other operations, as (`POST /items`, why), in the order of the document."""
    return tuple((name, found) for name, found in _considered(openapi, headers) if isinstance(found, str))


def _considered(openapi: Document, headers: Headers) -> Iterator[tuple[str, Asked | str]]:
    for path, item in _mapping(openapi.get("paths")).items():
        entry = _resolved(openapi, item)
        for method in (name for name in METHODS if name in entry):
            name = f"{method.upper()} {path}"
            if method != "get":
                yield name, "only GET is proposed, for others may change what is stored"
                continue
            try:
                yield name, _asked(openapi, path, entry, headers)
            except _Unsaid as unsaid:
                yield name, str(unsaid)


def _asked(openapi: Document, path: str, entry: Document, headers: Headers) -> Asked:
    operation = _resolved(openapi, entry.get("get"))
    status, content = _answer(openapi, operation)
    if ENDLESS in content:
        raise _Unsaid("its answer is a stream of events, which may never end")
    if _guarded(openapi, operation) and not headers:
        raise _Unsaid("it needs a login; give that with --header")
    query: list[tuple[str, str]] = []
    sent, given = list(headers), {name.lower() for name, _ in headers}
    for parameter in _parameters(openapi, entry, operation):
        name, place = str(parameter.get("name", "")), str(parameter.get("in", ""))
        if not (parameter.get("required") or place == "path") or (place == "header" and name.lower() in given):
            continue
        value = _value(openapi, parameter, name, place)
        if place == "path":
            path = path.replace(f"{{{name}}}", quote(_text(value), safe=""))
        elif place == "query":
            query += [(name, _text(each)) for each in (value if isinstance(value, list) else [value])]
        else:
            sent.append(("Cookie", f"{name}={_text(value)}") if place == "cookie" else (name, _text(value)))
    if "{" in path:
        raise _Unsaid("the document does not say what stands in its path")
    asked = f"{quote(path, safe='/%:@!$&()*+,;=~-._')}{'?' if query else ''}{urlencode(query)}"
    return Asked(request=Request(path=asked, headers=tuple(sent)), expect=Expect(status=status))


def _parameters(openapi: Document, entry: Document, operation: Document) -> list[Document]:
    """Collect those of the path and of the operation, of which the latter count where both have one."""
    every = [_resolved(openapi, each) for each in (*_sequence(entry.get("parameters")), *_sequence(operation.get("parameters")))]
    return list({(str(each.get("in")), str(each.get("name"))): each for each in every}.values())


def _value(openapi: Document, parameter: Document, name: str, place: str) -> object:
    """Return the first value that the document gives as an example, as the default or as the only ones."""
    schema = _resolved(openapi, parameter.get("schema"))
    examples = [_resolved(openapi, each).get("value") for each in _mapping(parameter.get("examples")).values()]
    values = [parameter.get("example"), *examples, schema.get("example"), *_sequence(schema.get("examples"))]
    values += [schema.get("default"), schema.get("const"), *_sequence(schema.get("enum"))]
    found = next((each for each in values if each is not None), None)
    if found is None:
        raise _Unsaid(f"it needs {name} in its {place}, of which the document has no example")
    return found


def _answer(openapi: Document, operation: Document) -> tuple[int, Document]:
    """Return the status of a right answer, the first of 200 to 299, and its kinds of content."""
    answers = _mapping(operation.get("responses"))
    right = next((code for code in answers if code.isdigit() and code.startswith("2")), None)
    return (int(right), _mapping(_resolved(openapi, answers[right]).get("content"))) if right else (200, {})


def _guarded(openapi: Document, operation: Document) -> bool:
    """Tell whether it is asked for a login; an empty requirement among others means that it goes without."""
    needed = _sequence(operation.get("security", openapi.get("security")))
    return bool(needed) and all(_mapping(each) for each in needed)


def _resolved(openapi: Document, value: object) -> Document:
    """Follow references within the document."""
    found = _mapping(value)
    for _ in range(MOST_STEPS):
        reference = found.get("$ref")
        if not isinstance(reference, str):
            return found
        target: object = openapi
        for part in reference.removeprefix("#/").split("/"):
            target = _mapping(target).get(part.replace("~1", "/").replace("~0", "~"))
        found = _mapping(target)
    return {}


def _text(value: object) -> str:
    """Write a value as it stands in an address: true and not True."""
    return value if isinstance(value, str) else json.dumps(value)


def _mapping(value: object) -> Mapping[str, object]:
    return {str(name): each for name, each in value.items()} if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
