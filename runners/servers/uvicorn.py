"""uvicorn: one process, or a supervisor with spawned workers; HTTP/2 by the parser zttp alone."""

from servermatrix.contracts import ACCESS_LOG, Choice, Launch, Server

# The word for the command line, and the beginning of the class that the witness finds.
LOOPS = {
    "asyncio": ("asyncio", "asyncio."),
    "uvloop": ("uvloop", "uvloop."),
    "rloop": ("rloop:new_event_loop", "rloop."),
}
PARSERS = {
    "h11": "uvicorn.protocols.http.h11_impl.",
    "httptools": "uvicorn.protocols.http.httptools_impl.",
    "zttp": "uvicorn.protocols.http.zttp_impl.",
}
ZTTP_HTTP2 = "uvicorn.protocols.http.zttp_h2_impl."


def argv(launch: Launch) -> list[str]:
    """Build the command line; everything whose default might differ from another server's is said."""
    return [
        *(launch.python, "-m", "uvicorn", launch.target),
        *("--host", launch.host, "--port", str(launch.port)),
        *("--workers", str(launch.workers)),
        *("--loop", LOOPS[launch.options["loop"]][0], "--http", launch.options["http"]),
        *(("--factory",) if launch.factory else ()),
        *(("--lifespan", launch.lifespan) if launch.lifespan != "auto" else ()),
        *(("--http2",) if launch.http2 else ()),
        *(("--ssl-certfile", launch.certificate, "--ssl-keyfile", launch.key) if launch.encrypted else ()),
        *logging(launch),
        *("--backlog", str(launch.backlog)),
        *("--timeout-keep-alive", str(launch.keep_alive_s)),
        *("--timeout-graceful-shutdown", str(launch.graceful_s)),
        "--no-proxy-headers",
    ]


def logging(launch: Launch) -> tuple[str, ...]:
    """Set the access log; the log level holds for it as well, and its lines are of level info."""
    return ("--access-log", "--log-level", "info") if launch.access_log else ("--no-access-log", "--log-level", "warning")


def needs(launch: Launch) -> tuple[str, ...]:
    """Name the packages of this protocol, loop and parser."""
    loop, parser = launch.options["loop"], launch.options["http"]
    if launch.http2:
        own: tuple[str, ...] = ("uvicorn>=0.53",)
    else:
        own = ("uvicorn>=0.52",) if parser == "zttp" else ("uvicorn>=0.36",) if loop == "rloop" else ()
    return (*own, *(() if loop == "asyncio" else (loop,)), parser)


def objection(launch: Launch) -> str | None:
    """Refuse what cannot run, saying what happens when it is tried."""
    loop, parser = launch.options["loop"], launch.options["http"]
    if launch.http2 and parser != "zttp":
        return f"uvicorn speaks HTTP/2 with zttp alone: asked for it with {parser}, it does not start"
    if launch.encrypted and loop == "rloop":
        return "rloop has no TLS, without which uvicorn does not start"
    if launch.http2 and loop == "rloop":
        return "uvicorn's cleartext HTTP/2 never answers on rloop"
    return None


def proof(launch: Launch) -> dict[str, str]:
    """Say what the witness must find."""
    parser = ZTTP_HTTP2 if launch.http2 else PARSERS[launch.options["http"]]
    return {"loop": LOOPS[launch.options["loop"]][1], "http": parser}


def unequal(launch: Launch) -> tuple[str, ...]:
    """List what cannot be set as on the other servers."""
    zttp = launch.options["http"] == "zttp"
    nagle = launch.workers > 1 and launch.options["loop"] == "asyncio"
    return (
        *(("uvicorn calls its parser zttp experimental",) if zttp else ()),
        *(("uvicorn closes a connection of HTTP/2 after 4096 requests, to guard against floods",) if launch.http2 else ()),
        *(("uvicorn's workers on asyncio leave Nagle's algorithm on, so that kept connections wait 40 ms",) if nagle else ()),
    )


SERVER = Server(
    requires=("uvicorn>=0.30",),
    options={
        "loop": Choice(values=tuple(LOOPS), default="uvloop"),
        "http": Choice(values=tuple(PARSERS), default="httptools"),
        "access_log": ACCESS_LOG,
    },
    protocols=("h1", "h1s", "h2c", "h2"),
    argv=argv,
    needs=needs,
    objection=objection,
    proof=proof,
    unequal=unequal,
)
