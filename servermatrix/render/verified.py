"""What `verify` saw, as text, as JSON and as the page docs/servers.md."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict

from servermatrix.model import Validity, Verified
from servermatrix.render.table import ABSENT, Column, Grid, amount, counted, escaped, plain, to_markdown_table

_NUMBERS = ("ready s", "exit code", "stop s")
_INTRODUCTION = """\
# Servers: every combination, started

Written by `verify --excluded --markdown`; do not edit it by hand. Every combination of settings was started on the witness
with one worker and with two, asked from inside what really runs, and stopped with SIGTERM. Loop, class of the protocol, HTTP
version, workers and versions show from inside; the rest of a label, such as gunicorn's parser and granian's runtime, is what
the command line says.
Where a cell holds two values, the first is of one worker, the second of two. Seconds are of one start on one machine: they
say how fast a server is up and gone again in order of magnitude, no more."""


def line(seen: Verified, done: int, total: int) -> str:
    """Say in one line what a start showed."""
    cell = seen.cell
    what = cell.start
    ready = f", ready after {amount(seen.ready_s, 2)} s" if seen.ready_s is not None else ""
    why = f": {plain(seen.reason)}" if seen.reason else ""
    return f"[{str(done).rjust(len(str(total)))}/{total}] {plain(what)}  {seen.validity}{ready}{why}"


def summary(everything: Sequence[Verified]) -> str:
    """Count the outcomes in one line."""
    found = Counter(seen.validity for seen in everything)
    said = [f"{found[validity]} {validity}" for validity in Validity if found[validity]]
    return f"{counted(len(everything), 'start')}: {', '.join(said)}"


def to_text(everything: Sequence[Verified]) -> str:
    """Write the tables for a terminal, where markdown reads well too, without its escapes."""
    return "\n".join([*_tables(everything, "#", _readable), summary(everything), ""])


def _readable(text: str) -> str:
    """Leave a text as it is, but for what would end its cell."""
    return plain(text).replace("|", "\\|")


def to_markdown(everything: Sequence[Verified]) -> str:
    """Write the page, with the versions that the witness told."""
    told = {(name, version) for seen in everything if seen.proof for name, version in seen.proof.versions}
    pythons = sorted({seen.proof.python for seen in everything if seen.proof})
    ran = ", ".join([*(f"Python {each}" for each in pythons), *(f"{name} {version}" for name, version in sorted(told))])
    found = f"{summary(everything)}." + (f" {ran}." if ran else "")
    return "\n".join([_INTRODUCTION, "", found, "", *_tables(everything, "##", escaped)])


def _tables(everything: Sequence[Verified], level: str, write: Callable[[str], str]) -> Iterator[str]:
    working = [seen for seen in everything if not seen.objection]
    for server, group in _by(working, lambda seen: seen.cell.server).items():
        yield from (f"{level} {server}", "", *to_markdown_table(_working(group), write), "")
    excluded = [seen for seen in everything if seen.objection]
    if excluded:
        yield from (f"{level} Excluded, and started nevertheless", "", *to_markdown_table(_excluded(excluded), write), "")


def _by(everything: Iterable[Verified], key: Callable[[Verified], str]) -> dict[str, list[Verified]]:
    found: dict[str, list[Verified]] = defaultdict(list)
    for seen in everything:
        found[key(seen)].append(seen)
    return found


def _pair(seen: Verified) -> str:
    return f"{seen.cell.setting} {seen.cell.protocol}"


def _working(everything: Iterable[Verified]) -> Grid:
    headers = ("setting", "protocol", "result", "loop", "http", "TLS", *_NUMBERS, "left")
    return Grid(
        columns=tuple(Column(header=header, right=header in _NUMBERS) for header in headers),
        rows=tuple(_row(group) for group in _by(everything, _pair).values()),
    )


def _row(group: Sequence[Verified]) -> tuple[str, ...]:
    """Write the starts of one setting and protocol, one after the other by workers."""
    cell, proofs = group[0].cell, [seen.proof for seen in group if seen.proof]
    return (
        cell.setting,
        cell.protocol,
        _each(seen.validity + (f" ({plain(seen.reason)})" if seen.reason else "") for seen in group),
        _each(proof.loop for proof in proofs),
        _each(proof.http for proof in proofs),
        _each(proof.tls or "none" for proof in proofs),
        _all(amount(seen.ready_s, 2) for seen in group),
        _all(ABSENT if seen.exit_code is None else str(seen.exit_code) for seen in group),
        _all(amount(seen.stop_s, 2) for seen in group),
        _each(seen.left or "nothing" for seen in group),
    )


def _each(values: Iterable[str]) -> str:
    """Join the values, alike ones once."""
    return " / ".join(dict.fromkeys(values)) or ABSENT


def _all(values: Iterable[str]) -> str:
    return " / ".join(values)


def _excluded(everything: Iterable[Verified]) -> Grid:
    headers = ("setting", "protocol", "workers", "why it is excluded", "result", "what happened")
    rows = (
        (
            seen.cell.setting,
            seen.cell.protocol,
            str(seen.cell.workers),
            seen.objection,
            seen.validity.value,
            seen.reason or "it ran as its label says",
        )
        for seen in everything
    )
    return Grid(columns=tuple(Column(header=header, right=header == "workers") for header in headers), rows=tuple(rows))


def to_json(everything: Sequence[Verified]) -> str:
    """Write one document for programs."""
    found = [{**_plain_fields(seen), "id": seen.cell.start} for seen in everything]
    return json.dumps({"schema": 1, "starts": found}, indent=2, allow_nan=False) + "\n"


def _plain_fields(seen: Verified) -> dict[str, object]:
    """Name what was seen; the load of the cell took no part in it."""
    cell = seen.cell
    return {
        "server": cell.server,
        "options": dict(cell.options),
        "protocol": cell.protocol,
        "workers": cell.workers,
        "interface": cell.interface,
        "python": cell.python,
        "requires": list(cell.requires),
        "result": seen.validity.value,
        "reason": seen.reason,
        "objection": seen.objection,
        "proof": None if seen.proof is None else {**asdict(seen.proof), "versions": dict(seen.proof.versions)},
        "ready_s": seen.ready_s,
        "exit_code": seen.exit_code,
        "stop_s": seen.stop_s,
        "left": seen.left,
    }
