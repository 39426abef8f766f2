"""Runs the project's own checks: lint, format, types, tests, and the statistics; the output goes straight to the terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from servermatrix.errors import Unfit
from servermatrix.measure import tools

GENERATORS = {"wrk": "wrk", "h2load": "nghttp2-client"}
CHECKS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
)


def run_checks(root: Path, tools_dir: Path, pytest_args: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Run every check, the tests last; return the names of those that failed. Unfit outside a checkout or without a generator."""
    _require_checkout(root)
    for program, package in GENERATORS.items():
        require(program, package, tools_dir)
    checks = (*CHECKS, ("pytest", *pytest_args))
    return tuple(" ".join(check[:2]) for check in checks if not _passes(root, check, environment))


def run_statistics(root: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Prove the claims of reports, checks and searches on made-up worlds; return what failed as run_checks does.

    That writes docs/statistics.md, docs/nightly-statistics.md and docs/pick-statistics.md. Unfit outside a checkout.
    """
    _require_checkout(root)
    return () if _passes(root, ("tests.truth",), environment) else ("statistics",)


def _require_checkout(root: Path) -> None:
    if not (root / "tests").is_dir():
        raise Unfit(f"{root} has no tests: selftest runs in a checkout only", "clone the project and run it there")


def require(program: str, package: str, tools_dir: Path) -> None:
    """Make sure that the integration tests have a generator: a missing tool must fail, not skip."""
    found = tools.find(program, (package,), tools_dir)
    if not isinstance(found, tools.Tool):
        message = f"the tests need {program}, which is not here and could not be fetched: {found.why}"
        raise Unfit(message, f"type: {found.command}")


def _passes(root: Path, check: tuple[str, ...], environment: Mapping[str, str]) -> bool:
    argv = [sys.executable, "-m", *check]
    return subprocess.run(argv, cwd=root, env=dict(environment), stdin=subprocess.DEVNULL, check=False).returncode == 0
