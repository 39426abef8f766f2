"""A Starlette app."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def item(request):
    """Return an item by its number."""
    return JSONResponse({"id": request.path_params["number"], "name": "chair"})


app = Starlette(routes=[Route("/items/{number:int}", item)])
