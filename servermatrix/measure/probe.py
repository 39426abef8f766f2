"""Asks a server one thing at a time: is it ready, is the answer right, and is it really ours that answers."""

from __future__ import annotations

import http.client
import socket
import time
from dataclasses import dataclass

import psutil

from servermatrix.measure.failure import StepFailure, last_words
from servermatrix.measure.process import Running
from servermatrix.measure.usage import read
from servermatrix.model import Cause, Expect, Request

POLL_S = 0.02
ANSWER_LIMIT_S = 5.0
READY_LIMIT_S = 20.0
WRONG_ANSWER_LIMIT_S = 2.0
SHOWN_BODY = 60
IDLE_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: status, version as 11 for HTTP/1.1, and the body."""

    status: int
    version: int
    body: bytes


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


def ask(address: Address, request: Request, *, limit_s: float = ANSWER_LIMIT_S) -> Answer:
    """Send one request over a fresh connection; OSError or HTTPException when no whole answer comes in time."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=limit_s)
    try:
        connection.request(request.method, request.path, request.body.encode() or None, dict(request.headers))
        response = connection.getresponse()
        return Answer(status=response.status, version=response.version, body=response.read())
    finally:
        connection.close()


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


def check_once(running: Running, address: Address, request: Request, expect: Expect, when: str) -> None:
    """Demand one right answer; StepFailure otherwise."""
    try:
        wrong = complaint(ask(address, request), expect)
    except (OSError, http.client.HTTPException) as failure:
        wrong = f"gave no answer ({_why(failure)})"
    if wrong is not None:
        raise StepFailure(Cause.SERVER, f"{when} the server {wrong}{last_words(running.log)}", fatal=True)


def wait_ready(
    running: Running, address: Address, request: Request, expect: Expect, *, workers: int, limit_s: float = READY_LIMIT_S
) -> float:
    """Wait for the right answer from a server of our own; return the seconds it took from now.

    An exit code proves nothing here: several servers exit with 0 after a failed start. Neither does an open port: some
    listen long before the app is up.
    """
    begin = time.monotonic()
    first_wrong_at: float | None = None
    seen: set[int] = set()
    said = "never accepted a connection"
    while (now := time.monotonic()) - begin < limit_s:
        _check_alive(running, seen, workers)
        try:
            wrong = complaint(ask(address, request), expect)
        except (OSError, http.client.HTTPException) as failure:
            said, first_wrong_at = f"gave no answer ({_why(failure)})", None
        else:
            if wrong is None:
                ready_s = time.monotonic() - begin
                check_listeners(running, address)
                return ready_s
            said, first_wrong_at = wrong, first_wrong_at or now
            if now - first_wrong_at > WRONG_ANSWER_LIMIT_S:
                break
        time.sleep(POLL_S)
    waited_s = time.monotonic() - begin
    raise StepFailure(Cause.SERVER, f"not ready after {waited_s:.0f} s: it {said}{last_words(running.log)}", fatal=True)


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
    seen.update(running.members())
    if len(seen) > 3 * (workers + 2):
        sentence = f"the server starts its workers again and again, {len(seen)} processes so far{last_words(running.log)}"
        raise StepFailure(Cause.SERVER, sentence, fatal=True)


def check_listeners(running: Running, address: Address) -> None:
    """Demand that whoever listens on the port is ours: servers with SO_REUSEPORT share a taken port in silence."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS tells only root
        return
    ours = set(running.members())
    strangers = sorted(
        str(each.pid or "unknown")
        for each in connections
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr[1] == address.port and each.pid not in ours
    )
    if strangers:
        sentence = f"port {address.port} is also listened on by another program (process {', '.join(strangers)})"
        raise StepFailure(Cause.ENVIRONMENT, sentence)


def _why(failure: OSError | http.client.HTTPException) -> str:
    if isinstance(failure, TimeoutError):
        return f"nothing came within {ANSWER_LIMIT_S:.0f} s"
    return str(failure) or type(failure).__name__
