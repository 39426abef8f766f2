"""One request over one fresh connection: what comes back, what is no answer, and that it never takes longer than it may."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.measure.certificate import Certificate, make_certificate
from servermatrix.measure.client import Answer, BrokenAnswer, exchange
from servermatrix.measure.probe import free_port
from servermatrix.model import Request
from tests.speakers import (
    HOST,
    SETTINGS,
    Reply,
    Talk,
    at,
    frame,
    http2,
    read_head,
    saying,
    server_context,
    speaking,
    until_hung_up,
)

HEAD = b"HTTP/1.1 200 OK\r\nServer: small\r\nContent-Length: 2\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
LIMIT_S = 0.4


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return make_certificate()


def answer_of(talk: Talk, request: Request | None = None, limit_s: float = 5.0) -> Answer:
    with speaking(talk) as port:
        return exchange(at(port), request or Request(), limit_s)


def asked_by(request: Request) -> bytes:
    """Return what a server reads of a request, byte for byte."""
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        connection.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            while True:
                seen.append(connection.recv(65_536))
        connection.sendall(HEAD + b"ok")

    assert answer_of(talk, request).body == b"ok"
    return b"".join(seen)


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ((HEAD + b"ok",), Answer(status=200, body=b"ok", head_bytes=len(HEAD), framing="content-length")),
        ((HEAD, b"o", b"k"), Answer(status=200, body=b"ok", head_bytes=len(HEAD), framing="content-length")),
        (
            (CHUNKED + b"1\r\no\r\n", b"1;x=y\r\nk\r\n0\r\n\r\n"),
            Answer(status=200, body=b"ok", head_bytes=len(CHUNKED), framing="chunked"),
        ),
        (
            (CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",),
            Answer(status=200, body=b"ok", head_bytes=len(CHUNKED), framing="chunked"),
        ),
        ((b"HTTP/1.1 404 \r\n\r\n", b"o", b"k"), Answer(status=404, body=b"ok", head_bytes=17, framing="close")),
        ((b"HTTP/1.0 200 OK\r\n\r\nok",), Answer(status=200, body=b"ok", head_bytes=19, framing="close")),
        ((b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",), Answer(status=200, body=b"ok", head_bytes=35, framing="content-length")),
        ((NO_CONTENT,), Answer(status=204, body=b"", head_bytes=len(NO_CONTENT), framing="none")),
        ((GO_ON + HEAD + b"ok",), Answer(status=200, body=b"ok", head_bytes=len(HEAD), framing="content-length")),
        (
            (GO_ON, EARLY_HINTS + EARLY_HINTS[:9], EARLY_HINTS[9:] + HEAD[:5], HEAD[5:] + b"ok"),
            Answer(status=200, body=b"ok", head_bytes=len(HEAD), framing="content-length"),
        ),
    ],
)
def test_an_answer_is_read_to_its_end_however_it_is_framed_and_cut_up(pieces: tuple[bytes, ...], answer: Answer) -> None:
    assert answer_of(saying(*pieces, pause_s=0.02)) == answer


@pytest.mark.parametrize("cut", range(1, len(HEAD) + 2, 7))
def test_the_bytes_of_the_head_are_the_same_wherever_the_pieces_are_cut(cut: int) -> None:
    whole = HEAD + b"ok"
    assert answer_of(saying(whole[:cut], whole[cut:], pause_s=0.01)).head_bytes == len(HEAD)


def test_a_head_request_has_the_answer_of_a_get_without_its_body() -> None:
    answer = answer_of(saying(HEAD, close=False), Request(method="HEAD"))
    assert answer == Answer(status=200, body=b"", head_bytes=len(HEAD), framing="none")


def test_a_server_that_keeps_the_connection_open_is_not_waited_for() -> None:
    begin = time.monotonic()
    assert answer_of(saying(HEAD + b"ok", close=False)).body == b"ok"
    assert time.monotonic() - begin < 4


@pytest.mark.parametrize(
    ("pieces", "sentence"),
    [
        ((HEAD + b"o",), r"without sending complete message body \(received 1 bytes, expected 2\)"),
        ((CHUNKED + b"2\r\nok\r\n",), "without sending complete message body"),
        ((HEAD[:20],), "closed"),
        ((), "closed"),
        ((b"garbage\r\n\r\n",), r"it does not answer in HTTP/1 but with b'garbage\\r"),
        ((b"HTXP/1.1 200 OK\r\n\r\n",), "it does not answer in HTTP/1"),
        ((b"\x00\x01\x02",), r"it does not answer in HTTP/1 but with b'\\x00\\x01\\x02'"),
        ((b"HTTP/1.1 abc OK\r\n\r\n",), "status line"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",), "Content-Length"),
        ((CHUNKED + b"zz\r\nok\r\n",), "chunk"),
        ((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",), "UPGRADE"),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**21,), "too"),
    ],
)
def test_what_is_no_whole_answer_is_none(pieces: tuple[bytes, ...], sentence: str) -> None:
    with pytest.raises(BrokenAnswer, match=sentence):
        answer_of(saying(*pieces))


def test_a_connection_that_is_reset_is_no_answer() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with pytest.raises(ConnectionResetError):
        answer_of(talk)


def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(ConnectionRefusedError):
        exchange(at(free_port(HOST)), Request(), 5)


def endless(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(CHUNKED)
    while True:
        connection.sendall(b"5\r\ndata:\r\n" * 100)
        time.sleep(0.005)


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(until_hung_up, id="silent"),
        pytest.param(saying(*[HEAD[n : n + 1] for n in range(len(HEAD))], pause_s=0.1), id="a slow head"),
        pytest.param(saying(CHUNKED, *[b"1\r\nx\r\n"] * 50, pause_s=0.1), id="a slow body"),
        pytest.param(saying(CHUNKED, *[GO_ON] * 50, pause_s=0.1), id="a body that is none"),
        pytest.param(saying(*[GO_ON] * 50, pause_s=0.1), id="one more moment"),
        pytest.param(endless, id="endless"),
    ],
)
def test_an_answer_that_does_not_come_to_an_end_is_given_up_in_time(talk: Talk) -> None:
    begin = time.monotonic()
    with pytest.raises((TimeoutError, BrokenAnswer)):
        answer_of(talk, limit_s=LIMIT_S)
    assert time.monotonic() - begin < LIMIT_S + 3


def test_a_server_that_does_not_read_a_large_body_is_given_up_in_time() -> None:
    def deaf(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        time.sleep(2 * LIMIT_S)

    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        answer_of(deaf, Request(method="POST", body="x" * 20_000_000), limit_s=LIMIT_S)
    assert time.monotonic() - begin < LIMIT_S + 3


def test_a_request_is_sent_with_its_headers_and_the_host() -> None:
    seen = asked_by(Request(path="/shop?x=1", headers=(("Accept", "text/html"), ("X-Name", "Zoë"))))
    first, host, *rest = seen.decode().split("\r\n")
    assert first == "GET /shop?x=1 HTTP/1.1"
    assert host.startswith(f"Host: {HOST}:")
    assert rest == ["Accept: text/html", "X-Name: Zoë", "", ""]


def test_a_host_that_is_given_is_the_only_one() -> None:
    seen = asked_by(Request(headers=(("HOST", "shop.example"),)))
    assert seen == b"GET / HTTP/1.1\r\nHOST: shop.example\r\n\r\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_is_sent_with_its_length_in_bytes(method: str) -> None:
    seen = asked_by(Request(method=method, headers=(("Host", "x"),), body='{"name": "Zoë"}'))
    assert seen == f"{method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n".encode() + '{"name": "Zoë"}'.encode()


def test_a_length_that_is_given_is_the_only_one() -> None:
    seen = asked_by(Request(method="POST", headers=(("Host", "x"), ("content-length", "2")), body="{}"))
    assert seen == b"POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 2\r\n\r\n{}"


def test_a_post_without_a_body_says_so_as_the_generators_do() -> None:
    seen = asked_by(Request(method="POST", headers=(("Host", "x"),)))
    assert seen == b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


def test_a_body_in_chunks_is_sent_to_its_end() -> None:
    seen = asked_by(Request(method="POST", headers=(("Host", "x"), ("Transfer-Encoding", "chunked")), body="abc"))
    assert seen == b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


def test_headers_that_contradict_the_body_are_named_and_no_bug() -> None:
    with pytest.raises(BrokenAnswer, match="Content-Length"):
        answer_of(saying(HEAD + b"ok"), Request(method="POST", headers=(("Content-Length", "1"),), body="abc"))


@pytest.mark.parametrize("protocol", ["h1", "h2c"])
@settings(max_examples=60, deadline=None)
@given(garbage=st.lists(st.binary(max_size=60), max_size=4), start=st.sampled_from([b"", HEAD, CHUNKED, b"HTTP/1.1 "]))
def test_whatever_a_server_sends_is_an_answer_or_none_and_never_a_bug(protocol: str, garbage: list[bytes], start: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        for piece in (start, *garbage):
            connection.sendall(piece)

    with speaking(talk) as port:
        try:
            answer = exchange(at(port, protocol), Request(), 2)
        except OSError:
            return
    assert answer.status >= 200


def test_tls_is_spoken_where_the_protocol_says_so_and_named(certificate: Certificate) -> None:
    with speaking(saying(HEAD + b"ok"), server_context(certificate, "http/1.1")) as port:
        answer = exchange(at(port, "h1s", certificate), Request(), 5)
    assert (answer.body, answer.head_bytes) == (b"ok", len(HEAD))
    version, cipher = answer.tls.split()
    assert version == "TLSv1.3"
    assert cipher.startswith("TLS_")


def test_nothing_is_encrypted_where_the_protocol_does_not_say_so() -> None:
    assert answer_of(saying(HEAD + b"ok")).tls == ""


def test_a_server_that_agrees_to_no_protocol_speaks_http_1(certificate: Certificate) -> None:
    with speaking(saying(HEAD + b"ok"), server_context(certificate)) as port:
        assert exchange(at(port, "h1s", certificate), Request(), 5).body == b"ok"


@pytest.mark.parametrize(
    ("asked", "offered", "sentence"),
    [
        ("h2", ("http/1.1",), "it chose no protocol in the TLS handshake where h2 was asked for"),
        ("h2", (), "it chose no protocol in the TLS handshake where h2 was asked for"),
    ],
)
def test_a_server_that_silently_goes_down_to_http_1_gives_no_answer(
    certificate: Certificate, asked: str, offered: tuple[str, ...], sentence: str
) -> None:
    context, refuses = server_context(certificate, *offered), pytest.raises(BrokenAnswer)
    with speaking(saying(HEAD + b"ok"), context) as port, refuses as caught:
        exchange(at(port, asked, certificate), Request(), 5)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("protocol", ["h1s", "h2"])
def test_a_certificate_of_another_authority_is_refused(certificate: Certificate, protocol: str) -> None:
    other = make_certificate()
    with speaking(saying(HEAD + b"ok"), server_context(other, "h2", "http/1.1")) as port:
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            exchange(at(port, protocol, certificate), Request(), 5)
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            exchange(at(port, protocol), Request(), 5)


def test_a_server_without_tls_where_it_was_asked_for_gives_no_answer(certificate: Certificate) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with speaking(talk) as port, pytest.raises(OSError, match=r"(?i)ssl|closed|eof|reset"):
        exchange(at(port, "h1s", certificate), Request(), 2)


def test_a_handshake_that_never_ends_is_given_up_in_time(certificate: Certificate) -> None:
    begin = time.monotonic()
    with speaking(until_hung_up) as port, pytest.raises(TimeoutError):
        exchange(at(port, "h2", certificate), Request(), LIMIT_S)
    assert time.monotonic() - begin < LIMIT_S + 3


def test_an_http_2_server_asked_in_http_1_gives_no_answer_at_once() -> None:
    begin = time.monotonic()
    with speaking(http2(Reply())) as port, pytest.raises(OSError, match=r"."):
        exchange(at(port), Request(), 6)
    assert time.monotonic() - begin < 4


def test_a_greeting_in_http_2_is_no_answer_in_http_1() -> None:
    def greeting(connection: socket.socket) -> None:
        connection.sendall(frame(SETTINGS, 0, b"", stream=0))
        until_hung_up(connection)

    with pytest.raises(BrokenAnswer, match="it does not answer in HTTP/1"):
        answer_of(greeting)
