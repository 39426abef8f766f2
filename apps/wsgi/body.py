"""body.py written for WSGI."""

CONTENT = [b"0123456789abcdef" * 640]


def app(environ, start_response):
    """Answer every request with the same ten kilobytes."""
    start_response("200 OK", [("content-type", "application/octet-stream"), ("content-length", "10240")])
    return CONTENT
