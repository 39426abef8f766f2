"""Is a server ready, is its answer right, and is it really ours that answers."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.measure.certificate import make_certificate
from servermatrix.measure.client import Address, Answer
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.probe import (
    Heard,
    Question,
    ask,
    check_each,
    check_listeners,
    check_once,
    complaint,
    free_port,
    hear,
    lasting,
    no_port_left,
    port_is_free,
    questions,
    settle,
    wait_ready,
)
from servermatrix.model import App, Asked, Cause, Expect, Request
from tests.room import ANSWERING, SHORT, SLEEPER, answering, program, said
from tests.speakers import Reply, at, http2, saying, server_context, speaking

HOST = "127.0.0.1"
RIGHT = Expect(status=200, body="ok")
RESPAWNING = """
import subprocess, sys, time
while True:
    subprocess.run([sys.executable, '-S', '-c', 'import time; time.sleep(0.03)'])
"""
# Answers and then never stops; with a third word it promises that many bytes, sends two and hangs up.
ENDLESS = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True:
        connection, _ = listener.accept()
        connection.recv(4096)
        length = f"content-length: {sys.argv[2]}\\r\\n" if sys.argv[2:] else ""
        connection.sendall(f"HTTP/1.1 200 OK\\r\\n{length}\\r\\nok".encode())
        try:
            while not length:
                connection.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            pass
        connection.close()
"""
# A listener that is closed and opened again all the time, as by workers that start one after the other.
REOPENING = """
import socket, sys, time
print("up", flush=True)
while True:
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=True):
        time.sleep(0.004)
"""
MANY = (
    "import subprocess, sys\nfor _ in range(12): subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
)
RESTLESS = "import time\nprint('up', flush=True)\nwhile True: time.process_time()"


def question(port: int, expect: Expect = RIGHT) -> Question:
    return Question(address=Address(host=HOST, port=port), request=Request(), expect=expect, patience=SHORT)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with closing(socket.create_server((HOST, 0))) as listener:
        yield listener.getsockname()[1]


def answer(status: int = 200, body: str = "ok") -> Answer:
    return Answer(status=status, body=body.encode())


@pytest.mark.parametrize(
    ("came", "expect"),
    [
        (answer(), RIGHT),
        (answer(), Expect()),
        (answer(404, "no"), Expect(status=404)),
        (answer(body="well, ok then"), Expect(contains="ok")),
        (answer(body="Grüße"), Expect(body="Grüße", contains="rü")),
        (answer(body=""), Expect(body="")),
    ],
)
def test_a_right_answer_has_no_complaint(came: Answer, expect: Expect) -> None:
    assert complaint(came, expect) is None


@pytest.mark.parametrize(
    ("came", "expect", "sentence"),
    [
        (answer(500), RIGHT, "answered 500 instead of 200"),
        (answer(200), Expect(status=404), "answered 200 instead of 404"),
        (answer(body="ok\n"), RIGHT, r"answered with a wrong body: 'ok\n' instead of 'ok'"),
        (answer(body=""), RIGHT, "answered with a wrong body: '' instead of 'ok'"),
        (answer(body="ok"), Expect(contains="welcome"), "answered with a wrong body: 'ok' does not contain 'welcome'"),
        (answer(body="x" * 99), RIGHT, f"answered with a wrong body: '{'x' * 60}' instead of 'ok'"),
    ],
)
def test_a_wrong_answer_is_shown_beside_the_right_one(came: Answer, expect: Expect, sentence: str) -> None:
    assert complaint(came, expect) == sentence


def test_a_body_that_is_no_text_is_wrong_and_not_fatal() -> None:
    assert "wrong body" in str(complaint(Answer(status=200, body=b"\xff"), RIGHT))


def test_a_free_port_can_be_taken_and_differs_from_a_taken_one() -> None:
    with closing(socket.create_server((HOST, 0))) as listener:
        taken = listener.getsockname()[1]
        found = free_port(HOST)
        assert found != taken
        assert port_is_free(HOST, found)
        assert not port_is_free(HOST, taken)


def test_a_port_that_could_be_joined_is_not_free() -> None:
    with closing(socket.create_server((HOST, 0), reuse_port=True)) as listener:
        assert not port_is_free(HOST, listener.getsockname()[1])


def test_a_port_held_on_all_addresses_is_not_free() -> None:
    with closing(socket.create_server(("0.0.0.0", 0), reuse_port=True)) as listener:  # noqa: S104 - the case itself
        assert not port_is_free(HOST, listener.getsockname()[1])


def test_while_there_are_ports_to_connect_from_none_is_missed_whoever_listens() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        assert not no_port_left(HOST, port)
    assert not no_port_left(HOST, port)  # refused, which takes a port


def test_a_port_is_free_again_right_after_its_connections_have_ended() -> None:
    with closing(socket.create_server((HOST, 0))) as listener:
        port = listener.getsockname()[1]
        with closing(socket.create_connection((HOST, port))):
            listener.accept()[0].close()
    assert port_is_free(HOST, port)


def test_asking_brings_back_status_body_and_what_it_was_on_the_wire() -> None:
    with answering(lambda: (201, b"made")) as address:
        came = ask(replace(question(address.port), address=address))
    assert (came.status, came.body, came.framing, came.tls) == (201, b"made", "content-length", "")
    assert came.head_bytes > len("HTTP/1.0 201 Created")


@pytest.mark.parametrize("protocol", ["h2c", "h2"])
def test_asking_is_done_in_the_protocol_of_the_address(protocol: str) -> None:
    certificate = make_certificate()
    context = server_context(certificate, "h2") if protocol == "h2" else None
    with speaking(http2(Reply()), context) as port:
        came = ask(replace(question(port), address=at(port, protocol, certificate)))
    assert (came.status, came.body, bool(came.tls)) == (200, b"ok", protocol == "h2")


def test_an_answer_is_told_apart_from_none() -> None:
    with answering(lambda: (200, b"wrong")) as address:
        heard = hear(question(address.port))
        assert heard.wrong == "answered with a wrong body: 'wrong' instead of 'ok'"
        assert heard.answer is not None
        right = hear(question(address.port, Expect(body="wrong")))
        assert (right.answer is not None, right.wrong) == (True, None)


def test_a_server_that_says_nothing_is_given_up_in_time(silent: int) -> None:
    begin = time.monotonic()
    assert hear(question(silent)) == Heard(answer=None, wrong="gave no answer within 0 s")
    assert time.monotonic() - begin < 3


def test_nobody_on_the_port_is_no_answer() -> None:
    heard = hear(question(free_port(HOST)))
    assert heard.answer is None
    assert "gave no answer (" in str(heard.wrong)
    assert "refused" in str(heard.wrong)


@pytest.mark.parametrize(
    ("protocol", "sentence"),
    [
        ("h2c", "gave no answer (it answered in HTTP/1 where h2c was asked for)"),
        ("h2", "gave no answer (it chose no protocol in the TLS handshake where h2 was asked for)"),
    ],
)
def test_a_server_that_goes_down_to_http_1_is_told_so(protocol: str, sentence: str) -> None:
    certificate = make_certificate()
    context = server_context(certificate, "http/1.1") if protocol == "h2" else None
    with speaking(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", close=False), context) as port:
        patient = replace(question(port), patience=replace(SHORT, answer_s=3.0))
        assert hear(replace(patient, address=at(port, protocol, certificate))) == Heard(answer=None, wrong=sentence)


def test_a_server_is_ready_when_it_gives_the_right_answer(tmp_path: Path) -> None:
    port = free_port(HOST)
    with program(tmp_path, ANSWERING, str(port), "200", "ok") as running:
        ready = wait_ready(running, question(port), 1)
        assert 0 < ready.after_s < SHORT.ready_s
        assert (ready.answer.status, ready.answer.body, ready.answer.framing) == (200, b"ok", "content-length")
        check_once(running, question(port), "after the load")


def test_a_server_that_keeps_answering_wrongly_is_given_up_before_the_time_for_starting_is_over(tmp_path: Path) -> None:
    port = free_port(HOST)
    with program(tmp_path, ANSWERING, str(port), "500", "ok") as running:
        begin = time.monotonic()
        with pytest.raises(StepFailure, match=r"not ready after \d s: it answered 500 instead of 200") as caught:
            wait_ready(running, question(port), 1)
        assert time.monotonic() - begin < SHORT.ready_s
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)


@pytest.mark.parametrize("code", [0, 3])
def test_a_server_that_exits_is_not_ready_whatever_its_code(tmp_path: Path, code: int) -> None:
    source = f"import sys; print('OSError: no room', flush=True); sys.exit({code})"
    with program(tmp_path, source) as running, pytest.raises(StepFailure) as caught:
        wait_ready(running, question(free_port(HOST)), 1)
    assert caught.value.reason == f"the server exited with code {code} before it answered: OSError: no room"


def test_a_server_that_never_listens_is_given_up(tmp_path: Path) -> None:
    patient = replace(question(free_port(HOST)), patience=replace(SHORT, ready_s=0.3))
    with program(tmp_path, SLEEPER) as running, pytest.raises(StepFailure, match="not ready after 0 s: it gave no answer"):
        wait_ready(running, patient, 1)


def test_a_server_whose_workers_die_again_and_again_is_given_up(tmp_path: Path) -> None:
    patient = replace(question(free_port(HOST)), patience=replace(SHORT, ready_s=20.0))
    with program(tmp_path, RESPAWNING) as running, pytest.raises(StepFailure) as caught:
        wait_ready(running, patient, 1)
    assert re.search(r"starts its workers again and again, 1\d processes so far", caught.value.reason)


def test_a_server_with_many_processes_that_live_is_not_given_up(tmp_path: Path) -> None:
    port = free_port(HOST)
    with program(tmp_path, MANY + ANSWERING, str(port), "200", "ok") as running:
        assert wait_ready(running, question(port), 1).after_s > 0


def test_an_answer_that_never_ends_is_given_up_in_time(tmp_path: Path) -> None:
    port = free_port(HOST)
    with program(tmp_path, ENDLESS, str(port)) as running:
        patient = replace(question(port), patience=replace(SHORT, ready_s=1.5))
        begin = time.monotonic()
        with pytest.raises(StepFailure, match="gave no answer within"):
            wait_ready(running, patient, 1)
        assert time.monotonic() - begin < 10


def test_an_answer_shorter_than_it_says_is_none(tmp_path: Path) -> None:
    port = free_port(HOST)
    with program(tmp_path, ENDLESS, str(port), "9") as running:
        patient = replace(question(port, Expect()), patience=replace(SHORT, ready_s=1.0))
        with pytest.raises(StepFailure, match="gave no answer"):
            wait_ready(running, patient, 1)


def test_a_wrong_answer_after_the_load_is_the_servers_fault(tmp_path: Path) -> None:
    with program(tmp_path, SLEEPER) as running, pytest.raises(StepFailure) as caught:
        check_once(running, question(free_port(HOST)), "after the load")
    assert caught.value.reason.startswith("after the load the server gave no answer")
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)


def test_a_stranger_that_shares_the_port_is_found(tmp_path: Path) -> None:
    with closing(socket.create_server((HOST, 0), reuse_port=True)) as listener:
        port = listener.getsockname()[1]
        with program(tmp_path, ANSWERING, str(port), "200", "ok") as running:
            address = Address(host=HOST, port=port)
            with pytest.raises(StepFailure, match=f"port {port} is also listened on by another program") as caught:
                check_listeners(running, address)
    assert caught.value.cause is Cause.ENVIRONMENT


def test_a_listener_whose_owner_one_look_does_not_know_is_no_stranger() -> None:
    looks = iter([["unknown"], ["unknown"], []])
    assert lasting(lambda: next(looks)) == []


def test_a_stranger_must_be_seen_by_every_look() -> None:
    looks = iter([["7", "unknown"], ["7"], ["7", "8"], ["7"], ["7"]])
    assert lasting(lambda: next(looks)) == ["7"]


def test_workers_that_open_their_listeners_while_one_looks_are_no_strangers(tmp_path: Path) -> None:
    port = free_port(HOST)
    with program(tmp_path, REOPENING, str(port)) as running:
        assert said(running, "up")
        for _ in range(60):
            check_listeners(running, Address(host=HOST, port=port))


def test_two_servers_on_one_port_are_not_taken_for_one(tmp_path: Path) -> None:
    port = free_port(HOST)
    (tmp_path / "other").mkdir()
    with program(tmp_path / "other", ANSWERING, str(port), "200", "ok") as other:
        wait_ready(other, question(port), 1)
        with program(tmp_path, ANSWERING, str(port), "200", "ok") as running, pytest.raises(StepFailure) as caught:
            wait_ready(running, question(port), 1)
    assert f"(process {other.session})" in caught.value.reason


def test_who_listens_elsewhere_is_no_stranger(tmp_path: Path) -> None:
    with closing(socket.create_server((HOST, 0))), program(tmp_path, SLEEPER) as running:
        check_listeners(running, Address(host=HOST, port=free_port(HOST)))
        assert running.exit_code() is None


def test_an_idle_server_settles_at_once(tmp_path: Path) -> None:
    with program(tmp_path, SLEEPER) as running:
        assert said(running, "up")
        begin = time.monotonic()
        settle(running, limit_s=20.0, pause_s=0.2)
        assert time.monotonic() - begin < 10


def test_waiting_for_a_restless_server_to_settle_is_bounded(tmp_path: Path) -> None:
    with program(tmp_path, RESTLESS) as running:
        assert said(running, "up")
        begin = time.monotonic()
        settle(running, limit_s=0.5, pause_s=0.1)
        assert 0.5 <= time.monotonic() - begin < 3


def test_a_server_whose_processes_keep_appearing_has_not_settled(tmp_path: Path) -> None:
    source = "import subprocess, sys, time\n" + "for n in range(4):\n"
    source += "    subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n    time.sleep(0.15)\n"
    with program(tmp_path, source + "time.sleep(60)") as running:
        settle(running, limit_s=15.0, pause_s=0.3)
        assert len(running.members()) == 5


def mixed(*asked: Asked) -> App:
    return App(name="shop", target="shop:app", folder=".", request=asked[0].request, expect=asked[0].expect, mix=asked)


def test_all_that_is_asked_of_an_app_is_asked_one_by_one() -> None:
    address = Address(host=HOST, port=1)
    one = App(name="shop", target="shop:app", folder=".", request=Request(path="/x"), expect=RIGHT)
    (alone,) = questions(address, one, SHORT)
    assert (alone.request, alone.expect, alone.patience, alone.said) == (one.request, RIGHT, SHORT, "")
    mix = (Asked(request=Request(path="/a")), Asked(request=Request(path="/b", method="PUT"), expect=RIGHT, weight=3))
    found = questions(address, mixed(*mix), SHORT)
    assert [(each.request, each.expect) for each in found] == [(each.request, each.expect) for each in mix]
    assert found[1].said == "asked PUT /b of the mix, "


def test_the_request_of_a_mix_that_is_answered_wrongly_is_named(tmp_path: Path) -> None:
    mix = [
        Asked(request=Request(path=path), expect=Expect(body="ok", status=status)) for path, status in (("/a", 200), ("/b", 201))
    ]
    port = free_port(HOST)
    with program(tmp_path, ANSWERING, str(port), "200", "ok") as running:
        asked = questions(Address(host=HOST, port=port), mixed(*mix), SHORT)
        wait_ready(running, asked[0], 1)
        check_each(running, asked[:1], "before the load")
        with pytest.raises(
            StepFailure, match=r"^before the load, asked GET /b of the mix, the server answered 200 instead of 201"
        ):
            check_each(running, asked, "before the load")
        with pytest.raises(StepFailure, match=r"^not ready after \d s: asked GET /b of the mix, it answered 200 instead of 201"):
            wait_ready(running, asked[1], 1)
