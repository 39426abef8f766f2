"""Small real servers in threads of this process that say exactly what a test wants, in HTTP/1.1 or HTTP/2, with TLS or not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from servermatrix.measure.certificate import Certificate
from servermatrix.measure.client import Address

HOST = "127.0.0.1"
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20  # RFC 9113, section 6
DATA, HEADERS, SETTINGS, CONTINUATION = 0, 1, 4, 9
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Talk = Callable[[socket.socket], None]


def server_context(certificate: Certificate, *alpn: str) -> ssl.SSLContext:
    """Make the TLS settings of a server; without `alpn` it agrees to no protocol."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder) / "chain.pem", Path(folder) / "key.pem"
        chain.write_text(certificate.chain_pem)
        key.write_text(certificate.key_pem)
        context.load_cert_chain(chain, key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@contextlib.contextmanager
def speaking(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Talk over every connection, one after the other; yield the port. What goes wrong in `talk` fails the test at the end."""
    troubles: list[Exception] = []
    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, talk, context, troubles))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()
    assert troubles == []


def _accept(listener: socket.socket, talk: Talk, context: ssl.SSLContext | None, troubles: list[Exception]) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        plain.settimeout(8)
        try:
            with plain, contextlib.closing(context.wrap_socket(plain, server_side=True) if context else plain) as connection:
                talk(connection)
        except OSError:  # the client has had enough
            continue
        except Exception as trouble:  # noqa: BLE001 - told to the test
            troubles.append(trouble)


def until_hung_up(connection: socket.socket) -> None:
    """Wait until the client closes."""
    while connection.recv(65_536):
        pass


def read_head(connection: socket.socket) -> bytes:
    """Read a request in HTTP/1.1 as far as its empty line, and what came with that."""
    seen = b""
    while b"\r\n\r\n" not in seen and (piece := connection.recv(65_536)):
        seen += piece
    return seen


def saying(*pieces: bytes, pause_s: float = 0.0, close: bool = True) -> Talk:
    """Read a request in HTTP/1.1, then send these pieces; then close, or wait until the client does."""

    def talk(connection: socket.socket) -> None:
        read_head(connection)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause_s)
        if not close:
            until_hung_up(connection)

    return talk


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    """Lay out one frame (RFC 9113, section 4.1)."""
    return struct.pack(">BHBBI", len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def sending(*frames: bytes, pause_s: float = 0.0, close: bool = False) -> Talk:
    """Read a request in HTTP/2 without a body, greet, then send these frames; then close, or wait until the client does."""

    def talk(connection: socket.socket) -> None:
        seen = b""
        while frame(HEADERS, END_STREAM | END_HEADERS, b"")[3:9] not in seen:
            piece = connection.recv(65_536)
            assert piece, seen
            seen += piece
        assert seen.startswith(PREFACE)
        connection.sendall(frame(SETTINGS, 0, b"", stream=0))
        for each in frames:
            connection.sendall(each)
            time.sleep(pause_s)
        if not close:
            until_hung_up(connection)

    return talk


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer in HTTP/2."""

    headers: tuple[tuple[str, str], ...] = ((":status", "200"), ("content-length", "2"))
    body: bytes = b"ok"


@dataclass(slots=True, kw_only=True)
class Seen:
    """What a server in HTTP/2 was asked."""

    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""


def http2(reply: Reply, seen: Seen | None = None) -> Talk:
    """Speak HTTP/2 by the book, with flow control both ways; keep what was asked in `seen`."""
    asked = seen or Seen()

    def talk(connection: socket.socket) -> None:
        engine = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        engine.initiate_connection()
        connection.sendall(engine.data_to_send())
        waiting: bytes | None = None
        while data := connection.recv(65_536):
            for event in _events(engine, data, connection):
                match event:
                    case h2.events.RequestReceived():
                        asked.headers = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
                    case h2.events.DataReceived():
                        asked.body += event.data or b""
                        engine.acknowledge_received_data(event.flow_controlled_length or 0, 1)
                    case h2.events.StreamEnded():
                        engine.send_headers(1, reply.headers, end_stream=not reply.body)
                        waiting = reply.body or None
                    case _:
                        pass
            waiting = _send_some(engine, waiting)
            connection.sendall(engine.data_to_send())

    return talk


def _events(engine: h2.connection.H2Connection, data: bytes, connection: socket.socket) -> list[h2.events.Event]:
    """Take what came in; a client that does not speak HTTP/2 is told so, and that ends it."""
    try:
        return list(engine.receive_data(data))
    except h2.exceptions.ProtocolError as error:
        connection.sendall(engine.data_to_send())
        raise ConnectionError from error


def _send_some(engine: h2.connection.H2Connection, body: bytes | None) -> bytes | None:
    """Send of a body what may be sent now; return the rest, None when there is none."""
    while body and (room := min(engine.local_flow_control_window(1), engine.max_outbound_frame_size)) > 0:
        piece, body = body[:room], body[room:]
        engine.send_data(1, piece, end_stream=not body)
    return body or None


def at(port: int, protocol: str = "h1", certificate: Certificate | None = None) -> Address:
    """Name a server of this file as the client is told of it."""
    return Address(host=HOST, port=port, protocol=protocol, authority_pem=certificate.authority_pem if certificate else "")
