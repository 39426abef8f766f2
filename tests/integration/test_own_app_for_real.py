"""An app as people have them, started for real: made by a function, with variables, a mix of requests and a folder to ready."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import RunCli

APP = """
import os, pathlib

ready = pathlib.Path(__file__).with_name("database").read_text()
state = "without a lifespan"


def make():
    async def app(scope, receive, send):
        global state
        if scope["type"] == "lifespan":
            await receive()
            state = "with a lifespan"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        sent = (await receive()).get("body", b"").decode()
        who = dict(scope["headers"]).get(b"authorization", b"nobody").decode()
        text = f"{scope['method']} {scope['path']} {sent} {who} {os.environ['TOKEN']} {ready} {state}".encode()
        head = [(b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": 201 if sent else 200, "headers": head})
        await send({"type": "http.response.body", "body": text})
    return app
"""
MIX = """
- {path: /items, weight: 3, expect: {body: "GET /items  me hunter2 filled with a lifespan"}}
- {path: /made, method: POST, body: one, expect: {status: 201, body: "POST /made one me hunter2 filled with a lifespan"}}
"""
MATRIX = """
servers: {uvicorn: {loop: [asyncio], http: [h11, httptools]}, granian: {loop: [asyncio]}, gunicorn: {loop: [asyncio]}}
axes: {connections: [4]}
load: {duration: 1s, warmup: 0s, windows: 1}
rounds: 1
noise: {foreign_cpu: 1000, steal: 1}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    files = {"shop/__init__.py": "", "shop/main.py": APP, "mix.yaml": MIX, "matrix.yaml": MATRIX, ".env": "TOKEN=hunter2"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.servers
@pytest.mark.parametrize("generator", ["wrk", "builtin"])
def test_an_app_is_made_readied_asked_for_its_mix_and_cleaned_up_after(run_cli: RunCli, place: Path, generator: str) -> None:
    words = (
        "--app",
        "shop.main:make",
        "--factory",
        "--env-file",
        ".env",
        "--requests",
        "mix.yaml",
        "--header",
        "authorization: me",
    )
    around = ("--prepare", "printf filled > shop/database", "--cleanup", "mv shop/database gone")
    done = run_cli("run", *words, *around, "--load", generator, "-q", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    cells = json.loads(done.stdout)["cells"]
    assert {cell["status"] for cell in cells} == {"measured"}
    assert len(cells) == 4
    assert (place / "gone").read_text() == "filled"
    assert not (place / "shop" / "database").exists()


@pytest.mark.servers
def test_a_lifespan_that_is_off_is_off(run_cli: RunCli, place: Path) -> None:
    (place / "shop" / "database").write_text("filled")
    words = ("--app", "shop.main:make", "--factory", "--env", "TOKEN=x", "--expect-contains", "without a lifespan")
    done = run_cli("run", *words, "--lifespan", "off", "-k", "uvicorn*h11*", "-q", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert run_cli("run", *words, "--lifespan", "on", "-k", "uvicorn*h11*", "-q").returncode == 4


@pytest.mark.servers
def test_nothing_is_started_where_the_command_before_fails(run_cli: RunCli, place: Path) -> None:
    words = ("--app", "shop.main:make", "--factory", "--env", "TOKEN=hunter2")
    done = run_cli("run", *words, "--prepare", "echo no $TOKEN; exit 9", "--cleanup", "touch cleaned", "-q")
    assert done.returncode == 3
    assert "error: the command of --prepare ended with code 9: echo no $TOKEN; exit 9\n    no hunter2\n" in done.stderr
    assert (place / "cleaned").exists()
    assert list((place / "reports").iterdir()) == []
