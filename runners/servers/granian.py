"""granian: a supervisor with worker processes, HTTP by Rust's hyper."""

from servermatrix.contracts import ACCESS_LOG, Choice, Count, Launch, Server

LOOPS = {"asyncio": "asyncio.", "uvloop": "uvloop.", "rloop": "rloop."}
INTERFACES = ("asgi", "asginl", "rsgi")

# The longest time without a request that granian accepts.
LONGEST_IDLE_S = 60

# What HTTP/2 servers in Python announce; granian's own defaults are larger.
HTTP2 = (
    *("--http2-max-concurrent-streams", "128"),
    *("--http2-initial-connection-window-size", "65535"),
    *("--http2-initial-stream-window-size", "65535"),
    *("--http2-max-headers-size", "65536"),
)

# By default a worker leaves connections beyond backlog / workers unserved; no other server has such a limit.
NO_LIMIT = ("--backpressure", "65536")


def argv(launch: Launch) -> list[str]:
    """Build the command line; the interface must be said, or an ASGI app is served as RSGI and answers 500."""
    options = launch.options
    return [
        *(launch.python, "-m", "granian", "--interface", spoken(launch), "--http", "2" if launch.http2 else "1"),
        *("--host", launch.host, "--port", str(launch.port)),
        *("--workers", str(launch.workers)),
        *("--loop", options["loop"]),
        *("--runtime-mode", options["runtime-mode"], "--runtime-threads", options["runtime-threads"]),
        *("--backlog", str(launch.backlog), *NO_LIMIT),
        *(HTTP2 if launch.http2 else ("--http1-header-read-timeout", str(idle_s(launch) * 1000))),
        *("--workers-kill-timeout", str(launch.graceful_s)),
        *(("--ssl-certificate", launch.certificate, "--ssl-keyfile", launch.key) if launch.encrypted else ()),
        *(("--ssl-protocol-min", "tls1.2") if launch.encrypted else ()),
        *("--access-log" if launch.access_log else "--no-access-log", "--log-level", "warning"),
        *(("--factory",) if launch.factory else ()),
        launch.target,
    ]


def spoken(launch: Launch) -> str:
    """Choose what granian and the app speak with each other: asginl is ASGI without its lifespan."""
    chosen = launch.options["interface"]
    return "asginl" if (chosen, launch.lifespan) == ("asgi", "off") else chosen


def idle_s(launch: Launch) -> int:
    """Return after how many seconds without a request a connection of HTTP/1.1 is closed."""
    return min(launch.keep_alive_s, LONGEST_IDLE_S)


def needs(launch: Launch) -> tuple[str, ...]:
    """Name the packages of this protocol and loop."""
    loop = launch.options["loop"]
    return (*(("granian>=2.6",) if launch.encrypted else ()), *(() if loop == "asyncio" else (loop,)))


def objection(launch: Launch) -> str | None:
    """Refuse what has no lifespan where there is to be one."""
    if launch.lifespan != "on" or launch.options["interface"] == "asgi":
        return None
    return f"granian's {launch.options['interface']} has no lifespan, which is to be on"


def interface(launch: Launch) -> str:
    """Say what the app must speak."""
    return "rsgi" if launch.options["interface"] == "rsgi" else "asgi"


def proof(launch: Launch) -> dict[str, str]:
    """Say what the witness must find; with an access log, granian wraps the protocol object of RSGI."""
    if interface(launch) == "asgi":
        http = "granian._granian.ASGIHTTPProtocol"
    else:
        http = "granian.rsgi._LoggingProto" if launch.access_log else "granian._granian.RSGIHTTPProtocol"
    return {"loop": LOOPS[launch.options["loop"]], "http": http}


def unequal(launch: Launch) -> tuple[str, ...]:
    """List what cannot be set as on the other servers."""
    sooner = f"granian closes a connection after {idle_s(launch)} s without a request, not after {launch.keep_alive_s}"
    never = "granian never closes a connection of HTTP/2 for being idle"
    left_out = launch.options["interface"] == "asginl" and launch.lifespan != "off"
    return (
        "granian's runtime threads work beside the event loop: one of its workers can use more than one core",
        *((never,) if launch.http2 else (sooner,) if idle_s(launch) != launch.keep_alive_s else ()),
        *(("granian's asginl leaves out the lifespan of the app",) if left_out else ()),
        *(("granian warns and serves on when the app fails in its lifespan",) if launch.lifespan == "on" else ()),
    )


SERVER = Server(
    requires=("granian>=2.0",),
    options={
        "loop": Choice(values=tuple(LOOPS), default="uvloop"),
        "interface": Choice(values=INTERFACES, default="asgi", in_id=False),
        "runtime-mode": Choice(values=("mt", "st"), default="mt", in_id=False),
        "runtime-threads": Count(default="1", in_id=False),
        "access_log": ACCESS_LOG,
    },
    protocols=("h1", "h1s", "h2c", "h2"),
    argv=argv,
    needs=needs,
    objection=objection,
    proof=proof,
    interface=interface,
    unequal=unequal,
)
