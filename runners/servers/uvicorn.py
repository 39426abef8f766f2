"""uvicorn: one process, or a supervisor with spawned workers."""

from servermatrix.contracts import Choice, Launch, Server

LOOPS = {"asyncio": "asyncio.", "uvloop": "uvloop."}
PARSERS = {"h11": "uvicorn.protocols.http.h11_impl.", "httptools": "uvicorn.protocols.http.httptools_impl."}


def argv(launch: Launch) -> list[str]:
    """Build the command line; everything whose default might differ from another server's is said."""
    return [
        *(launch.python, "-m", "uvicorn", launch.target),
        *("--host", launch.host, "--port", str(launch.port)),
        *("--workers", str(launch.workers)),
        *("--loop", launch.options["loop"], "--http", launch.options["http"]),
        *("--no-access-log", "--log-level", "warning"),
        *("--backlog", str(launch.backlog)),
        *("--timeout-keep-alive", str(launch.keep_alive_s)),
        *("--timeout-graceful-shutdown", str(launch.graceful_s)),
    ]


def needs(launch: Launch) -> tuple[str, ...]:
    """Name the packages of this loop and parser."""
    return tuple(name for name in (launch.options["loop"], launch.options["http"]) if name != "asyncio")


def proof(launch: Launch) -> dict[str, str]:
    """Say what the witness must find."""
    return {"loop": LOOPS[launch.options["loop"]], "http": PARSERS[launch.options["http"]]}


SERVER = Server(
    requires=("uvicorn>=0.30",),
    options={
        "loop": Choice(values=tuple(LOOPS), default="uvloop"),
        "http": Choice(values=tuple(PARSERS), default="httptools"),
    },
    protocols=("h1",),
    argv=argv,
    needs=needs,
    proof=proof,
)
