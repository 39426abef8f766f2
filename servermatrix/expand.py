"""Matrix -> drafts of cells: the product of the axes, `exclude`, `include`, and which options apply; no ids, no objections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import NamedTuple

from servermatrix.config.axes import DEFAULT, SHARED_AXES, percent, shown_rate
from servermatrix.config.matrix import ExcludeEntry, IncludeEntry, Matrix
from servermatrix.config.options import canonical, offers
from servermatrix.contracts import Option, Server
from servermatrix.errors import ConfigProblems
from servermatrix.model import HTTP2

Pairs = tuple[tuple[str, str], ...]


class Draft(NamedTuple):
    """A combination before defaults: a tuple, for there may be 100,000 of them.

    `options` are those that the matrix lists for the server, `added` those that `include` gave it beyond. `streams` is 0
    where the protocol has none, `rate` is 0 in a closed loop.
    """

    server: str
    options: Pairs
    protocol: str
    workers: int
    app: str
    connections: int
    streams: int = 0
    requests_per_connection: int = 0
    rate: int = 0
    python: str = DEFAULT
    requires: str = DEFAULT
    added: Pairs = ()

    def axis(self, name: str) -> str | None:
        """Return the canonical value of a shared axis; None where the axis does not apply."""
        if name == "streams" and not self.streams:
            return None
        if name == "rate":
            return shown_rate(self.rate) if self.rate else None
        return str(getattr(self, name))


def effective(server: Server, chosen: Pairs, protocol: str) -> Pairs:
    """Return all options that apply, sorted by name: defaults filled in, and dropped what its `when` rules out.

    An option may depend on one that is dropped itself, so dropping is repeated until nothing changes.
    """
    values = {name: option.default for name, option in server.options.items()} | dict(chosen)
    while dead := [name for name in values if not _applies(server.options[name], {**values, "protocol": protocol})]:
        for name in dead:
            del values[name]
    return tuple(sorted(values.items()))


def _applies(option: Option, values: Mapping[str, str]) -> bool:
    return all(values.get(other) in allowed for other, allowed in option.when.items())


def expand(matrix: Matrix, servers: Mapping[str, Server]) -> tuple[list[Draft], list[Draft]]:
    """Return the drafts that stand and those that `exclude` removed, each in the order of the matrix.

    As in a GitHub Actions matrix: an `exclude` entry removes every combination that has all of its values (a list of
    values means any of them; an option that does not apply has no value). `include` runs afterwards, entry by entry:
    the entry is added to every combination of the product that is left, none of whose own values it would overwrite;
    own are the server, the shared axes, and the options that the matrix lists for the server. Values that an earlier
    entry added may be overwritten. An entry that could be added nowhere becomes a combination of its own, which later
    entries leave alone; it may bring back what was excluded. Other than on GitHub, an entry is not added where the
    server lacks the option or the value, and a combination of its own needs a server and takes the first value of
    each shared axis and the plug-in's defaults. Combinations of a closed loop have no rate: an entry with one is about those
    of an open loop alone, and a combination of its own has the rate that its entry names, else none.
    """
    kept, removed = _exclude(matrix.exclude, _product(matrix), servers)
    return _include(matrix, kept, servers), removed


def _product(matrix: Matrix) -> Iterator[Draft]:
    axes = matrix.axes
    rest = tuple(product(axes.requests_per_connection, (0, *axes.rate), axes.python, axes.requires))
    for server, options in matrix.servers:
        names = tuple(name for name, _ in options)
        for values in product(*(values for _, values in options)):
            chosen = tuple(zip(names, values, strict=True))
            for protocol, workers, app, connections in product(axes.protocol, axes.workers, axes.app, axes.connections):
                for streams, others in product(axes.streams if protocol in HTTP2 else (0,), rest):
                    yield Draft(server, chosen, protocol, workers, app, connections, streams, *others)


def _exclude(
    entries: tuple[ExcludeEntry, ...], drafts: Iterator[Draft], servers: Mapping[str, Server]
) -> tuple[list[Draft], list[Draft]]:
    @cache
    def open_parts(server: str, options: Pairs, protocol: str) -> tuple[ExcludeEntry, ...]:
        """Keep the entries that this setting matches, and of them what remains to be asked of the shared axes."""
        values = dict(effective(servers[server], options, protocol)) | {"server": server}
        matching = (
            entry for entry in entries if all(values.get(key) in wanted for key, wanted in entry if key not in SHARED_AXES)
        )
        return tuple(tuple(item for item in entry if item[0] in SHARED_AXES) for entry in matching)

    kept: list[Draft] = []
    removed: list[Draft] = []
    for draft in drafts:
        parts = open_parts(draft.server, draft.options, draft.protocol)
        gone = any(all(draft.axis(key) in wanted for key, wanted in part) for part in parts)
        (removed if gone else kept).append(draft)
    return kept, removed


def _include(matrix: Matrix, drafts: list[Draft], servers: Mapping[str, Server]) -> list[Draft]:
    own: list[Draft] = []
    for entry in matrix.include:
        extended = [_extended(draft, entry, servers[draft.server]) for draft in drafts]
        if all(draft is None for draft in extended):
            own.append(_own_draft(matrix, entry, servers))
        drafts = [new or old for new, old in zip(extended, drafts, strict=True)]
    return drafts + own


def _extended(draft: Draft, entry: IncludeEntry, server: Server) -> Draft | None:
    """Add the entry to the draft; None when it would overwrite an own value or name what the server does not have."""
    original = dict(draft.options)
    added = dict(draft.added)
    for key, value in entry:
        if key in SHARED_AXES or key == "server":
            own: str | None = draft.server if key == "server" else draft.axis(key)
        else:
            own = original.get(key)
        if own is None and key in server.options and offers(server.options[key], value):
            added[key] = value
        elif own != value:
            return None
    return draft._replace(added=tuple(added.items()))


def _own_draft(matrix: Matrix, entry: IncludeEntry, servers: Mapping[str, Server]) -> Draft:
    values = dict(entry)
    if "server" not in values:
        shown = ", ".join(f"{key}: {value}" for key, value in entry)
        raise ConfigProblems(
            (f"matrix.yaml: include {{{shown}}} extends no combination, and without `server` it cannot become one of its own",)
        )
    options = servers[values["server"]].options
    first = {axis: str(getattr(matrix.axes, axis)[0]) for axis in SHARED_AXES if axis != "rate"} | values
    return Draft(
        server=values["server"],
        options=tuple((key, canonical(options[key], value)) for key, value in entry if key in options),
        protocol=first["protocol"],
        workers=int(first["workers"]),
        app=first["app"],
        connections=int(first["connections"]),
        streams=int(first["streams"]) if first["protocol"] in HTTP2 else 0,
        requests_per_connection=int(first["requests_per_connection"]),
        rate=percent(first.get("rate", "")),
        python=first["python"],
        requires=first["requires"],
    )
