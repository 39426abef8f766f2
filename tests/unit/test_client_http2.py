"""One request in HTTP/2: header blocks counted frame by frame, flow control both ways, and what is no answer."""

from __future__ import annotations

import socket
import struct
import time

import pytest
from h2.errors import ErrorCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from servermatrix.measure.certificate import make_certificate
from servermatrix.measure.client import Answer, BrokenAnswer, exchange
from servermatrix.measure.frames import header_blocks
from servermatrix.model import Request
from tests.speakers import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PRIORITY,
    SETTINGS,
    Reply,
    Seen,
    Talk,
    at,
    frame,
    http2,
    saying,
    sending,
    server_context,
    speaking,
)

LIMIT_S = 0.4
GOAWAY, RST_STREAM, PING, PUSH_PROMISE = 7, 3, 6, 5
# RFC 7541: index 8 is `:status: 200`, 9 `:status: 204`; 0x5c 1 2 is a new `content-length: 2`, in three bytes.
STATUS, NO_CONTENT, LENGTH = b"\x88", b"\x89", b"\x5c\x012"
HINTS = b"\x48\x03103"
OK = frame(DATA, END_STREAM, b"ok")
WHOLE = frame(HEADERS, END_HEADERS, STATUS + LENGTH)
TRAILERS = frame(HEADERS, END_HEADERS | END_STREAM, b"\x40\x01x\x017")


def answer_of(talk: Talk, request: Request | None = None, limit_s: float = 5.0) -> Answer:
    with speaking(talk) as port:
        return exchange(at(port, "h2c"), request or Request(), limit_s)


@pytest.mark.parametrize(
    ("frames", "answer"),
    [
        ((WHOLE, OK), Answer(status=200, body=b"ok", head_bytes=4, framing="content-length")),
        ((WHOLE + OK,), Answer(status=200, body=b"ok", head_bytes=4, framing="content-length")),
        (
            (frame(HEADERS, END_HEADERS, STATUS), frame(DATA, 0, b"o"), frame(DATA, END_STREAM, b"k")),
            Answer(status=200, body=b"ok", head_bytes=1, framing="frames"),
        ),
        (
            (frame(HEADERS, 0, STATUS), frame(CONTINUATION, 0, LENGTH[:1]), frame(CONTINUATION, END_HEADERS, LENGTH[1:]), OK),
            Answer(status=200, body=b"ok", head_bytes=4, framing="content-length"),
        ),
        (
            (frame(HEADERS, END_HEADERS | PADDED, b"\x05" + STATUS + LENGTH + bytes(5)), OK),
            Answer(status=200, body=b"ok", head_bytes=4, framing="content-length"),
        ),
        (
            (frame(HEADERS, END_HEADERS | PADDED | PRIORITY, b"\x02" + bytes(4) + b"\x0f" + STATUS + LENGTH + bytes(2)), OK),
            Answer(status=200, body=b"ok", head_bytes=4, framing="content-length"),
        ),
        (
            (frame(HEADERS, END_HEADERS | END_STREAM, NO_CONTENT),),
            Answer(status=204, body=b"", head_bytes=1, framing="none"),
        ),
        (
            (frame(HEADERS, END_HEADERS, HINTS) + WHOLE + OK,),
            Answer(status=200, body=b"ok", head_bytes=4, framing="content-length"),
        ),
        (
            (WHOLE + frame(DATA, 0, b"ok") + TRAILERS,),
            Answer(status=200, body=b"ok", head_bytes=4, framing="content-length"),
        ),
        (
            (frame(PING, 0, bytes(8), stream=0), WHOLE, frame(DATA, PADDED, b"\x03o" + bytes(3)), frame(DATA, END_STREAM, b"k")),
            Answer(status=200, body=b"ok", head_bytes=4, framing="content-length"),
        ),
        (
            (WHOLE + OK + frame(GOAWAY, 0, struct.pack(">II", 1, 0), stream=0),),
            Answer(status=200, body=b"ok", head_bytes=4, framing="content-length"),
        ),
    ],
)
def test_an_answer_is_read_to_its_end_and_its_header_block_counted(frames: tuple[bytes, ...], answer: Answer) -> None:
    assert answer_of(sending(*frames, pause_s=0.02)) == answer


@pytest.mark.parametrize("cut", range(1, len(WHOLE + OK), 4))
def test_the_header_block_is_the_same_wherever_the_pieces_are_cut(cut: int) -> None:
    whole = WHOLE + OK
    assert answer_of(sending(whole[:cut], whole[cut:], pause_s=0.01)).head_bytes == 4


def test_header_blocks_are_those_of_the_request_alone_and_whole() -> None:
    other = frame(HEADERS, END_HEADERS, b"x" * 9, stream=2) + frame(CONTINUATION, END_HEADERS, b"x" * 9, stream=2)
    settings = frame(SETTINGS, 0, bytes(6), stream=0)
    assert list(header_blocks(settings + other + frame(HEADERS, 0, b"xyz") + frame(CONTINUATION, 0, b"xy") + OK + TRAILERS)) == [
        5,
        5,
    ]
    assert list(header_blocks(b"")) == list(header_blocks(settings[:8])) == []


def test_what_a_real_library_sends_is_counted_as_it_is_on_the_wire() -> None:
    seen = Seen()
    plain = answer_of(http2(Reply(), seen))
    named = answer_of(http2(Reply(headers=(*Reply().headers, ("x-name", "value")))))
    assert plain == Answer(status=200, body=b"ok", head_bytes=plain.head_bytes, framing="content-length")
    assert 2 <= plain.head_bytes <= 6
    assert 6 <= named.head_bytes - plain.head_bytes <= 2 + len("x-name") + len("value") + 1
    assert dict(seen.headers)[b":path"] == b"/"


@pytest.mark.parametrize(
    ("frames", "sentence"),
    [
        ((frame(RST_STREAM, 0, struct.pack(">I", ErrorCodes.REFUSED_STREAM)),), "it ended the stream (REFUSED_STREAM)"),
        ((WHOLE, frame(RST_STREAM, 0, struct.pack(">I", ErrorCodes.INTERNAL_ERROR))), "it ended the stream (INTERNAL_ERROR)"),
        ((frame(RST_STREAM, 0, struct.pack(">I", 0xBAD)),), "it ended the stream (2989)"),
        (
            (frame(GOAWAY, 0, struct.pack(">II", 0, ErrorCodes.ENHANCE_YOUR_CALM), stream=0),),
            "it ended the connection (ENHANCE_YOUR_CALM)",
        ),
        ((WHOLE + frame(GOAWAY, 0, struct.pack(">II", 1, 0), stream=0),), "it ended the connection (NO_ERROR)"),
    ],
)
def test_a_stream_that_is_ended_early_is_no_answer(frames: tuple[bytes, ...], sentence: str) -> None:
    with pytest.raises(BrokenAnswer) as caught:
        answer_of(sending(*frames))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param((frame(HEADERS, END_HEADERS, LENGTH), OK), id="no status"),
        pytest.param((frame(HEADERS, END_HEADERS, b"\x48\x03abc"), OK), id="a status that is no number"),
        pytest.param((OK,), id="a body before its headers"),
        pytest.param((frame(HEADERS, END_HEADERS, b"\xff\xff\xff\xff\xff\xff"), OK), id="no header block"),
        pytest.param((WHOLE, frame(DATA, END_STREAM, b"okay")), id="longer than it says"),
        pytest.param((WHOLE, frame(DATA, END_STREAM, b"o")), id="shorter than it says"),
        pytest.param((frame(HEADERS, 0, STATUS), OK), id="a block that is cut off"),
        pytest.param((frame(DATA, 0, bytes(20_000)),), id="a frame that is too long"),
        pytest.param((frame(PUSH_PROMISE, END_HEADERS, struct.pack(">I", 2) + b"\x82\x84\x86\x41\x01x"), WHOLE, OK), id="a push"),
        pytest.param((frame(SETTINGS, 0, b"\0", stream=0),), id="broken settings"),
    ],
)
def test_what_breaks_the_protocol_is_no_answer(frames: tuple[bytes, ...]) -> None:
    with pytest.raises(BrokenAnswer, match="it does not speak HTTP/2"):
        answer_of(sending(*frames))


PAYLOADS = (STATUS, STATUS + LENGTH, LENGTH, HINTS, b"ok", b"", bytes(4), bytes(6), bytes(8), b"\0\0\0\2\x88", b"\3\x88ok\0\0\0")
FRAMES = st.builds(
    frame, st.integers(0, 10), st.integers(0, 63), st.sampled_from(PAYLOADS) | st.binary(max_size=9), st.integers(0, 3)
)


@settings(max_examples=150, deadline=None)
@given(frames=st.lists(FRAMES | st.sampled_from([WHOLE, OK]), max_size=5))
def test_whatever_frames_a_server_sends_is_an_answer_or_none_and_never_a_bug(frames: list[bytes]) -> None:
    try:
        answer = answer_of(sending(*frames, close=True))
    except OSError:
        return
    assert answer.status >= 200


@pytest.mark.parametrize("frames", [(), (WHOLE,), (WHOLE, OK[:5])])
def test_a_connection_closed_early_is_no_answer(frames: tuple[bytes, ...]) -> None:
    with pytest.raises(OSError, match=r"it closed the connection|reset by peer"):
        answer_of(sending(*frames, close=True))


def test_an_http_1_server_asked_in_http_2_gives_no_answer_at_once() -> None:
    begin = time.monotonic()
    with pytest.raises(BrokenAnswer, match="it answered in HTTP/1 where h2c was asked for"):
        answer_of(saying(b"HTTP/", b"1.1 400 Bad Request\r\nConnection: close\r\n\r\n", pause_s=0.05, close=False))
    assert time.monotonic() - begin < 4


def pinging(connection: socket.socket) -> None:
    while True:
        connection.sendall(frame(PING, 0, bytes(8), stream=0))
        time.sleep(0.05)


def after_settings(connection: socket.socket) -> None:
    connection.sendall(frame(SETTINGS, 0, b"", stream=0))
    pinging(connection)


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(sending(), id="silent"),
        pytest.param(after_settings, id="pings only"),
        pytest.param(sending(WHOLE), id="no body"),
        pytest.param(sending(frame(HEADERS, END_HEADERS, STATUS), *[frame(DATA, 0, b"x")] * 60, pause_s=0.1), id="a slow body"),
        pytest.param(http2(Reply(headers=((":status", "200"),), body=bytes(200_000_000))), id="a body without end"),
    ],
)
def test_an_answer_that_does_not_come_to_an_end_is_given_up_in_time(talk: Talk) -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        answer_of(talk, limit_s=LIMIT_S)
    assert time.monotonic() - begin < LIMIT_S + 3


@pytest.mark.parametrize("size", [65_535, 65_536, 300_000])
def test_an_answer_larger_than_the_window_is_read_whole(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    answer = answer_of(http2(Reply(headers=((":status", "200"),), body=body[:size])))
    assert answer.body == body[:size]
    assert answer.framing == "frames"


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 65_535, 65_536, 300_000])
def test_a_body_larger_than_a_frame_or_the_window_is_sent_whole(size: int) -> None:
    seen = Seen()
    text = ("0123456789" * (size // 10 + 1))[:size]
    assert answer_of(http2(Reply(), seen), Request(method="POST", body=text)).body == b"ok"
    assert seen.body.decode() == text
    assert dict(seen.headers)[b"content-length"] == str(size).encode()


def test_a_server_that_answers_before_it_has_read_the_body_is_heard() -> None:
    def refusing(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(frame(SETTINGS, 0, b"", stream=0) + WHOLE + OK)
        sending()  # whatever is still sent is not read
        time.sleep(0.3)

    assert answer_of(refusing, Request(method="POST", body="x" * 300_000)).status == 200


def test_a_server_that_never_opens_its_window_is_given_up_in_time() -> None:
    def closed(connection: socket.socket) -> None:
        connection.sendall(frame(SETTINGS, 0, b"", stream=0))
        while connection.recv(65_536):
            pass

    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        answer_of(closed, Request(method="POST", body="x" * 300_000), limit_s=LIMIT_S)
    assert time.monotonic() - begin < LIMIT_S + 3


def headers_for(request: Request, protocol: str = "h2c") -> list[tuple[bytes, bytes]]:
    seen = Seen()
    certificate = make_certificate()
    context = server_context(certificate, "h2") if protocol == "h2" else None
    with speaking(http2(Reply(), seen), context) as port:
        assert exchange(at(port, protocol, certificate), request, 5).body == b"ok"
        where = f"127.0.0.1:{port}".encode()
    return [(name, b"HERE" if value == where else value) for name, value in seen.headers]


def test_a_request_names_method_scheme_authority_and_path() -> None:
    asked = headers_for(Request(path="/shop?x=1", headers=(("Accept", "text/html"), ("X-Name", "Zoë"))))
    assert asked == [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":authority", b"HERE"),
        (b":path", b"/shop?x=1"),
        (b"accept", b"text/html"),
        (b"x-name", "Zoë".encode()),
    ]


def test_over_tls_the_scheme_is_https() -> None:
    assert dict(headers_for(Request(), "h2"))[b":scheme"] == b"https"


def test_a_host_that_is_given_is_the_authority() -> None:
    asked = headers_for(Request(headers=(("Host", "shop.example"),)))
    assert dict(asked)[b":authority"] == b"shop.example"
    assert b"host" not in dict(asked)


def test_headers_that_speak_of_the_connection_are_left_out() -> None:
    names = ("Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade")
    asked = headers_for(Request(headers=(*((name, "x") for name in names), ("TE", "trailers"))))
    assert {name for name, _ in asked} == {b":method", b":scheme", b":authority", b":path", b"te"}


def test_a_length_that_is_given_is_the_only_one() -> None:
    asked = headers_for(Request(method="POST", headers=(("Content-Length", "2"),), body="{}"))
    assert [value for name, value in asked if name == b"content-length"] == [b"2"]


def test_a_post_without_a_body_says_so_as_the_generators_do() -> None:
    assert dict(headers_for(Request(method="POST")))[b"content-length"] == b"0"


def test_a_head_request_has_no_body() -> None:
    answer = answer_of(http2(Reply(body=b"")), Request(method="HEAD"))
    assert (answer.status, answer.body, answer.framing) == (200, b"", "none")


def test_headers_that_contradict_the_protocol_are_named_and_no_bug() -> None:
    with pytest.raises(BrokenAnswer, match="TE"):
        answer_of(http2(Reply()), Request(headers=(("TE", "gzip"),)))


def test_version_and_cipher_are_named_over_tls() -> None:
    certificate = make_certificate()
    with speaking(http2(Reply()), server_context(certificate, "h2", "http/1.1")) as port:
        answer = exchange(at(port, "h2", certificate), Request(), 5)
    assert answer.body == b"ok"
    assert answer.tls.startswith("TLSv1.3 TLS_")


def test_a_server_that_chooses_http_2_where_it_was_not_asked_for_gives_no_answer() -> None:
    certificate = make_certificate()
    with speaking(http2(Reply()), server_context(certificate, "h2")) as port, pytest.raises(OSError, match=r"."):
        exchange(at(port, "h1s", certificate), Request(), LIMIT_S)
