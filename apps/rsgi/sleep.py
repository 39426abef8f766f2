"""sleep.py written for RSGI, which runs on asyncio only."""

import asyncio

SLEEP_S = 0.010
HEADERS = [("content-type", "text/plain"), ("content-length", "5")]


async def app(scope, protocol):
    """Wait without holding the loop, then answer."""
    await asyncio.sleep(SLEEP_S)
    protocol.response_bytes(200, HEADERS, b"slept")
