"""Twenty milliseconds of blocking in async code: the mistake that makes one request of each worker wait for another."""

import time

REQUEST = {"method": "GET", "path": "/"}
EXPECT = {"status": 200, "body": "blocked"}
CONTROL = {"holds": "worker", "seconds": 0.02}

HOLD_S = 0.02
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"7")],
}
BODY = {"type": "http.response.body", "body": b"blocked"}


async def app(scope, receive, send):
    """Hold the whole worker, then answer."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    time.sleep(HOLD_S)  # noqa: ASYNC251 - blocking is what this app is about
    await send(START)
    await send(BODY)
