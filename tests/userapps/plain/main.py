"""Plain ASGI: a greeting, without a framework."""


async def app(scope, receive, send):
    """Answer every path but / with 404; say that startup and shutdown went well."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    status, body = (200, b"a plain hello") if scope["path"] == "/" else (404, b"nothing here")
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
