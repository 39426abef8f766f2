"""A Litestar app."""

from dataclasses import dataclass

from litestar import Litestar, get


@dataclass
class Item:
    """What is returned, as JSON."""

    id: int
    name: str


@get("/items/{number:int}")
async def item(number: int) -> Item:
    """Return an item by its number."""
    return Item(id=number, name="chair")


app = Litestar(route_handlers=[item])
