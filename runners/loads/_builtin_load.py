"""A closed-loop HTTP/1.1 load generator of the standard library alone, run as a program by builtin.py.

Its one argument is the file of a JSON document with the fields of Task.
Each process keeps its share of the connections busy until the time is over, whatever the server does.
"""

import gc
import json
import os
import pickle
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
CONNECT_LIMIT_S = 1.0
ENOUGH_ERRORS = 1000  # the window is lost by then, and each reconnect uses up one more port
RECEIVE_BYTES = 262144
NO_BODY = (204, 304)
RIGHT = range(400)


class Broken(Exception):
    """A connection cannot go on; the text is the kind of error to count: connect, read or write."""


@dataclass(frozen=True)
class Task:
    """What to do; requests are latin-1 text, and 0 requests per connection stand for any number of them."""

    host: str
    port: int
    request: str
    last_request: str
    requests_per_connection: int
    connections: int
    processes: int
    duration_s: float
    expect_status: int | None
    result: str


@dataclass
class Tally:
    """What one process counted; the times are perf_counter nanoseconds, which all processes of a machine share."""

    begin_ns: int = 0
    end_ns: int = 0
    bytes: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    latency_us: Counter[int] = field(default_factory=Counter)


class Answer:
    """One answer read in pieces: a head, then a body of known length or in chunks."""

    def __init__(self, *, bodiless: bool) -> None:
        """Expect an answer; one to a HEAD request has no body, whatever its length says."""
        self.bodiless, self.status, self.left, self.chunked, self.buffer = bodiless, 0, 0, False, b""

    def feed(self, data: bytes) -> bool:
        """Take the next piece and tell whether the answer is whole; Broken when it is not HTTP/1.1 or goes on too long."""
        if self.status and not self.chunked:
            self.left -= len(data)
        else:
            self.buffer += data
            if not self.status and not self._read_head():
                return False
        if self.left < 0:
            raise Broken("read")
        return self._read_chunks() if self.chunked else self.left == 0

    def _read_head(self) -> bool:
        head, found, self.buffer = self.buffer.partition(b"\r\n\r\n")
        if not found:
            self.buffer = head
            return False
        head = head.lower() + b"\r\n"
        self.status = _number(head[9:12], 10)
        bodiless = self.bodiless or self.status in NO_BODY
        self.chunked = not bodiless and b"\r\ntransfer-encoding: chunked\r\n" in head
        if not self.chunked:
            self.left = (0 if bodiless else _content_length(head)) - len(self.buffer)
        return True

    def _read_chunks(self) -> bool:
        while (end := self.buffer.find(b"\r\n")) >= 0:
            size = _number(self.buffer[:end].partition(b";")[0], 16)
            if size == 0:
                return self.buffer.endswith(b"\r\n\r\n")
            if len(self.buffer) < end + size + 4:
                return False
            self.buffer = self.buffer[end + size + 4 :]
        return False


def _content_length(head: bytes) -> int:
    """Return the length of the body; without one it lasts until the connection ends, which is an error here."""
    return _number(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0], 10)


def _number(text: bytes, base: int) -> int:
    try:
        return int(text, base)
    except ValueError:
        raise Broken("read") from None


class Client:
    """One connection at a time, which asks again as soon as it has its answer."""

    def __init__(self, task: Task, selector: selectors.BaseSelector, tally: Tally) -> None:
        """Connect; Broken when that fails."""
        self.address, self.selector, self.tally = (task.host, task.port), selector, tally
        self.request, self.last = task.request.encode("latin-1"), task.last_request.encode("latin-1")
        self.lifetime = task.requests_per_connection or sys.maxsize
        self.bodiless = self.request.startswith(b"HEAD ")
        self.connect()

    def connect(self) -> None:
        """Open a fresh connection and watch it; Broken when that fails."""
        try:
            self.socket = socket.create_connection(self.address, CONNECT_LIMIT_S)
        except OSError:
            raise Broken("connect") from None
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(self.socket, READ, self)
        self.left = self.lifetime

    def ask(self) -> None:
        """Begin the next request, on a fresh connection when this one has had its last; Broken when there is none to be had."""
        if not self.left:
            old = self.socket
            self.connect()
            self.selector.unregister(old)
            old.close()
        self.left -= 1
        self.whole = self.unsent = self.request if self.left else self.last
        self.answer = Answer(bodiless=self.bodiless)
        self.asked_ns = time.perf_counter_ns()
        self.send()

    def send(self) -> None:
        """Send what goes out without waiting; watch for room to write while something is left."""
        try:
            sent = self.socket.send(self.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise Broken("write") from None
        first, self.unsent = self.unsent is self.whole, self.unsent[sent:]
        if self.unsent or not first:
            self.selector.modify(self.socket, READ | WRITE if self.unsent else READ, self)

    def receive(self) -> None:
        """Read what is there; count a whole answer and ask again."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            raise Broken("read")
        self.tally.bytes += len(data)
        if self.answer.feed(data):
            self.tally.latency_us[(time.perf_counter_ns() - self.asked_ns) // 1000] += 1
            self.tally.statuses[self.answer.status] += 1
            self.ask()

    def go_on(self, ready: int) -> None:
        """Do what the connection is ready for; when it breaks, count that and ask on a new one."""
        try:
            (self.send if ready & WRITE else self.receive)()
        except Broken as broken:
            self.tally.errors[str(broken)] += 1
            self.left = 0
            self.ask()


def drive(task: Task, connections: int) -> Tally:
    """Keep some of the connections busy for the duration and count; what cannot be connected to any more ends it at once."""
    tally, selector = Tally(begin_ns=time.perf_counter_ns()), selectors.DefaultSelector()
    gc.freeze()
    gc.disable()
    try:
        clients = [Client(task, selector, tally) for _ in range(connections)]
        tally.begin_ns = time.perf_counter_ns()
        end_ns = tally.begin_ns + round(task.duration_s * 1e9)
        for client in clients:
            client.ask()
        while (left_ns := end_ns - time.perf_counter_ns()) > 0 and tally.errors.total() < ENOUGH_ERRORS:
            for key, ready in selector.select(left_ns / 1e9):
                key.data.go_on(ready)
    except Broken as broken:
        tally.errors[str(broken)] += 1
    tally.end_ns = time.perf_counter_ns()
    return tally


def drive_all(task: Task) -> Iterator[Tally]:
    """Drive in as many processes as asked for, each with its share of the connections."""
    readers = []
    for index in range(task.processes):
        share = task.connections // task.processes + (index < task.connections % task.processes)
        reader, writer = os.pipe()
        if os.fork() == 0:
            with open(writer, "wb") as pipe:  # noqa: PTH123 - a file descriptor
                pickle.dump(drive(task, share), pipe)
            os._exit(0)
        os.close(writer)
        readers.append(reader)
    for reader in readers:
        with open(reader, "rb") as pipe:  # noqa: PTH123 - a file descriptor
            yield pickle.load(pipe)  # noqa: S301 - written by our own child
        os.wait()


def report(tallies: list[Tally], expect_status: int | None) -> dict[str, object]:
    """Add up what the processes counted; the duration is from the first begin to the last end."""
    statuses = sum((tally.statuses for tally in tallies), Counter[int]())
    latency_us = sum((tally.latency_us for tally in tallies), Counter[int]())
    errors = sum((tally.errors for tally in tallies), Counter[str]())
    right = RIGHT if expect_status is None else (expect_status,)
    return {
        "schema": 1,
        "duration_us": (max(tally.end_ns for tally in tallies) - min(tally.begin_ns for tally in tallies)) // 1000,
        "requests": statuses.total(),
        "bytes": sum(tally.bytes for tally in tallies),
        "errors": {**errors, "status": sum(n for status, n in statuses.items() if status not in right)},
        "statuses": sorted(statuses.items()),
        "histogram": sorted(latency_us.items()),
    }


def main(file: Path) -> None:
    """Do the task and write the result in one go."""
    task = Task(**json.loads(file.read_text()))
    Path(task.result).write_text(json.dumps(report(list(drive_all(task)), task.expect_status)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
