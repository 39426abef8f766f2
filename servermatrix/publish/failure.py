"""The one failure of this room, and how words of others are made fit to be printed."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

LONGEST = 300
LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class NotPublished(Exception):
    """Something could not be published; the text is a sentence. It never changes what a check found."""


def one_line(text: str, token: str = "") -> str:
    """Return words of a server or a program on one line, short, and without the token in any form that we send it in.

    On one line, for GitHub takes a line that begins with `::` as a command.
    """
    for secret in (token, basic(token)) if token else ():
        text = text.replace(secret, "***")
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def basic(token: str) -> str:
    """Return a token as git sends it over HTTP: basic authentication, RFC 7617, as the user that GitHub wants for tokens."""
    return base64.b64encode(f"x-access-token:{token}".encode()).decode()


def may_carry_token(address: str) -> bool:
    """Tell whether a token may be sent there: encrypted, or not off this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS)
