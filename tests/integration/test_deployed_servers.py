"""What is to be deployed, deployed: each server started by the command and by every file for it, asked for an answer."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from servermatrix.contracts import Launch
from servermatrix.measure.client import Address
from servermatrix.measure.probe import Question, free_port, wait_ready
from servermatrix.measure.process import Command, Guard, scrubbed_environment, start, stop
from servermatrix.model import App, Cell, Deployed, Expect, Host, Load, Noise, PlannedCell, Request, RunHeader
from servermatrix.render.deploy import deployed
from tests.combinations import Combination, combinations

pytestmark = pytest.mark.servers

# A package with a relative import, made by a function where a server can call one, and with a variable that it cannot do without.
MAIN = """
import os
from . import words

GREETING = os.environ["GREETING"]
said = [words.HELLO, GREETING]


def make():
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            said.append("and your lifespan")
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = " ".join(said).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    return app


app = make()
"""
LOAD = Load(generator="wrk", connections=1, threads=1, duration_s=1, warmup_s=0, windows=1)


def first(name: str, **options: str) -> Combination:
    """Find the first combination in HTTP/1.1 that has these options."""
    return next(
        one for one in combinations() if (one.name, one.protocol) == (name, "h1") and set(options.items()) <= set(one.options)
    )


SERVERS = {
    "uvicorn": first("uvicorn", loop="uvloop"),
    "granian": first("granian", loop="uvloop", interface="asgi"),
    "daphne": first("daphne"),
    "hypercorn": first("hypercorn"),
    "gunicorn-asgi": first("gunicorn", worker="asgi", parser="python"),
    "gunicorn-uvicorn": first("gunicorn", worker="uvicorn", http="httptools", loop="uvloop"),
}
KINDS = ("command", "app.service", "Dockerfile", "compose.yaml")
STARTS = [*((name, kind) for name in SERVERS for kind in KINDS), ("gunicorn-asgi", "gunicorn.conf.py")]


def deployed_for(name: str, lifespan: str) -> Deployed:
    """Make what a run file would hold of a cell with two workers where there can be two, ready to be deployed."""
    one = SERVERS[name]
    factory = one.name != "daphne"
    launch = Launch(
        python=sys.executable,
        target="shop.main:make" if factory else "shop.main:app",
        host="127.0.0.1",
        port=8000,
        workers=1 if one.name == "daphne" else 2,
        protocol="h1",
        options=dict(one.options),
        folder=".",
        factory=factory,
        lifespan=lifespan,
    )
    assert one.server.objection(launch) is None
    cell = Cell(server=one.name, options=one.options, label="", protocol="h1", workers=launch.workers, app="shop", load=LOAD)
    planned = PlannedCell(
        cell=cell,
        argv=tuple(one.server.argv(launch)),
        load_argv=(),
        settings=tuple(one.server.settings(launch).items()),
        settings_argv=one.server.settings_argv(launch),
    )
    app = App(name="shop", target=launch.target, folder="/srv/app", env=(("GREETING", ""),))
    return deployed(replace(HEADER, apps=(app,)), planned)


HEADER = RunHeader(
    id="deploy",
    started_at="2026-01-01T00:00:00Z",
    argv=(),
    seed=1,
    rounds=1,
    noise=Noise(),
    generators=(),
    host=Host(system="Linux", cpu="any", cores=2, memory_bytes=2**30, python="3.11.7"),
    versions=(),
    git="",
    cells=(),
    excluded=(),
)


def words_of(kind: str, found: Deployed) -> list[str]:
    """Read the command as whoever the file is for would."""
    files = {name: text for name, text, _ in found.files}
    if kind == "command":
        return list(found.argv)
    if kind == "gunicorn.conf.py":
        return ["python", "-m", "gunicorn", "--config", kind, "shop.main:make()"]
    lines = files[kind].splitlines()
    if kind == "compose.yaml":
        return [word.replace("$$", "$") for word in YAML(typ="safe").load(files[kind])["services"]["app"]["command"]]
    if kind == "Dockerfile":
        words: list[str] = json.loads(next(line for line in lines if line.startswith("CMD ")).removeprefix("CMD "))
        return words
    return shlex.split(next(line for line in lines if line.startswith("ExecStart=")).removeprefix("ExecStart="))


@pytest.fixture
def guard() -> Iterator[Guard]:
    """End whatever a test leaves running."""
    watching = Guard()
    yield watching
    watching.close()


@pytest.mark.parametrize(("name", "kind"), STARTS)
def test_a_server_is_started_by_it_and_answers(name: str, kind: str, guard: Guard, tmp_path: Path) -> None:
    # One start of each tells whether the lifespan is off, the others whether it is not.
    lifespan = "off" if kind == "command" else "auto"
    found, port = deployed_for(name, lifespan), free_port("127.0.0.1")
    runs_it = name == "hypercorn" or (lifespan == "auto" and name != "daphne")
    here = "0.0.0.0", "127.0.0.1"  # noqa: S104 - what is replaced: tests listen on this machine alone
    (tmp_path / "shop").mkdir()
    for file, text in (("__init__.py", ""), ("words.py", "HELLO = 'hello'"), ("main.py", MAIN)):
        (tmp_path / "shop" / file).write_text(text)
    for file, text, _ in found.files:
        # gunicorn reads its file wherever it is found: it is there only where it is what is tried.
        if file != "gunicorn.conf.py" or "gunicorn.conf.py" in words_of(kind, found):
            (tmp_path / file).write_text(text.replace(*here).replace("8000", str(port)))
    words = [word.replace(*here).replace("8000", str(port)) for word in words_of(kind, found)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = scrubbed_environment({"PATH": path, "GREETING": "you"})
    running = start(Command(argv=words, env=environment, folder=tmp_path, log=tmp_path / "log"), guard)
    try:
        expect = Expect(body="hello you and your lifespan" if runs_it else "hello you")
        address = Address(host="127.0.0.1", port=port, protocol="h1")
        wait_ready(running, Question(address=address, request=Request(), expect=expect), 1 if name == "daphne" else 2)
    finally:
        left = stop(running, guard, patience_s=10)
    assert not left
