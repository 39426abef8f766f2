"""The options that describe the user's own app: what it is, what is asked of it, and what goes before and after."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import click

from servermatrix.cli.options import Command, with_options
from servermatrix.cli.values import Header, Variable
from servermatrix.config import applications, environment, mix
from servermatrix.errors import UsageProblem
from servermatrix.model import App, Asked, Expect, Request

AUTO = applications.AUTO
TO_START_IT = (
    click.option("--app", "target", metavar="MODULE:ATTR", help="Measure your own ASGI app."),
    click.option("--app-dir", default=".", metavar="DIR", help="Where to import it from.", show_default=True),
    click.option("--factory", is_flag=True, help="ATTR is a function that makes the app."),
    click.option("--lifespan", default=AUTO, type=click.Choice([AUTO, "on", "off"]), show_default=True, help="ASGI lifespan."),
    click.option("--env", multiple=True, type=Variable(), help="Environment variable; NAME alone: as it is here; repeatable."),
    click.option("--env-file", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="NAME=VALUE lines."),
)
TO_ASK_IT = (
    click.option("--path", default="/", metavar="PATH", help="What to ask of it.", show_default=True),
    click.option("--method", default="GET", metavar="VERB", help="HTTP method.", show_default=True),
    click.option("--header", "headers", multiple=True, type=Header(), help="Request header; repeatable."),
    click.option("--body", default="", metavar="TEXT", help="Request body."),
    click.option("--expect-status", default=200, type=click.IntRange(100, 599), metavar="N", show_default=True),
    click.option("--expect-contains", metavar="TEXT", help="Text that the right answer contains."),
    click.option("--requests", type=click.Path(path_type=Path), metavar="FILE", help="A weighted mix of requests, as YAML."),
)
AROUND_IT = (
    click.option("--prepare", default="", metavar="CMD", help="Shell command before all starts, in --app-dir."),
    click.option("--cleanup", default="", metavar="CMD", help="Shell command after all starts, however they end, in --app-dir."),
)
NOTHING_SAID = (Asked(request=Request()),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """An app of the user's, None where none is named; the variables that were given, and the commands before and after."""

    app: App | None = None
    env: environment.Variables = ()
    prepare: str = ""
    cleanup: str = ""


def with_app(command: Command) -> Command:
    """Gather the options that describe the user's own app into one `own`."""

    @functools.wraps(command)
    def wrapper(
        *,
        target: str | None,
        app_dir: str,
        factory: bool,
        lifespan: str,
        env: tuple[tuple[str, str], ...],
        env_file: tuple[Path, ...],
        asked: tuple[Asked, ...],
        prepare: str,
        cleanup: str,
        **rest: object,
    ) -> None:
        given = environment.joined(map(environment.read_env_file, env_file), env)
        others = (app_dir != ".", factory, lifespan != AUTO, given, prepare, cleanup)
        # With --resume the app is that of the stored run, which holds all but the values of its variables.
        if target is None and not rest.get("resume") and (asked != NOTHING_SAID or any(others)):
            raise UsageProblem("options about an app of your own are given, but no app", "name it with --app MODULE:ATTR")
        app = None
        if target is not None:
            request, expect = asked[0].request, asked[0].expect
            app = applications.user_app(
                target, app_dir, request, expect, factory=factory, lifespan=lifespan, env=given, mix=asked
            )
        command(own=Own(app=app, env=given, prepare=prepare, cleanup=cleanup), **rest)

    return with_options(TO_START_IT, _with_requests(with_options(AROUND_IT, wrapper)))


def _with_requests(command: Command) -> Command:
    """Gather the options that say what is asked of an app into one `asked`."""

    @functools.wraps(command)
    def wrapper(
        *,
        path: str,
        method: str,
        headers: tuple[tuple[str, str], ...],
        body: str,
        expect_status: int,
        expect_contains: str | None,
        requests: Path | None,
        **rest: object,
    ) -> None:
        request = Request(method=method.upper(), path=path, headers=headers, body=body)
        one = Asked(request=request, expect=Expect(status=expect_status, contains=expect_contains))
        if requests is not None and replace(one, request=replace(request, headers=())) != NOTHING_SAID[0]:
            raise UsageProblem(
                "--requests says what is asked and what is right, and other options say so too",
                "leave --path, --method, --body and --expect-... out; each --header is added to every request of the mix",
            )
        command(asked=(one,) if requests is None else mix.read_mix(requests, headers), **rest)

    return with_options(TO_ASK_IT, wrapper)
