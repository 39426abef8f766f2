"""The options that several commands share, gathered into what those commands take; it runs nothing."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import click
from click.core import ParameterSource
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from servermatrix.cli.options import Command, with_options
from servermatrix.cli.own_app import Own, with_app
from servermatrix.cli.redaction import without_values
from servermatrix.cli.values import Axis, Counts, Interpreter, Seconds
from servermatrix.config.overrides import Overrides
from servermatrix.errors import UsageProblem
from servermatrix.prepare import Setup, Wishes

WHICH = (
    click.option(
        "--matrix", type=click.Path(path_type=Path), help="Configuration; default: ./matrix.yaml, else the shipped one."
    ),
    click.option("--profile", default="quick", show_default=True, metavar="NAME", help="Profile of the configuration."),
    click.option(
        "-k",
        "keep",
        multiple=True,
        metavar="GLOB",
        help="Keep the cells whose id matches (* and ?), a rate with its closed loop; repeatable.",
    ),
    click.option("-s", "sets", multiple=True, type=Axis(), help="Set an axis or a server option for this run; repeatable."),
)
ROUNDS = click.option("--rounds", type=click.IntRange(min=1), metavar="N", help="Starts of every server.")
HOW = (
    click.option("--duration", type=Seconds(), help="Length of a window, whole seconds."),
    click.option("--warmup", type=Seconds(), help="Load before the windows, not measured."),
    click.option("--windows", type=click.IntRange(min=1), metavar="N", help="Windows measured in every start."),
    click.option("--connections", type=Counts(), help="Open connections, in all."),
    click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads of the generator, sharing the connections."),
    click.option("--seed", type=int, metavar="N", help="Seed of the order of the rounds."),
)
BUDGET = click.option(
    "--budget",
    type=Seconds(),
    help="Time to fill with rounds: looks after fixed rounds, drops clear losers, stops when the groups are resolved.",
)
WITH_WHAT = (
    click.option("--load", "generator", metavar="NAME", help="Load generator; default: wrk for HTTP/1.1, h2load for HTTP/2."),
    click.option("--runners", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help="More plug-ins; repeatable."),
)

# A check has rounds of its own, in two stages, and no budget.
SELECTORS = (*WHICH, ROUNDS, *HOW, BUDGET, *WITH_WHAT)
SELECTORS_OF_PAIRS = (*WHICH, *HOW, *WITH_WHAT)

PYTHON = click.option(
    "--python", default=sys.executable, type=Interpreter(), metavar="PATH", help="Interpreter of the servers; default: our own."
)

CONDUCT = (
    click.option("--out", default="reports", type=click.Path(path_type=Path), metavar="DIR", show_default=True),
    PYTHON,
    click.option("--pin", default="auto", type=click.Choice(["auto", "on", "off"]), show_default=True),
    click.option("--port", default=0, type=click.IntRange(0, 65535), metavar="N", help="Fixed port; default: a free one each."),
    click.option(
        "--startup-timeout", default="20s", type=Seconds(), show_default=True, help="Longest wait for the right answer."
    ),
    click.option("-x", "fail_fast", is_flag=True, help="Stop at the first failure."),
    click.option("--fake", type=click.Path(path_type=Path), metavar="FILE", help="Model for --load fake."),
)


def selecting(command: Command) -> Command:
    """Give a command the selectors of cells, which reach it as one `wishes`."""
    return with_options(SELECTORS, with_app(_with_wishes(command)))


def selecting_pairs(command: Command) -> Command:
    """Give a command the selectors of cells without those that say how many rounds there are."""
    return with_options(SELECTORS_OF_PAIRS, with_app(_with_wishes(command)))


def _with_wishes(command: Command) -> Command:
    """Gather the selectors into one `wishes`."""

    @functools.wraps(command)
    def wrapper(
        *,
        matrix: Path | None,
        profile: str,
        keep: tuple[str, ...],
        sets: tuple[tuple[str, tuple[str, ...]], ...],
        duration: int | None,
        warmup: int | None,
        windows: int | None,
        connections: tuple[int, ...] | None,
        threads: int | None,
        seed: int | None,
        generator: str | None,
        runners: tuple[Path, ...],
        own: Own,
        rounds: int | None = None,
        budget: int | None = None,
        **rest: object,
    ) -> None:
        overrides = Overrides(
            sets=sets,
            rounds=rounds,
            duration_s=duration,
            warmup_s=warmup,
            windows=windows,
            connections=connections,
            threads=threads,
            generator=generator,
            seed=seed,
            budget_s=budget,
            app=own.app,
        )
        wishes = Wishes(
            matrix=matrix,
            profile=profile,
            keep=keep,
            overrides=overrides,
            plugin_folders=runners,
            env=own.env,
            prepare=own.prepare,
            cleanup=own.cleanup,
        )
        command(wishes=wishes, **rest)

    return wrapper


def conducting(command: Command) -> Command:
    """Give a command the options of how a run is conducted, which reach it as one `setup`."""

    @functools.wraps(command)
    def wrapper(
        *, out: Path, python: str, pin: str, port: int, startup_timeout: int, fail_fast: bool, fake: Path | None, **rest: object
    ) -> None:
        setup = Setup(
            out=out,
            argv=without_values(sys.argv[1:]),
            python=python,
            pin=pin,
            port=port,
            ready_s=startup_timeout,
            fail_fast=fail_fast,
            model=read_model(fake),
        )
        command(setup=setup, **rest)

    return with_options(CONDUCT, wrapper)


def read_model(file: Path | None) -> Mapping[str, object]:
    """Read the model of a simulation; UsageProblem when the file is missing or not a mapping."""
    if file is None:
        return {}
    try:
        model = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}", "name a model with --fake FILE") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(model, dict):
        raise UsageProblem(f"{file} is not a mapping with `cells`", "see the chapter on the fake generator in CONTRIBUTING.md")
    try:
        json.dumps(model, default=str)  # as a run stores it
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageProblem(f"{file} holds what a run cannot store: {error}", "write its keys as text") from error
    return model


def typed_besides(allowed: frozenset[str]) -> list[str]:
    """List the options of the current command that were typed and are not among those allowed."""
    context = click.get_current_context()
    others = [param for param in context.command.params if param.name not in allowed]
    return [param.opts[0] for param in others if context.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE]
