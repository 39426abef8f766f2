"""Ten milliseconds of awaiting, as of a fast query: shows where the server stops to matter."""

import asyncio
import sys

REQUEST = {"method": "GET", "path": "/"}
EXPECT = {"status": 200, "body": "slept"}

SLEEP_S = 0.010
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")],
}
BODY = {"type": "http.response.body", "body": b"slept"}


def sleeper():
    """Find the sleep of what runs here: a server that runs on trio has loaded it, and no asyncio loop runs beside it."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return trio.sleep
    return asyncio.sleep


async def app(scope, receive, send):
    """Wait without holding the loop, then answer."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await sleeper()(SLEEP_S)
    await send(START)
    await send(BODY)
