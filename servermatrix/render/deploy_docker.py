"""A Dockerfile and a file for docker compose for a server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from servermatrix.render.table import shell_line

PORT = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What a container runs: the command, the Python (`3.11`), requirements, and names of environment variables."""

    argv: tuple[str, ...]
    python: str
    packages: tuple[str, ...]
    names: tuple[str, ...] = ()


def dockerfile(image: Image) -> str:
    """Write the Dockerfile; in the exec form of CMD no shell comes between, so that the server gets the signals."""
    return "\n".join(
        (
            f"FROM python:{image.python}-slim",
            "WORKDIR /app",
            "ENV PYTHONUNBUFFERED=1",
            f"RUN pip install --no-cache-dir {shell_line(image.packages)}",
            "# What the app itself needs: COPY requirements.txt . and RUN pip install --no-cache-dir -r requirements.txt",
            "COPY . .",
            f"EXPOSE {PORT}",
            f"CMD {json.dumps(image.argv)}",
            "",
        )
    )


def compose(image: Image, *, encrypted: bool) -> str:
    """Write the file for docker compose; a list in JSON is one in YAML, too, and a dollar sign is written twice."""
    command = json.dumps(image.argv).replace("$", "$$")
    return "\n".join(
        (
            "services:",
            "  app:",
            "    build: .",
            f"    command: {command}",
            f'    ports: ["{PORT}:{PORT}"]',
            *((f"    environment: {json.dumps(image.names)}",) if image.names else ()),
            *(_mounted("certificate.pem", "key.pem") if encrypted else ()),
            "    ulimits: {nofile: 65536}",
            "    stop_grace_period: 15s",
            "    restart: always",
            "",
        )
    )


def _mounted(*names: str) -> Sequence[str]:
    return ("    volumes:", *(f"      - ./{name}:/app/{name}:ro" for name in names))
