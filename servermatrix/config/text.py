"""YAML text -> a tree in which every value knows its place, and mistakes -> texts with a caret; no meaning is read here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.nodes import Node as YamlNode
from ruamel.yaml.reader import ReaderError

_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands: its path in words, line and column from 1."""

    path: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong at a place, in one sentence without a full stop."""

    place: Place
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A scalar as it is written; None where nothing is."""

    place: Place
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A mapping; `keys` holds the places of the keys themselves."""

    place: Place
    items: Mapping[str, Node]
    keys: Mapping[str, Place]


Node = Word | Row | Fields
Plain = str | list["Plain"] | dict[str, "Plain"] | None


def read_tree(text: str) -> tuple[Node | None, tuple[Mistake, ...]]:
    """Read YAML 1.2; the tree is None when there is none, because of a syntax error or an empty text."""
    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except YAMLError as error:
        return None, (_syntax_mistake(error, text),)
    except RecursionError:
        return None, (Mistake(place=Place(path="", line=1, column=1), sentence="is nested too deeply"),)
    if root is None:
        return None, ()
    mistakes: list[Mistake] = []
    return _node(root, _place(root, ""), mistakes, ()), tuple(mistakes)


def _syntax_mistake(error: YAMLError, text: str) -> Mistake:
    """Turn the parser's error into a mistake; only some of the parser's errors carry a line."""
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            sentence = " ".join(filter(None, (error.problem, error.context)))
            return Mistake(place=Place(path="", line=mark.line + 1, column=mark.column + 1), sentence=sentence)
    if isinstance(error, ReaderError) and isinstance(error.position, int):
        before = text[: error.position].split("\n")
        return Mistake(place=Place(path="", line=len(before), column=len(before[-1]) + 1), sentence=str(error.reason))
    return Mistake(place=Place(path="", line=1, column=1), sentence=str(error).split("\n", maxsplit=1)[0])


def _place(node: YamlNode, path: str) -> Place:
    return Place(path=path, line=node.start_mark.line + 1, column=node.start_mark.column + 1)


def _node(node: YamlNode, place: Place, mistakes: list[Mistake], above: tuple[int, ...]) -> Node:
    """Convert a parser node; `above` are the identities of its parents, for an alias may name one of them."""
    if id(node) in above:
        mistakes.append(Mistake(place=place, sentence="is an alias of something that contains it"))
        return Word(place=place, text=None)
    above = (*above, id(node))
    match node:
        case MappingNode():
            return _fields(node, place, mistakes, above)
        case SequenceNode():
            rows = ((child, _place(child, f"{place.path}[{number}]")) for number, child in enumerate(node.value))
            return Row(place=place, items=tuple(_node(child, at, mistakes, above) for child, at in rows))
        case _:
            return Word(place=place, text=None if node.tag == _NULL else str(node.value))


def _fields(node: MappingNode, place: Place, mistakes: list[Mistake], above: tuple[int, ...]) -> Fields:
    items: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            mistakes.append(Mistake(place=_place(key, place.path), sentence="a key must be a word"))
            continue
        name = str(key.value)
        at = _place(key, f"{place.path}.{name}" if place.path else name)
        if name in keys:
            mistakes.append(Mistake(place=at, sentence=f"is given twice; first in line {keys[name].line}"))
            continue
        keys[name] = at
        # An omitted value has the mark of whatever comes next, which would put the caret on another line.
        omitted = value.tag == _NULL and value.value == ""
        items[name] = _node(value, at if omitted else _place(value, at.path), mistakes, above)
    return Fields(place=place, items=items, keys=keys)


def plain(node: Node) -> Plain:
    """Drop the places: mappings, lists and texts."""
    match node:
        case Word():
            return node.text
        case Row():
            return [plain(item) for item in node.items]
        case Fields():
            return {key: plain(item) for key, item in node.items.items()}


def find(node: Node, path: Iterable[str | int]) -> Node:
    """Follow keys and positions as far as they exist."""
    for step in path:
        match node:
            case Fields() if step in node.items:
                node = node.items[str(step)]
            case Row() if isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            case _:
                return node
    return node


def child(node: Node, *path: str) -> Node | None:
    """Follow keys to the end; None when one of them is missing."""
    for key in path:
        if not isinstance(node, Fields) or key not in node.items:
            return None
        node = node.items[key]
    return node


def words(node: Node | None) -> tuple[Word, ...]:
    """Return the scalars of a list, a scalar alone as a list of one; what is empty or no scalar is left out."""
    match node:
        case Word():
            return (node,) if node.text is not None else ()
        case Row():
            return tuple(item for item in node.items if isinstance(item, Word) and item.text is not None)
        case _:
            return ()


def merged(base: Fields, profile: Fields, deep: frozenset[str]) -> Fields:
    """Lay a profile over the base: the keys in `deep` are merged key by key, all others are replaced."""
    items = dict(base.items)
    for key, item in profile.items.items():
        items[key] = _laid_over(items[key], item) if key in deep and key in items else item
    return Fields(place=base.place, items=items, keys={**base.keys, **profile.keys})


def _laid_over(base: Node, item: Node) -> Node:
    match base, item:
        case _, Word(text=None):
            return base
        case Fields(), Fields():
            return merged(base, item, frozenset())
        case _:
            return item


def rendered(mistakes: Iterable[Mistake], file: str, text: str) -> tuple[str, ...]:
    """Return each mistake once, in the order of the file, with its source line and a caret."""
    lines = text.split("\n")
    ordered = sorted(dict.fromkeys(mistakes), key=lambda mistake: (mistake.place.line, mistake.place.column))
    return tuple(_rendered(mistake, file, lines) for mistake in ordered)


def _rendered(mistake: Mistake, file: str, lines: list[str]) -> str:
    place = mistake.place
    source = lines[place.line - 1].rstrip("\r").replace("\t", " ") if place.line <= len(lines) else ""
    path = f"{place.path}: " if place.path else ""
    return (
        f"{file}:{place.line}:{place.column}: {path}{mistake.sentence}\n"
        f"{place.line:>5} | {source}\n"
        f"      | {' ' * (place.column - 1)}^"
    )
