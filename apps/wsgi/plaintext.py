"""plaintext.py written for WSGI."""

BODY = [b"Hello, World!"]


def app(environ, start_response):
    """Answer every request with the same bytes."""
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "13")])
    return BODY
