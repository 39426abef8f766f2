"""Reads items out of SQLite, with a connection per process that is opened at startup and closed at shutdown."""

import os
import sqlite3
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


@asynccontextmanager
async def lifespan(app):
    """Hold the connection; a database that nobody has made is not made here."""
    database = sqlite3.connect(f"file:{os.environ['DATABASE']}?mode=ro", uri=True, check_same_thread=False)
    app.state.database = database
    yield
    database.close()


async def items(request):
    """Return all items."""
    rows = request.app.state.database.execute("SELECT id, name FROM items ORDER BY id").fetchall()
    return JSONResponse([{"id": number, "name": name} for number, name in rows])


app = Starlette(routes=[Route("/items", items)], lifespan=lifespan)
