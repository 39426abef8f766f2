"""The ten kilobytes of body.py in five pieces and without their length, so that every server chooses a framing of its own.

An empty message ends them, as frameworks do it.
"""

REQUEST = {"method": "GET", "path": "/"}
EXPECT = {"status": 200, "contains": "0123456789abcdef0123456789abcdef"}

PIECES = (b"0123456789abcdef" * 128,) * 5
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/octet-stream")]}
MESSAGES = [{"type": "http.response.body", "body": piece, "more_body": True} for piece in PIECES]
END = {"type": "http.response.body", "body": b"", "more_body": False}


async def app(scope, receive, send):
    """Answer every request with the same ten kilobytes, piece by piece."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send(START)
    for message in MESSAGES:
        await send(message)
    await send(END)
