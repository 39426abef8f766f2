"""Every failure a user can see: one sentence, a tip, an exit code; nothing here prints or exits."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of the program, as the documentation lists them."""

    OK = 0
    REGRESSION = 1
    USAGE = 2
    UNFIT = 3
    CELL_FAILED = 4
    NOTHING = 5
    INCONCLUSIVE = 6
    BUG = 70
    INTERRUPTED = 130


class MatrixError(Exception):
    """A failure with a sentence for the user, what to do next, and the exit code that tells which kind it is."""

    exit_code: Exit = Exit.BUG

    def __init__(self, message: str, tip: str = "") -> None:
        """Keep the sentence and the optional advice."""
        super().__init__(message)
        self.message = message
        self.tip = tip


class UsageProblem(MatrixError):
    """The command line asks for something that does not exist or cannot be combined."""

    exit_code = Exit.USAGE


class ConfigProblems(MatrixError):
    """matrix.yaml has mistakes; `problems` holds each of them with file, line, column and caret."""

    exit_code = Exit.USAGE

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Join the problems, which are complete texts already."""
        super().__init__("\n".join(problems))
        self.problems = problems


class Unfit(MatrixError):
    """This machine or folder cannot run the matrix: tool missing, port taken, disk full, another run active."""

    exit_code = Exit.UNFIT


class NotInstalled(Unfit):
    """The requirements of one side of a check cannot be installed."""


class NothingSelected(MatrixError):
    """The selection leaves no cell, or there is no stored run to read."""

    exit_code = Exit.NOTHING


class StoredRunUnreadable(MatrixError):
    """A run file is missing its header, is of a newer schema, or is damaged before its last line."""

    exit_code = Exit.USAGE
