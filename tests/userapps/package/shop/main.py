"""The app of the package."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from . import catalogue
from .catalogue import ITEMS


async def items(request):
    """Return what is sold."""
    return JSONResponse({"items": ITEMS, "count": len(catalogue.ITEMS)})


app = Starlette(routes=[Route("/items", items)])
