"""stream.py written for WSGI."""

PIECES = (b"0123456789abcdef" * 128,) * 5


def app(environ, start_response):
    """Answer every request with the same ten kilobytes, piece by piece."""
    start_response("200 OK", [("content-type", "application/octet-stream")])
    return iter(PIECES)
