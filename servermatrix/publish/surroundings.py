"""What GitHub tells a job by its environment variables; any of them may be missing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from servermatrix.publish.failure import NotPublished

SPEAKING = frozenset({"schedule", "workflow_dispatch", "push"})
REPOSITORY = re.compile(r"[\w-][\w.-]*/(?!\.{1,2}$)[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a job runs and what it may write to; an empty text or None stands for a variable that is missing."""

    in_actions: bool = False
    summary: Path | None = None
    output: Path | None = None
    repository: str = ""
    token: str = field(default="", repr=False)
    api_url: str = ""
    server_url: str = ""
    run_id: str = ""
    event: str = ""
    ref: str = ""
    default_branch: str = ""

    @property
    def silenced(self) -> str:
        """Say why this job has no say in what becomes of the history and the issue, empty where it has.

        Only what runs on the default branch, and not for a pull request, tells of the state of the repository. By hand, outside
        of a job, it is for the one who typed it to know.
        """
        if not self.in_actions:
            return ""
        if self.event not in SPEAKING:
            said = f"this job runs for {self.event}" if self.event else "GITHUB_EVENT_NAME is not set"
            return f"{said}, and only schedule, workflow_dispatch and push count"
        if not self.default_branch and self.event != "schedule":  # which runs on no other branch
            return "GITHUB_EVENT_PATH does not say which branch is the default one"
        if self.default_branch and self.ref != f"refs/heads/{self.default_branch}":
            return (
                f"this job runs on {self.ref or 'an unknown branch'}, and only the default branch, {self.default_branch}, counts"
            )
        return ""

    @property
    def run_url(self) -> str:
        """Return the address of this run of the workflow, empty where it is not known."""
        if not (self.server_url and self.repository and self.run_id):
            return ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"


def read(environ: Mapping[str, str]) -> Surroundings:
    """Read what GitHub sets; the variables are listed in its reference, `Variables`."""

    def said(name: str) -> str:
        return environ.get(name, "").strip()

    def place(name: str) -> Path | None:
        return Path(said(name)) if said(name) else None

    return Surroundings(
        in_actions=said("GITHUB_ACTIONS") == "true",
        summary=place("GITHUB_STEP_SUMMARY"),
        output=place("GITHUB_OUTPUT"),
        repository=said("GITHUB_REPOSITORY"),
        token=said("GITHUB_TOKEN"),
        api_url=said("GITHUB_API_URL").rstrip("/"),
        server_url=said("GITHUB_SERVER_URL").rstrip("/"),
        run_id=said("GITHUB_RUN_ID"),
        event=said("GITHUB_EVENT_NAME"),
        ref=said("GITHUB_REF"),
        default_branch=_default_branch(place("GITHUB_EVENT_PATH")),
    )


def _default_branch(event: Path | None) -> str:
    """Read the default branch out of what GitHub says of the event, empty where it does not say."""
    try:
        found = json.loads(event.read_bytes()) if event else {}
        repository = found.get("repository") if isinstance(found, dict) else None
        branch = repository.get("default_branch") if isinstance(repository, dict) else ""
    except (OSError, ValueError, RecursionError):
        return ""
    return branch if isinstance(branch, str) else ""


def require(what: str, **values: str) -> None:
    """Raise NotPublished, naming the variables that are missing for `what`, unless all of them are there."""
    missing = [f"GITHUB_{name.upper()}" for name, value in values.items() if not value]
    if missing:
        raise NotPublished(f"{what}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set")
    repository = values.get("repository", "")
    if repository and not REPOSITORY.fullmatch(repository):
        raise NotPublished(f"{what}: GITHUB_REPOSITORY is {repository!r}, which is not of the form OWNER/NAME")
