"""Takes its time to start, as an app does that loads a model: 10 s, or as many as START_S says."""

import asyncio
import os
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

START_S = float(os.environ.get("START_S", "10"))


@asynccontextmanager
async def lifespan(app):
    """Load what takes so long."""
    await asyncio.sleep(START_S)
    app.state.loaded = "loaded"
    yield


async def loaded(request):
    """Say that it is loaded."""
    return PlainTextResponse(request.app.state.loaded)


app = Starlette(routes=[Route("/", loaded)], lifespan=lifespan)
