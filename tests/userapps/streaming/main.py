"""Streams lines whose number nobody knows beforehand: no content length."""

import asyncio

from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

LINES = 5


async def lines():
    """Yield a line at a time and let others go on between them."""
    for number in range(LINES):
        yield f"line {number}\n"
        await asyncio.sleep(0)


async def stream(request):
    """Answer in parts."""
    return StreamingResponse(lines(), media_type="text/plain")


app = Starlette(routes=[Route("/lines", stream)])
