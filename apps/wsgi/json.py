"""json.py written for WSGI."""

import json


def app(environ, start_response):
    """Encode a document that depends on the request and send it with its length."""
    path = environ["PATH_INFO"].encode("latin-1").decode()
    document = {"message": "Hello, World!", "path": path, "items": list(range(8))}
    body = json.dumps(document).encode()
    start_response("200 OK", [("content-type", "application/json"), ("content-length", str(len(body)))])
    return [body]
