"""plaintext.py written for RSGI."""

HEADERS = [("content-type", "text/plain"), ("content-length", "13")]


async def app(scope, protocol):
    """Answer every request with the same bytes."""
    protocol.response_bytes(200, HEADERS, b"Hello, World!")
