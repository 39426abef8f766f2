"""gunicorn: its own `asgi` worker, or uvicorn's worker class with loop and parser chosen by a generated subclass."""

from servermatrix.contracts import Choice, Launch, Server

LOOPS = {"asyncio": "asyncio.", "uvloop": "uvloop."}
PARSERS = {"h11": "uvicorn.protocols.http.h11_impl.", "httptools": "uvicorn.protocols.http.httptools_impl."}

# Two masters share the control socket's default path, and the file lives in the user's home.
COMMON = ("--no-control-socket", "--log-level", "warning")

WORKER = """\
from uvicorn_worker import UvicornWorker


class CellWorker(UvicornWorker):
    CONFIG_KWARGS = {{"loop": "{loop}", "http": "{http}"}}
"""


def argv(launch: Launch) -> list[str]:
    """Build the command line; everything whose default might differ from another server's is said."""
    return [
        *(launch.python, "-m", "gunicorn", launch.target, *worker(launch)),
        *("--bind", f"{launch.host}:{launch.port}", "--workers", str(launch.workers)),
        *("--backlog", str(launch.backlog)),
        *("--keep-alive", str(launch.keep_alive_s)),
        *("--graceful-timeout", str(launch.graceful_s)),
        *COMMON,
    ]


def worker(launch: Launch) -> tuple[str, ...]:
    """Choose the worker class; the generated one is found because the work folder is put on the module path."""
    if launch.options["worker"] == "asgi":
        return ("--worker-class", "asgi", "--asgi-loop", launch.options["loop"], "--http-parser", launch.options["parser"])
    return ("--worker-class", "cell_worker.CellWorker", "--pythonpath", launch.folder)


def files(launch: Launch) -> dict[str, str]:
    """Write the worker class: uvicorn's has no command line for its loop and parser."""
    if launch.options["worker"] == "asgi":
        return {}
    return {"cell_worker.py": WORKER.format(loop=launch.options["loop"], http=launch.options["http"])}


def needs(launch: Launch) -> tuple[str, ...]:
    """Name the packages of this worker, loop and parser."""
    loop = ("uvloop",) if launch.options["loop"] == "uvloop" else ()
    if launch.options["worker"] == "asgi":
        return ("gunicorn>=25.1", *loop)
    return ("uvicorn-worker>=0.3", "uvicorn", launch.options["http"], *loop)


def proof(launch: Launch) -> dict[str, str]:
    """Say what the witness must find."""
    if launch.options["worker"] == "asgi":
        return {"loop": LOOPS[launch.options["loop"]], "http": "gunicorn.asgi.protocol."}
    return {"loop": LOOPS[launch.options["loop"]], "http": PARSERS[launch.options["http"]]}


SERVER = Server(
    requires=("gunicorn>=25.1",),
    options={
        "worker": Choice(values=("asgi", "uvicorn"), default="asgi"),
        "loop": Choice(values=tuple(LOOPS), default="uvloop"),
        "http": Choice(values=tuple(PARSERS), default="httptools", when={"worker": ("uvicorn",)}),
        "parser": Choice(values=("python",), default="python", when={"worker": ("asgi",)}, in_id=False),
    },
    protocols=("h1",),
    argv=argv,
    files=files,
    needs=needs,
    proof=proof,
    unequal=("gunicorn's asgi worker listens with a backlog of 100 whatever --backlog says",),
)
