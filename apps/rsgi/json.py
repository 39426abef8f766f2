"""json.py written for RSGI."""

import json


async def app(scope, protocol):
    """Encode a document that depends on the request and send it with its length."""
    document = {"message": "Hello, World!", "path": scope.path, "items": list(range(8))}
    body = json.dumps(document).encode()
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    protocol.response_bytes(200, headers, body)
