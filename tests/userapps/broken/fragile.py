"""Fails under load, on the servers whose modules FRAGILE_UNDER names: too many requests at once are answered with 503."""

import asyncio
import os
import sys

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

FRAGILE = os.environ["FRAGILE_UNDER"].split(",")
MOST = 4
working = 0


async def work(request):
    """Take a while, for no more than a few at once."""
    global working
    if working >= MOST and any(name in sys.modules for name in FRAGILE):
        return PlainTextResponse("too many at once", status_code=503)
    working += 1
    try:
        await asyncio.sleep(0.001)
    finally:
        working -= 1
    return PlainTextResponse("done")


app = Starlette(routes=[Route("/", work)])
