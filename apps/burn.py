"""The plaintext app with a fifth more CPU time per request: a tool that cannot see this cannot see a regression.

What a request costs depends on the server, so the app finds it out: it answers its first requests as plaintext does, reads
the CPU time of its process, and from then on burns a fifth of what a request has used.
"""

import time

REQUEST = {"method": "GET", "path": "/"}
EXPECT = {"status": 200, "body": "Hello, World!"}
CONTROL = {"burns": 0.2, "beyond": "plaintext"}

BURNS = 0.2
FIRST, LAST = 200, 1200  # requests between which a request's cost is found out; earlier ones pay for what is cold
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
}
BODY = {"type": "http.response.body", "body": b"Hello, World!"}


class Cost:
    """What a request costs this process, known once enough of them were answered."""

    def __init__(self):
        """Begin with nothing counted."""
        self.requests = 0
        self.begin_ns = 0
        self.burn_ns = 0

    def count(self):
        """Count a request, and return the nanoseconds to burn for it."""
        if self.requests <= LAST:
            self.requests += 1
            if self.requests == FIRST:
                self.begin_ns = time.process_time_ns()
            if self.requests == LAST:
                self.burn_ns = int(BURNS * (time.process_time_ns() - self.begin_ns) / (LAST - FIRST))
        return self.burn_ns


COST = Cost()


def burn(ns):
    """Use CPU time of this thread; a wall clock would count what others took meanwhile."""
    end_ns = time.thread_time_ns() + ns
    while time.thread_time_ns() < end_ns:
        pass


async def app(scope, receive, send):
    """Burn, then answer."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if ns := COST.count():
        burn(ns)
    await send(START)
    await send(BODY)
