"""Makes its app only when it is asked to."""

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request):
    """Say hello from the app that was made."""
    return PlainTextResponse(f"hello from {request.app.state.made_by}")


def create_app():
    """Make the app, with what it needs."""
    app = Starlette(routes=[Route("/", hello)])
    app.state.made_by = "create_app"
    return app
