"""What the documents of reports, checks and comparisons say alike of a run: how it began, and where it was made."""

from __future__ import annotations

from dataclasses import asdict

from servermatrix.model import RunHeader
from servermatrix.render.document_cells import Json
from servermatrix.render.notes import comparable


def begun(header: RunHeader) -> Json:
    """Say how a run began."""
    return {
        "id": header.id,
        "started_at": header.started_at,
        "argv": list(header.argv),
        "seed": header.seed,
        "rounds": header.rounds,
    }


def surroundings(header: RunHeader, versions: object) -> Json:
    """Say where a run was made and with what; the documents have its `versions` in different shapes."""
    return {
        "host": asdict(header.host),
        "versions": versions,
        "generators": [
            {"name": name, "version": version or None, "comparable": comparable(name)} for name, version in header.generators
        ],
        "git": header.git,
        "noise": asdict(header.noise),
    }


def listed_versions(header: RunHeader) -> list[Json]:
    """List what was installed; a name may be there twice, in different environments."""
    return [{"name": name, "version": version} for name, version in header.versions]
