"""The built-in generator: its reader of answers, its result, and one-second runs against a scripted server."""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.loads import _builtin_lines as program
from runners.loads import _builtin_load, builtin
from runners.loads._builtin_task import Tally, Task
from servermatrix.contracts import LoadFailure, Outcome, Request, Shot
from tests.unit.counting_server import counting

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 201 Created\r\nTRANSFER-ENCODING: chunked\r\n\r\n3;x=y\r\nhel\r\nA\r\n0123456789\r\n0\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n"


class Scripted(socketserver.StreamRequestHandler):
    """Answers by path; the last segment of the path says how."""

    disable_nagle_algorithm = True
    answers = 0

    def handle(self) -> None:
        while len(head := self.read_head()) > 1:
            self.read_body(head)
            getattr(self, "do_" + head[0].split()[1].decode().strip("/"))()

    def read_head(self) -> list[bytes]:
        try:
            return list(takewhile(lambda line: line.strip(), self.rfile))
        except ConnectionError:
            return []

    def read_body(self, head: list[bytes]) -> None:
        lengths = [int(line.partition(b":")[2]) for line in head if line.lower().startswith(b"content-length:")]
        self.rfile.read(sum(lengths))

    def say(self, data: bytes) -> None:
        self.answers += 1
        try:
            self.wfile.write(data)
        except ConnectionError:
            self.rfile.close()

    def do_length(self) -> None:
        self.say(LENGTH)

    def do_pieces(self) -> None:
        for byte in (CHUNKED[:60], CHUNKED[60:75], CHUNKED[75:]):
            self.say(byte)
            time.sleep(0.001)

    def do_turns(self) -> None:
        self.say(LENGTH if self.answers % 2 else LENGTH.replace(b"200 OK", b"500 NO"))

    def do_short(self) -> None:
        self.say(LENGTH.replace(b"5", b"6") if self.answers % 3 == 2 else LENGTH)

    def do_third_fails(self) -> None:
        self.say(LENGTH if self.answers % 3 else UNAVAILABLE)

    def do_hang(self) -> None:
        time.sleep(0.5)

    def do_garbage(self) -> None:
        self.say(b"220 mail.example.org ESMTP\r\n\r\n")

    def do_close(self) -> None:
        self.say(LENGTH)
        self.connection.shutdown(2)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Leave broken connections out of the test output: the client's counts are what is looked at."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Server(("127.0.0.1", 0), Scripted) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def shot(folder: Path, port: int, path: str) -> Shot:
    return Shot(
        program="",
        url=f"http://127.0.0.1:{port}{path}",
        request=Request(path=path),
        connections=4,
        threads=1,
        duration_s=1,
        timeout_s=6,
        folder=str(folder),
        result=str(folder / "result.json"),
    )


def fire(shot: Shot, seconds: float | None = None) -> Outcome:
    """Run the program as the engine does, for less than a whole second where that is enough."""
    for name, text in builtin.files(shot).items():
        task = json.loads(text) | ({} if seconds is None else {"duration_s": seconds})
        (Path(shot.folder) / name).write_text(json.dumps(task))
    few_files = ["sh", "-c", 'ulimit -n 32 && exec "$@"', "sh"]  # so that sockets which are not closed are missed soon
    done = subprocess.run([*few_files, *builtin.argv(shot)], capture_output=True, text=True, timeout=20, check=False)
    result = Path(shot.result)
    return Outcome(
        exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr, result=result.read_text() if result.exists() else None
    )


def counts(outcome: Outcome) -> dict[str, int]:
    assert outcome.result is not None, outcome.stderr
    errors: dict[str, int] = json.loads(outcome.result)["errors"]
    return {name: count for name, count in errors.items() if count}


# --- whole runs


def test_a_second_against_a_server_gives_a_whole_result(tmp_path: Path, port: int) -> None:
    asked = replace(shot(tmp_path, port, "/length"), threads=2)
    stats = builtin.parse(asked, fire(asked))
    assert stats.requests > 10
    assert stats.statuses == ((200, stats.requests),)
    assert sum(count for _, count in stats.histogram) == stats.requests
    assert stats.bytes_read >= stats.requests * len(LENGTH)
    assert stats.errors.total == 0


def test_a_chunked_answer_to_a_large_body_is_counted_once(tmp_path: Path, port: int) -> None:
    request = Request(method="POST", path="/pieces", body="x" * 12_000_000)
    outcome = fire(replace(shot(tmp_path, port, "/pieces"), request=request, connections=1), 0.8)
    assert counts(outcome) == {}
    assert [status for status, _ in json.loads(outcome.result or "")["statuses"]] == [201]


def test_statuses_are_counted_one_by_one_and_the_unexpected_are_errors(tmp_path: Path, port: int) -> None:
    asked = shot(tmp_path, port, "/third_fails")
    outcome = fire(asked, 0.2)
    statuses = dict(json.loads(outcome.result or "")["statuses"])
    assert statuses.keys() == {200, 503}
    assert counts(outcome) == {"status": statuses[503]}
    with pytest.raises(
        LoadFailure, match=rf"counted {statuses[503]} status errors; the answers were {statuses[200]} of status 200"
    ):
        builtin.parse(asked, outcome)


def test_answers_that_differ_in_their_status_alone_are_told_apart(tmp_path: Path, port: int) -> None:
    outcome = fire(replace(shot(tmp_path, port, "/turns"), connections=1), 0.2)
    statuses = dict(json.loads(outcome.result or "")["statuses"])
    assert statuses.keys() == {200, 500}
    assert abs(statuses[200] - statuses[500]) <= 1


def test_an_answer_as_long_as_the_last_one_is_not_whole_when_its_length_says_otherwise(tmp_path: Path, port: int) -> None:
    outcome = fire(shot(tmp_path, port, "/short"), 0.3)
    assert json.loads(outcome.result or "")["requests"] == 2 * 4
    assert counts(outcome) == {}


def test_a_status_is_only_right_when_it_is_the_expected_one(tmp_path: Path, port: int) -> None:
    outcome = fire(replace(shot(tmp_path, port, "/length"), expect_status=204), 0.1)
    assert counts(outcome) == {"status": json.loads(outcome.result or "")["requests"]}


def test_connections_that_the_server_closes_are_read_errors_and_opened_again(tmp_path: Path, port: int) -> None:
    asked = shot(tmp_path, port, "/close")
    outcome = fire(asked, 0.3)
    errors, requests = counts(outcome), json.loads(outcome.result or "")["requests"]
    assert requests > asked.connections
    assert 0 < errors.get("read", 0) <= 1003
    with pytest.raises(LoadFailure, match="the server closed or refused connections"):
        builtin.parse(asked, outcome)


def test_what_is_not_http_is_a_read_error(tmp_path: Path, port: int) -> None:
    assert counts(fire(shot(tmp_path, port, "/garbage"), 0.1)).keys() == {"read"}


def test_a_server_that_hangs_does_not_hold_the_generator(tmp_path: Path, port: int) -> None:
    asked = shot(tmp_path, port, "/hang")
    began = time.monotonic()
    outcome = fire(asked, 0.2)
    assert time.monotonic() - began < 5
    with pytest.raises(LoadFailure, match=r"^no request was answered in 1 s$"):
        builtin.parse(asked, outcome)


def test_a_port_without_a_server_is_a_connect_error_at_once(tmp_path: Path) -> None:
    with Server(("127.0.0.1", 0), Scripted) as closed:
        port = closed.server_address[1]
    began = time.monotonic()
    for threads in (1, 2):
        asked = replace(shot(tmp_path, port, "/length"), duration_s=10, threads=threads)
        assert counts(fire(asked)) == {"connect": threads}
    assert time.monotonic() - began < 8


# --- a new connection after so many requests


@pytest.mark.parametrize("every", [1, 3])
def test_a_connection_is_replaced_after_exactly_so_many_requests_and_its_end_is_no_error(tmp_path: Path, every: int) -> None:
    with counting() as count:
        asked = replace(shot(tmp_path, count.port, "/"), requests_per_connection=every, threads=2)
        outcome = fire(asked, 0.5)
    assert counts(outcome) == {}
    requests = json.loads(outcome.result or "")["requests"]
    assert requests > 20
    assert requests <= count.requests <= requests + asked.connections
    worn, cut = count.closes, [brought for brought in count.per_connection if brought != every]
    assert len(cut) <= asked.connections
    assert count.requests == worn * every + sum(cut)


def test_a_connection_that_is_never_replaced_asks_for_no_end(tmp_path: Path) -> None:
    with counting() as count:
        asked = shot(tmp_path, count.port, "/")
        assert counts(fire(asked, 0.2)) == {}
    assert (count.closes, len(count.per_connection)) == (0, asked.connections)


def test_a_server_that_is_gone_when_a_connection_is_replaced_is_a_connect_error(tmp_path: Path) -> None:
    """The server takes one connection, answers one request, and no longer listens by then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = replace(shot(tmp_path, listener.getsockname()[1], "/"), requests_per_connection=1, connections=1)
        thread = threading.Thread(target=answer_once, args=(listener,))
        thread.start()
        outcome = fire(asked, 5)
        thread.join(5)
    assert counts(outcome).keys() == {"connect"}
    assert json.loads(outcome.result or "")["requests"] == 1


def answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    listener.close()
    with connection:
        connection.recv(1000)
        connection.sendall(LENGTH)
        connection.recv(1000)


# --- reading answers


@given(st.sampled_from([LENGTH, CHUNKED, NO_CONTENT, UNAVAILABLE]), st.lists(st.integers(0, 100), max_size=6))
def test_an_answer_is_whole_at_its_last_byte_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    answer, places = program.Answer(bodiless=False), sorted({0, *(min(cut, len(data) - 1) for cut in cuts)})
    pieces = [data[start:end] for start, end in zip(places, [*places[1:], len(data)], strict=True)]
    assert [answer.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert answer.status == int(data[9:12])


def test_an_answer_to_head_has_no_body_whatever_its_length() -> None:
    answer = program.Answer(bodiless=True)
    assert answer.feed(LENGTH.removesuffix(b"hello"))


@pytest.mark.parametrize(
    "data",
    [
        LENGTH + b"!",
        b"HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_cannot_be_an_answer_breaks_the_connection(data: bytes) -> None:
    with pytest.raises(program.Broken, match=r"^read$"):
        program.Answer(bodiless=False).feed(data)


def test_processes_are_added_up_over_the_time_from_the_first_begin_to_the_last_end() -> None:
    one, two = Tally(1_000_000, 9_000_000), Tally(2_000_000, 9_500_000)
    one.bytes, one.statuses, one.latency_us = 10, [Counter({200: 2})], Counter({7: 2})
    two.bytes, two.errors, two.statuses = 5, Counter(read=1), [Counter({200: 1, 500: 1})]
    two.late = two.waited_ns = 1
    assert _builtin_load.report([one, two], a_task()) == {
        "schema": 1,
        "duration_us": 8500,
        "requests": 4,
        "bytes": 15,
        "errors": {"read": 1, "status": 1},
        "statuses": [(200, 3), (500, 1)],
        "answers": [[(200, 3), (500, 1)]],
        "histogram": [(7, 2)],
    }


def a_task() -> Task:
    [text] = builtin.files(shot(Path("/cell"), 80, "/")).values()
    return Task(**json.loads(text))


# --- the plug-in


def whole(**changes: object) -> str:
    plain = {"schema": 1, "duration_us": 1_000_100, "requests": 3, "bytes": 90, "errors": {"status": 0}}
    return json.dumps(plain | {"statuses": [[200, 3]], "histogram": [[250, 1], [260, 2]]} | changes)


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        ((1, "Traceback\nEOFError: cut\n", None), "the built-in generator ended with code 1: EOFError: cut"),
        ((-9, "", None), "the built-in generator ended with code -9: it said nothing"),
        ((0, "", None), "the built-in generator wrote no result"),
        ((0, "", "{"), "the built-in generator's result is no JSON document"),
        ((0, "", "[]"), "the built-in generator's result is not of schema 1"),
        ((0, "", whole(errors=None)), "the built-in generator's result has no errors"),
        ((0, "", whole(requests="3")), "the built-in generator's result has no count requests"),
        ((0, "", whole(histogram=[[250, 1]])), "the built-in generator's histogram counts do not add up to 3 requests"),
        ((0, "", whole(histogram="none")), "the built-in generator's histogram counts do not add up to 3 requests"),
        ((0, "", whole(statuses=[[200]])), "the built-in generator's statuses counts do not add up to 3 requests"),
        ((0, "", whole(duration_us=1_200_000)), "the built-in generator ran for 1.20 s instead of 1 s"),
        ((0, "", whole(errors={"connect": 2})), "the built-in generator counted 2 connect errors: the server closed or refused"),
    ],
)
def test_what_is_not_a_whole_result_is_told_in_one_sentence(
    outcome: tuple[int, str, str | None], sentence: str, tmp_path: Path
) -> None:
    code, stderr, result = outcome
    with pytest.raises(LoadFailure) as caught:
        builtin.parse(shot(tmp_path, 80, "/"), Outcome(exit_code=code, stdout="", stderr=stderr, result=result))
    assert str(caught.value).startswith(sentence)


def test_it_runs_without_the_environment_of_the_tool(tmp_path: Path) -> None:
    assert builtin.argv(shot(tmp_path, 80, "/"))[:3] == [sys.executable, "-I", "-S"]


def test_its_numbers_are_not_for_comparison_and_it_speaks_plain_http_1_only() -> None:
    assert (builtin.LOAD.protocols, builtin.LOAD.program) == (("h1",), "")
    assert builtin.LOAD.version("") == f"Python {'.'.join(map(str, sys.version_info[:3]))}"
