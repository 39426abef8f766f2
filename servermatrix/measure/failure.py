"""How a step ends without a number: whose fault, and one sentence."""

from __future__ import annotations

import re
from pathlib import Path

from servermatrix.model import Cause

# The last line of a traceback says more than what a supervisor says after it.
RAISED = re.compile(r"^[\w.]*(Error|Exception|Exit|Interrupt|Warning)\b(: |$)")
TELLING = re.compile(r"error|exception|refused|denied|cannot|not found|no such|failed", re.IGNORECASE)
LOG_TAIL_BYTES = 65_536
SENTENCE_LENGTH = 300
# Some command lines draw a box around their errors, whose upper line has a title.
FRAME = re.compile(r"^\s*[╭┌╰└].*|[│╮╯┐┘]\s*$|^\s*│")


class StepFailure(Exception):
    """A step or window that gives no number; `fatal` when trying the same server again is pointless."""

    def __init__(self, cause: Cause, reason: str, *, fatal: bool = False) -> None:
        """Keep whose fault it is and the sentence."""
        super().__init__(reason)
        self.cause = cause
        self.reason = reason
        self.fatal = fatal


def refused(error: OSError) -> StepFailure:
    """Put what the system refused, a full disk or a folder that is gone, into the failure of a step."""
    return StepFailure(Cause.ENVIRONMENT, f"the system refused what the measurement needs: {error}", fatal=True)


def last_words(log: Path) -> str:
    """Return the last telling line of a server's log, as `: line`, or nothing."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            said = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    lines = [bare for line in said if (bare := FRAME.sub("", line).strip())]
    raised = [line for line in lines if RAISED.search(line)]
    telling = raised or [line for line in lines if TELLING.search(line)] or lines
    return f": {telling[-1][:SENTENCE_LENGTH]}" if telling else ""
