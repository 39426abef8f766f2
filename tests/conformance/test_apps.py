"""What every app under test keeps to, called by hand as a server would; a new file in apps/ is covered as it is."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain, repeat
from typing import Any

import pytest

from servermatrix.config.applications import app_names, builtin_app
from servermatrix.measure.probe import Answer, complaint
from servermatrix.plugins import builtin_root

Message = dict[str, Any]
Application = Callable[..., Awaitable[None]]
ALL = (*app_names(), "witness")

every_app = pytest.mark.parametrize("name", ALL)


def load(name: str) -> Application:
    """Load the app by its file, under a name that hides nothing."""
    spec = importlib.util.spec_from_file_location(f"app_under_test_{name}", builtin_root() / "apps" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app: Application = module.app
    return app


def call(app: Application, scope: Message, messages: Iterable[Message]) -> list[Message]:
    """Call the app with what it receives and return what it sent; bounded."""
    sent: list[Message] = []
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await asyncio.wait_for(app(scope, receive, send), 5)

    asyncio.run(run())
    return sent


def ask(name: str, app: Application) -> list[Message]:
    request = builtin_app(name).request
    path, _, query = request.path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(key.lower().encode(), value.encode()) for key, value in request.headers],
    }
    first = {"type": "http.request", "body": request.body.encode(), "more_body": False}
    return call(app, scope, chain([first], repeat({"type": "http.disconnect"})))


def body(sent: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in sent[1:])


@every_app
def test_it_answers_its_request_as_expected(name: str) -> None:
    sent = ask(name, load(name))
    answer = Answer(status=sent[0]["status"], version=11, body=body(sent))
    assert complaint(answer, builtin_app(name).expect) is None


@every_app
def test_an_answer_is_one_start_and_one_whole_body(name: str) -> None:
    sent = ask(name, load(name))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert not sent[-1].get("more_body", False)


@every_app
def test_the_length_is_said_and_right_so_that_every_server_frames_it_alike(name: str) -> None:
    sent = ask(name, load(name))
    lengths = [value for key, value in sent[0]["headers"] if key == b"content-length"]
    assert lengths == [str(len(body(sent))).encode()]


@every_app
def test_headers_are_lower_case_bytes(name: str) -> None:
    for key, value in ask(name, load(name))[0]["headers"]:
        assert isinstance(key, bytes)
        assert isinstance(value, bytes)
        assert key == key.lower()


@every_app
def test_two_requests_are_answered_alike(name: str) -> None:
    app = load(name)
    first, second = (ask(name, app) for _ in range(2))
    if name != "witness":
        assert first == second
    assert first[0]["status"] == second[0]["status"]


@every_app
def test_it_takes_part_in_the_lifespan_protocol(name: str) -> None:
    messages = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    sent = call(load(name), {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, messages)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_the_witness_tells_loop_protocol_worker_and_the_versions_asked_for() -> None:
    app = load("witness")
    scope = {"type": "http", "http_version": "1.1", "query_string": b"packaging&no-such-thing"}
    said = json.loads(body(call(app, scope, ())))
    assert said["loop"].startswith("asyncio.")
    assert said["http"].startswith("tests.conformance.") or "send" in said["http"]
    assert said["http_version"] == "1.1"
    assert said["pid"] > 0
    assert said["versions"]["no-such-thing"] is None
    assert said["versions"]["packaging"]


def test_the_witness_names_the_class_behind_a_bound_method() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.sent: list[Message] = []

        async def send(self, message: Message) -> None:
            self.sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    cycle = Cycle()
    scope = {"type": "http", "http_version": "2", "query_string": b""}
    asyncio.run(_awaited(load("witness")(scope, receive, cycle.send)))
    assert json.loads(body(cycle.sent))["http"].endswith(".Cycle")


async def _awaited(coroutine: Awaitable[None]) -> None:
    await coroutine
