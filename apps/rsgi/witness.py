"""witness.py written for RSGI: `http` is the class of the protocol object."""

import asyncio
import gc
import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import unquote

# Held on purpose without awaiting: while one worker is asleep here, the next connection has to go to another one.
HOLD_S = 0.02


def class_name(value):
    """Name the class of a value."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def version_or_none(name):
    """Read an installed version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def testimony(scope, protocol):
    """Collect what can be seen from within the app."""
    live = {class_name(thing) for thing in gc.get_objects() if isinstance(thing, asyncio.BaseProtocol)}
    names = [unquote(name) for name in scope.query_string.split("&") if name]
    return {
        "witness": 1,
        "pid": os.getpid(),
        "loop": class_name(asyncio.get_running_loop()),
        "http": class_name(protocol),
        "protocols": sorted(live),
        "http_version": scope.http_version,
        "python": platform.python_version(),
        "versions": {name: version_or_none(name) for name in names},
    }


async def app(scope, protocol):
    """Answer with the testimony, and over HTTP/1 on a connection that is not used again; HTTP/2 forbids such a header."""
    time.sleep(HOLD_S)  # noqa: ASYNC251 - see HOLD_S
    body = json.dumps(testimony(scope, protocol)).encode()
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    if scope.http_version.startswith("1"):
        headers.append(("connection", "close"))
    protocol.response_bytes(200, headers, body)
