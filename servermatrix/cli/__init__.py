"""The commands: read what was typed, call, print; the only room that prints or exits."""

from __future__ import annotations

import importlib
import os
import shlex
import sys
import tempfile
import traceback

import click

from servermatrix import __version__
from servermatrix.cli import interrupts
from servermatrix.cli.redaction import without_values
from servermatrix.errors import Exit, MatrixError

# Name -> what the overview says. A command's module is imported when it is called: all of them together would make
# `--help` wait for what only one of them needs.
COMMANDS = {
    "run": "Measure the cells of the matrix and print the tables.",
    "plan": "Print every cell with its command, what is excluded and why.",
    "verify": "Start every setting once, without load, and say what really ran.",
    "pick": "Find the server and settings for your app, with the lines to paste.",
    "check": "Compare two sides in one run and say what regressed.",
    "compare": "Compare two stored runs, cell by cell.",
    "trend": "Print and draw the last nights of a history.",
    "accept": "Make the candidate of a check the baseline.",
    "merge": "Judge the shards of a check as one night.",
    "github": "Tell GitHub what a check found.",
    "report": "Make reports again from stored runs.",
    "doctor": "Say what is installed, what is missing and what to type.",
    "init": "Write a commented matrix.yaml into the current folder.",
    "schema": "Print the JSON Schema of matrix.yaml.",
    "selftest": "Run lint, types and every test of this project.",
}
GIVEN = "SERVERMATRIX_ARGS"
OWN_OPTIONS = frozenset({"--help", "-h", "--version"})


class Commands(click.Group):
    """The commands by name, each loaded when it is asked for; without a name it is `run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` in front unless a command or an option of the program itself is there."""
        if not args or (args[0].startswith("-") and args[0] not in OWN_OPTIONS):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them in the order in which they are used."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        found = getattr(importlib.import_module(f"servermatrix.cli.{cmd_name}"), cmd_name)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without loading any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="servermatrix")
def cli() -> None:
    """Which Python web server, with which settings, for this app on this machine.

    Without a command: run. Exit codes: 0 fine, 1 a confirmed regression, 2 usage or configuration, 3 environment unfit,
    4 a cell failed, 5 nothing selected or no baseline, 6 inconclusive where that was to fail, 70 a bug of ours, 130 interrupted.
    """


def main() -> None:
    """Run a command and end with its exit code: the one place where failures become sentences."""
    interrupts.listen()
    try:
        # Into sys.argv, which is what a run stores; out of the environment, for no process of ours has to see it.
        sys.argv[1:] = with_given(sys.argv[1:], os.environ.pop(GIVEN, ""))
    except ValueError as problem:
        click.echo(f"error: {GIVEN} cannot be split into words: {problem}\nquote it as for a shell", err=True)
        sys.exit(Exit.USAGE)
    sys.exit(guarded(sys.argv[1:]))


def with_given(args: list[str], given: str) -> list[str]:
    """Put further words behind the command; they are split as a shell does, and nothing in them is expanded.

    What was typed comes after them, so that it counts where both say the same. Raises ValueError for a quote without its end.
    """
    command = 1 if args and not args[0].startswith("-") else 0
    return [*args[:command], *shlex.split(given), *args[command:]]


def guarded(args: list[str]) -> int:
    """Run a command; print a failure as one sentence and return the exit code."""
    stdout = sys.stdout
    try:
        cli.main(args, prog_name="run_matrix.py", standalone_mode=False)
    except SystemExit as end:
        if sys.stdout is not stdout:  # click does so when nobody reads on, and ends with 1, which means something else here
            os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
            return Exit.OK
        return int(end.code or 0)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except Exception as failure:  # noqa: BLE001 - the edge
        return _told(failure)
    return Exit.OK


def _told(failure: Exception) -> int:
    """Print a failure and return its exit code."""
    if isinstance(failure, click.ClickException):
        failure.show()
        return Exit.USAGE
    if isinstance(failure, MatrixError):
        click.echo(f"error: {failure.message}" + (f"\n{failure.tip}" if failure.tip else ""), err=True)
        return failure.exit_code
    click.echo(f"this is a bug of servermatrix: {failure!r}\nplease report it with {_crash_log(failure)}", err=True)
    return Exit.BUG


def _crash_log(bug: Exception) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="servermatrix-bug-", suffix=".log", delete=False) as log:
        argv = [sys.argv[0], *without_values(sys.argv[1:])]
        log.write(f"servermatrix {__version__}\nPython {sys.version}\n{argv}\n\n{''.join(traceback.format_exception(bug))}")
    return log.name
