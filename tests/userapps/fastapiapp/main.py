"""A FastAPI app with an OpenAPI schema."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI(title="items")


class Item(BaseModel):
    """What is taken and returned."""

    id: int
    name: str = "chair"


@app.get("/items/{number}")
async def item(number: int) -> Item:
    """Return an item by its number."""
    return Item(id=number)


@app.get("/items")
async def items(limit: int = 3) -> list[Item]:
    """Return the first items."""
    return [Item(id=number) for number in range(limit)]
