"""Ctrl-C, SIGTERM and SIGHUP as one KeyboardInterrupt that cannot get lost."""

from __future__ import annotations

import signal

_seen: list[int] = []


def listen() -> None:
    """Take over the signals that end a run; one that is ignored, as under nohup, stays ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _: object) -> None:
    """End as on Ctrl-C: servers are stopped and the report is written."""
    _seen.append(number)
    raise KeyboardInterrupt


def check() -> None:
    """Raise what was lost: an exception in a callback of the interpreter, as imports have them, is printed and dropped."""
    if _seen:
        raise KeyboardInterrupt
