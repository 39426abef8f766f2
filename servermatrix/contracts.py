"""What a server plug-in and a load plug-in are; a plug-in file imports this module and nothing else of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from servermatrix.model import LoadErrors, LoadStats, Request, Usage, Window

__all__ = [
    "Choice",
    "Count",
    "Flag",
    "Launch",
    "LoadErrors",
    "LoadFailure",
    "LoadGenerator",
    "LoadStats",
    "Option",
    "Outcome",
    "Question",
    "Request",
    "Server",
    "Shot",
    "Usage",
    "Window",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An option with named values.

    `default` stands when the matrix does not name the option: never `auto`, whose meaning changes with what is installed.
    `when` limits the option to combinations in which other options have one of the given values; elsewhere it is dropped.
    `in_id=False` keeps the default value out of cell ids, so that a new option leaves the ids of stored runs as they are.
    """

    values: tuple[str, ...]
    default: str
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_id: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """An option that is a whole number from `minimum` on; see Choice for the rest."""

    default: str
    minimum: int = 1
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_id: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """An option that is `on` or `off`; see Choice for the rest."""

    default: str = "off"
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_id: bool = True


Option = Choice | Count | Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of a server: everything that its command line may depend on.

    `folder` is the empty work folder the server starts in; `options` holds every option that applies.
    """

    python: str
    target: str
    host: str
    port: int
    workers: int
    protocol: str
    options: Mapping[str, str]
    folder: str
    backlog: int = 2048
    keep_alive_s: int = 75
    graceful_s: int = 5


def _nothing(_: Launch) -> dict[str, str]:
    return {}


def _no_objection(_: Launch) -> str | None:
    return None


def _no_needs(_: Launch) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server as data and pure functions; the engine starts, waits, stops and measures.

    `requires` are requirements (`uvicorn>=0.30`) checked in the server's own interpreter, `needs(launch)` the further ones
    of a combination. `proof(launch)` says what the witness must find: `loop` and `http` map to prefixes of class names.
    `files(launch)` are written into the work folder (relative name -> text). `objection(launch)` is a sentence when the
    combination cannot run. `unequal` lists what cannot be set as on the other servers, a sentence each.
    """

    requires: tuple[str, ...]
    options: Mapping[str, Option]
    protocols: tuple[str, ...]
    argv: Callable[[Launch], list[str]]
    proof: Callable[[Launch], Mapping[str, str]]
    env: Callable[[Launch], Mapping[str, str]] = _nothing
    files: Callable[[Launch], Mapping[str, str]] = _nothing
    needs: Callable[[Launch], tuple[str, ...]] = _no_needs
    objection: Callable[[Launch], str | None] = _no_objection
    unequal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One stretch of load: what to ask, how hard, for how long, and the file the generator may write its result to.

    `expect_status` is the status of a right answer; None: any below 400, which is what generators hold to be right by themselves.
    """

    program: str
    url: str
    request: Request
    connections: int
    threads: int
    duration_s: int
    timeout_s: int
    folder: str
    result: str
    expect_status: int | None = None

    def wire(self) -> bytes:
        """Lay out the request as HTTP/1.1 sends it, with Host and Content-Length where they are not given."""
        request, body = self.request, self.request.body.encode()
        given = {name.lower() for name, _ in request.headers}
        headers = list(request.headers) if "host" in given else [("Host", urlsplit(self.url).netloc), *request.headers]
        if not given & {"content-length", "transfer-encoding"} and (body or request.method in {"POST", "PUT", "PATCH"}):
            headers.append(("Content-Length", str(len(body))))
        lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode() + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a generator ended: its exit code, its streams, and the text of the result file (None when it wrote none)."""

    exit_code: int
    stdout: str
    stderr: str
    result: str | None


class LoadFailure(Exception):
    """The generator gave no result that can be used; the text is one sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a generator without load is asked: which cell, round and window, under which seed and model."""

    cell_id: str
    round: int
    window: int
    workers: int
    duration_s: int
    seed: int
    model: Mapping[str, object]


def _no_files(_: Shot) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenerator:
    """A load generator as data and pure functions.

    `program` is the command looked for on PATH and in .tools/ (empty: the file itself is run by our interpreter).
    `version(text)` reads the version from what `program version_args` prints, or raises LoadFailure when it is too old.
    `parse` raises LoadFailure for anything that is not a whole result. A generator with `simulate` starts no server.
    """

    protocols: tuple[str, ...]
    program: str = ""
    packages: tuple[str, ...] = ()
    version_args: tuple[str, ...] = ()
    version: Callable[[str], str]
    argv: Callable[[Shot], list[str]]
    parse: Callable[[Shot, Outcome], LoadStats]
    env: Callable[[Shot], Mapping[str, str]] = _no_files
    files: Callable[[Shot], Mapping[str, str]] = _no_files
    simulate: Callable[[Question], Window] | None = None
