"""A tenth of a second of awaiting: a server that wins here wins by mistake, for none of them has anything to do."""

import asyncio
import sys

REQUEST = {"method": "GET", "path": "/"}
EXPECT = {"status": 200, "body": "waited"}
CONTROL = {"holds": "await", "seconds": 0.1}

WAIT_S = 0.1
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"6")],
}
BODY = {"type": "http.response.body", "body": b"waited"}


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
    await sleeper()(WAIT_S)
    await send(START)
    await send(BODY)
