"""A mix of requests as YAML: read with the place of every mistake, and written; nothing is sent here."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ruamel.yaml import YAML

from servermatrix.config.applications import wrong_request
from servermatrix.config.text import Fields, Mistake, Node, Place, Row, Word, read_tree, rendered
from servermatrix.errors import ConfigProblems, UsageProblem
from servermatrix.model import Asked, Expect, Request
from servermatrix.suggest import did_you_mean, listed

KEYS = ("path", "method", "headers", "body", "weight", "expect")
EXPECT_KEYS = ("status", "body", "contains")
MOST_IN_ALL = 10_000  # the sum of all weights: so many requests are laid out one after the other
STATUSES = range(100, 600)
COUNTED_AS_ERRORS = 400  # generators count what is answered with this status, or a higher one, as wrong
HEADING = (
    "# Requests and how often each is sent in proportion to the others: path, method, headers, body, weight,\n"
    "# and what its right answer is: expect: {status: 200, contains: text}. Nothing of it was asked yet: leave out what\n"
    "# needs a login, keep it as mix.yaml, and give that with --requests mix.yaml\n"
)

Headers = tuple[tuple[str, str], ...]


def read_mix(file: Path, headers: Headers = ()) -> tuple[Asked, ...]:
    """Read a mix; `headers` are added to each of its requests that has none of that name.

    Raises ConfigProblems with all mistakes at once, and UsageProblem for a file that cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}", "name a file that lists requests") from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    tree, mistakes = read_tree(text)
    found = [*mistakes, *(() if mistakes else _mistakes(tree))]
    if found or not isinstance(tree, Row):
        raise ConfigProblems(rendered(found, str(file), text))
    return tuple(_asked(entry, headers) for entry in tree.items if isinstance(entry, Fields))


def mix_text(asked: Iterable[Asked]) -> str:
    """Write a mix so that `read_mix` reads the same."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 2**16
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump([_entry(each) for each in asked], stream)
    return HEADING + stream.getvalue()


def _entry(asked: Asked) -> Mapping[str, object]:
    request, expect = asked.request, asked.expect
    right = {"status": expect.status, "body": expect.body, "contains": expect.contains}
    entry: Mapping[str, object] = {
        "path": request.path,
        "method": request.method,
        "headers": dict(request.headers),
        "body": request.body,
        "weight": asked.weight,
        "expect": {key: value for key, value in right.items() if value is not None and (key, value) != ("status", 200)},
    }
    return {key: value for key, value in entry.items() if key in ("path", "method", "weight") or value}


def _mistakes(tree: Node | None) -> Iterator[Mistake]:
    if not isinstance(tree, Row) or not tree.items:
        place = Place(path="", line=1, column=1) if tree is None else tree.place
        yield Mistake(place=place, sentence="the file must be a list of requests, such as `- path: /items`")
        return
    for entry in tree.items:
        yield from _mistakes_in(entry)
    if not any(True for entry in tree.items for _ in _mistakes_in(entry)):
        weights = sum(_weight(entry) for entry in tree.items if isinstance(entry, Fields))
        if weights > MOST_IN_ALL:
            yield Mistake(place=tree.place, sentence=f"the weights are {weights} in all, and the most is {MOST_IN_ALL}")


def _mistakes_in(entry: Node) -> Iterator[Mistake]:
    if not isinstance(entry, Fields):
        yield Mistake(place=entry.place, sentence="must be a mapping such as `path: /items`")
        return
    found = [*_of_keys(entry, KEYS), *_of_values(entry)]
    expect = entry.items.get("expect", Fields(place=entry.place, items={}, keys={}))
    if isinstance(expect, Fields):
        found += [*_of_keys(expect, EXPECT_KEYS), *_of_texts(expect, ("body", "contains")), *_of_status(expect)]
    else:
        found.append(Mistake(place=expect.place, sentence="must be a mapping such as `status: 200`"))
    yield from found
    if not found and (wrong := wrong_request(_asked(entry, ()).request)):
        yield Mistake(place=entry.place, sentence=f"{wrong[0]}; {wrong[1]}")


def _of_keys(fields: Fields, known: tuple[str, ...]) -> Iterator[Mistake]:
    for key in fields.items:
        if key not in known:
            sentence = f"is no key here; known are {listed(known)}{did_you_mean(key, known)}"
            yield Mistake(place=fields.keys[key], sentence=sentence)


def _of_values(entry: Fields) -> Iterator[Mistake]:
    if "path" not in entry.items:
        yield Mistake(place=entry.place, sentence="the key 'path' is missing")
    yield from _of_texts(entry, ("path", "method", "body"))
    headers = entry.items.get("headers")
    if isinstance(headers, Fields):
        yield from _of_texts(headers, tuple(headers.items))
    elif headers is not None:
        yield Mistake(place=headers.place, sentence="must be a mapping of names to values")
    weight = entry.items.get("weight")
    if weight is not None and not 1 <= (_whole(weight) or 0) <= MOST_IN_ALL:
        yield Mistake(place=weight.place, sentence=f"must be a whole number from 1 to {MOST_IN_ALL}")


def _of_texts(fields: Fields, keys: tuple[str, ...]) -> Iterator[Mistake]:
    for key in keys:
        node = fields.items.get(key)
        if node is not None and not (isinstance(node, Word) and node.text is not None):
            yield Mistake(place=node.place, sentence="must be a single text; put it in quotes")


def _of_status(expect: Fields) -> Iterator[Mistake]:
    node = expect.items.get("status")
    if node is None:
        return
    status = _whole(node)
    if status is None or status not in STATUSES:
        yield Mistake(place=node.place, sentence="must be a status such as 200")
    elif status >= COUNTED_AS_ERRORS:
        yield Mistake(
            place=node.place,
            sentence=f"{status} cannot be right in a mix: generators count it as an error; ask that alone, with --expect-status",
        )


def _whole(node: Node) -> int | None:
    text = node.text if isinstance(node, Word) else None
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < len(str(MOST_IN_ALL)) + 1 else None


def _weight(entry: Fields) -> int:
    return (_whole(entry.items["weight"]) or 1) if "weight" in entry.items else 1


def _asked(entry: Fields, headers: Headers) -> Asked:
    """Build a request of which everything was checked."""
    own, right = _inside(entry, "headers"), _inside(entry, "expect")
    of_its_own = tuple((name, _text(own, name) or "") for name in own)
    names = {name.lower() for name, _ in of_its_own}
    return Asked(
        request=Request(
            method=(_text(entry.items, "method") or Request().method).upper(),
            path=_text(entry.items, "path") or "",
            headers=(*of_its_own, *(pair for pair in headers if pair[0].lower() not in names)),
            body=_text(entry.items, "body") or "",
        ),
        expect=Expect(
            status=int(_text(right, "status") or Expect().status), body=_text(right, "body"), contains=_text(right, "contains")
        ),
        weight=_weight(entry),
    )


def _inside(entry: Fields, key: str) -> Mapping[str, Node]:
    node = entry.items.get(key)
    return node.items if isinstance(node, Fields) else {}


def _text(items: Mapping[str, Node], key: str) -> str | None:
    node = items.get(key)
    return node.text if isinstance(node, Word) else None
