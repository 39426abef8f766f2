"""Answers those who have logged in, and everybody else with 401."""

from typing import Annotated

from fastapi import FastAPI, Header, HTTPException

app = FastAPI()
TOKEN = "Bearer let-me-in"  # noqa: S105


@app.get("/account")
async def account(authorization: Annotated[str | None, Header()] = None):
    """Return the account of whom the token belongs to."""
    if authorization != TOKEN:
        raise HTTPException(status_code=401, detail="log in first")
    return {"account": 17, "name": "Ada"}
