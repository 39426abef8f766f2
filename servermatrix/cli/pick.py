"""`pick`: find the server and the settings for an app, and print the lines to paste."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from servermatrix import store
from servermatrix.cli.live import Progress
from servermatrix.cli.selectors import conducting, selecting, typed_besides
from servermatrix.cli.show import AS_JSON, announce, show, tell
from servermatrix.cli.values import Keeping, Size
from servermatrix.config.mix import mix_text
from servermatrix.errors import UsageProblem
from servermatrix.measure import importing
from servermatrix.measure.host import read_topology
from servermatrix.model import PREFERENCES, THROUGHPUT, App, Limit, Race
from servermatrix.outlook import outlook
from servermatrix.picking import DEFAULT_BUDGET_S, Picked, Wished, conduct_pick, go_on, plan_pick
from servermatrix.prepare import Prepared, Setup, Wishes, prepare_stored, stored_setup
from servermatrix.rehearsing import look_at
from servermatrix.render import pick_ahead
from servermatrix.suggest import listed
from servermatrix.workbench import readied

PROFILE = "pick"
WITH_RESUME = frozenset({"resume", "out", "runners", "fail_fast", "env", "env_file", "as_json", "quiet", "verbose"})


@click.command()
@click.option("--slo", "slo", multiple=True, type=Keeping(), help="A limit to keep, such as 'p99<50ms'; repeatable.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Requests/s at which limits are judged.")
@click.option("--memory", type=Size(), help="Most memory of all processes of the server, such as 512MB.")
@click.option("--cores", type=click.IntRange(min=1), metavar="N", help="Cores that the server may use; default: all.")
@click.option("--prefer", default=THROUGHPUT, show_default=True, type=click.Choice(PREFERENCES), help="What is to be best.")
@click.option("--pool", type=click.IntRange(min=1), metavar="N", help="Database connections that each worker opens.")
@click.option("--openapi", is_flag=True, help="Propose a mix of requests from the app's OpenAPI schema, and end.")
@click.option("--no-overlay", is_flag=True, help="Leave out the servers that the interpreter does not have.")
@click.option("--resume", metavar="RUN", help="Go on with a stored search: its id, its folder, or latest.")
@selecting
@conducting
@AS_JSON
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("-v", "--verbose", is_flag=True, help="Print the whole report.")
def pick(
    wishes: Wishes,
    setup: Setup,
    *,
    slo: tuple[Limit, ...],
    rate: float | None,
    memory: int | None,
    cores: int | None,
    prefer: str,
    pool: int | None,
    openapi: bool,
    no_overlay: bool,
    resume: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Find the server and the settings for your app on this machine, and print the lines to paste.

    All settings that suit the app race against each other: what is surely worse is left out after a few rounds, until the leaders
    are told apart or the budget is spent. The first line printed is for machines.
    """
    limits = (*slo, *([Limit(metric="memory", bound=memory, text=f"memory<={memory / 1e6:g}MB")] if memory else []))
    wanted = Race(prefer=prefer, limits=limits, rate_per_s=rate or 0.0, cores=cores or 0, pool=pool or 0)
    # Fewer cores than there are can only be held to by binding the server to them.
    bound = cores is not None and cores < read_topology().cpus and setup.pin == "auto"
    setup = replace(setup, overlay=not no_overlay, pin="on" if bound else setup.pin)
    if openapi:
        _propose(_app_of(wishes), setup)
        return
    with Progress(sys.stderr, quiet=quiet) as progress:
        if resume is None:
            _look_first(wishes, setup, progress)
            prepared = _prepared(wishes, setup, wanted)
            with readied(prepared, setup, tell):
                picked = conduct_pick(prepared, setup, progress.listener)
        else:
            picked = _go_on(wishes, setup, resume, progress)
    show(picked.report, as_json=as_json, as_markdown=verbose, where=str(picked.folder))
    sys.exit(picked.exit_code)


def _app_of(wishes: Wishes) -> App:
    if wishes.overrides.app is None:
        raise UsageProblem("no app is named, and a search is for one", "name it with --app MODULE:ATTR")
    return wishes.overrides.app


def _look_first(wishes: Wishes, setup: Setup, progress: Progress) -> None:
    """Import the app before anything else is asked for, unless a command readies that, or nothing will be started."""
    commands = click.get_current_context().params
    if not (setup.model or commands.get("prepare")):
        look_at(_app_of(wishes), setup, progress.listener)


def _prepared(wishes: Wishes, setup: Setup, wanted: Race) -> Prepared:
    _app_of(wishes)
    if _typed("rounds"):
        raise UsageProblem("a search has as many rounds as its budget allows", "give --budget instead of --rounds")
    profile = wishes.profile if _typed("profile") else PROFILE
    budget_s = wishes.overrides.budget_s
    wished = Wished(race=wanted, budget_s=int(budget_s) if budget_s else DEFAULT_BUDGET_S)
    prepared = plan_pick(replace(wishes, profile=profile), wished)
    announce(prepared, setup)
    tell(pick_ahead.announcement(prepared.plan, outlook(prepared.plan), wished.budget_s))
    return prepared


def _typed(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _go_on(wishes: Wishes, setup: Setup, resume: str, progress: Progress) -> Picked:
    if refused := typed_besides(WITH_RESUME):
        raise UsageProblem(f"--resume goes on as the search began; it cannot be changed with {listed(refused)}", "leave that out")
    folder = store.find_run(resume, setup.out)
    header = store.read_run(folder).header
    if header.race is None:
        raise UsageProblem(f"run {header.id} is no search", f"go on with: python3 run_matrix.py run --resume {header.id}")
    prepared, setup = prepare_stored(header, wishes.plugin_folders, wishes.env), stored_setup(header, setup)
    with readied(prepared, setup, tell):
        return go_on(prepared, setup, progress.listener, folder)


def _propose(app: App, setup: Setup) -> None:
    """Print a mix of the requests that the app's schema describes."""
    described = importing.openapi(setup.python, app)
    if isinstance(described, str):
        raise UsageProblem(described, "write the mix yourself: see docs/pick.md")
    headers = app.request.headers
    for operation, reason in importing.left_out(described, headers=headers):
        tell(f"left out: {operation}: {reason}")
    click.echo(mix_text(importing.proposed(described, headers=headers)), nl=False)
