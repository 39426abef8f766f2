"""What compared cells do alike and what not: bytes on the wire, TLS, what could not be set alike; it ranks nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from servermatrix.analysis.phrases import program
from servermatrix.model import HTTP2, PROTOCOLS, Cell, Proof, Summary, Wire
from servermatrix.render.table import amount, percent

_ANSWERS = "One right answer of each, the first on a new connection, in bytes before encryption."
_COMPRESSED = "HTTP/2 compresses its headers: its header bytes are not comparable with those of HTTP/1.1."
_OTHER_SIZE = 1.10  # from the smallest to the largest answer: more than names, dates and lengths of headers make
_MOST_NAMES = 4


def differences(rows: Sequence[Summary], proofs: Sequence[Proof]) -> list[str]:
    """Say what the rows of a table do differently on the wire, a sentence each; what is not known is not compared."""
    return [*_framing(rows), *_sizes(rows), *_tls(rows, proofs)]


def _framing(rows: Sequence[Summary]) -> list[str]:
    named = [(row.wire.framing, row.name) for row in rows if row.wire]
    # HTTP/2 has no chunks: its frames without a length are what chunks are to HTTP/1.1.
    kinds = {"chunked" if framing == "frames" else framing for framing, _ in named}
    return [f"Different framing: {_grouped(named, 'from', len(rows))}."] if len(kinds) > 1 else []


def _sizes(rows: Sequence[Summary]) -> list[str]:
    families: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in rows:
        if row.wire:
            family = "HTTP/2" if row.planned.cell.protocol in HTTP2 else "HTTP/1.1"
            families[family].append((row.wire.head_bytes + row.wire.body_bytes, row.name))
    return [sentence for family, found in sorted(families.items()) if (sentence := _size(family, min(found), max(found)))]


def _size(family: str, smallest: tuple[int, str], largest: tuple[int, str]) -> str:
    more = largest[0] / max(1, smallest[0])
    if more <= _OTHER_SIZE:
        return ""
    span = f"from {amount(smallest[0])} bytes ({smallest[1]}) to {amount(largest[0])} ({largest[1]})"
    return f"Different size on the wire: one {family} answer is {span}, {percent(more - 1)} more."


def _tls(rows: Sequence[Summary], proofs: Sequence[Proof]) -> list[str]:
    seen = {proof.key: proof.tls for proof in proofs}
    named = [(tls, row.name) for row in rows if (tls := seen.get(row.planned.cell.start))]
    return [f"TLS differs: {_grouped(named, 'for', len(rows))}."] if len({tls for tls, _ in named}) > 1 else []


def _grouped(named: Sequence[tuple[str, str]], link: str, of_all: int) -> str:
    """List who does what, `chunked from a, b; content-length from the other 6 rows`."""
    groups: dict[str, list[str]] = defaultdict(list)
    for what, name in named:
        groups[what].append(name)
    *some, (most, rest) = sorted(groups.items(), key=lambda group: len(group[1]))
    others = len(rest) > _MOST_NAMES and len(named) == of_all
    last = f"the other {len(rest)} rows" if others else ", ".join(rest)
    return "; ".join([*(f"{what} {link} {', '.join(names)}" for what, names in some), f"{most} {link} {last}"])


def on_the_wire(rows: Sequence[Summary]) -> list[tuple[str, ...]]:
    """List (app, server, protocol, header bytes, body bytes, framing), each once, protocols of one app after each other."""
    found: dict[tuple[str, str, str], Counter[Wire]] = defaultdict(Counter)
    for row in rows:
        cell = row.planned.cell
        if row.wire:
            found[program(cell.app, cell.interface), cell.setting, cell.protocol][row.wire] += 1
    apps = list(dict.fromkeys(app for app, _, _ in found))
    keys = sorted(found, key=lambda key: (apps.index(key[0]), _place(key[2])))
    return [(*key, *_bytes(found[key].most_common(1)[0][0])) for key in keys]


def _bytes(wire: Wire) -> tuple[str, str, str]:
    return amount(wire.head_bytes), amount(wire.body_bytes), wire.framing


def _place(protocol: str) -> int:
    return PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS)


def introduction(rows: Iterable[Summary]) -> str:
    """Say what `on_the_wire` lists."""
    families = {row.planned.cell.protocol in HTTP2 for row in rows if row.wire}
    return f"{_ANSWERS} {_COMPRESSED}" if len(families) > 1 else _ANSWERS


_SCOPES: Sequence[Callable[[Cell], str]] = (
    lambda cell: cell.server,
    lambda cell: cell.setting,
    lambda cell: f"{cell.setting} {cell.protocol}",
    lambda cell: cell.start,
)


def unequal(rows: Sequence[Summary]) -> list[tuple[str, str]]:
    """List (who, sentence) for what could not be set alike, each sentence of a server once.

    Who is the server where the sentence holds for all of its rows, else its settings, with the protocol where it matters.
    """
    cells: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for row in rows:
        for sentence in row.planned.unequal:
            cells[row.planned.cell.server, sentence].append(row.planned.cell)
    sizes = _sizes_by_scope(row.planned.cell for row in rows)
    servers = list(dict.fromkeys(server for server, _ in cells))
    together = sorted(cells.items(), key=lambda item: servers.index(item[0][0]))
    return [(", ".join(_shortened(_who(having, sizes))), sentence) for (_, sentence), having in together]


def unequal_in_words(rows: Sequence[Summary]) -> list[str]:
    """Say what could not be set alike; who it is only where that is not a whole server, which the sentence names itself."""
    servers = {row.planned.cell.server for row in rows}
    return [sentence if who in servers else f"{who}: {sentence}" for who, sentence in unequal(rows)]


def _sizes_by_scope(cells: Iterable[Cell]) -> list[Counter[str]]:
    every = list(cells)
    return [Counter(map(scope, every)) for scope in _SCOPES]


def _who(cells: Sequence[Cell], sizes: Sequence[Mapping[str, int]]) -> Iterator[str]:
    """Name cells by the widest scopes that hold no others."""
    left = list(cells)
    for scope, of_all in zip(_SCOPES, sizes, strict=True):
        whole = {name for name, count in Counter(map(scope, left)).items() if count == of_all[name]}
        yield from sorted(whole)
        left = [cell for cell in left if scope(cell) not in whole]
    yield from (cell.id for cell in left)


def _shortened(names: Iterable[str]) -> list[str]:
    every = list(names)
    more = len(every) - _MOST_NAMES
    return every if more <= 1 else [*every[:_MOST_NAMES], f"{more} more"]
