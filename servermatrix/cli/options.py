"""Puts lists of options on commands; it knows none of them."""

from __future__ import annotations

from collections.abc import Callable

Command = Callable[..., None]


def with_options(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    """Put options on a command, to be shown in the order in which they are listed."""
    for option in reversed(options):
        command = option(command)
    return command
