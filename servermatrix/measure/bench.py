"""The test bench: everything that is the same for all steps of a run, and one start of one server as a context."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from servermatrix.contracts import Launch, LoadGenerator, Server
from servermatrix.measure.failure import StepFailure, last_words
from servermatrix.measure.host import Layout
from servermatrix.measure.probe import Address, Patience, free_port, listening_on
from servermatrix.measure.process import Command, Guard, Running, scrubbed_environment, start, stop
from servermatrix.model import App, Cause, Cell, Noise

HOST = "127.0.0.1"
SPARE_FILES = 512
LONGEST_NAME = 180
LOG_LIMIT_BYTES = 16 * 2**20
KEPT_LOG_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every step of a run shares; `versions` are those of the servers' interpreter `python`."""

    python: str
    servers: Mapping[str, Server]
    apps: Mapping[str, App]
    witness: App
    versions: Mapping[str, str | None]
    generator: LoadGenerator
    program: str
    program_env: tuple[tuple[str, str], ...]
    guard: Guard
    logs: Path
    noise: Noise
    layout: Layout = field(default_factory=Layout)
    pick_port: Callable[[str], int] = free_port
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A server that has been started, where it listens, and the folder that is its own."""

    running: Running
    address: Address
    folder: Path


def launch_of(cell: Cell, *, python: str, target: str, port: int, folder: str) -> Launch:
    """Say how a cell's server is started."""
    return Launch(
        python=python,
        target=target,
        host=HOST,
        port=port,
        workers=cell.workers,
        protocol=cell.protocol,
        options=dict(cell.options),
        folder=folder,
    )


def log_name(cell: Cell, suffix: str) -> str:
    """Name a log file after its cell, in characters and a length that any file system takes."""
    name = re.sub(r"[^A-Za-z0-9=,_.-]+", "_", cell.id).strip("_")
    if len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}-{zlib.crc32(cell.id.encode()):08x}"
    return f"{name}-{suffix}.log"


@contextlib.contextmanager
def serving(bench: Bench, cell: Cell, app: App, log: Path) -> Iterator[Started]:
    """Start a cell's server on an app; on leaving, stop it and prove that no process of it is left."""
    server = bench.servers[cell.server]
    folder = Path(tempfile.mkdtemp(prefix="servermatrix-"))
    try:
        port = bench.pick_port(HOST)
        launch = launch_of(cell, python=bench.python, target=app.target, port=port, folder=str(folder))
        for name, text in server.files(launch).items():
            (folder / name).write_text(text)
        command = Command(
            argv=server.argv(launch),
            env=scrubbed_environment({"PYTHONPATH": app.folder, **server.env(launch)}),
            folder=folder,
            log=log,
            open_files=4 * cell.load.connections + SPARE_FILES,
            cpus=bench.layout.server,
        )
        running = _start(command, bench.guard)
        try:
            yield Started(running=running, address=Address(host=HOST, port=port), folder=folder)
        finally:
            left = stop(running, bench.guard)
        if left:
            raise StepFailure(Cause.SERVER, f"processes {left} of the server could not be ended", fatal=True)
        if listeners := listening_on(port):
            sentence = f"port {port} is still listened on by process {', '.join(listeners)} after the server was stopped"
            raise StepFailure(Cause.SERVER, sentence, fatal=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        trim_log(log)


def _start(command: Command, guard: Guard) -> Running:
    try:
        return start(command, guard)
    except (OSError, subprocess.SubprocessError) as failure:
        raise StepFailure(Cause.ENVIRONMENT, f"the server could not be started: {failure}", fatal=True) from failure


def check_log(log: Path) -> None:
    """Fail when a server floods its log: writing it takes the time that is measured."""
    size = log.stat().st_size
    if size > LOG_LIMIT_BYTES:
        raise StepFailure(Cause.SERVER, f"the server wrote {size // 2**20} MiB of log in one step{last_words(log)}", fatal=True)


def trim_log(log: Path) -> None:
    """Remove an empty log and cut a flooded one."""
    with contextlib.suppress(OSError):
        size = log.stat().st_size
        if size == 0:
            log.unlink()
        elif size > KEPT_LOG_BYTES:
            with log.open("r+b") as stream:
                stream.truncate(KEPT_LOG_BYTES)
