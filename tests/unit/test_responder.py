"""The responder that a generator's ceiling is found against: what it answers, by value and over real connections."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.measure import responder, usage
from servermatrix.measure.certificate import Certificate, make_certificate
from servermatrix.measure.client import exchange
from servermatrix.measure.probe import free_port
from servermatrix.measure.process import Running, start, stop
from servermatrix.measure.responder import (
    ACK,
    ANSWER,
    BODY,
    DATA,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    SETTINGS,
    Http1,
    Http2,
    frame,
)
from servermatrix.model import ENCRYPTED, PROTOCOLS, Request
from tests.room import command, guarded, until
from tests.speakers import at

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
ONE, THREE = (number.to_bytes(4, "big") for number in (1, 3))


def test_a_request_is_answered_once() -> None:
    talk = Http1()
    assert talk.feed(GET) == ANSWER
    assert talk.feed(GET) == ANSWER


def test_a_request_in_pieces_is_answered_when_it_is_whole() -> None:
    talk = Http1()
    assert [talk.feed(GET[at : at + 1]) for at in range(len(GET))] == [b""] * (len(GET) - 1) + [ANSWER]


def test_requests_that_come_together_are_all_answered_and_the_beginning_of_the_next_is_kept() -> None:
    talk = Http1()
    assert talk.feed(GET + GET + GET[:10]) == ANSWER * 2
    assert talk.feed(GET[10:]) == ANSWER


def test_the_answer_has_the_length_that_it_says() -> None:
    head, _, body = ANSWER.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.splitlines()
    assert body == BODY


def asked(stream: bytes, flags: int = END_STREAM) -> bytes:
    return frame(HEADERS, flags | 4, stream, b"\x82\x86\x84")


def answered(stream: bytes) -> bytes:
    return frame(HEADERS, 4, stream, b"\x88") + frame(DATA, END_STREAM, stream, BODY)


def greeted() -> Http2:
    talk = Http2()
    assert talk.feed(PREFACE) == frame(SETTINGS, 0, bytes(4), b"")
    return talk


def test_a_frame_is_laid_out_by_the_book() -> None:
    assert frame(DATA, END_STREAM, THREE, b"ok") == b"\0\0\2\0\1\0\0\0\3ok"


def test_every_stream_of_http2_is_answered_by_itself() -> None:
    assert greeted().feed(asked(ONE) + asked(THREE)) == answered(ONE) + answered(THREE)


def test_settings_and_pings_are_acknowledged_and_acknowledgements_are_not() -> None:
    talk = greeted()
    assert talk.feed(frame(SETTINGS, 0, bytes(4), b"\0\3\0\0\0\1")) == frame(SETTINGS, ACK, bytes(4), b"")
    assert talk.feed(frame(PING, 0, bytes(4), b"12345678")) == frame(PING, ACK, bytes(4), b"12345678")
    assert talk.feed(frame(SETTINGS, ACK, bytes(4), b"") + frame(PING, ACK, bytes(4), b"12345678")) == b""


@pytest.mark.parametrize("kind", [0x2, 0x3, 0x7, 0x8, 0x9])
def test_frames_that_ask_for_nothing_get_nothing(kind: int) -> None:
    assert greeted().feed(frame(kind, 0xFF, ONE, bytes(8))) == b""


def test_a_request_with_a_body_is_answered_at_the_end_of_that() -> None:
    talk = greeted()
    assert talk.feed(asked(ONE, flags=0)) == b""
    assert talk.feed(frame(DATA, 0, ONE, b"he")) == b""
    assert talk.feed(frame(DATA, END_STREAM, ONE, b"llo")) == answered(ONE)


def test_what_comes_in_pieces_says_the_same() -> None:
    whole = PREFACE + frame(SETTINGS, 0, bytes(4), b"") + asked(ONE) + frame(PING, 0, bytes(4), b"12345678") + asked(THREE)
    talk, at_once = Http2(), Http2().feed(whole)
    assert b"".join(talk.feed(whole[at : at + 1]) for at in range(len(whole))) == at_once
    assert at_once.endswith(answered(THREE))


def test_what_is_no_http2_ends_the_connection() -> None:
    for data in (GET, b"PRI * HTTP/1"):
        with pytest.raises(ConnectionError):
            Http2().feed(data)


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return make_certificate()


@contextlib.contextmanager
def responding(folder: Path, protocol: str, certificate: Certificate, processes: int = 1) -> Iterator[tuple[int, Running]]:
    """Run the responder as it is run; yield its port."""
    port, files = free_port(responder.HOST), (folder / "chain.pem", folder / "key.pem")
    for file, text in zip(files, (certificate.chain_pem, certificate.key_pem), strict=True):
        file.write_text(text)
    tls = map(str, files if protocol in ENCRYPTED else ())
    argv = [sys.executable, "-I", "-S", responder.__file__, str(port), protocol, str(processes), *tls]
    with guarded() as guard:
        running = start(replace(command(folder, ""), argv=argv), guard)
        try:
            assert until(lambda: reached(port))
            yield port, running
        finally:
            assert not stop(running, guard)
        assert running.log.read_text() == ""


def reached(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((responder.HOST, port)):
        return True
    return False


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_protocol_is_spoken_well_enough_for_our_own_client(tmp_path: Path, protocol: str, certificate: Certificate) -> None:
    with responding(tmp_path, protocol, certificate) as (port, _):
        for _ in range(3):
            answer = exchange(at(port, protocol, certificate), Request(path="/any"), 5.0)
            assert (answer.status, answer.body) == (200, BODY)


def test_a_connection_that_breaks_or_talks_nonsense_harms_no_other(tmp_path: Path, certificate: Certificate) -> None:
    with responding(tmp_path, "h2", certificate) as (port, _):
        for words in (b"", b"nonsense\r\n\r\n" * 9):
            with socket.create_connection((responder.HOST, port)) as connection:
                connection.sendall(words)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # ends with a reset
        assert exchange(at(port, "h2", certificate), Request(), 5.0).body == BODY


def test_several_processes_share_the_connections(tmp_path: Path, certificate: Certificate) -> None:
    with responding(tmp_path, "h1", certificate, processes=3) as (port, running), contextlib.ExitStack() as stack:
        for _ in range(60):
            connection = stack.enter_context(socket.create_connection((responder.HOST, port), 5.0))
            connection.sendall(GET)
            assert connection.recv(4096) == ANSWER
        shares = usage.read_connections(running.members())
    assert len(shares) == 3
    assert sum(shares.values()) >= 60 + 3  # and each has its listener
    assert min(shares.values()) >= 5
