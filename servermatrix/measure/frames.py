"""Measures what HTTP/2 puts on the wire, frame by frame."""

from __future__ import annotations

import struct

FRAME_HEAD = 9
HEADERS, CONTINUATION, PADDED, PRIORITY = 0x1, 0x9, 0x8, 0x20  # RFC 9113, section 6


def header_blocks(raw: bytes) -> list[int]:
    """Measure the header blocks of stream 1 one by one, without padding and priority (RFC 9113, sections 4.1, 6.2 and 6.10)."""
    blocks: list[int] = []
    while len(raw) >= FRAME_HEAD:
        high, low, kind, flags, stream = struct.unpack_from(">BHBBI", raw)
        length = high << 16 | low
        if stream == 1 and kind == HEADERS:
            padding = 1 + raw[FRAME_HEAD] if flags & PADDED else 0
            blocks.append(length - padding - (5 if flags & PRIORITY else 0))
        elif stream == 1 and kind == CONTINUATION:
            blocks[-1] += length
        raw = raw[FRAME_HEAD + length :]
    return blocks
