"""Asks a server one thing at a time: is it ready, is the answer right, and is it really ours that answers."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import psutil

from servermatrix.measure.client import Address, Answer, exchange
from servermatrix.measure.failure import StepFailure, last_words
from servermatrix.measure.process import Running
from servermatrix.measure.usage import read
from servermatrix.model import App, Cause, Expect, Request

POLL_S = 0.02
SHOWN_BODY = 60
IDLE_SHARE = 0.1
LOOKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds.

    For one answer, for the first right one, for wrong ones to become right, for quiet, for a server to end when it is told to.
    """

    answer_s: float = 5.0
    ready_s: float = 20.0
    wrong_s: float = 2.0
    quiet_s: float = 10.0
    stop_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a server is asked, what is right, and how long it may take; `said` names the question where there are several."""

    address: Address
    request: Request
    expect: Expect
    patience: Patience = Patience()
    said: str = ""


def free_port(host: str) -> int:
    """Find a port nobody listens on; bound without SO_REUSEPORT, since with it a taken port can be joined in silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def port_is_free(host: str, port: int) -> bool:
    """Tell whether a port can be bound alone; connections in TIME_WAIT do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def no_port_left(host: str, port: int) -> bool:
    """Tell whether there is no port left to connect to an address from; who listens there does not matter."""
    try:
        socket.create_connection((host, port), 1.0).close()
    except OSError as failure:
        return failure.errno == errno.EADDRNOTAVAIL
    return False


def ask(question: Question) -> Answer:
    """Send one request over a fresh connection; OSError when no whole answer comes in time."""
    return exchange(question.address, question.request, question.patience.answer_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of a question: the answer where a whole one came, and what is wrong, None when nothing is."""

    answer: Answer | None
    wrong: str | None


def hear(question: Question) -> Heard:
    """Ask once and judge."""
    try:
        answer = ask(question)
    except TimeoutError:
        return Heard(answer=None, wrong=f"gave no answer within {question.patience.answer_s:.0f} s")
    except OSError as failure:
        return Heard(answer=None, wrong=f"gave no answer ({failure or type(failure).__name__})")
    return Heard(answer=answer, wrong=complaint(answer, question.expect))


def complaint(answer: Answer, expect: Expect) -> str | None:
    """Say what is wrong with an answer, None when it is right."""
    if answer.status != expect.status:
        return f"answered {answer.status} instead of {expect.status}"
    text = answer.body.decode(errors="replace")
    if expect.body is not None and text != expect.body:
        return f"answered with a wrong body: {text[:SHOWN_BODY]!r} instead of {expect.body[:SHOWN_BODY]!r}"
    if expect.contains is not None and expect.contains not in text:
        return f"answered with a wrong body: {text[:SHOWN_BODY]!r} does not contain {expect.contains[:SHOWN_BODY]!r}"
    return None


def check_once(running: Running, question: Question, when: str) -> None:
    """Demand one right answer; StepFailure otherwise."""
    wrong = hear(question).wrong
    if wrong is not None:
        when = f"{when}, {question.said}" if question.said else f"{when} "
        raise StepFailure(Cause.SERVER, f"{when}the server {wrong}{last_words(running.log)}", fatal=True)


def questions(address: Address, app: App, patience: Patience) -> tuple[Question, ...]:
    """Return all that is asked of an app, one question for each request of its mix."""
    return tuple(
        Question(
            address=address,
            request=one.request,
            expect=one.expect,
            patience=patience,
            said=f"asked {one.request.method} {one.request.path} of the mix, " if app.mix else "",
        )
        for one in app.asked
    )


def check_each(running: Running, asked: Sequence[Question], when: str) -> None:
    """Demand the right answer to one question after the other; StepFailure names the one that has another."""
    for question in asked:
        check_once(running, question, when)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The first right answer, and the seconds it took to come."""

    after_s: float
    answer: Answer


def wait_ready(running: Running, question: Question, workers: int) -> Ready:
    """Wait for the right answer from a server of our own.

    An exit code proves nothing here: several servers exit with 0 after a failed start. Neither does an open port: some
    listen long before the app is up.
    """
    begin = time.monotonic()
    wrong_since: float | None = None
    seen: set[int] = set()
    said: str | None = "never accepted a connection"
    while (now := time.monotonic()) - begin < question.patience.ready_s:
        _check_alive(running, seen, workers)
        heard = hear(question)
        if heard.answer is not None and heard.wrong is None:
            ready = Ready(after_s=time.monotonic() - begin, answer=heard.answer)
            check_listeners(running, question.address)
            return ready
        said = heard.wrong
        wrong_since = (wrong_since or now) if heard.answer else None
        if wrong_since is not None and now - wrong_since > question.patience.wrong_s:
            break
        time.sleep(POLL_S)
    waited_s = time.monotonic() - begin
    raise StepFailure(
        Cause.SERVER, f"not ready after {waited_s:.0f} s: {question.said}it {said}{last_words(running.log)}", fatal=True
    )


def settle(running: Running, *, limit_s: float = 5.0, pause_s: float = 0.1) -> None:
    """Wait, bounded, until no further process appears and all are idle: one answer says nothing of the other workers."""
    deadline = time.monotonic() + limit_s
    before = read(running.members())
    while time.monotonic() < deadline:
        time.sleep(pause_s)
        after = read(running.members())
        used_us = sum(cpu.since(before.processes[pid]) for pid, cpu in after.processes.items() if pid in before.processes)
        if after.processes.keys() == before.processes.keys() and used_us < IDLE_SHARE * pause_s * 1e6:
            return
        before = after


def _check_alive(running: Running, seen: set[int], workers: int) -> None:
    """Fail when the server has exited, with whatever code, or keeps starting workers that die."""
    code = running.exit_code()
    if code is not None:
        sentence = f"the server exited with code {code} before it answered{last_words(running.log)}"
        raise StepFailure(Cause.SERVER, sentence, fatal=True)
    alive = running.members()
    seen.update(alive)
    if len(seen.difference(alive)) > 3 * (workers + 2):
        sentence = f"the server starts its workers again and again, {len(seen)} processes so far{last_words(running.log)}"
        raise StepFailure(Cause.SERVER, sentence, fatal=True)


def check_listeners(running: Running, address: Address) -> None:
    """Demand that whoever listens on the port is ours: servers with SO_REUSEPORT share a taken port in silence."""
    strangers = lasting(lambda: listening_on(address.port, apart_from=running.members()))
    if strangers:
        sentence = f"port {address.port} is also listened on by another program (process {', '.join(strangers)})"
        raise StepFailure(Cause.ENVIRONMENT, sentence)


def lasting(look: Callable[[], Collection[str]]) -> list[str]:
    """Look again, a few times, and keep what every look shows.

    One look is no proof: sockets and their owners are read one after the other, so the listener that a second worker
    opens in between has an owner whom nobody knows yet.
    """
    seen = set(look())
    for _ in range(LOOKS - 1):
        if not seen:
            break
        time.sleep(POLL_S)
        seen &= set(look())
    return sorted(seen)


def listening_on(port: int, apart_from: Collection[int] = ()) -> list[str]:
    """List the processes that listen on a port, `unknown` for those of other users; empty where that is not told."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS tells only root
        return []
    return sorted(
        {
            str(each.pid or "unknown")
            for each in connections
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr[1] == port and each.pid not in apart_from
        }
    )
