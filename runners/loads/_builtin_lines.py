"""The connections of one process of the built-in generator: asking, reading whole answers, and counting them."""

import os
import socket
import time

from runners.loads._builtin_poll import READ, WRITE, make_poller
from runners.loads._builtin_task import Tally, Task, Wanted, turns

CONNECT_LIMIT_S = 1.0
RECEIVE_BYTES = 65536
NO_BODY = (204, 304)


class Broken(Exception):
    """A connection cannot go on; the text is the kind of error to count: connect, read or write."""


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

    def __init__(self, task: Task, tally: Tally, index: int = 0) -> None:
        """Have no connection yet; `index` is that of the process, so that not all begin with the same request."""
        self.address, self.tally, self.poller = (task.host, task.port), tally, make_poller()
        self.family = socket.AF_INET6 if ":" in task.host else socket.AF_INET
        self.lifetime, self.turns = task.requests_per_connection, turns(task, tally, index)
        self.sockets: dict[int, socket.socket] = {}
        self.wanted: dict[int, Wanted] = {}
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
        self.asked_ns[fd] = asked_ns
        self.wanted[fd] = wanted = next(self.turns)
        request = wanted.request
        if self.lifetime:
            self.left[fd] -= 1
            request = request if self.left[fd] else wanted.last
        try:
            sent = os.write(fd, request)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise Broken("write") from None
        if sent < len(request):
            self.unsent[fd], self.begun[fd] = request[sent:], Answer(bodiless=wanted.bodiless)
            self.poller.modify(fd, READ | WRITE)

    def take(self, fd: int, ready: int) -> int:
        """Do what a busy connection is ready for; with a whole answer return the descriptor to ask on next, else 0.

        An answer that is byte for byte the last one to that request that was read whole needs no reading: status and length are
        the same.
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
        tally, wanted = self.tally, self.wanted[fd]
        tally.bytes += len(data)
        status = wanted.usual_status
        if data != wanted.usual or fd in self.begun:
            status = self._read(fd, data, wanted)
            if not status:
                return 0
        tally.latency_us[(time.perf_counter_ns() - self.asked_ns[fd]) // 1000] += 1
        wanted.statuses[status] += 1
        if fd in self.unsent:
            raise Broken("write")
        return self.replace(fd) if self.lifetime and not self.left[fd] else fd

    def _read(self, fd: int, data: bytes, wanted: Wanted) -> int:
        """Take a piece of an answer, and return the status with its last piece, else 0."""
        answer = self.begun.get(fd) or Answer(bodiless=wanted.bodiless)
        if not answer.feed(data):
            self.begun[fd] = answer
            return 0
        if self.begun.pop(fd, None) is None:
            wanted.usual, wanted.usual_status = data, answer.status
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
