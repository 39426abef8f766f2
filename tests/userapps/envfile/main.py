"""Is configured by environment variables, without which it cannot be imported."""

import os

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

SHOP = os.environ["SHOP_NAME"]
KEY = os.environ["SHOP_SECRET_KEY"]


async def name(request):
    """Say which shop this is, and never its key."""
    return PlainTextResponse(f"{SHOP}, with a key of {len(KEY)} characters")


app = Starlette(routes=[Route("/", name)])
