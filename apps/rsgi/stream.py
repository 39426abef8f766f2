"""stream.py written for RSGI."""

PIECES = (b"0123456789abcdef" * 128,) * 5
HEADERS = [("content-type", "application/octet-stream")]


async def app(scope, protocol):
    """Answer every request with the same ten kilobytes, piece by piece."""
    transport = protocol.response_stream(200, HEADERS)
    for piece in PIECES:
        await transport.send_bytes(piece)
