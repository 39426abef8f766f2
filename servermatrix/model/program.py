"""The program under test: what is asked of it, what its right answers are; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

ASGI = "asgi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the app, once per request."""

    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a right answer is: the status, and the exact body or a text within it (None: not looked at)."""

    status: int = 200
    body: str | None = None
    contains: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of a mix, what its right answer is, and how often it is sent in proportion to the others (whole, from 1 on)."""

    request: Request
    expect: Expect = Expect()
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What is known of an app before it is measured: how it must do, if the measuring is right.

    Each answer holds `seconds` on what `holds` names: `await` (nothing is held, the loop goes on), `threads` (one of `threads`
    threads per worker), or `worker` (the whole worker). An app that `burns` a share of CPU per request beyond what the app
    named `beyond` uses holds nothing.
    """

    holds: str = ""
    seconds: float = 0.0
    threads: int = 0
    burns: float = 0.0
    beyond: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A program under test: `target` is `module:attribute`, importable once `folder` is on the module path.

    `twins` are the targets of the same program written for other interfaces than ASGI: (`wsgi`, target), (`rsgi`, target).
    With `factory` the attribute is a function that makes the app. `lifespan` is `auto`, `on` or `off`. `env` are environment
    variables that it is started with, (name, value), sorted by name; a run file keeps their names alone. `mix` are the requests
    of a load that has several, of which `request` is the first; empty: every request is `request`.
    """

    name: str
    target: str
    folder: str
    request: Request = Request()
    expect: Expect = Expect()
    twins: tuple[tuple[str, str], ...] = ()
    control: Control | None = None
    factory: bool = False
    lifespan: str = "auto"
    env: tuple[tuple[str, str], ...] = ()
    mix: tuple[Asked, ...] = ()

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Return all that is asked of it, one request where there is no mix."""
        return self.mix or (Asked(request=self.request, expect=self.expect),)

    def target_for(self, interface: str) -> str | None:
        """Return the target that speaks this interface, None when the program was not written for it."""
        return self.target if interface == ASGI else dict(self.twins).get(interface)
