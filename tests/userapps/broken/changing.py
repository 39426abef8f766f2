"""Says in every answer how many there were before it."""

from itertools import count

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

ANSWERS = count(1000)


async def visit(request):
    """Count visits, as many counters do."""
    return PlainTextResponse(f"visit number {next(ANSWERS)}")


app = Starlette(routes=[Route("/", visit)])
