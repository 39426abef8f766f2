"""What a load plug-in is: a value with pure functions of one stretch of load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from servermatrix.model import Asked, LoadStats, Request, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One stretch of load: what to ask, how hard, for how long, and the file the generator may write its result to.

    `expect_status` is the status of a right answer; None: any below 400, which is what generators hold to be right by themselves.
    `body_bytes` is the length of the right answer's body where it is known. With a `rate_per_s` requests are sent at that
    fixed rate in all, whether or not answers have come (an open loop); 0: a closed loop.
    With a `mix` its requests are sent in turn, each as often as its weight says, instead of `request` alone; see `cycle`.
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
    protocol: str = "h1"
    streams: int = 1
    requests_per_connection: int = 0
    body_bytes: int | None = None
    rate_per_s: float = 0.0
    mix: tuple[Asked, ...] = ()

    def cycle(self) -> tuple[Request, ...]:
        """Return the order in which the requests of the mix are sent over and over, spread evenly; `request` where there is none.

        A generator begins it each time round at another place, so that no connection is bound to one of them.
        Source: smooth weighted round robin, as in nginx's upstream module.
        """
        if not self.mix:
            return (self.request,)
        total, due, order = sum(each.weight for each in self.mix), [0] * len(self.mix), list[Request]()
        for _ in range(total):
            due = [so_far + each.weight for so_far, each in zip(due, self.mix, strict=True)]
            chosen = due.index(max(due))
            due[chosen] -= total
            order.append(self.mix[chosen].request)
        return tuple(order)

    def wire(self, *, last: bool = False) -> bytes:
        """Lay out the request as HTTP/1.1 sends it, with Host and Content-Length where they are not given.

        The `last` request of a connection asks the server to close it.
        """
        request, body = self.request, self.request.body.encode()
        given = {name.lower() for name, _ in request.headers}
        headers = list(request.headers) if "host" in given else [("Host", urlsplit(self.url).netloc), *request.headers]
        if not given & {"content-length", "transfer-encoding"} and (body or request.method in {"POST", "PUT", "PATCH"}):
            headers.append(("Content-Length", str(len(body))))
        if last:
            headers = [*((name, value) for name, value in headers if name.lower() != "connection"), ("Connection", "close")]
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
    """The generator gave no result that can be used; the text is one sentence that says why.

    With `noise` it is nobody's fault: the other rounds of the cell stand.
    """

    def __init__(self, reason: str, *, noise: bool = False) -> None:
        """Say why, and whether it is only noise."""
        super().__init__(reason)
        self.noise = noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a generator without load is asked: which cell, round and window, under which seed and model.

    `rate_per_s` is the rate of an open loop, 0 in a closed one. In a check `side` is that of the cell, and `pair` the name that
    both sides have in common; elsewhere they are empty. `requires` are the requirements of the cell.
    """

    cell_id: str
    round: int
    window: int
    workers: int
    duration_s: int
    seed: int
    model: Mapping[str, object]
    rate_per_s: float = 0.0
    side: str = ""
    pair: str = ""
    requires: tuple[str, ...] = ()


def _no_files(_: Shot) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenerator:
    """A load generator as data and pure functions.

    `program` is the command looked for on PATH and in .tools/ (empty: the file itself is run by our interpreter).
    `version(text)` reads the version from what `program version_args` prints, or raises LoadFailure when it is too old.
    `parse` raises LoadFailure for anything that is not a whole result. A generator that `reconnects` replaces a connection
    after Shot.requests_per_connection requests. One with an `open_loop` can send at a fixed rate, one that `mixes` the
    requests of a mix. A generator with `simulate` starts no server.
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
    reconnects: bool = False
    open_loop: bool = False
    mixes: bool = False
    simulate: Callable[[Question], Window] | None = None
