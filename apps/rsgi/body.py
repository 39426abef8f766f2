"""body.py written for RSGI."""

CONTENT = b"0123456789abcdef" * 640
HEADERS = [("content-type", "application/octet-stream"), ("content-length", "10240")]


async def app(scope, protocol):
    """Answer every request with the same ten kilobytes."""
    protocol.response_bytes(200, HEADERS, CONTENT)
