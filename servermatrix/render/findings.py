"""What `doctor` found, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from servermatrix.model import Finding


def to_text(findings: Sequence[Finding]) -> str:
    """Write one line per finding, and the advice under those that need one."""
    width = max(len(finding.subject) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{'ok   ' if finding.fit else 'UNFIT'}  {finding.subject:<{width}}  {finding.found}")
        if finding.advice:
            lines.append(f"{'':7}{'':{width}}  {finding.advice}")
    return "\n".join(lines) + "\n"


def to_json(findings: Sequence[Finding]) -> str:
    """Write the findings for programs."""
    fit = all(finding.fit for finding in findings)
    return json.dumps({"schema": 1, "fit": fit, "findings": [asdict(finding) for finding in findings]}, indent=2) + "\n"
