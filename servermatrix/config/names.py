"""Checks the words of matrix.yaml against what is installed: servers, options, values, apps; shapes are checked elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from servermatrix.config.axes import (
    COUNTS,
    SHARED_AXES,
    Axes,
    canonical_axis,
    wrong_count,
    wrong_python,
    wrong_rate,
    wrong_requirements,
)
from servermatrix.config.options import canonical, named_values, offered, offers, repeated, whole
from servermatrix.config.text import Fields, Mistake, Node, Place, Row, Word, child, words
from servermatrix.contracts import LoadGenerator, Option, Server
from servermatrix.suggest import did_you_mean, listed

DEFAULT_CONNECTIONS = str(Axes().connections[0])
ENTRY_KEYS = ("server", *SHARED_AXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the words of matrix.yaml may name."""

    servers: Mapping[str, Server]
    generators: Mapping[str, LoadGenerator]
    apps: tuple[str, ...]

    @property
    def protocols(self) -> tuple[str, ...]:
        """Every protocol that some server speaks, sorted."""
        return tuple(sorted({protocol for server in self.servers.values() for protocol in server.protocols}))


def check_names(tree: Fields, known: Known) -> Iterator[Mistake]:
    """Yield what names nothing, what stands twice, and connections that threads cannot share."""
    yield from _check_servers(child(tree, "servers"), known)
    yield from _check_axes(tree, known)
    yield from _check_generator(tree, known)
    yield from _check_shares(tree)
    for key in ("exclude", "include"):
        yield from _check_entries(child(tree, key), known)


def _check_servers(node: Node | None, known: Known) -> Iterator[Mistake]:
    if not isinstance(node, Fields):
        return
    for name, options in node.items.items():
        if name not in known.servers:
            yield _unknown(node.keys[name], name, "server", known.servers)
        elif isinstance(options, Fields):
            yield from _check_options(name, options, known.servers[name].options)


def _check_options(server: str, node: Fields, options: Mapping[str, Option]) -> Iterator[Mistake]:
    for name, values in node.items.items():
        if name not in options:
            yield _unknown(node.keys[name], name, f"option of {server}", options)
            continue
        option = options[name]
        given = words(values)
        yield from _repeats(given, [canonical(option, _text(word)) for word in given])
        for word in given:
            if not offers(option, canonical(option, _text(word))):
                yield _not_offered(word, (option,))


def _check_axes(tree: Fields, known: Known) -> Iterator[Mistake]:
    for axis in SHARED_AXES:
        given = words(child(tree, "axes", axis))
        yield from _repeats(given, [canonical_axis(axis, _text(word)) for word in given])
        if axis not in COUNTS:  # their numbers are the shape's to check
            yield from _check_axis(axis, given, known)


def _check_axis(axis: str, given: Iterable[Word], known: Known) -> Iterator[Mistake]:
    """Check the words that stand for values of a shared axis."""
    match axis:
        case "protocol":
            yield from _check_words(given, axis, known.protocols)
        case "app":
            yield from _check_words(given, axis, known.apps)
        case "requires":
            yield from (_wrong(word, sentence) for word in given if (sentence := wrong_requirements(_text(word))))
        case "rate":
            yield from (_wrong(word, sentence) for word in given if (sentence := wrong_rate(_text(word))))
        case "python":
            yield from (_wrong(word, sentence) for word in given if (sentence := wrong_python(_text(word))))
        case _:
            yield from (_wrong(word, sentence) for word in given if (sentence := wrong_count(axis, _text(word))))


def _check_generator(tree: Fields, known: Known) -> Iterator[Mistake]:
    node = child(tree, "load", "generator")
    if isinstance(node, Word):
        yield from _check_words(words(node), "load generator", known.generators)


def _check_shares(tree: Fields) -> Iterator[Mistake]:
    """Every thread of wrk drives the same number of connections; the rest of the division would be dropped in silence."""
    threads = child(tree, "load", "threads")
    if not isinstance(threads, Word) or not (count := whole(threads.text or "")):
        return
    listed_ones = words(child(tree, "axes", "connections")) or (Word(place=threads.place, text=DEFAULT_CONNECTIONS),)
    include = child(tree, "include")
    added = (word for entry in (include.items if isinstance(include, Row) else ()) for word in words(child(entry, "connections")))
    for word in (*listed_ones, *added):
        number = whole(_text(word))
        if number and number % count:
            blamed = threads.place if _in_profile(threads.place) and not _in_profile(word.place) else word.place
            yield Mistake(place=blamed, sentence=f"{number} connections cannot be shared evenly by {count} threads")


def _in_profile(place: Place) -> bool:
    return place.path.startswith("profiles.")


def _check_entries(node: Node | None, known: Known) -> Iterator[Mistake]:
    for entry in node.items if isinstance(node, Row) else ():
        if isinstance(entry, Fields):
            yield from _check_entry(entry, known)


def _check_entry(entry: Fields, known: Known) -> Iterator[Mistake]:
    """Check one exclude or include entry; its options are those of the server it names, else those of any."""
    named = words(entry.items.get("server"))
    yield from _check_words(named, "server", known.servers)
    chosen = [known.servers[_text(word)] for word in named if word.text in known.servers] or known.servers.values()
    options = options_of(chosen)
    for key, values in entry.items.items():
        given = words(values)
        if key in options:
            yield from _check_any(given, options[key])
        elif key not in ENTRY_KEYS:
            what = f"axis or option of {listed(_text(word) for word in named)}" if named else "axis or option"
            yield _unknown(entry.keys[key], key, what, (*ENTRY_KEYS, *options))
        elif key != "server":
            yield from _check_axis(key, given, known)


def _check_any(given: Iterable[Word], options: tuple[Option, ...]) -> Iterator[Mistake]:
    for word in given:
        if not any(offers(option, canonical(option, _text(word))) for option in options):
            yield _not_offered(word, options)


def options_of(servers: Iterable[Server]) -> dict[str, tuple[Option, ...]]:
    """Collect the options of several servers by name."""
    found: dict[str, tuple[Option, ...]] = {}
    for server in servers:
        for name, option in server.options.items():
            found[name] = (*found.get(name, ()), option)
    return found


def _text(word: Word) -> str:
    return word.text or ""


def _check_words(given: Iterable[Word], what: str, known: Iterable[str]) -> Iterator[Mistake]:
    known = tuple(known)
    for word in given:
        if word.text not in known:
            yield _unknown(word.place, _text(word), what, known)


def _unknown(place: Place, name: str, what: str, known: Iterable[str]) -> Mistake:
    known = tuple(known)
    article = "an" if what[0] in "aeiou" else "a"
    sentence = f"{name!r} is not {article} {what}; known are {listed(known)}{did_you_mean(name, known)}"
    return Mistake(place=place, sentence=sentence)


def _not_offered(word: Word, options: tuple[Option, ...]) -> Mistake:
    names = dict.fromkeys(name for option in options for name in named_values(option))
    accepted = f"one of {listed(names)}" if names else offered(options[0])
    return Mistake(place=word.place, sentence=f"{word.text!r} is not {accepted}{did_you_mean(_text(word), names)}")


def _wrong(word: Word, sentence: str) -> Mistake:
    return Mistake(place=word.place, sentence=f"{word.text!r} {sentence}")


def _repeats(given: tuple[Word, ...], values: list[str]) -> Iterator[Mistake]:
    for position in sorted(repeated(values)):
        yield Mistake(place=given[position].place, sentence=f"{given[position].text!r} stands here twice")
