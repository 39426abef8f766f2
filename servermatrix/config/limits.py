"""What may be typed as a limit, as `p99<50ms` or `512MB`, and what it becomes; raises ValueError with a sentence."""

from __future__ import annotations

import re

from servermatrix.model import Limit

MICROSECONDS = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}
BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
PERCENTS = (50.0, 99.99)  # of fewer answers than these need a percentile says nothing
_LATENCY = re.compile(r"p(\d{1,2}(?:\.\d{1,2})?)\s*<=?\s*(\d+(?:\.\d+)?)\s*(us|µs|ms|s)")
_ERRORS = re.compile(r"errors\s*(=|==|<=|<)\s*(\d+(?:\.\d+)?)\s*(%?)")
_MEMORY = re.compile(r"memory\s*<=?\s*(.+)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?I?B?)", re.IGNORECASE)
EXAMPLES = "such as p99<50ms, errors=0 or memory<512MB"


def read_limit(text: str) -> Limit:
    """Read one limit; ValueError says, to go after the text, why it is none."""
    stripped = text.strip()
    if found := _LATENCY.fullmatch(stripped):
        percent, bound_us = float(found[1]), float(found[2]) * MICROSECONDS[found[3]]
        if not PERCENTS[0] <= percent <= PERCENTS[1]:
            raise ValueError(f"is about a percentile that is not from p{PERCENTS[0]:g} to p{PERCENTS[1]:g}")
        if not bound_us:
            raise ValueError("is a limit that nothing can keep")
        return Limit(metric="latency", bound=bound_us, text=stripped, percent=percent)
    if found := _ERRORS.fullmatch(stripped):
        return _errors(found, stripped)
    if found := _MEMORY.fullmatch(stripped):
        return Limit(metric="memory", bound=read_size(found[1]), text=stripped)
    raise ValueError(f"is no limit {EXAMPLES}")


def _errors(found: re.Match[str], text: str) -> Limit:
    # A start with a single wrong answer gives no number at all, so that a share of them could not be looked at.
    if float(found[2]) != 0 or found[1] == "<":
        raise ValueError("allows errors, but a start with a wrong answer never counts: write errors=0, or leave it out")
    return Limit(metric="errors", bound=0.0, text=text)


def read_size(text: str) -> int:
    """Read a size such as 512MB (10**6) or 1.5GiB (2**30), in bytes; ValueError says why it is none."""
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * BYTES[found[2].upper()]) if found and found[2].upper() in BYTES else 0
    if not size:
        raise ValueError("is no size in memory, such as 512MB or 1GiB")
    return size
