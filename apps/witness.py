"""Tells from inside what really serves: loop, protocol class, HTTP version, worker, Python and package versions.

The query names the distributions whose versions are wanted: `/?uvicorn&uvloop`.
"""

import asyncio
import functools
import gc
import json
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import unquote

REQUEST = {"method": "GET", "path": "/"}
EXPECT = {"status": 200, "contains": '"witness"'}

# Held on purpose without awaiting: while one worker is asleep here, the next connection has to go to another one.
HOLD_S = 0.02


def class_name(value):
    """Name the class behind a callable: its owner's if it is a method, else its own module and name."""
    while isinstance(value, functools.partial):
        value = value.func
    owner = getattr(value, "__self__", None)
    if owner is not None:
        return f"{type(owner).__module__}.{type(owner).__qualname__}"
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{type(value).__module__}.{type(value).__qualname__}"


def loop_name():
    """Name the class of what runs this coroutine; trio has no loop to show, its task tells whose it is."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return class_name(trio.lowlevel.current_task())
    return class_name(asyncio.get_running_loop())


def version_or_none(name):
    """Read an installed version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def testimony(scope, send):
    """Collect what can be seen from within the app."""
    live = {class_name(thing) for thing in gc.get_objects() if isinstance(thing, asyncio.BaseProtocol)}
    names = [unquote(name) for name in scope["query_string"].decode().split("&") if name]
    return {
        "witness": 1,
        "pid": os.getpid(),
        "loop": loop_name(),
        "http": class_name(send),
        "protocols": sorted(live),
        "http_version": scope["http_version"],
        "python": platform.python_version(),
        "versions": {name: version_or_none(name) for name in names},
    }


async def app(scope, receive, send):
    """Answer with the testimony, and over HTTP/1 on a connection that is not used again; HTTP/2 forbids such a header."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    time.sleep(HOLD_S)  # noqa: ASYNC251 - see HOLD_S
    body = json.dumps(testimony(scope, send)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if scope["http_version"].startswith("1"):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
