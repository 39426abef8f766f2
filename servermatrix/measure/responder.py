"""A server that does next to nothing, to find the most that a load generator can do; it runs alone and imports nothing of ours.

Its arguments are port, protocol (h1, h1s, h2c or h2), processes, and for TLS the files of the certificate and of the key. It
gives one fixed answer to every request without a body. It never waits for room to send: a client in a closed loop has so
little under way that neither a socket nor a window of HTTP/2 can be full.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass

HOST = "127.0.0.1"
BODY = b"ok"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\n" + BODY
END_OF_REQUEST = b"\r\n\r\n"
READ_BYTES = 65_536
BACKLOG = 2048

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = 9  # RFC 9113, section 4.1: length (3), type, flags, stream (4)
DATA, HEADERS, SETTINGS, PING = 0x0, 0x1, 0x4, 0x6
ACK, END_STREAM, END_HEADERS = 0x1, 0x1, 0x4
STATUS_200 = b"\x88"  # entry 8 of the static table (RFC 7541, appendix A), so that no state of headers is kept


class Http1:
    """What one connection in HTTP/1.1 has sent."""

    def __init__(self) -> None:
        """Expect a request."""
        self.kept = b""

    def feed(self, data: bytes) -> bytes:
        """Take what came in and return what goes out: an answer for every request that is whole."""
        if self.kept:
            data, self.kept = self.kept + data, b""
        if not data.endswith(END_OF_REQUEST):
            whole, end, rest = data.rpartition(END_OF_REQUEST)
            data, self.kept = whole + end, rest
        return ANSWER * data.count(END_OF_REQUEST)


def frame(kind: int, flags: int, stream: bytes, payload: bytes) -> bytes:
    """Lay out one frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream + payload


class Http2:
    """What one connection in HTTP/2 has sent."""

    def __init__(self) -> None:
        """Expect the preface."""
        self.kept, self.greeted = b"", False

    def feed(self, data: bytes) -> bytes:
        """Take what came in and return what goes out; ConnectionError when that is not HTTP/2."""
        if self.kept:
            data, self.kept = self.kept + data, b""
        out: list[bytes] = []
        if not self.greeted:
            if not data.startswith(PREFACE[: len(data)]):
                raise ConnectionError
            if len(data) < len(PREFACE):
                self.kept = data
                return b""
            self.greeted, data = True, data[len(PREFACE) :]
            out.append(frame(SETTINGS, 0, bytes(4), b""))
        at, end = 0, len(data)
        while end - at >= HEAD and (stop := at + HEAD + (data[at] << 16 | data[at + 1] << 8 | data[at + 2])) <= end:
            out.append(self.answer(data[at + 3], data[at + 4], data[at + 5 : at + HEAD], data, at + HEAD, stop))
            at = stop
        self.kept = data[at:]
        return b"".join(out)

    @staticmethod
    def answer(kind: int, flags: int, stream: bytes, data: bytes, begin: int, stop: int) -> bytes:  # noqa: PLR0917 - a hot path
        """Answer one frame: the last of a request with the answer to that, settings and pings with their acknowledgement."""
        if kind <= HEADERS:
            ends = flags & END_STREAM
            return frame(HEADERS, END_HEADERS, stream, STATUS_200) + frame(DATA, END_STREAM, stream, BODY) if ends else b""
        if kind in {SETTINGS, PING} and not flags & ACK:
            return frame(kind, ACK, stream, data[begin:stop] if kind == PING else b"")
        return b""


@dataclass(frozen=True, slots=True)
class Talk:
    """One connection: how to read, write and close it, and what it says."""

    recv: Callable[[int], bytes]
    send: Callable[[bytes], int]
    close: Callable[[], None]
    feed: Callable[[bytes], bytes]


def tls_context(protocol: str, certificate: str, key: str) -> ssl.SSLContext:
    """Make the TLS settings of a server that agrees to one protocol."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2" if protocol == "h2" else "http/1.1"])
    return context


def accept(listener: socket.socket, protocol: str, context: ssl.SSLContext | None) -> tuple[int, Talk]:
    """Take the next connection; in TLS, reading goes on with the handshake until that is done."""
    connection, _ = listener.accept()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    feed = (Http1() if protocol in {"h1", "h1s"} else Http2()).feed
    if context is None:
        return connection.fileno(), Talk(connection.recv, connection.send, connection.close, feed)
    secret = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    return secret.fileno(), Talk(secret.recv, secret.send, secret.close, feed)


def serve(listener: socket.socket, protocol: str, context: ssl.SSLContext | None) -> None:
    """Answer for ever."""
    poll = select.epoll() if hasattr(select, "epoll") else select.poll()
    listening, talks = listener.fileno(), dict[int, Talk]()
    poll.register(listening, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listening:
                with contextlib.suppress(OSError):  # the client is gone already
                    new, talk = accept(listener, protocol, context)
                    talks[new] = talk
                    poll.register(new, select.POLLIN)
                continue
            talk = talks[descriptor]
            try:
                data = talk.recv(READ_BYTES)
                if data and (answer := talk.feed(data)):
                    talk.send(answer)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            except OSError:
                data = b""
            if not data:
                poll.unregister(descriptor)
                del talks[descriptor]
                talk.close()


def listeners(port: int, count: int) -> list[socket.socket]:
    """Listen so many times on one port, so that each process has connections of its own."""
    made = []
    for _ in range(count):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if count > 1:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
        made.append(listener)
    return made


def main(port: str, protocol: str, processes: str, *files: str) -> None:
    """Serve in as many processes, of which this is one."""
    context = tls_context(protocol, *files) if files else None
    mine, *others = listeners(int(port), int(processes))
    for index, other in enumerate(others):
        if os.fork() == 0:
            for each in (mine, *others[:index], *others[index + 1 :]):
                each.close()
            mine = other
            break
    else:
        for other in others:
            other.close()
    serve(mine, protocol, context)


if __name__ == "__main__":
    main(*sys.argv[1:])
