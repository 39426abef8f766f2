"""One request over one fresh connection, in the protocol that is asked for and no other; what is right is not known here."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import h11

from servermatrix.measure.frames import header_blocks
from servermatrix.model import ENCRYPTED, HTTP2, Request

READ_BYTES = 65_536
SHOWN_BYTES = 20
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
WITHOUT_BODY = frozenset({204, 304})
EMPTY_LINE = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server listens, the protocol it is spoken to in, and the authority that must have signed its certificate."""

    host: str
    port: int
    protocol: str = "h1"
    authority_pem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; for `head_bytes` and `framing` see model.Wire. `tls` names the version and the cipher."""

    status: int
    body: bytes
    head_bytes: int = 0
    framing: str = ""
    tls: str = ""


class BrokenAnswer(OSError):
    """The connection ended, or what came is no whole answer of this protocol."""


class Deadline:
    """A point in time that all reading and writing of one exchange must be done by."""

    def __init__(self, limit_s: float) -> None:
        """Start the clock."""
        self._end = time.monotonic() + limit_s

    def left_s(self) -> float:
        """Return the seconds left; TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def exchange(address: Address, request: Request, limit_s: float) -> Answer:
    """Send one request and return the whole answer; OSError (TimeoutError, BrokenAnswer ...) when none comes in time."""
    deadline = Deadline(limit_s)
    with _connected(address, deadline) as connection:
        tls = _agreed(connection, address.protocol) if isinstance(connection, ssl.SSLSocket) else ""
        ask = _ask_http2 if address.protocol in HTTP2 else _ask_http1
        return replace(ask(connection, address, request, deadline), tls=tls)


@contextlib.contextmanager
def _connected(address: Address, deadline: Deadline) -> Iterator[socket.socket]:
    with socket.create_connection((address.host, address.port), deadline.left_s()) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.protocol not in ENCRYPTED:
            yield plain
            return
        context = _context(address.authority_pem, address.protocol)
        with context.wrap_socket(plain, server_hostname=address.host) as encrypted:
            yield encrypted


@lru_cache(maxsize=8)
def _context(authority_pem: str, protocol: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority_pem)
    context.set_alpn_protocols(["h2" if protocol in HTTP2 else "http/1.1"])
    return context


def _agreed(connection: ssl.SSLSocket, protocol: str) -> str:
    """Return version and cipher; BrokenAnswer when the server chose another protocol, which it may do in silence."""
    chosen = connection.selected_alpn_protocol()
    if (chosen == "h2") != (protocol in HTTP2):
        raise BrokenAnswer(f"it chose {chosen or 'no protocol'} in the TLS handshake where {protocol} was asked for")
    cipher = connection.cipher()
    return f"{connection.version()} {cipher[0] if cipher else 'unknown'}"


def _ask_http1(connection: socket.socket, address: Address, request: Request, deadline: Deadline) -> Answer:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20)
    content = request.body.encode()
    try:
        events = (_head(address, request, content), *([h11.Data(data=content)] if content else []), h11.EndOfMessage())
        connection.sendall(b"".join(parser.send(event) or b"" for event in events))
        return _read_http1(connection, parser, request, deadline)
    except h11.ProtocolError as error:
        raise BrokenAnswer(str(error)) from error


def _head(address: Address, request: Request, content: bytes) -> h11.Request:
    given = {name.lower() for name, _ in request.headers}
    host = [] if "host" in given else [("Host", f"{address.host}:{address.port}")]
    length = [] if "transfer-encoding" in given else _length(request, content)
    headers = [(name.encode(), value.encode()) for name, value in (*host, *request.headers, *length)]
    return h11.Request(method=request.method, target=request.path, headers=headers)


def _length(request: Request, content: bytes) -> list[tuple[str, str]]:
    """Say how long the body is where that is not given: also of an empty one, as the load generators do."""
    given = {name.lower() for name, _ in request.headers}
    needed = content or request.method in WITH_BODY
    return [("Content-Length", str(len(content)))] if needed and "content-length" not in given else []


def _read_http1(connection: socket.socket, parser: h11.Connection, request: Request, deadline: Deadline) -> Answer:
    head, body, response = b"", bytearray(), None
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            data = _receive(connection, deadline)
            if not data and response is None:
                raise BrokenAnswer("it closed the connection")
            head += b"" if response else data
            if not head.startswith(b"HTTP/"[: len(head)]):
                raise BrokenAnswer(f"it does not answer in HTTP/1 but with {head[:SHOWN_BYTES]!r}")
            parser.receive_data(data)
        elif isinstance(event, h11.InformationalResponse):
            head = head[_end_of_head(head) :]
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and response is not None:
            status = response.status_code
            framing = _framing(request, status, dict(response.headers), "close")
            return Answer(status=status, body=bytes(body), head_bytes=_end_of_head(head), framing=framing)
        else:
            raise BrokenAnswer(f"it broke off ({event})")


def _end_of_head(data: bytes) -> int:
    """Find where a head ends that h11 has found whole; a line may end without a carriage return."""
    return next(found.end() for found in EMPTY_LINE.finditer(data))


def _framing(request: Request, status: int, headers: Mapping[bytes, bytes], otherwise: str) -> str:
    if request.method == "HEAD" or status in WITHOUT_BODY:
        return "none"
    if b"transfer-encoding" in headers:
        return "chunked"
    return "content-length" if b"content-length" in headers else otherwise


def _receive(connection: socket.socket, deadline: Deadline) -> bytes:
    """Read the next piece; the time-out of a socket holds for each piece alone, and a stream of events never ends."""
    connection.settimeout(deadline.left_s())
    return connection.recv(READ_BYTES)


def _ask_http2(connection: socket.socket, address: Address, request: Request, deadline: Deadline) -> Answer:
    engine = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    engine.local_settings = h2.settings.Settings(client=True, initial_values={h2.settings.SettingCodes.ENABLE_PUSH: 0})
    content = request.body.encode()
    try:
        engine.initiate_connection()
        engine.send_headers(1, _pseudo(address, request, content), end_stream=not content)
        return _read_http2(connection, engine, address, request, deadline)
    except (h2.exceptions.ProtocolError, ValueError) as error:
        raise BrokenAnswer(f"it does not speak HTTP/2 ({type(error).__name__}: {error})") from error


def _pseudo(address: Address, request: Request, content: bytes) -> list[tuple[str, str]]:
    """List the headers; h2 leaves out those that speak of the connection (RFC 9113, section 8.2.2)."""
    given = [(name.lower(), value) for name, value in (*request.headers, *_length(request, content))]
    host = dict(given).get("host", f"{address.host}:{address.port}")
    scheme = "https" if address.protocol in ENCRYPTED else "http"
    pseudo = [(":method", request.method), (":scheme", scheme), (":authority", host), (":path", request.path)]
    return [*pseudo, *(pair for pair in given if pair[0] != "host")]


def _read_http2(
    connection: socket.socket, engine: h2.connection.H2Connection, address: Address, request: Request, deadline: Deadline
) -> Answer:
    raw, body, early, headers, content = b"", bytearray(), 0, dict[bytes, bytes](), request.body.encode()
    while True:
        content = _send_some(engine, content)
        connection.sendall(engine.data_to_send())
        data = _receive(connection, deadline)
        if not data:
            raise BrokenAnswer("it closed the connection")
        raw += b"" if headers else data
        if raw.startswith(b"HTTP/"):
            raise BrokenAnswer(f"it answered in HTTP/1 where {address.protocol} was asked for")
        for event in engine.receive_data(data):
            match event:
                case h2.events.InformationalResponseReceived():
                    early += 1
                case h2.events.ResponseReceived():
                    headers = {bytes(name): bytes(value) for name, value in event.headers or ()}
                case h2.events.DataReceived():
                    body += event.data or b""
                    engine.acknowledge_received_data(event.flow_controlled_length or 0, 1)
                case h2.events.StreamEnded():
                    status, head_bytes = int(headers[b":status"]), header_blocks(raw)[early]
                    framing = _framing(request, status, headers, "frames")
                    return Answer(status=status, body=bytes(body), head_bytes=head_bytes, framing=framing)
                case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                    raise BrokenAnswer(_ended(event))
                case _:
                    pass


def _send_some(engine: h2.connection.H2Connection, content: bytes) -> bytes:
    """Send as much of the body as the server will take now; return the rest (RFC 9113, section 5.2)."""
    while content and (room := min(engine.local_flow_control_window(1), engine.max_outbound_frame_size)) > 0:
        piece, content = content[:room], content[room:]
        engine.send_data(1, piece, end_stream=not content)
    return content


def _ended(event: h2.events.StreamReset | h2.events.ConnectionTerminated) -> str:
    what = "stream" if isinstance(event, h2.events.StreamReset) else "connection"
    code = event.error_code
    return f"it ended the {what} ({code.name if isinstance(code, h2.errors.ErrorCodes) else code})"
