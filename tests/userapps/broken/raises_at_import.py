"""Raises while it is imported, two calls down."""

from settings_of import read

DATABASE = read("database")


async def app(scope, receive, send):
    """Is never reached."""
