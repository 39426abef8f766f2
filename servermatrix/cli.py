"""The commands: read what was typed, call, print; the only place that prints or exits."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import click

from servermatrix import __version__, applications, experiment, plugins, store
from servermatrix.analyse import analyse
from servermatrix.errors import Exit, MatrixError, UsageProblem
from servermatrix.header import planned_cell
from servermatrix.live import Progress
from servermatrix.measure import doctor as examination
from servermatrix.measure.selftest import run_checks
from servermatrix.model import Report
from servermatrix.outlook import outlook
from servermatrix.prepare import Prepared, Setup, Wishes, prepare, prepare_stored, stored_setup, tools_folder
from servermatrix.render import document, findings, markdown, planned, terminal
from servermatrix.schema import schema_text
from servermatrix.selectors import conducting, selecting

CONFIGURATION, SCHEMA = "matrix.yaml", "matrix.schema.json"
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
OUT = click.option("--out", default="reports", type=click.Path(path_type=Path), metavar="DIR", show_default=True)


class DefaultRun(click.Group):
    """A group whose first word may be left out: then it is `run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` in front unless a command or an option of the program itself is there."""
        own = {"--help", "-h", "--version"}
        if not args or (args[0] not in own and args[0].startswith("-")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=DefaultRun, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="servermatrix")
def cli() -> None:
    """Which Python web server, with which settings, for this app on this machine.

    Without a command: run. Exit codes: 0 fine, 2 usage or configuration, 3 environment unfit, 4 a cell failed,
    5 nothing selected, 70 a bug of ours, 130 interrupted.
    """


@cli.command()
@selecting
@conducting
@click.option("--resume", metavar="RUN", help="Go on with a stored run: its id, its folder, or latest.")
@AS_JSON
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("-v", "--verbose", is_flag=True, help="Print the whole report.")
def run(wishes: Wishes, setup: Setup, *, resume: str | None, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Measure the cells of the matrix and print the tables."""
    with Progress(sys.stderr, quiet=quiet) as progress:
        if resume is None:
            finished = experiment.conduct(_prepared(wishes), setup, progress.listener)
        else:
            finished = _go_on(wishes, setup, resume, progress)
    show(finished.report, as_json=as_json, as_markdown=verbose)
    click.echo(f"report: {finished.folder / 'report.md'}", err=True)
    sys.exit(finished.exit_code)


def _prepared(wishes: Wishes) -> Prepared:
    prepared = prepare(wishes)
    if prepared.generator.notice:
        click.echo(prepared.generator.notice, err=True)
    ahead = outlook(prepared.plan)
    click.echo(planned.announcement(ahead, prepared.plan.rounds), err=True)
    return prepared


def _go_on(wishes: Wishes, setup: Setup, resume: str, progress: Progress) -> experiment.Finished:
    if wishes != Wishes(plugin_folders=wishes.plugin_folders):
        raise UsageProblem("--resume goes on with the stored plan; cells cannot be selected anew", "leave the selectors out")
    folder = store.find_run(resume, setup.out)
    header = store.read_run(folder).header
    prepared = prepare_stored(header, wishes.plugin_folders)
    return experiment.go_on(prepared, stored_setup(header, setup), progress.listener, folder)


def show(report: Report, *, as_json: bool, as_markdown: bool) -> None:
    """Print a report in the form that was asked for."""
    if as_json:
        click.echo(document.to_json(report), nl=False)
    elif as_markdown:
        click.echo(markdown.to_markdown(report), nl=False)
    else:
        width = shutil.get_terminal_size((120, 24)).columns
        click.echo(terminal.to_terminal(report, width=width, colour=_colour()), nl=False)


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


@cli.command()
@selecting
@AS_JSON
def plan(*, wishes: Wishes, as_json: bool) -> None:
    """Print every cell with its command, what is excluded and why, and how long it will take."""
    prepared = prepare(wishes, find_tools=False)
    setup = Setup(out=Path("reports"), argv=())
    cells = tuple(planned_cell(cell, prepared, setup) for cell in prepared.plan.cells)
    ahead = outlook(prepared.plan)
    form = planned.to_json if as_json else planned.to_text
    click.echo(form(prepared.plan, cells, ahead), nl=False)


@cli.command()
@click.argument("runs", nargs=-1, metavar="RUN...")
@OUT
@AS_JSON
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the markdown of report.md.")
@click.option("--reference", metavar="CELL-ID", help="Show ratios against this cell instead of the fastest.")
def report(*, runs: tuple[str, ...], out: Path, as_json: bool, as_markdown: bool, reference: str | None) -> None:
    """Make reports again from stored runs: ids, folders, or latest."""
    for name in runs or ("latest",):
        folder = store.find_run(name, out)
        if reference is None:
            experiment.derive(folder)
        show(analyse(store.read_run(folder), reference), as_json=as_json, as_markdown=as_markdown)


@cli.command()
@click.option("--python", default=sys.executable, metavar="PATH", help="Interpreter that runs the servers.")
@click.option("--runners", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help="More plug-ins; repeatable.")
@AS_JSON
def doctor(*, python: str, runners: tuple[Path, ...], as_json: bool) -> None:
    """Say what is installed, what is missing and what to type, and whether this machine is quiet enough."""
    servers, generators = plugins.load_servers(runners), plugins.load_generators(runners)
    found = tuple(examination.examine(servers, generators, python, tools_folder()))
    click.echo(findings.to_json(found) if as_json else findings.to_text(found), nl=False)
    sys.exit(Exit.OK if all(finding.fit for finding in found) else Exit.UNFIT)


@cli.command()
@click.option("--force", is_flag=True, help="Write over files that are there.")
def init(*, force: bool) -> None:
    """Write a commented matrix.yaml, and its schema for editors, into the current folder."""
    there = [name for name in (CONFIGURATION, SCHEMA) if Path(name).exists()]
    if there and not force:
        raise UsageProblem(f"{' and '.join(there)} is here already", "write over it with --force")
    Path(CONFIGURATION).write_text((plugins.builtin_root() / CONFIGURATION).read_text())
    Path(SCHEMA).write_text(_schema())
    click.echo(f"wrote {CONFIGURATION} and {SCHEMA}; see what it would run: python3 run_matrix.py plan")


@cli.command()
def schema() -> None:
    """Print the JSON Schema of matrix.yaml."""
    click.echo(_schema(), nl=False)


def _schema() -> str:
    return schema_text(plugins.load_servers(), plugins.load_generators(), applications.app_names())


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def selftest(pytest_args: tuple[str, ...]) -> None:
    """Run lint, types and every test of this project; further words go to pytest."""
    failed = run_checks(plugins.builtin_root(), tools_folder(), pytest_args, os.environ)
    if failed:
        click.echo(f"selftest failed: {', '.join(failed)}", err=True)
    sys.exit(1 if failed else 0)


def main() -> None:
    """Run a command and end with its exit code: the one place where failures become sentences."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    sys.exit(guarded(sys.argv[1:]))


def _interrupt(*_: object) -> None:
    """End as on Ctrl-C: servers are stopped and the report is written."""
    raise KeyboardInterrupt


def guarded(args: list[str]) -> int:
    """Run a command; print a failure as one sentence and return the exit code."""
    try:
        cli.main(args, prog_name="run_matrix.py", standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
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
        log.write(f"servermatrix {__version__}\nPython {sys.version}\n{sys.argv}\n\n{''.join(traceback.format_exception(bug))}")
    return log.name
