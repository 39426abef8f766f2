"""A server in a thread that counts what each connection brings, and a generator run against it as the engine runs one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from servermatrix.contracts import LoadGenerator, Outcome, Shot

BODY = b"Hello, World!"


@dataclass
class Count:
    """What was seen: the requests of every connection in the order of their ends, and how many asked for the end.

    `sent` are the requests in their order, `by_connection` those of each connection, `times_s` is when each request came.
    """

    port: int = 0
    per_connection: list[int] = field(default_factory=list)
    closes: int = 0
    heads: set[bytes] = field(default_factory=set)
    sent: list[bytes] = field(default_factory=list)
    by_connection: list[set[bytes]] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """Count the requests of all connections."""
        return sum(self.per_connection)

    @property
    def asked(self) -> Counter[bytes]:
        """Count each request by its bytes."""
        return Counter(self.sent)


@dataclass(frozen=True)
class Manner:
    """How it answers: after a delay, standing still for `stall_s` with every so many requests, closing what is idle for long.

    What has one of the `statuses` in its bytes is answered with that instead of 200.
    """

    reason: bytes = b"OK"
    delay_s: float = 0
    stall_every: int = 0
    stall_s: float = 0
    idle_s: float = 0
    statuses: tuple[bytes, ...] = ()


class Counting(asyncio.Protocol):
    """One connection: any bytes up to an empty line are a request, with a body as long as its head says."""

    def __init__(self, count: Count, manner: Manner) -> None:
        self.count, self.manner, self.buffer, self.requests = count, manner, b"", 0
        self.closer: asyncio.TimerHandle | None = None
        self.seen = set[bytes]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.closer:
            self.closer.cancel()
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            length = int((head.lower() + b"\r\n").partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            whole = head + b"\r\n\r\n" + rest[:length]
            self.count.heads.add(whole)
            self.count.sent.append(whole)
            self.seen.add(whole)
            status = next((each for each in self.manner.statuses if each in whole), b"200")
            self.count.times_s.append(time.monotonic())
            last = b"connection: close" in head.lower()
            if self.manner.stall_every and len(self.count.times_s) % self.manner.stall_every == 0:
                time.sleep(self.manner.stall_s)
            if self.manner.delay_s:
                asyncio.get_running_loop().call_later(self.manner.delay_s, self.answer, last, status)
            else:
                self.answer(last, status)

    def answer(self, last: bool, status: bytes) -> None:  # noqa: FBT001 - a callback has no keywords
        self.requests += 1
        fields = b"Connection: close\r\n" if last else b""
        self.transport.write(b"HTTP/1.1 %b %b\r\nContent-Length: 13\r\n%b\r\n%b" % (status, self.manner.reason, fields, BODY))
        if last:
            self.count.closes += 1
            self.transport.close()
        elif self.manner.idle_s:
            self.closer = asyncio.get_running_loop().call_later(self.manner.idle_s, self.transport.close)

    def connection_lost(self, _: Exception | None) -> None:
        if self.requests:
            self.count.per_connection.append(self.requests)
            self.count.by_connection.append(self.seen)


@contextlib.contextmanager
def counting(
    *, tls: ssl.SSLContext | None = None, reason: bytes = b"OK", delay_s: float = 0, manner: Manner | None = None
) -> Iterator[Count]:
    """Run the server for as long as the block lasts; the counts are whole behind it."""
    manner = manner or Manner(reason=reason, delay_s=delay_s)
    count, loop, ready = Count(), asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        server = await loop.create_server(lambda: Counting(count, manner), "127.0.0.1", 0, ssl=tls, backlog=512)
        count.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await stop.wait()
            await asyncio.sleep(0.1)  # what the generator has sent before its end is still under way

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(5)
    try:
        yield count
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def fire(load: LoadGenerator, shot: Shot) -> Outcome:
    """Run a generator to its end."""
    for name, content in load.files(shot).items():
        (Path(shot.folder) / name).write_text(content)
    env = {**os.environ, **load.env(shot)}
    done = subprocess.run(load.argv(shot), env=env, capture_output=True, text=True, timeout=30, check=False)
    result = Path(shot.result)
    text = result.read_text() if result.exists() else None
    return Outcome(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr, result=text)
