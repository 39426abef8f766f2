"""What a server plug-in is: a value with pure functions of one start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from servermatrix.model import ASGI, ENCRYPTED, HTTP2

BACKLOG = 2048
KEEP_ALIVE_S = 75
GRACEFUL_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An option with named values.

    `default` stands when the matrix does not name the option: never `auto`, whose meaning changes with what is installed.
    `when` limits the option to combinations in which other options, or `protocol`, have one of the given values; elsewhere
    it is dropped, so that combinations which differ in it alone are one.
    `in_id=False` keeps the default value out of cell ids, so that a new option leaves the ids of stored runs as they are.
    """

    values: tuple[str, ...]
    default: str
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_id: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """An option that is a whole number from `minimum` on; see Choice for the rest."""

    default: str
    minimum: int = 1
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_id: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """An option that is `on` or `off`; see Choice for the rest."""

    default: str = "off"
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_id: bool = True


Option = Choice | Count | Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of a server: everything that its command line may depend on.

    `folder` is the empty work folder the server starts in; `options` holds every option that applies. `certificate` and
    `key` are PEM files, there whenever the protocol is encrypted. With `factory` the target is a function that makes the app;
    `lifespan` is `auto`, `on` or `off`.
    """

    python: str
    target: str
    host: str
    port: int
    workers: int
    protocol: str
    options: Mapping[str, str]
    folder: str
    backlog: int = BACKLOG
    keep_alive_s: int = KEEP_ALIVE_S
    graceful_s: int = GRACEFUL_S
    factory: bool = False
    lifespan: str = "auto"

    @property
    def called(self) -> str:
        """Name the app as an expression, for servers that evaluate one: a function that makes it is called."""
        return f"{self.target}()" if self.factory else self.target

    @property
    def encrypted(self) -> bool:
        """Tell whether the protocol runs over TLS."""
        return self.protocol in ENCRYPTED

    @property
    def http2(self) -> bool:
        """Tell whether the protocol is HTTP/2."""
        return self.protocol in HTTP2

    @property
    def certificate(self) -> str:
        """Name the certificate chain, PEM."""
        return f"{self.folder}/certificate.pem"

    @property
    def key(self) -> str:
        """Name the private key, PEM in PKCS #8."""
        return f"{self.folder}/key.pem"

    @property
    def access_log(self) -> bool:
        """Tell whether every request is to be logged on standard output."""
        return self.options.get("access_log") == "on"


ACCESS_LOG = Flag(in_id=False)


def _nothing(_: Launch) -> dict[str, str]:
    return {}


def _no_objection(_: Launch) -> str | None:
    return None


def _no_words(_: Launch) -> tuple[str, ...]:
    return ()


def _asgi(_: Launch) -> str:
    return ASGI


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server as data and pure functions; the engine starts, waits, stops and measures.

    `requires` are requirements (`uvicorn>=0.30`) checked in the server's own interpreter, `needs(launch)` the further ones
    of a combination. `proof(launch)` says what the witness must find: `loop` and `http` map to prefixes of class names.
    `files(launch)` are written into the work folder (relative name -> text). `objection(launch)` is a sentence when the
    combination cannot run. `interface(launch)` is what the app must speak: `asgi`, `rsgi` or `wsgi`. `unequal(launch)` lists
    what cannot be set as on the other servers, a sentence each. `alarms` are texts in the server's log that mean that it
    serves without something that it was to serve with. `settings(launch)` are files by which the server can be started instead of
    by options alone, (name -> text), and `settings_argv(launch)` the command line that uses them; empty where there are none.
    """

    requires: tuple[str, ...]
    options: Mapping[str, Option]
    protocols: tuple[str, ...]
    argv: Callable[[Launch], list[str]]
    proof: Callable[[Launch], Mapping[str, str]]
    env: Callable[[Launch], Mapping[str, str]] = _nothing
    files: Callable[[Launch], Mapping[str, str]] = _nothing
    needs: Callable[[Launch], tuple[str, ...]] = _no_words
    objection: Callable[[Launch], str | None] = _no_objection
    interface: Callable[[Launch], str] = _asgi
    unequal: Callable[[Launch], tuple[str, ...]] = _no_words
    settings: Callable[[Launch], Mapping[str, str]] = _nothing
    settings_argv: Callable[[Launch], tuple[str, ...]] = _no_words
    alarms: tuple[str, ...] = ()
