"""Repeats what its server has told it, which differs from server to server."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def spec(request):
    """Say which version of the ASGI specification the server speaks: most of them the same one."""
    return JSONResponse({"spec_version": request.scope["asgi"]["spec_version"]})


async def extensions(request):
    """Say which extensions the server offers: another list under each."""
    return JSONResponse({"extensions": sorted(request.scope.get("extensions") or {})})


app = Starlette(routes=[Route("/spec", spec), Route("/extensions", extensions)])
