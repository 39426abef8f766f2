"""witness.py written for WSGI: `loop` is the class of the worker, `http` the one behind `start_response`."""

import inspect
import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import unquote

# Held on purpose: while one worker is asleep here, the next connection has to go to another one.
HOLD_S = 0.02


def class_name(value):
    """Name the class behind a callable: its owner's if it is a method, else its own module and name."""
    owner = getattr(value, "__self__", None)
    if owner is not None:
        return f"{type(owner).__module__}.{type(owner).__qualname__}"
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{type(value).__module__}.{type(value).__qualname__}"


def worker_name(frame):
    """Name the class of the nearest caller that is a worker, for between it and us may be containers; else of the nearest."""
    owners = []
    while frame is not None:
        owner = frame.f_locals.get("self")
        if owner is not None:
            owners.append(f"{type(owner).__module__}.{type(owner).__qualname__}")
        frame = frame.f_back
    return next((name for name in owners if name.endswith("Worker")), owners[0] if owners else "unknown")


def version_or_none(name):
    """Read an installed version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def testimony(environ, start_response, caller):
    """Collect what can be seen from within the app; a server without asyncio has no protocols of asyncio."""
    names = [unquote(name) for name in environ.get("QUERY_STRING", "").split("&") if name]
    return {
        "witness": 1,
        "pid": os.getpid(),
        "loop": worker_name(caller),
        "http": class_name(start_response),
        "protocols": [],
        "http_version": http_version(environ),
        "python": platform.python_version(),
        "versions": {name: version_or_none(name) for name in names},
    }


def http_version(environ):
    """Read the version as `1.1` or `2`."""
    number = environ["SERVER_PROTOCOL"].removeprefix("HTTP/")
    return "2" if number == "2.0" else number


def app(environ, start_response):
    """Answer with the testimony, and over HTTP/1 on a connection that is not used again; HTTP/2 forbids such a header."""
    time.sleep(HOLD_S)
    said = testimony(environ, start_response, inspect.currentframe().f_back)
    body = json.dumps(said).encode()
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    if said["http_version"].startswith("1"):
        headers.append(("connection", "close"))
    start_response("200 OK", headers)
    return [body]
