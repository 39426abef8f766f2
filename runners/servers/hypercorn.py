"""hypercorn: a parent with spawned workers, HTTP by h11 and h2."""

from servermatrix.contracts import ACCESS_LOG, Choice, Launch, Server

LOOPS = {"asyncio": "asyncio.", "uvloop": "uvloop.", "trio": "trio."}

# What an app that is written for asyncio raises on trio, each seen: asyncio.sleep and most else, a bare await of a future,
# and asyncio's queues and locks.
ASYNCIO_ON_TRIO = (
    "RuntimeError: no running event loop",
    "a library written for some other framework like asyncio",
    "'NoneType' object has no attribute 'create_future'",
)

# There is no command line for any of these. By default every connection is closed after 1000 requests, which a generator
# either hides by connecting again (wrk) or takes for the end (h2load), and a client chooses between HTTP/1.1 and HTTP/2,
# whichever was asked for. When an app fails in its lifespan, hypercorn warns and serves without it, in the same words as
# for an app that has none; only the exception tells the two apart, and it is not shown otherwise.
CONFIG = """\
from hypercorn.logging import Logger


class TellingLogger(Logger):
    async def warning(self, message, *args, **kwargs):
        await super().warning(message, *args, exc_info=True, **kwargs)


logger_class = TellingLogger
keep_alive_max_requests = 1_000_000_000
alpn_protocols = ["{alpn}"]
h2_max_concurrent_streams = 128
"""


SETTINGS = "hypercorn_config"


def argv(launch: Launch) -> list[str]:
    """Build the command line; everything whose default might differ from another server's is said."""
    return command(launch, "cell_config")


def command(launch: Launch, config: str) -> list[str]:
    """Build the command line that reads this module of settings; the app is an expression that hypercorn evaluates."""
    return [
        *(launch.python, "-m", "hypercorn", "--config", f"python:{config}"),
        *("--bind", f"{launch.host}:{launch.port}", "--workers", str(launch.workers)),
        *("--worker-class", launch.options["loop"]),
        *(("--certfile", launch.certificate, "--keyfile", launch.key) if launch.encrypted else ()),
        *("--backlog", str(launch.backlog)),
        *("--keep-alive", str(launch.keep_alive_s)),
        *("--graceful-timeout", str(launch.graceful_s)),
        *logging(launch),
        launch.called,
    ]


def logging(launch: Launch) -> tuple[str, ...]:
    """Set the access log; the log level holds for it as well, and its lines are of level info."""
    return ("--access-logfile", "-", "--log-level", "info") if launch.access_log else ("--log-level", "warning")


def files(launch: Launch) -> dict[str, str]:
    """Write the settings that the command line lacks; the module is found because the server starts in its folder."""
    return {"cell_config.py": CONFIG.format(alpn="h2" if launch.http2 else "http/1.1")}


def settings(launch: Launch) -> dict[str, str]:
    """Give what the command line lacks the name of a file that is there to stay."""
    return {f"{SETTINGS}.py": text for text in files(launch).values()}


def settings_argv(launch: Launch) -> tuple[str, ...]:
    """Build the command line that uses it; the module is found in the folder that the server is started in."""
    return tuple(command(launch, SETTINGS))


def needs(launch: Launch) -> tuple[str, ...]:
    """Name the packages of this protocol and loop."""
    loop = launch.options["loop"]
    return ("h2" if launch.http2 else "h11", *(() if loop == "asyncio" else (loop,)))


def proof(launch: Launch) -> dict[str, str]:
    """Say what the witness must find."""
    return {"loop": LOOPS[launch.options["loop"]], "http": "hypercorn.protocol.http_stream."}


def unequal(launch: Launch) -> tuple[str, ...]:
    """List what cannot be set as on the other servers."""
    return {
        "auto": (),
        "on": ("hypercorn warns and serves on when the app fails in its lifespan",),
        "off": ("hypercorn runs the lifespan of the app, which cannot be turned off",),
    }[launch.lifespan]


SERVER = Server(
    requires=("hypercorn>=0.17",),
    options={"loop": Choice(values=tuple(LOOPS), default="uvloop"), "access_log": ACCESS_LOG},
    protocols=("h1", "h1s", "h2c", "h2"),
    argv=argv,
    files=files,
    needs=needs,
    proof=proof,
    unequal=unequal,
    settings=settings,
    settings_argv=settings_argv,
    alarms=ASYNCIO_ON_TRIO,
)
