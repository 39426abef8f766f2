"""granian: a supervisor with worker processes, HTTP by Rust's hyper."""

from servermatrix.contracts import Choice, Launch, Server

LOOPS = {"asyncio": "asyncio.", "uvloop": "uvloop."}


def argv(launch: Launch) -> list[str]:
    """Build the command line; the interface must be said, or an ASGI app is served as RSGI and answers 500."""
    return [
        *(launch.python, "-m", "granian", "--interface", "asgi", "--http", "1"),
        *("--host", launch.host, "--port", str(launch.port)),
        *("--workers", str(launch.workers)),
        *("--loop", launch.options["loop"]),
        *("--backlog", str(launch.backlog)),
        *("--workers-kill-timeout", str(launch.graceful_s)),
        *("--no-access-log", "--log-level", "warning"),
        launch.target,
    ]


def needs(launch: Launch) -> tuple[str, ...]:
    """Name the packages of this loop."""
    return ("uvloop",) if launch.options["loop"] == "uvloop" else ()


def proof(launch: Launch) -> dict[str, str]:
    """Say what the witness must find."""
    return {"loop": LOOPS[launch.options["loop"]], "http": "granian._granian.ASGIHTTPProtocol"}


SERVER = Server(
    requires=("granian>=2.0",),
    options={"loop": Choice(values=tuple(LOOPS), default="uvloop")},
    protocols=("h1",),
    argv=argv,
    needs=needs,
    proof=proof,
    unequal=(
        "granian's runtime threads work beside the event loop: one of its workers can use more than one core",
        "granian has no idle keep-alive time: it closes a connection after 30 s without a request",
        "granian holds at most backlog / workers requests at once (its backpressure)",
    ),
)
