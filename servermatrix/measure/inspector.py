"""Runs in the interpreter of an app, as text behind -c: imports it and writes as JSON what it is, or what it raised."""

from __future__ import annotations

import asyncio
import faulthandler
import importlib.metadata
import inspect
import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

FRAMEWORKS = {
    "fastapi": "FastAPI",
    "starlette": "Starlette",
    "litestar": "Litestar",
    "django": "Django",
    "quart": "Quart",
    "blacksheep": "BlackSheep",
    "sanic": "Sanic",
    "falcon": "Falcon",
    "flask": "Flask",
    "bottle": "Bottle",
    "aiohttp": "aiohttp",
}
INNER = ("app", "asgi_app", "application", "inner", "wrapped", "_app", "__wrapped__")
SCHEMAS = ("/openapi.json", "/schema/openapi.json", "/api/openapi.json")
SCHEMA_S = 10.0
MOST_WRAPPED = 20
RECEIVE_AND_SEND = 2
APPS = ("asgi3", "asgi2", "wsgi")
App = Callable[[dict[str, object], object, object], Awaitable[object]]


def look(module: str, attribute: str, *, factory: bool) -> tuple[dict[str, object], object]:
    """Return what the app is, or what importing or making it raised, and the app itself (None: there is none)."""
    try:
        __import__(module)
    except BaseException as raised:  # noqa: BLE001 - an app may raise anything, SystemExit too
        return raising("import", raised), None
    told: dict[str, object] = {"file": str(getattr(sys.modules[module], "__file__", None) or "")}
    found: object = sys.modules[module]
    for part in attribute.split("."):
        if not hasattr(found, part):
            return {**told, "missing": part, "names": names_of(found)}, None
        found = getattr(found, part)
    if not factory or not callable(found) or (not is_class(found) and interface_of(found) in APPS):
        return {**told, **kind_of(found)}, found
    try:
        made: object = found()
    except BaseException as raised:  # noqa: BLE001
        return {**told, **raising("factory", raised)}, None
    return {**told, "made": True, **kind_of(made)}, made


def kind_of(found: object) -> dict[str, object]:
    """Return the interface of a value and the framework that made it."""
    root = framework_of(found)
    return {
        "interface": interface_of(found),
        "type": type(found).__name__,
        "framework": FRAMEWORKS.get(root, ""),
        "version": version_of(root),
    }


def interface_of(found: object) -> str:
    """Tell by what it can be called with: `asgi3`, `asgi2`, `wsgi`, `factory`, `class`, `none` (not callable), or nothing."""
    if not callable(found):
        return "none"
    if framework_of(found) == "aiohttp":
        return "aiohttp"
    count = needed(found)
    if is_class(found):
        called = vars_of(found).get("__call__")
        if count == 0:
            return "factory"
        return "asgi2" if count == 1 and asynchronous(called) and needed(called) == RECEIVE_AND_SEND else "class"
    plain = inspect.isroutine(found)
    later = asynchronous(found if plain else type(found).__call__)
    if count == 0:
        return "factory" if plain else ""
    return {3: "asgi3", 2: "" if later else "wsgi", 1: "" if later else "asgi2"}.get(count, "")


def is_class(found: object) -> bool:
    """Tell whether calling it makes an instance of it."""
    return isinstance(found, type)


def asynchronous(called: object) -> bool:
    """Tell whether calling it gives something to await, whatever is wrapped around it."""
    return callable(called) and inspect.iscoroutinefunction(inspect.unwrap(called))


def needed(called: object) -> int:
    """Count the positional arguments that must be given; -1 where that cannot be told."""
    if not callable(called):
        return -1
    try:
        parameters = inspect.signature(called).parameters.values()
    except (TypeError, ValueError):
        return -1
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return -1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [each.name for each in parameters if each.kind in positional and each.default is each.empty]
    return len(named) - (named[:1] == ["self"])


def framework_of(found: object) -> str:
    """Name the package of the innermost app that a known one has made, looking through what is wrapped around it."""
    seen, root = set[int](), ""
    while found is not None and id(found) not in seen and len(seen) < MOST_WRAPPED:
        seen.add(id(found))
        kind = found if isinstance(found, type) else type(found)
        root = next((top for each in kind.__mro__ if (top := each.__module__.partition(".")[0]) in FRAMEWORKS), root)
        found = inner_of(found)
    return root


def inner_of(found: object) -> object:
    """Return the app that another one is wrapped around, None where there is none."""
    for name in INNER:
        held = vars_of(found).get(name)
        if callable(held):
            return held
    return None


def vars_of(found: object) -> dict[str, object]:
    """Read what a value holds without running any property of it."""
    try:
        return vars(found)
    except TypeError:
        return {}


def version_of(root: str) -> str:
    """Return the version of a framework's package, empty where it is not known."""
    try:
        return importlib.metadata.version(root) if root else ""
    except importlib.metadata.PackageNotFoundError:
        return ""


def names_of(module: object) -> list[str]:
    """Name what may be the app, likely ones first."""
    public = {name: value for name, value in vars_of(module).items() if not name.startswith("_") and callable(value)}
    here = getattr(module, "__name__", "")
    own = {name: value for name, value in public.items() if getattr(value, "__module__", here) == here}
    apps = [name for name, value in public.items() if not is_class(value) and interface_of(value) == "asgi3"]
    return [*apps, *(name for name, value in own.items() if name not in apps and not is_class(value))][:50]


def raising(when: str, raised: BaseException) -> dict[str, object]:
    """Put what was raised into words, from the first frame on that is not of this file or of the import system."""
    first = raised.__traceback__
    while first is not None and first.tb_frame.f_globals.get("__name__") in ("__main__", "importlib", "importlib._bootstrap"):
        first = first.tb_next
    told = traceback.TracebackException(type(raised), raised, first)
    frames = traceback.extract_tb(first)
    return {
        "raised": when,
        "error": type(raised).__name__,
        "package": type(raised).__module__.partition(".")[0],
        "text": str(raised),
        "name": str(getattr(raised, "name", None) or ""),
        "traceback": "".join(told.format()),
        "last": [str(frames[-1].filename), frames[-1].lineno or 0] if frames else [],
    }


def schema_of(found: object) -> object:
    """Return the OpenAPI document of an app, from itself or from where it serves one; None where there is none."""
    app, seen = cast("App", found), set[int]()
    while found is not None and id(found) not in seen and len(seen) < MOST_WRAPPED:
        seen.add(id(found))
        if callable(made := getattr(found, "openapi", None)) and callable(getattr(type(found), "openapi", None)):
            return made()
        if hasattr(type(found), "openapi_schema"):
            return found.openapi_schema.to_schema()  # type: ignore[attr-defined]
        found = inner_of(found)
    return next((document for path in SCHEMAS if (document := asyncio.run(asked(app, path))) is not None), None)


async def asked(app: App, path: str) -> object:
    """Ask an app for a path; return the OpenAPI document that it answers with, if it does."""
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope: dict[str, object] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    try:
        await asyncio.wait_for(app(scope, receive, send), SCHEMA_S)
        document = json.loads(b"".join(cast("bytes", each.get("body", b"")) for each in sent))
    except Exception:  # noqa: BLE001 - what it has no such path for may end in anything
        return None
    return document if isinstance(document, dict) and "openapi" in document else None


def main(target: str, what: str, factory: str, limit_s: str, place: str) -> None:
    """Write what was asked for, `look` or `openapi`, into a file; where it hangs is written on the error stream."""
    faulthandler.dump_traceback_later(float(limit_s), exit=True)
    module, _, attribute = target.partition(":")
    told, found = look(module, attribute, factory=factory == "factory")
    if what == "openapi" and found is not None:
        try:
            told["schema"] = schema_of(found)
        except BaseException as raised:  # noqa: BLE001
            told |= raising("openapi", raised)
    Path(place).write_text(json.dumps(told, default=str), encoding="utf-8")
    # Threads that the app has started would keep it alive, and processes the pipe; we are alone in a group of our own.
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    words, sys.argv[1:] = sys.argv[1:], []  # an app may read them
    main(*words)
