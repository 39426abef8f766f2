"""Waits, bounded, for a quiet machine; tells once where it does not become one, and then waits no longer than is of use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from servermatrix.measure import usage

IN_VAIN = 3  # waits on end, after which a machine is one that does not become quiet
SHORT_S = 1.0


def nobody(_: str) -> None:
    """Keep a sentence from being told."""


@dataclass(slots=True, kw_only=True)
class Quiet:
    """How often on end this machine was waited for in vain in a run, and whether that was told."""

    in_vain: int = 0
    told: bool = False

    def wait(self, limit: float, patience_s: float, tell: Callable[[str], None]) -> bool:
        """Wait until others use less than `limit` of a core, return whether they do, and `tell` the first time they do not."""
        share = usage.wait_until_quiet(limit, patience_s=patience_s if self.in_vain < IN_VAIN else min(SHORT_S, patience_s))
        if share < limit:
            self.in_vain = 0
            return True
        self.in_vain += 1
        if not self.told:
            self.told = True
            tell(
                f"this machine does not become quiet: other programs use {share:.0%} of a core; "
                "the run goes on, and a window that they disturb too much is driven again"
            )
        return False
