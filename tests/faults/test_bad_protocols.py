"""What a server lacks is excluded with the reason, and fails in bounded time when it is started nevertheless."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.contracts import Launch, Server
from servermatrix.measure import run
from servermatrix.measure.bench import Bench
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.probe import Patience
from servermatrix.measure.witness import prove
from servermatrix.model import App, Cause, Cell, Expect, Failed, Measured, Step
from tests.conftest import RunCli, write_app
from tests.faults.real_servers import cell, real

pytestmark = pytest.mark.servers

LIMIT = Patience(answer_s=1.5, ready_s=4.0, wrong_s=0.5)
GRANIAN = {"interface": "asgi", "loop": "uvloop", "runtime-mode": "mt", "runtime-threads": "1"}
GUNICORN = {"interface": "asgi", "worker": "asgi", "loop": "uvloop"}
UNDER_UVICORN = {"interface": "asgi", "worker": "uvicorn", "loop": "uvloop", "http": "zttp"}
NOT_IN_HTTP2 = r"HTTP/2 requires the `zttp` HTTP protocol"


def refused(bench: Bench, wish: Cell) -> StepFailure:
    """Start a setting on the witness, demand that it fails in bounded time, and return how."""
    begin = time.monotonic()
    with pytest.raises(StepFailure) as caught:
        prove(bench, wish)
    assert time.monotonic() - begin < bench.patience.ready_s + 15
    assert caught.value.cause is Cause.SERVER
    assert "\n" not in caught.value.reason
    return caught.value


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("wish", "said"),
    [
        pytest.param(cell("uvicorn", protocol="h2c", http="h11", loop="uvloop"), NOT_IN_HTTP2, id="uvicorn-h11-h2c"),
        pytest.param(cell("uvicorn", protocol="h2", http="httptools", loop="asyncio"), NOT_IN_HTTP2, id="uvicorn-httptools-h2"),
        pytest.param(
            cell("gunicorn", protocol="h2", options={**UNDER_UVICORN, "http": "h11"}), NOT_IN_HTTP2, id="gunicorn-uvicorn-h11-h2"
        ),
        pytest.param(cell("uvicorn", protocol="h1s", http="httptools", loop="rloop"), "NotImplementedError", id="rloop-h1s"),
        pytest.param(cell("uvicorn", protocol="h2", http="zttp", loop="rloop"), "NotImplementedError", id="rloop-h2"),
        pytest.param(cell("uvicorn", protocol="h2c", http="zttp", loop="rloop"), "gave no answer within", id="rloop-h2c"),
    ],
)
def test_what_a_plug_in_objects_to_fails_when_it_is_started_nevertheless(
    bench: Bench, wish: Cell, said: str, workers: int
) -> None:
    patient = replace(real(bench, wish), patience=replace(LIMIT, ready_s=8.0 if workers > 1 else LIMIT.ready_s))
    assert re.search(said, refused(patient, replace(wish, workers=workers)).reason)


MATRIX = """
servers: {%(servers)s}
axes: {protocol: [%(protocols)s], connections: 8}
load: {duration: 1s, warmup: 0s, windows: 1}
rounds: 1
noise: {foreign_cpu: 1.0, steal: 1.0}
"""


@pytest.mark.parametrize(
    ("servers", "protocols", "reason"),
    [
        ("uvicorn: {http: h11}", "h2c, h2", "uvicorn speaks HTTP/2 with zttp alone"),
        ("uvicorn: {loop: rloop}", "h1s", "rloop has no TLS"),
        ("gunicorn: {worker: uvicorn, http: httptools}", "h2", "uvicorn speaks HTTP/2 with zttp alone"),
        ("daphne: {}", "h2c", "daphne does not speak h2c"),
    ],
)
def test_it_is_excluded_with_its_reason_and_nothing_is_started(
    run_cli: RunCli, tmp_path: Path, servers: str, protocols: str, reason: str
) -> None:
    (tmp_path / "matrix.yaml").write_text(MATRIX % {"servers": servers, "protocols": protocols})
    done = run_cli("run")
    assert done.returncode == 2
    assert "leaves no cell to run" in done.stderr
    assert reason in done.stderr
    assert not (tmp_path / "reports").exists()


def rewritten(server: Server, change: Callable[[list[str]], list[str]]) -> Server:
    """Have a server started with another command line than its plug-in would write."""

    def argv(launch: Launch) -> list[str]:
        return change(server.argv(launch))

    return replace(server, argv=argv)


def with_value(flag: str, value: str) -> Callable[[list[str]], list[str]]:
    return lambda words: [value if before == flag else word for before, word in zip(["", *words], words, strict=False)]


def without_flag(flag: str) -> Callable[[list[str]], list[str]]:
    return lambda words: [word for word in words if word != flag]


@pytest.mark.parametrize(
    ("wish", "change", "said"),
    [
        (cell("granian", protocol="h2c", options=GRANIAN), with_value("--http", "1"), "it closed the connection|reset by peer"),
        (cell("granian", protocol="h2", options=GRANIAN), with_value("--http", "1"), "no application protocol"),
        (
            cell("granian", protocol="h1", options=GRANIAN),
            with_value("--http", "2"),
            "it does not answer in HTTP/1|closed|reset by peer",
        ),
        (cell("granian", protocol="h1s", options=GRANIAN), with_value("--http", "2"), "no application protocol"),
        (cell("uvicorn", protocol="h2c", http="zttp", loop="uvloop"), without_flag("--http2"), "it answered in HTTP/1 where h2c"),
        (
            cell("uvicorn", protocol="h2", http="zttp", loop="uvloop"),
            without_flag("--http2"),
            "it chose no protocol in the TLS handshake where h2 was asked for",
        ),
        (
            cell("gunicorn", protocol="h2c", options=GUNICORN),
            with_value("--http-protocols", "h1"),
            "it answered in HTTP/1 where h2c",
        ),
        (
            cell("gunicorn", protocol="h2", options=GUNICORN),
            with_value("--http-protocols", "h1"),
            "it chose .* in the TLS handshake where h2 was asked for",
        ),
    ],
)
def test_a_server_that_goes_down_or_up_to_another_protocol_is_never_taken_for_what_was_asked_for(
    bench: Bench, wish: Cell, change: Callable[[list[str]], list[str]], said: str
) -> None:
    shipped = real(bench, wish)
    other = {**shipped.servers, wish.server: rewritten(shipped.servers[wish.server], change)}
    assert re.search(said, refused(replace(shipped, servers=other, patience=LIMIT), wish).reason)


def test_hypercorn_that_agrees_to_http_1_alone_is_never_taken_for_http_2(bench: Bench) -> None:
    wish = cell("hypercorn", protocol="h2", loop="uvloop")
    shipped = real(bench, wish)
    server = shipped.servers["hypercorn"]

    def files(launch: Launch) -> dict[str, str]:
        return {name: text.replace('["h2"]', '["http/1.1"]') for name, text in server.files(launch).items()}

    other = replace(shipped, servers={"hypercorn": replace(server, files=files)}, patience=LIMIT)
    assert "it chose no protocol in the TLS handshake where h2 was asked for" in refused(other, wish).reason


USES = {
    "a call": "    await asyncio.sleep(0.001)",
    "a bare yield": "    await asyncio.sleep(0)",
    "a task": "    await asyncio.create_task(asyncio.sleep(0))",
    "a queue": "    await asyncio.Queue().get()",
    "a thread": "    await asyncio.to_thread(print)",
}
ASYNCIO_APP = """
import asyncio

async def use():
%(use)s

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        %(lifespan)s
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    %(handler)s
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
TRIO = cell("hypercorn", loop="trio")


def measured(bench: Bench, folder: Path, wish: Cell, source: str) -> Measured | Failed:
    """Measure one step of an app of the user's own."""
    app = App(name="ok", target="shop:app", folder=str(write_app(folder, "shop", source)), expect=Expect(body="ok"))
    sample = run.measure_step(replace(real(bench, wish), apps={"ok": app}, patience=LIMIT), Step(cell=wish, round=1))
    assert isinstance(sample, Measured | Failed)
    return sample


@pytest.mark.parametrize("place", ["lifespan", "handler"])
@pytest.mark.parametrize("use", USES)
def test_an_app_that_needs_asyncio_fails_on_trio_with_a_telling_reason(
    bench: Bench, tmp_path: Path, use: str, place: str
) -> None:
    places = {"lifespan": "pass", "handler": "pass", place: "await use()"}
    sample = measured(bench, tmp_path / "own", TRIO, ASYNCIO_APP % {"use": USES[use], **places})
    assert isinstance(sample, Failed), "it was measured without its lifespan"
    assert sample.cause is Cause.SERVER
    assert re.search(
        "no running event loop|framework like asyncio|'NoneType' object has no attribute 'create_future'", sample.reason
    )
    assert ("its log says" if place == "lifespan" else "answered 500 instead of 200") in sample.reason


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_app_is_measured_on_asyncio(bench: Bench, tmp_path: Path, workers: int) -> None:
    source = ASYNCIO_APP % {"use": USES["a call"], "lifespan": "await use()", "handler": "await use()"}
    sample = measured(bench, tmp_path / "own", cell("hypercorn", workers, loop="asyncio"), source)
    assert isinstance(sample, Measured), sample


NO_LIFESPAN = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""


@pytest.mark.parametrize("loop", ["trio", "uvloop"])
def test_an_app_that_has_no_lifespan_is_measured_without_one(bench: Bench, tmp_path: Path, loop: str) -> None:
    sample = measured(bench, tmp_path / "own", cell("hypercorn", loop=loop), NO_LIFESPAN)
    assert isinstance(sample, Measured), sample


def test_from_the_command_line_trio_with_an_asyncio_app_is_exit_code_4(run_cli: RunCli, tmp_path: Path) -> None:
    source = ASYNCIO_APP % {"use": USES["a call"], "lifespan": "await use()", "handler": "pass"}
    folder = write_app(tmp_path / "own", "shop", source)
    (tmp_path / "matrix.yaml").write_text(MATRIX % {"servers": "hypercorn: {loop: [trio, uvloop]}", "protocols": "h1"})
    done = run_cli("run", "--app", "shop:app", "--app-dir", str(folder), "--json", "-q")
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    cells = {cell["id"].split("/")[0]: cell for cell in json.loads(done.stdout)["cells"]}
    assert cells["hypercorn[loop=uvloop]"]["status"] == "measured"
    assert (cells["hypercorn[loop=trio]"]["status"], cells["hypercorn[loop=trio]"]["rps"]) == ("failed", None)
    assert "no running event loop" in cells["hypercorn[loop=trio]"]["reason"]
