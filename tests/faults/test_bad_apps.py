"""Apps that cannot be measured end in one sentence, exit code 4, no number and nothing left, under every server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import RunCli, write_app

pytestmark = pytest.mark.servers

SERVERS = ("uvicorn", "gunicorn", "hypercorn", "granian")
QUICK = ("--rounds", "1", "--duration", "1s", "--warmup", "0s", "--profile", "smoke", "--json", "-q")

PLAIN = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": %(status)s, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
STARTUP_FAILS = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database today"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
HANGS = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await asyncio.sleep(%(seconds)s)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""


def failing_cells(run_cli: RunCli, *words: str) -> list[dict[str, object]]:
    """Run, demand exit code 4 and cells that all failed without a number, and return them."""
    done = run_cli("run", *QUICK, *words)
    assert done.returncode == 4, done.stderr
    cells: list[dict[str, object]] = json.loads(done.stdout)["cells"]
    assert cells
    for cell in cells:
        assert cell["status"] == "failed"
        assert cell["rps"] is None
        assert cell["rank"] is None
        assert str(cell["reason"]).strip()
        assert "\n" not in str(cell["reason"])
    return cells


def one_each() -> tuple[str, ...]:
    """Select one cell per server."""
    return ("-k", "uvicorn*uvloop*", "-k", "gunicorn*asgi*", "-k", "hypercorn*uvloop*", "-k", "granian*uvloop*")


def test_a_missing_module_fails_every_server_with_its_name(run_cli: RunCli) -> None:
    for cell in failing_cells(run_cli, *one_each(), "--app", "nosuchmodule:app"):
        assert "nosuchmodule" in str(cell["reason"])


def test_a_missing_attribute_fails_every_server(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "own", "shop", PLAIN % {"status": 200})
    cells = failing_cells(run_cli, *one_each(), "--app", "shop:nosuch", "--app-dir", str(folder))
    assert len(cells) == len(SERVERS)
    assert all("exited with code" in str(cell["reason"]) for cell in cells)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_import_that_raises_fails_every_server_also_one_that_respawns_for_ever(
    run_cli: RunCli, tmp_path: Path, workers: str
) -> None:
    folder = write_app(tmp_path / "own", "shop", "raise RuntimeError('out of milk')\n")
    words = ("--app", "shop:app", "--app-dir", str(folder), "-s", f"workers={workers}")
    cells = failing_cells(run_cli, *one_each(), *words)
    assert sum("out of milk" in str(cell["reason"]) for cell in cells) >= 3


def test_a_lifespan_that_fails_fails_every_server_whatever_its_exit_code(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "own", "shop", STARTUP_FAILS)
    assert len(failing_cells(run_cli, *one_each(), "--app", "shop:app", "--app-dir", str(folder))) == len(SERVERS)


def test_an_app_that_answers_500_fails_with_that_status(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "own", "shop", PLAIN % {"status": 500})
    for cell in failing_cells(run_cli, *one_each(), "--app", "shop:app", "--app-dir", str(folder)):
        assert "answered 500 instead of 200" in str(cell["reason"])


def test_a_wrong_body_fails_with_what_came(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "own", "shop", PLAIN % {"status": 200})
    words = ("-k", "granian*uvloop*", "--app", "shop:app", "--app-dir", str(folder), "--expect-contains", "welcome")
    (cell,) = failing_cells(run_cli, *words)
    assert "'ok' does not contain 'welcome'" in str(cell["reason"])


@pytest.mark.parametrize("seconds", ["3600", "10"])
def test_an_app_that_hangs_or_answers_after_ten_seconds_is_given_up(run_cli: RunCli, tmp_path: Path, seconds: str) -> None:
    folder = write_app(tmp_path / "own", "shop", HANGS % {"seconds": seconds})
    (cell,) = failing_cells(
        run_cli, "-k", "uvicorn*uvloop*", "--app", "shop:app", "--app-dir", str(folder), "--startup-timeout", "7s"
    )
    assert "gave no answer within 5 s" in str(cell["reason"])


def test_an_app_slower_than_a_window_gives_no_number(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "own", "shop", HANGS % {"seconds": "3"})
    (cell,) = failing_cells(run_cli, "-k", "granian*uvloop*", "--app", "shop:app", "--app-dir", str(folder))
    assert "no request was answered" in str(cell["reason"])
