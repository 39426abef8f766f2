"""The test bench: everything that is the same for all steps of a run, and one start of one server as a context."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from servermatrix.contracts import Launch, LoadGenerator, Server
from servermatrix.measure.certificate import Certificate
from servermatrix.measure.client import Address
from servermatrix.measure.failure import SENTENCE_LENGTH, StepFailure, last_words
from servermatrix.measure.host import Layout
from servermatrix.measure.logs import trim_log
from servermatrix.measure.probe import Patience, free_port, lasting, listening_on
from servermatrix.measure.process import Command, Guard, Running, start, stop
from servermatrix.measure.quiet import Quiet, nobody
from servermatrix.measure.surroundings import environment, write_files
from servermatrix.model import App, Cause, Cell, Noise

HOST = "127.0.0.1"
SPARE_FILES = 512
LOG_LIMIT_BYTES = 16 * 2**20
ACCESS_LOG_LIMIT_BYTES = 2**30
READ_LOG_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A load generator that is here: its plug-in, its program and the environment that needs.

    `missing` is a sentence when it is not here: what it would drive is skipped.
    """

    plugin: LoadGenerator
    program: str = ""
    env: tuple[tuple[str, str], ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """The Python that servers run in: its path, and what is installed there of what they need (None: not).

    `contents` is all that is installed there, where somebody wants to know. `pins` are the requirements that what runs must meet,
    `constraints` the versions of whatever else is there. `failure` is a sentence when the venue is not there: whatever was to run
    in it fails. `beside` is the interpreter whose packages it shares; `refused` says why a requirement could not be met.
    """

    path: str
    versions: Mapping[str, str | None] = field(default_factory=dict)
    pins: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    contents: tuple[tuple[str, str], ...] = ()
    failure: str = ""
    beside: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)


# What chooses an interpreter: a cell's server, python and requirements. Each server has an environment of its own, so that
# no package of one can take the place of another's. In a check it is the side instead of the server: what is accepted then is one
# set of packages, as it would be deployed.
Wanted = tuple[str, str, tuple[str, ...]]


def wanted(cell: Cell) -> Wanted:
    """Say what chooses the interpreter of a cell."""
    return cell.side or cell.server, cell.python, cell.requires


def needs_of(cell: Cell, server: Server) -> tuple[str, ...]:
    """Return the requirements that a cell's server has in this combination, whatever the set of the cell."""
    launch = launch_of(cell, python="python", target="app:app", port=0, folder=".")
    return (*server.requires, *server.needs(launch))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every step of a run shares: generators by name, interpreters by what a cell wants, and whom to `tell` a sentence.

    `app_dirs` are the folders, by side, from which a check imports its app.
    """

    venues: Mapping[Wanted, Venue]
    servers: Mapping[str, Server]
    apps: Mapping[str, App]
    witness: App
    drivers: Mapping[str, Driver]
    guard: Guard
    logs: Path
    noise: Noise
    certificate: Certificate | None = None
    app_dirs: Mapping[str, str] = field(default_factory=dict)
    layout: Layout = field(default_factory=Layout)
    pick_port: Callable[[str], int] = free_port
    patience: Patience = field(default_factory=Patience)
    quiet: Quiet = field(default_factory=Quiet)
    tell: Callable[[str], None] = nobody

    def driver(self, cell: Cell) -> Driver:
        """Return what drives a cell."""
        return self.drivers[cell.load.generator]

    def venue(self, cell: Cell) -> Venue:
        """Return what a cell's server runs in."""
        return self.venues[wanted(cell)]

    def app(self, cell: Cell) -> App:
        """Return the app of a cell, to be imported from the folder of its side."""
        app = self.apps[cell.app]
        folder = self.app_dirs.get(cell.side)
        return replace(app, folder=folder) if folder else app


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A server that has been started, where it listens, the folder that is its own, and how large its log may become."""

    running: Running
    address: Address
    folder: Path
    log_limit_bytes: int = LOG_LIMIT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How a server ended: exit code of its first process, how long that took, and what is left of it (normally nothing)."""

    exit_code: int | None
    after_s: float
    processes: tuple[int, ...]
    listeners: tuple[str, ...]


def launch_of(cell: Cell, *, python: str, target: str, port: int, folder: str, app: App | None = None) -> Launch:
    """Say how a cell's server is started, on an `app` if there is one: a factory, and its lifespan."""
    return Launch(
        python=python,
        target=target,
        host=HOST,
        port=port,
        workers=cell.workers,
        protocol=cell.protocol,
        options=dict(cell.options),
        folder=folder,
        factory=app is not None and app.factory,
        lifespan="auto" if app is None else app.lifespan,
    )


@contextlib.contextmanager
def serving(bench: Bench, cell: Cell, app: App, log: Path) -> Iterator[Started]:
    """Start a cell's server on an app; on leaving, stop it and prove that no process of it is left."""
    with work_folder(log) as folder:
        started = start_server(bench, cell, app, log, folder)
        try:
            yield started
        finally:
            stopped = stop_server(bench, started)
        if stopped.processes:
            raise StepFailure(Cause.SERVER, f"processes {stopped.processes} of the server could not be ended", fatal=True)
        if stopped.listeners:
            who = ", ".join(stopped.listeners)
            sentence = f"port {started.address.port} is still listened on by process {who} after the server was stopped"
            raise StepFailure(Cause.SERVER, sentence, fatal=True)


@contextlib.contextmanager
def work_folder(log: Path) -> Iterator[Path]:
    """Make the empty folder that a server starts in; remove it at the end, and what is too much of the log."""
    folder = Path(tempfile.mkdtemp(prefix="servermatrix-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        trim_log(log)


def start_server(bench: Bench, cell: Cell, app: App, log: Path, folder: Path) -> Started:
    """Write the files that the server needs and start it; whether it is up is not known yet."""
    log.unlink(missing_ok=True)  # what an earlier run has left there says nothing of this start
    server, port, target = bench.servers[cell.server], bench.pick_port(HOST), app.target_for(cell.interface)
    if target is None:
        raise StepFailure(Cause.SERVER, f"the app {app.name} is not written for {cell.interface.upper()}", fatal=True)
    launch = launch_of(cell, python=bench.venue(cell).path, target=target, port=port, folder=str(folder), app=app)
    write_files(server, launch, bench.certificate)
    command = Command(
        argv=server.argv(launch),
        env=environment(app, server, launch),
        folder=folder,
        log=log,
        open_files=4 * cell.load.connections + SPARE_FILES,
        cpus=bench.layout.server,
    )
    authority = bench.certificate.authority_pem if bench.certificate is not None else ""
    return Started(
        running=_start(command, bench.guard),
        address=Address(host=HOST, port=port, protocol=cell.protocol, authority_pem=authority),
        folder=folder,
        log_limit_bytes=ACCESS_LOG_LIMIT_BYTES if launch.access_log else LOG_LIMIT_BYTES,
    )


def stop_server(bench: Bench, started: Started) -> Stopped:
    """Stop a server and look what is left of it."""
    begin = time.monotonic()
    left = stop(started.running, bench.guard, patience_s=bench.patience.stop_s)
    return Stopped(
        exit_code=started.running.exit_code(),
        after_s=time.monotonic() - begin,
        processes=left,
        listeners=() if left else tuple(lasting(lambda: listening_on(started.address.port))),
    )


def _start(command: Command, guard: Guard) -> Running:
    try:
        return start(command, guard)
    except (OSError, subprocess.SubprocessError) as failure:
        raise StepFailure(Cause.ENVIRONMENT, f"the server could not be started: {failure}", fatal=True) from failure


def check_log(started: Started) -> None:
    """Fail when a server floods its log: writing it takes the time that is measured."""
    size = (log := started.running.log).stat().st_size
    if size > started.log_limit_bytes:
        raise StepFailure(Cause.SERVER, f"the server wrote {size // 2**20} MiB of log in one step{last_words(log)}", fatal=True)


def check_alarms(server: Server, started: Started) -> None:
    """Fail when the log says that the server serves without something that it was to serve with."""
    with started.running.log.open("rb") as stream:
        lines = stream.read(READ_LOG_BYTES).decode(errors="replace").splitlines()
    said = next((line.strip() for line in lines if any(alarm in line for alarm in server.alarms)), None)
    if said is not None:
        sentence = f"the server answers, but not as it should: its log says {said[:SENTENCE_LENGTH]}"
        raise StepFailure(Cause.SERVER, sentence, fatal=True)
