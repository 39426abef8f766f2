"""Work handed to forty threads, as frameworks do with functions that are not async: the threads are the limit."""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

REQUEST = {"method": "GET", "path": "/"}
EXPECT = {"status": 200, "body": "threaded"}
CONTROL = {"holds": "threads", "seconds": 0.05, "threads": 40}

THREADS = 40
HOLD_S = 0.05
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"8")],
}
BODY = {"type": "http.response.body", "body": b"threaded"}


@cache
def pool():
    """Make the threads of this process: a worker that is forked later needs its own."""
    return ThreadPoolExecutor(max_workers=THREADS)


@cache
def limiter():
    """Make trio's counterpart of the pool."""
    return sys.modules["trio"].CapacityLimiter(THREADS)


async def in_a_thread(work):
    """Wait for the work, which holds one thread meanwhile."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        await trio.to_thread.run_sync(work, limiter=limiter())
    else:
        await asyncio.get_running_loop().run_in_executor(pool(), work)


def hold():
    """Stand for a database driver that blocks its thread."""
    time.sleep(HOLD_S)


async def app(scope, receive, send):
    """Let a thread do the work, then answer."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await in_a_thread(hold)
    await send(START)
    await send(BODY)
