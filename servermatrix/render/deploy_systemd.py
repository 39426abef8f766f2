"""A unit file of systemd for a server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

UNIT = "app.service"
# Signs that mean nothing to systemd, wherever they stand in a word.
_PLAIN = re.compile(r"[\w@:/.,=+()\[\]-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a unit starts, and the names of the environment variables that it needs."""

    argv: tuple[str, ...]
    description: str
    names: tuple[str, ...] = ()


def unit(service: Service) -> str:
    """Write the unit; servers are stopped as they were when measured, by SIGTERM to the first process alone."""
    return "\n".join(
        (
            "[Unit]",
            f"Description={_escaped(service.description)}",
            "Wants=network-online.target",
            "After=network-online.target",
            "",
            "[Service]",
            "# The folder of the app, with its virtual environment.",
            "WorkingDirectory=/srv/app",
            'Environment="PATH=/srv/app/.venv/bin:/usr/local/bin:/usr/bin:/bin" PYTHONUNBUFFERED=1',
            *_variables(service.names),
            "# env looks for python in that PATH, which systemd itself does not.",
            f"ExecStart=/usr/bin/env {exec_line(service.argv)}",
            "DynamicUser=yes",
            "LimitNOFILE=65536",
            "KillMode=mixed",
            "TimeoutStopSec=15",
            "# A server may end with exit code 0 when it fails.",
            "Restart=always",
            "RestartSec=1",
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        )
    )


def _variables(names: Sequence[str]) -> tuple[str, ...]:
    return (f"# Holds {', '.join(names)}: a line NAME=value each.", "EnvironmentFile=/etc/app.env") if names else ()


def exec_line(argv: Sequence[str]) -> str:
    """Join a command into one line that systemd takes apart into the same words (systemd.service, "Command lines")."""
    return " ".join(word if _PLAIN.fullmatch(word) else f'"{_quoted(word)}"' for word in argv)


def _quoted(word: str) -> str:
    return _escaped(word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
