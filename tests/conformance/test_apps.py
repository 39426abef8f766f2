"""What every app under test keeps to, called by hand as a server would; a new file in apps/ is covered as it is."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from typing import Any

import pytest
import trio

from servermatrix.config.applications import app_names, builtin_app
from servermatrix.measure.client import Answer
from servermatrix.measure.probe import complaint
from servermatrix.model import Request
from servermatrix.plugins import builtin_root

Message = dict[str, Any]
Application = Callable[..., Any]
Runner = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
Pairs = list[tuple[str, str]]

WITNESS = "witness"
MEASURED = app_names()
ALL = (*MEASURED, WITNESS)
TWINS = ("wsgi", "rsgi")
# What is known of these beforehand holds for ASGI servers, so they are written for no other interface.
CONTROLS = tuple(name for name in MEASURED if builtin_app(name).control)
WITH_TWINS = tuple(name for name in ALL if name not in CONTROLS)
# It has no length, so that servers choose how to frame it.
STREAM = "stream"

every_app = pytest.mark.parametrize("name", ALL)
every_app_with_twins = pytest.mark.parametrize("name", WITH_TWINS)
every_measured_app_with_twins = pytest.mark.parametrize("name", [name for name in WITH_TWINS if name != WITNESS])
every_control = pytest.mark.parametrize("name", CONTROLS)
every_twin = pytest.mark.parametrize("interface", TWINS)
every_loop = pytest.mark.parametrize("loop", ["asyncio", "trio"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an app answered, whatever its interface."""

    status: int
    headers: Pairs
    pieces: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


def load(name: str) -> Application:
    """Load the app by its file, under a name that hides nothing; twins are named `wsgi/plaintext`."""
    file = builtin_root() / "apps" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"app_under_test_{name.replace('/', '_')}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app: Application = module.app
    return app


def on_asyncio(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(work(), 5)

    asyncio.run(bounded())


def on_trio(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(5):
            await work()

    trio.run(bounded)


RUNNERS: dict[str, Runner] = {"asyncio": on_asyncio, "trio": on_trio}


def call(app: Application, scope: Message, messages: Iterable[Message], run: Runner = on_asyncio) -> list[Message]:
    """Call an ASGI app with what it receives and return what it sent; bounded."""
    sent: list[Message] = []
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    async def send(message: Message) -> None:
        sent.append(message)

    async def work() -> None:
        await app(scope, receive, send)

    run(work)
    return sent


def ask(app: Application, request: Request, version: str = "1.1", run: Runner = on_asyncio) -> list[Message]:
    path, _, query = request.path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": version,
        "method": request.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(key.lower().encode(), value.encode()) for key, value in request.headers],
    }
    first = {"type": "http.request", "body": request.body.encode(), "more_body": False}
    return call(app, scope, chain([first], repeat({"type": "http.disconnect"})), run)


def ask_asgi(app: Application, request: Request, version: str = "1.1") -> Reply:
    start, *rest = ask(app, request, version)
    headers = [(key.decode(), value.decode()) for key, value in start["headers"]]
    return Reply(status=start["status"], headers=headers, pieces=[message["body"] for message in rest if message["body"]])


def ask_wsgi(app: Application, request: Request, version: str = "1.1") -> Reply:
    """Call a WSGI app as PEP 3333 has it: the path is its bytes read as Latin-1."""
    path, _, query = request.path.partition("?")
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/2.0" if version == "2" else f"HTTP/{version}",
    }
    started: list[tuple[str, Pairs]] = []

    def start_response(status: str, headers: Pairs) -> None:
        started.append((status, headers))

    pieces = list(app(environ, start_response))
    ((status, headers),) = started
    reply = Reply(status=int(status.split()[0]), headers=list(headers), pieces=pieces)
    headers.append(("Content-Length", "as tornado adds it"))
    return reply


@dataclass(slots=True)
class Transport:
    """What RSGI hands out for an answer in pieces."""

    pieces: list[bytes] = field(default_factory=list)

    async def send_bytes(self, data: bytes) -> None:
        await asyncio.sleep(0)
        self.pieces.append(data)


@dataclass(slots=True)
class Protocol:
    """What RSGI hands to an app, as far as ours use it."""

    replies: list[tuple[int, Pairs, Transport]] = field(default_factory=list)

    def response_bytes(self, status: int, headers: Pairs, body: bytes) -> None:
        self.replies.append((status, headers, Transport([body])))

    def response_stream(self, status: int, headers: Pairs) -> Transport:
        transport = Transport()
        self.replies.append((status, headers, transport))
        return transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A request as RSGI has it."""

    http_version: str
    method: str
    path: str
    query_string: str


def ask_rsgi(app: Application, request: Request, version: str = "1.1") -> Reply:
    path, _, query = request.path.partition("?")
    protocol = Protocol()

    async def work() -> None:
        await app(Scope(http_version=version, method=request.method, path=path, query_string=query), protocol)

    on_asyncio(work)
    ((status, headers, transport),) = protocol.replies
    return Reply(status=status, headers=list(headers), pieces=transport.pieces)


ASK = {"wsgi": ask_wsgi, "rsgi": ask_rsgi}


def body(sent: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in sent[1:])


@every_app
def test_it_answers_its_request_as_expected(name: str) -> None:
    sent = ask(load(name), builtin_app(name).request)
    answer = Answer(status=sent[0]["status"], body=body(sent))
    assert complaint(answer, builtin_app(name).expect) is None


@every_app
def test_an_answer_is_one_start_and_one_whole_body(name: str) -> None:
    sent = ask(load(name), builtin_app(name).request)
    kinds = [message["type"] for message in sent]
    assert kinds[0] == "http.response.start"
    assert set(kinds[1:]) == {"http.response.body"}
    assert [message.get("more_body", False) for message in sent[1:]] == [True] * (len(sent) - 2) + [False]
    assert (len(sent) > 3) == (name == STREAM)


@every_app
def test_the_length_is_said_and_right_so_that_every_server_frames_it_alike(name: str) -> None:
    sent = ask(load(name), builtin_app(name).request)
    lengths = [value for key, value in sent[0]["headers"] if key == b"content-length"]
    assert lengths == ([] if name == STREAM else [str(len(body(sent))).encode()])


def test_the_stream_is_the_body_in_several_pieces_and_says_nothing_of_its_framing() -> None:
    stream, whole = (ask_asgi(load(name), builtin_app(name).request) for name in (STREAM, "body"))
    assert stream.body == whole.body
    assert len(whole.body) == 10_240
    assert len(stream.pieces) > 2
    assert not {key for key, _ in stream.headers} & {"content-length", "transfer-encoding"}


@every_app
def test_headers_are_lower_case_bytes(name: str) -> None:
    for key, value in ask(load(name), builtin_app(name).request)[0]["headers"]:
        assert isinstance(key, bytes)
        assert isinstance(value, bytes)
        assert key == key.lower()


@every_app
def test_two_requests_are_answered_alike(name: str) -> None:
    app = load(name)
    first, second = (ask(app, builtin_app(name).request) for _ in range(2))
    if name != WITNESS:
        assert first == second
    assert first[0]["status"] == second[0]["status"]


@every_app
@every_loop
def test_it_answers_and_takes_part_in_the_lifespan_protocol_on_every_loop(name: str, loop: str) -> None:
    app = load(name)
    messages = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    sent = call(app, {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, messages, RUNNERS[loop])
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert ask(app, builtin_app(name).request, run=RUNNERS[loop])[0]["status"] == 200


@every_loop
def test_the_sleeping_app_lets_others_go_on_meanwhile(loop: str) -> None:
    app, count = load("sleep"), 20

    async def on_asyncio_together(once: Callable[[], Awaitable[None]]) -> None:
        await asyncio.gather(*(once() for _ in range(count)))

    async def on_trio_together(once: Callable[[], Awaitable[None]]) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(once)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answered.append(message)

    async def once() -> None:
        await app({"type": "http"}, receive, send)

    answered: list[Message] = []
    begin = time.monotonic()
    together = on_asyncio_together if loop == "asyncio" else on_trio_together
    RUNNERS[loop](functools.partial(together, once))
    assert len(answered) == 2 * count
    # One after the other they would take count * 10 ms.
    assert 0.010 <= time.monotonic() - begin < count * 0.010


@every_measured_app_with_twins
def test_it_is_written_for_every_interface(name: str) -> None:
    assert {interface for interface, _ in builtin_app(name).twins} == set(TWINS)


@every_control
def test_a_control_is_written_for_asgi_alone(name: str) -> None:
    assert not builtin_app(name).twins


@every_control
@every_loop
def test_a_control_holds_what_it_says_for_as_long_as_it_says(name: str, loop: str) -> None:
    app, control = load(name), builtin_app(name).control
    assert control is not None
    ask(app, Request(), run=RUNNERS[loop])
    begin = time.monotonic()
    ask(app, Request(), run=RUNNERS[loop])
    assert control.seconds <= time.monotonic() - begin < control.seconds + 1


def test_the_controls_are_of_every_kind() -> None:
    found = [builtin_app(name).control for name in CONTROLS]
    assert {control.holds for control in found if control} == {"await", "threads", "worker", ""}


@every_loop
def test_the_threaded_app_uses_as_many_threads_as_it_says(loop: str) -> None:
    app, control = load("threads"), builtin_app("threads").control
    assert control is not None
    count = control.threads + 1

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        return None

    async def all_at_once() -> None:
        if loop == "trio":
            async with trio.open_nursery() as nursery:
                for _ in range(count):
                    nursery.start_soon(app, {"type": "http"}, receive, send)
        else:
            await asyncio.gather(*(app({"type": "http"}, receive, send) for _ in range(count)))

    begin = time.monotonic()
    RUNNERS[loop](all_at_once)
    # One more than there are threads waits for the first of them; one after the other they would take 41 times as long.
    assert 2 * control.seconds <= time.monotonic() - begin < count * control.seconds / 2


def test_the_burning_app_burns_a_fifth_of_what_a_request_costs_without_it() -> None:
    app = load("burn")
    cost = app.__globals__["COST"]

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        return None

    async def many(count: int) -> None:
        for _ in range(count):
            sum(range(2000))  # stands for the server's work
            await app({"type": "http"}, receive, send)

    def cpu_ns(count: int) -> float:
        begin = time.process_time_ns()
        asyncio.run(many(count))
        return (time.process_time_ns() - begin) / count

    without = cpu_ns(1999)
    assert cost.burn_ns == 0
    cpu_ns(2001)
    assert 0.05 * without < cost.burn_ns < 0.8 * without
    cpu_ns(500)
    assert 500 * cost.burn_ns <= cost.burnt_ns


@every_twin
def test_there_is_no_twin_without_its_app(interface: str) -> None:
    files = {file.stem for file in (builtin_root() / "apps" / interface).glob("*.py")}
    assert files == set(WITH_TWINS)


@every_twin
@every_app_with_twins
def test_what_to_ask_and_what_is_right_is_said_in_the_asgi_file_alone(interface: str, name: str) -> None:
    source = (builtin_root() / "apps" / interface / f"{name}.py").read_text()
    assert "REQUEST =" not in source
    assert "EXPECT =" not in source


@every_twin
@every_measured_app_with_twins
def test_a_twin_answers_the_same_status_headers_and_bytes(interface: str, name: str) -> None:
    request = builtin_app(name).request
    ours, twin = ask_asgi(load(name), request), ASK[interface](load(f"{interface}/{name}"), request)
    assert (twin.status, twin.headers, twin.body) == (ours.status, ours.headers, ours.body)
    assert len(twin.pieces) == len(ours.pieces)


@every_twin
@pytest.mark.parametrize("path", ["/some/where", "/grüße/世界"])
def test_the_document_of_a_twin_depends_on_the_request_in_the_same_way(interface: str, path: str) -> None:
    request = replace(builtin_app("json").request, path=path)
    ours, twin = ask_asgi(load("json"), request), ASK[interface](load(f"{interface}/json"), request)
    assert json.loads(ours.body)["path"] == path
    assert (twin.headers, twin.body) == (ours.headers, ours.body)


@every_twin
@every_measured_app_with_twins
def test_a_twin_answers_two_requests_alike_even_when_a_server_adds_headers_to_its_list(interface: str, name: str) -> None:
    app = load(f"{interface}/{name}")
    first, second = (ASK[interface](app, builtin_app(name).request) for _ in range(2))
    assert first == second


@every_twin
def test_a_twin_of_the_sleeping_app_waits_as_long(interface: str) -> None:
    begin = time.monotonic()
    ASK[interface](load(f"{interface}/sleep"), Request())
    assert time.monotonic() - begin >= 0.010


def test_the_witness_tells_loop_protocol_worker_and_the_versions_asked_for() -> None:
    said = json.loads(ask_asgi(load(WITNESS), Request(path="/?packaging&no-such-thing")).body)
    assert said["loop"].startswith("asyncio.")
    assert said["http"].startswith("tests.conformance.") or "send" in said["http"]
    assert said["http_version"] == "1.1"
    assert said["pid"] > 0
    assert said["versions"]["no-such-thing"] is None
    assert said["versions"]["packaging"]


def test_the_witness_knows_trio_when_it_sees_it() -> None:
    sent = ask(load(WITNESS), builtin_app(WITNESS).request, run=on_trio)
    assert json.loads(body(sent))["loop"].startswith("trio.")


class Cycle:
    """An answer in the making, as servers have them: what takes it is a method."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def send_to(self, _: str, message: Message) -> None:
        self.sent.append(message)


@pytest.mark.parametrize("wrapped", [False, True], ids=["a method", "a method with an argument filled in"])
def test_the_witness_names_the_class_behind_what_takes_the_answer(wrapped: bool) -> None:  # noqa: FBT001 - a case
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    cycle = Cycle()
    send = functools.partial(cycle.send_to, "this one") if wrapped else cycle.send
    scope = {"type": "http", "http_version": "2", "query_string": b""}
    on_asyncio(functools.partial(load(WITNESS), scope, receive, send))
    assert json.loads(body(cycle.sent))["http"].endswith(".Cycle")


@every_twin
def test_a_twin_of_the_witness_tells_the_same(interface: str) -> None:
    request = Request(path="/?packaging&no-such-thing")
    ours, twin = (json.loads(reply.body) for reply in (ask_asgi(load(WITNESS), request), ask_witness(interface, request)))
    assert list(twin) == list(ours)
    same = ("witness", "pid", "http_version", "python", "versions")
    assert {key: twin[key] for key in same} == {key: ours[key] for key in same}


def ask_witness(interface: str, request: Request, version: str = "1.1") -> Reply:
    return ASK[interface](load(f"{interface}/{WITNESS}"), request, version)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_every_witness_asks_for_a_new_connection_where_the_protocol_knows_such_a_header(version: str) -> None:
    replies = [ask_asgi(load(WITNESS), Request(), version), *(ask_witness(interface, Request(), version) for interface in TWINS)]
    for reply in replies:
        assert json.loads(reply.body)["http_version"] == version
        assert (("connection", "close") in reply.headers) == (version == "1.1")
        assert ("content-length", str(len(reply.body))) in reply.headers


class SomeWorker:
    """A worker, which calls apps by way of a container, as gunicorn's tornado worker does."""

    def run(self, app: Application, environ: Message) -> Iterable[bytes]:
        return Container().handle(app, environ)


class Container:
    def handle(self, app: Application, environ: Message) -> Iterable[bytes]:
        answer: Iterable[bytes] = app(environ, self.start_response)
        return answer

    def start_response(self, status: str, headers: Pairs) -> None:
        assert status == "200 OK"
        assert headers


def test_the_witness_for_wsgi_names_the_worker_whatever_stands_between_and_what_takes_the_answer() -> None:
    environ = {"QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.1"}
    said = json.loads(b"".join(SomeWorker().run(load(f"wsgi/{WITNESS}"), environ)))
    assert said["loop"].endswith(".SomeWorker")
    assert said["http"].endswith(".Container")
    alone = json.loads(b"".join(Container().handle(load(f"wsgi/{WITNESS}"), environ)))
    assert alone["loop"].endswith(".Container")


def test_the_witness_for_rsgi_names_loop_and_protocol_object() -> None:
    said = json.loads(ask_witness("rsgi", Request()).body)
    assert said["loop"].startswith("asyncio.")
    assert said["http"].endswith(".Protocol")


@every_app
def test_no_app_knows_of_the_tool(name: str) -> None:
    twins = () if name in CONTROLS else TWINS
    files = [builtin_root() / "apps" / f"{name}.py", *(builtin_root() / "apps" / twin / f"{name}.py" for twin in twins)]
    assert not [file for file in files if "servermatrix" in file.read_text()]
