"""The connections of one process of the built-in generator: asking, reading whole answers, and counting them."""

import os
import socket
import time
from collections import Counter

from runners.loads._builtin_poll import READ, WRITE, make_poller

CONNECT_LIMIT_S = 1.0
RECEIVE_BYTES = 65536
NO_BODY = (204, 304)


class Broken(Exception):
    """A connection cannot go on; the text is the kind of error to count: connect, read or write."""


class Task:
    """What to do; requests are latin-1 text, and 0 requests per connection stand for any number of them.

    With a rate it is an open loop, which waits for so many seconds after the duration for what has not been answered.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        request: str,
        last_request: str,
        requests_per_connection: int,
        connections: int,
        processes: int,
        duration_s: float,
        expect_status: int | None,
        result: str,
        rate_per_s: float = 0.0,
        wait_s: float = 0.0,
    ) -> None:
        """Take the fields; a dataclass would need a fifth of the CPU time that the program takes to start."""
        self.host, self.port, self.result = host, port, result
        self.request, self.last_request = request.encode("latin-1"), last_request.encode("latin-1")
        self.requests_per_connection, self.expect_status = requests_per_connection, expect_status
        self.connections, self.processes = connections, min(processes, connections)
        self.duration_s, self.rate_per_s, self.wait_s = duration_s, rate_per_s, wait_s


class Tally:
    """What one process counted; the times are perf_counter nanoseconds, which all processes of a machine share.

    The second half is of an open loop: `late` are the requests sent over a millisecond after they were due or not at all,
    `own_late_us` is how late each was sent though a connection was idle, `waited_ns` how long there was nothing to do,
    `sent_ns` when the last was sent, or given up.
    """

    def __init__(self, begin_ns: int = 0, end_ns: int = 0) -> None:
        """Have counted nothing yet."""
        self.begin_ns, self.end_ns, self.bytes = begin_ns, end_ns, 0
        self.errors, self.statuses, self.latency_us = Counter[str](), Counter[int](), Counter[int]()
        self.due = self.late = self.waited_ns = self.sent_ns = 0
        self.own_late_us = Counter[int]()


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


class Lines:
    """Connections by file descriptor. Those with a request of which something is not sent or not answered are busy."""

    def __init__(self, task: Task, tally: Tally) -> None:
        """Have no connection yet."""
        self.address, self.tally, self.poller = (task.host, task.port), tally, make_poller()
        self.family = socket.AF_INET6 if ":" in task.host else socket.AF_INET
        self.request, self.last = task.request, task.last_request
        self.lifetime, self.bodiless = task.requests_per_connection, self.request.startswith(b"HEAD ")
        self.usual, self.usual_status = b"", 0
        self.sockets: dict[int, socket.socket] = {}
        self.asked_ns: dict[int, int] = {}
        self.left: dict[int, int] = {}
        self.begun: dict[int, Answer] = {}
        self.unsent: dict[int, bytes] = {}
        self.lost = self.connected_ns = 0

    def connect(self) -> int:
        """Open a connection, watch it, and return its descriptor; Broken when that fails."""
        try:
            opened = socket.socket(self.family, socket.SOCK_STREAM)
        except OSError:
            raise Broken("connect") from None
        opened.settimeout(CONNECT_LIMIT_S)
        try:
            opened.connect(self.address)
        except OSError:
            opened.close()
            raise Broken("connect") from None
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fd = opened.fileno()
        self.poller.register(fd, READ)
        self.sockets[fd], self.left[fd] = opened, self.lifetime
        self.connected_ns = time.perf_counter_ns()
        return fd

    def replace(self, fd: int) -> int:
        """Open another connection in place of this one; Broken when there is none to be had."""
        fresh = self.connect()
        self.begun.pop(fd, None)
        self.unsent.pop(fd, None)
        self.poller.unregister(fd)
        self.sockets.pop(fd).close()
        return fresh

    def lose(self, fd: int, broken: Broken) -> int:
        """Count what broke a connection and open another one; Broken when there is none to be had."""
        self.tally.errors[str(broken)] += 1
        self.lost += 1
        return self.replace(fd)

    def ask(self, fd: int, asked_ns: int) -> None:
        """Send the next request, whose latency counts from the time given; Broken when the connection is gone."""
        self.asked_ns[fd], request = asked_ns, self.request
        if self.lifetime:
            self.left[fd] -= 1
            request = request if self.left[fd] else self.last
        try:
            sent = os.write(fd, request)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise Broken("write") from None
        if sent < len(request):
            self.unsent[fd], self.begun[fd] = request[sent:], Answer(bodiless=self.bodiless)
            self.poller.modify(fd, READ | WRITE)

    def take(self, fd: int, ready: int) -> int:
        """Do what a busy connection is ready for; with a whole answer return the descriptor to ask on next, else 0.

        An answer that is byte for byte the last one that was read whole needs no reading: status and length are the same.
        """
        if ready & WRITE and fd in self.unsent:
            self._send_on(fd)
        try:
            data = os.read(fd, RECEIVE_BYTES)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            raise Broken("read")
        tally, status = self.tally, self.usual_status
        tally.bytes += len(data)
        if data != self.usual or fd in self.begun:
            status = self._read(fd, data)
            if not status:
                return 0
        tally.latency_us[(time.perf_counter_ns() - self.asked_ns[fd]) // 1000] += 1
        tally.statuses[status] += 1
        if fd in self.unsent:
            raise Broken("write")
        return self.replace(fd) if self.lifetime and not self.left[fd] else fd

    def _read(self, fd: int, data: bytes) -> int:
        """Take a piece of an answer, and return the status with its last piece, else 0."""
        answer = self.begun.get(fd) or Answer(bodiless=self.bodiless)
        if not answer.feed(data):
            self.begun[fd] = answer
            return 0
        if self.begun.pop(fd, None) is None:
            self.usual, self.usual_status = data, answer.status
        return answer.status

    def _send_on(self, fd: int) -> None:
        try:
            sent = os.write(fd, self.unsent[fd])
        except BlockingIOError:
            return
        except OSError:
            raise Broken("write") from None
        self.unsent[fd] = self.unsent[fd][sent:]
        if not self.unsent[fd]:
            del self.unsent[fd]
            self.poller.modify(fd, READ)
