"""Ten kilobytes, built once and sent with their length, so that no server has to choose a framing of its own."""

REQUEST = {"method": "GET", "path": "/"}
EXPECT = {"status": 200, "contains": "0123456789abcdef0123456789abcdef"}

CONTENT = b"0123456789abcdef" * 640
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/octet-stream"), (b"content-length", b"10240")],
}
BODY = {"type": "http.response.body", "body": CONTENT}


async def app(scope, receive, send):
    """Answer every request with the same ten kilobytes."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send(START)
    await send(BODY)
