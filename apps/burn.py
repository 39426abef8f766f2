"""The plaintext app with a fifth more CPU time per request: a tool that cannot see this cannot see a regression.

What a request costs depends on the server, so the app finds it out: every thousand requests it reads the CPU time of its
process, takes off what it burnt itself, and burns a fifth of the rest for each of the next thousand.
"""

import time

REQUEST = {"method": "GET", "path": "/"}
EXPECT = {"status": 200, "body": "Hello, World!"}
CONTROL = {"burns": 0.2, "beyond": "plaintext"}

BURNS = 0.2
EVERY = 1000  # requests; the first thousand pay for what is cold
AT_ONCE = 10  # requests whose share is burnt together, since reading the clock costs CPU time as well
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
}
BODY = {"type": "http.response.body", "body": b"Hello, World!"}


class Cost:
    """What a request costs this process without what is burnt, and how much is therefore to be burnt."""

    def __init__(self):
        """Begin with nothing known."""
        self.requests = self.begin_ns = self.burnt_ns = self.burn_ns = 0

    def count(self):
        """Count a request, and burn for it once its cost is known."""
        self.requests += 1
        if self.requests % EVERY == 0:
            now_ns = time.process_time_ns()
            if self.begin_ns:
                self.burn_ns = int(BURNS * (now_ns - self.begin_ns - self.burnt_ns) / EVERY)
            self.begin_ns, self.burnt_ns = now_ns, 0
        if self.burn_ns and self.requests % AT_ONCE == 0:
            self.burnt_ns += burn(AT_ONCE * self.burn_ns)


COST = Cost()


def burn(ns):
    """Use CPU time of this thread and return how much; a wall clock would count what others took meanwhile."""
    begin_ns = now_ns = time.thread_time_ns()
    while now_ns < begin_ns + ns:
        now_ns = time.thread_time_ns()
    return now_ns - begin_ns


async def app(scope, receive, send):
    """Burn, then answer."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    COST.count()
    await send(START)
    await send(BODY)
