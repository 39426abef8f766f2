"""Small real programs for the tests of the measuring room: started, watched, and gone at the end."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TypeVar

import psutil

from servermatrix.contracts import LoadGenerator, LoadStats, Outcome, Server, Shot
from servermatrix.measure.bench import Bench, Driver, Started, Venue
from servermatrix.measure.client import Address
from servermatrix.measure.probe import Patience
from servermatrix.measure.process import Command, Guard, Running, scrubbed_environment, session_members, start, stop
from servermatrix.model import App, Cell, Expect, Load, Noise

Seen = TypeVar("Seen")

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
# Ends at SIGTERM, as a bad supervisor does, and leaves its child behind.
FAMILY = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); time.sleep(60)"
# Answers on the port argv[1] with the status argv[2] and the body argv[3].
ANSWERING = """
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[3].encode()
        self.send_response(int(sys.argv[2]))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Server(http.server.HTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
SHORT = Patience(answer_s=0.5, ready_s=5.0, wrong_s=0.3, stop_s=2.0)
SMALL = ("small", "", ())  # what the cells of the small server want
STATS = LoadStats(requests=10, duration_us=1_000_000, histogram=((100, 10),))


def until(look: Callable[[], Seen], limit_s: float = 8.0) -> Seen:
    """Look again and again, bounded, until there is something to see; return what was seen last."""
    deadline = time.monotonic() + limit_s
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return seen


def alive(session: int) -> list[int]:
    """List the processes of a session that are no zombies."""
    return [pid for pid in session_members(session) if not zombie(pid)]


def zombie(pid: int) -> bool:
    """Tell whether a process has ended, whether or not somebody collected it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def command(folder: Path, source: str, *words: str, cpus: tuple[int, ...] = (), open_files: int = 1024) -> Command:
    """Say how a small Python program is started."""
    return Command(
        argv=[sys.executable, "-S", "-c", source, *words],
        env=scrubbed_environment({}),
        folder=folder,
        log=folder / "program.log",
        open_files=open_files,
        cpus=cpus,
    )


@contextlib.contextmanager
def guarded() -> Iterator[Guard]:
    """Have a guard for a while."""
    guard = Guard()
    try:
        yield guard
    finally:
        guard.close()


@contextlib.contextmanager
def program(folder: Path, source: str, *words: str) -> Iterator[Running]:
    """Run a small Python program for a while; at the end nothing of it may be left."""
    with guarded() as guard:
        running = start(command(folder, source, *words), guard)
        try:
            yield running
        finally:
            assert not stop(running, guard, patience_s=0.5)


def said(running: Running, text: str) -> bool:
    """Wait, bounded, until a program has written a text."""
    return until(lambda: text in running.log.read_text())


@contextlib.contextmanager
def answering(answer: Callable[[], tuple[int, bytes]]) -> Iterator[Address]:
    """Answer every GET from a thread of this process; no process may be started meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Address(host="127.0.0.1", port=server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def make_cell(server: str = "small", *, workers: int = 1, options: tuple[tuple[str, str], ...] = (), **load: int) -> Cell:
    """Make a cell of one second without warm-up."""
    numbers = {"connections": 8, "threads": 1, "duration_s": 1, "warmup_s": 0, "windows": 1, **load}
    label = ",".join(f"{name}={value}" for name, value in options)
    return Cell(
        server=server,
        options=options,
        label=label,
        protocol="h1",
        workers=workers,
        app="plain",
        load=Load(generator="small", **numbers),
    )


def small_app(name: str = "plain", body: str = "ok", status: int = 200) -> App:
    """Describe an app that the small server does not look at."""
    return App(name=name, target="none:app", folder="/nowhere", expect=Expect(status=status, body=body))


def small_server(source: str = ANSWERING, *words: str, files: Mapping[str, str] | None = None) -> Server:
    """Make a server plug-in of a small Python program; its first word is the port."""
    return Server(
        requires=(),
        options={},
        protocols=("h1",),
        argv=lambda launch: [sys.executable, "-S", "-c", source, str(launch.port), *(words or ("200", "ok"))],
        proof=lambda _: {},
        files=lambda _: files or {},
    )


def whole(_: Shot, __: Outcome) -> LoadStats:
    """Take every outcome for a whole result."""
    return STATS


def small_generator(
    source: str = "", parse: Callable[[Shot, Outcome], LoadStats] = whole, files: Mapping[str, str] | None = None
) -> LoadGenerator:
    """Make a load plug-in of a small Python program, which is told the result file."""
    return LoadGenerator(
        protocols=("h1",),
        version=lambda text: text,
        argv=lambda shot: [sys.executable, "-S", "-c", source, shot.result],
        parse=parse,
        files=lambda _: files or {},
    )


def make_bench(
    folder: Path, guard: Guard, *, server: Server | None = None, generator: LoadGenerator | None = None, app: App | None = None
) -> Bench:
    """Put a bench together on which no noise is refused; its servers run in this interpreter."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    return Bench(
        venues={SMALL: Venue(path=sys.executable)},
        servers={"small": server or small_server()},
        apps={"plain": app or small_app()},
        witness=small_app("witness"),
        drivers={"small": Driver(plugin=generator or small_generator())},
        guard=guard,
        logs=logs,
        noise=Noise(foreign_cpu=99, steal=1.0),
        patience=SHORT,
    )


def started(running: Running, folder: Path) -> Started:
    """Take a running program for a started server."""
    return Started(running=running, address=Address(host="127.0.0.1", port=1), folder=folder)
