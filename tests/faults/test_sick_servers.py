"""What is wrong with a server or an app although it answers: each is provoked for real, and named in a flag with advice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import RunCli, write_app

pytestmark = pytest.mark.servers

LIFESPAN = """
async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def answer(send, *headers):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2"), *headers]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
CLOSES = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    await answer(send, (b"connection", b"close"))
"""
# Sixteen requests of the load are never answered: that many of the 64 connections are lost without an error.
HANGS_SOME = """
import asyncio
count = 0

async def app(scope, receive, send):
    global count
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    count += 1
    if 200 <= count < 216:
        await asyncio.sleep(3600)
    await answer(send)
"""
LEAKS = """
kept = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    kept.append(bytearray(4096))
    await answer(send)
"""
TALKS = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    print("one more request, said on standard output", flush=True)
    await answer(send)
"""
# Every second start is slow, as it happens with an unlucky layout of memory or a cache that is warm or cold.
TWO_SPEEDS = """
import time
from pathlib import Path

starts = Path(__file__).with_name("starts")
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
slow = len(starts.read_text()) % 2

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    if slow:
        end = time.perf_counter() + 0.0003
        while time.perf_counter() < end:
            pass
    await answer(send)
"""
# The worker that comes second waits for something at each request, so that the first does nearly all of the work.
ONE_IDLES = """
import asyncio
import os
from pathlib import Path

first = Path(__file__).with_name("first")
try:
    os.close(os.open(first, os.O_CREAT | os.O_EXCL))
    idles = False
except FileExistsError:
    idles = True

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    if idles:
        await asyncio.sleep(0.05)
    await answer(send)
"""
BEHAVES = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    await answer(send)
"""
ALL_OF_THEM = ("40 ms plateau", "two speeds", "unbalanced", "closes connections", "answers missing", "memory grows", "log flood")
QUICK = ("--rounds", "1", "--duration", "1s", "--warmup", "0s", "--windows", "1", "--profile", "smoke", "--json", "-q")
UVICORN = ("-k", "uvicorn*uvloop*")


def only_cell(run_cli: RunCli, *words: str) -> dict[str, object]:
    """Run what leaves one cell, and demand that it was measured."""
    done = run_cli("run", *QUICK, *words)
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert cell["status"] == "measured", cell["reason"]
    found: dict[str, object] = cell
    return found


def cell_of(run_cli: RunCli, folder: Path, source: str, *words: str) -> dict[str, object]:
    """Measure an app of this source under uvicorn."""
    place = write_app(folder / "own", "shop", LIFESPAN + source)
    return only_cell(run_cli, *UVICORN, "--app", "shop:app", "--app-dir", str(place), *words)


def named(cell: dict[str, object], flag: str) -> str:
    """Demand that a cell has the flag, and return its sentence; an advice goes with it."""
    assert flag in str(cell["flags"]), cell
    remarks = cell["remarks"]
    assert isinstance(remarks, list)
    (remark,) = [remark for remark in remarks if remark["flag"] == flag]
    assert remark["advice"]
    return str(remark["sentence"])


def test_an_app_that_behaves_has_none_of_these_flags(run_cli: RunCli, tmp_path: Path) -> None:
    flags = str(cell_of(run_cli, tmp_path, BEHAVES)["flags"])
    assert not [flag for flag in ALL_OF_THEM if flag in flags]


def test_answers_that_wait_for_a_delayed_acknowledgement_are_a_plateau(run_cli: RunCli) -> None:
    cell = only_cell(run_cli, "-k", "uvicorn*asyncio*", "-s", "workers=2")
    if "host-bound" in str(cell["flags"]):
        pytest.skip("other programs are busy here, and then no answer of 40 ms is taken for a plateau")
    assert "40" in named(cell, "40 ms plateau")


def test_connections_that_are_closed_after_each_answer_are_named(run_cli: RunCli, tmp_path: Path) -> None:
    assert "connections" in named(cell_of(run_cli, tmp_path, CLOSES), "closes connections")


def test_requests_that_are_never_answered_are_missed(run_cli: RunCli, tmp_path: Path) -> None:
    named(cell_of(run_cli, tmp_path, HANGS_SOME), "answers missing")


def test_memory_that_swells_under_the_load_is_named(run_cli: RunCli, tmp_path: Path) -> None:
    assert "MiB" in named(cell_of(run_cli, tmp_path, LEAKS), "memory grows")


def test_a_log_that_grows_with_every_request_is_named(run_cli: RunCli, tmp_path: Path) -> None:
    assert "bytes" in named(cell_of(run_cli, tmp_path, TALKS), "log flood")


def test_starts_of_two_speeds_are_named(run_cli: RunCli, tmp_path: Path) -> None:
    named(cell_of(run_cli, tmp_path, TWO_SPEEDS, "--rounds", "6"), "two speeds")


def test_a_worker_that_does_nearly_everything_is_named(run_cli: RunCli, tmp_path: Path) -> None:
    named(cell_of(run_cli, tmp_path, ONE_IDLES, "-s", "workers=2"), "unbalanced")
