"""hypercorn: a parent with spawned workers, HTTP by h11 and h2."""

from servermatrix.contracts import Choice, Launch, Server

LOOPS = {"asyncio": "asyncio.", "uvloop": "uvloop."}

# No command line for this one: by default every connection is closed after 1000 requests, which a generator either
# hides by connecting again (wrk) or takes for the end (h2load).
CONFIG = "keep_alive_max_requests = 1000000000\n"


def argv(launch: Launch) -> list[str]:
    """Build the command line; everything whose default might differ from another server's is said."""
    return [
        *(launch.python, "-m", "hypercorn", "--config", f"{launch.folder}/hypercorn.toml"),
        *("--bind", f"{launch.host}:{launch.port}", "--workers", str(launch.workers)),
        *("--worker-class", launch.options["loop"]),
        *("--backlog", str(launch.backlog)),
        *("--keep-alive", str(launch.keep_alive_s)),
        *("--graceful-timeout", str(launch.graceful_s)),
        *("--log-level", "warning"),
        launch.target,
    ]


def files(_: Launch) -> dict[str, str]:
    """Write the settings that the command line lacks."""
    return {"hypercorn.toml": CONFIG}


def needs(launch: Launch) -> tuple[str, ...]:
    """Name the packages of this loop."""
    return ("h11", "uvloop") if launch.options["loop"] == "uvloop" else ("h11",)


def proof(launch: Launch) -> dict[str, str]:
    """Say what the witness must find."""
    return {"loop": LOOPS[launch.options["loop"]], "http": "hypercorn.protocol.http_stream."}


SERVER = Server(
    requires=("hypercorn>=0.17",),
    options={"loop": Choice(values=tuple(LOOPS), default="uvloop")},
    protocols=("h1",),
    argv=argv,
    files=files,
    needs=needs,
    proof=proof,
)
