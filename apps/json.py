"""A small JSON document, built and encoded anew for every request: the least that an API does."""

import json

REQUEST = {"method": "GET", "path": "/", "headers": {"accept": "application/json"}}
EXPECT = {"status": 200, "body": '{"message": "Hello, World!", "path": "/", "items": [0, 1, 2, 3, 4, 5, 6, 7]}'}


async def app(scope, receive, send):
    """Encode a document that depends on the request and send it with its length."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    document = {"message": "Hello, World!", "path": scope["path"], "items": list(range(8))}
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
